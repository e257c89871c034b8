"""For all tests."""

from __future__ import annotations

from hypothesis import settings

# A machine that is busy is no failure: the properties are about values, not about time.
settings.register_profile("kdeploy", deadline=None)
settings.load_profile("kdeploy")
