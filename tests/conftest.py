"""For all tests."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# A machine that is busy is no failure: the properties are about values, not about time.
settings.register_profile("kdeploy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("kdeploy")
