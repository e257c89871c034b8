"""Short commands that are waited for."""

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.cluster.errors import RigError

SYSTEM = ("/usr/sbin", "/sbin")


def find_system_programs() -> None:
    """Lets later commands find what only root's PATH may have, such as iptables."""
    path = os.environ.get("PATH", os.defpath)
    os.environ["PATH"] = os.pathsep.join([path, *(place for place in SYSTEM if place not in path.split(os.pathsep))])


def run(
    *command: str | Path,
    check: bool = True,
    environment: Mapping[str, str] | None = None,
    timeout: float = 120,
    stdin: str | None = None,
) -> str:
    """Runs a command and returns what it printed; where it fails and `check` holds, RigError has its last words."""
    words = [str(word) for word in command]
    try:
        done = subprocess.run(
            words,
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout,
            env=environment,
            errors="replace",
            input=stdin,
        )
    except FileNotFoundError as error:
        raise RigError(f"{words[0]} is not on PATH") from error
    except subprocess.TimeoutExpired as error:
        raise RigError(f"{' '.join(words[:3])} took more than {timeout:.0f} s") from error
    if check and done.returncode:
        raise RigError(f"{' '.join(words[:4])} failed ({done.returncode}): {_last_words(done)}")
    return done.stdout


def succeeds(*command: str | Path, environment: Mapping[str, str] | None = None) -> bool:
    """Whether a command exits with 0."""
    words: Sequence[str] = [str(word) for word in command]
    return subprocess.run(words, capture_output=True, check=False, env=environment).returncode == 0


def _last_words(done: subprocess.CompletedProcess[str]) -> str:
    return (done.stderr.strip() or done.stdout.strip() or "it said nothing")[-400:]
