"""The environment that the demo's programs get: nothing of the user's but what a terminal needs.

No CI variables, no KDEPLOY_..., no proxies, no configuration of git, docker or kubectl. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

_KEPT = ("PATH", "LANG", "LC_ALL", "LC_CTYPE", "TERM", "COLORTERM", "NO_COLOR", "TMPDIR", "TZ")


def clean_environment(env: Mapping[str, str], home: Path, package: Path) -> dict[str, str]:
    """`home` is an empty folder, `package` the one that holds kdeploy: where PYTHONPATH names that, it still does."""
    kept = {name: env[name] for name in _KEPT if env.get(name)}
    kept.setdefault("PATH", "/usr/local/bin:/usr/bin:/bin")
    if str(package) in env.get("PYTHONPATH", "").split(":"):
        kept["PYTHONPATH"] = str(package)
    return kept | {
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home),
        "DOCKER_CONFIG": str(home / "docker"),
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_CONFIG_SYSTEM": "/dev/null",
        "GIT_CONFIG_NOSYSTEM": "1",
    }
