"""Which version may be put back, and the patch that does it: pure."""
