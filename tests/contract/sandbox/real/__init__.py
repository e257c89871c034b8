"""Requests, and what a real API server of Kubernetes 1.35 answered to them: the sandbox's answers are held to these."""
