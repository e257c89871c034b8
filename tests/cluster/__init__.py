"""A real Kubernetes cluster with a registry and a Docker Engine, started by the tests themselves; see README.md."""
