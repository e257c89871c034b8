"""The container image: made on a machine that can pull none, and run as GitHub's runner, GitLab and Jenkins run it."""
