"""The embedded sandbox: a registry and a Kubernetes API in one process, on loopback addresses only."""
