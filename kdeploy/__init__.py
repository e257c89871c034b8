"""kdeploy: a commit reaches Kubernetes safely, or the last verified version is put back."""

__version__ = "0.1.0"
