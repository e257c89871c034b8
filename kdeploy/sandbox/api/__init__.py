"""The Kubernetes API over HTTP: a thin face on the sandbox cluster's store."""
