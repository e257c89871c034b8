"""The Kubernetes API server: the only importer of the `kubernetes` client."""
