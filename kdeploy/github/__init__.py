"""GitHub's REST API: a deploy shown among the repository's deployments, where a token is given."""
