"""What `kdeploy doctor` makes of what was found: pure judgements, one check a line."""
