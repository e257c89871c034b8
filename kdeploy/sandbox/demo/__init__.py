"""`kdeploy demo`: four commits of a small web app, deployed one after the other by the very `kdeploy deploy`."""
