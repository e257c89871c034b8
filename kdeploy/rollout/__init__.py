"""What a rollout is and how it stands: pure functions from Kubernetes objects to patches and verdicts."""
