"""The cluster's own logic: pure, so that a server and a simulator on virtual time drive the same code."""
