"""What `kdeploy init` makes of a repository and its cluster: guesses, and the files that say them."""
