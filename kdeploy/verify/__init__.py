"""Health checks: `judge` decides from samples, one module a transport sends the probes."""
