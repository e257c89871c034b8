"""`make e2e`: the end-to-end tests on every Kubernetes that can be had here, one fresh cluster each.

Where KDEPLOY_E2E_KUBECONFIG or KDEPLOY_E2E_STATE names a cluster, they run on that one. KDEPLOY_E2E_KUBERNETES narrows
the versions. Arguments go to pytest.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.cluster import lifecycle
from tests.cluster.binaries import BinariesError, available
from tests.cluster.cluster import from_environment
from tests.cluster.errors import RigError

TESTS = Path(__file__).parent
WORKERS = "4"
"""The tests wait most of the time."""

Rounds = Sequence[Sequence[str]]
ROUNDS: Rounds = (
    ("-m", "e2e and not disruptive and not image", "-n", WORKERS, "--dist", "worksteal"),
    ("-m", "e2e and disruptive"),
)
WHOLE = "KDEPLOY_E2E_WHOLE"
"""Set where no test is left out: what all of them together must have done is asked only then."""
IMAGE: Sequence[str] = ("-m", "e2e and image", "-n", WORKERS, "--dist", "worksteal")
"""The round of the container image, on one version alone: what differs between versions, the others have seen. It comes
last, since the image is built in it, which keeps both cores busy.
"""
FAILED = 1
NOTHING_RUN = 5
"""pytest's exit codes: some tests failed; its arguments chose none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """How the tests ended on one version, after so many seconds."""

    version: str
    passed: bool
    seconds: float

    def __str__(self) -> str:
        return f"e2e on Kubernetes {self.version}: {'passed' if self.passed else 'FAILED'} in {self.seconds:.0f} s"


def main(arguments: Sequence[str]) -> int:
    """The exit code: 0 all passed, 1 some failed, 2 there is no cluster to run on."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        tallies = _run_all(arguments)
    except (RigError, BinariesError) as error:
        sys.stderr.write(f"the end-to-end tests cannot run: {error}\n{_NEEDED}")
        return 2
    except KeyboardInterrupt:
        sys.stderr.write("interrupted; what was started is stopped again\n")
        return 130
    sys.stdout.write("".join(f"{tally}\n" for tally in tallies))
    return 0 if all(tally.passed for tally in tallies) else 1


_NEEDED = """They need one of these:
- root on Debian 12, for a cluster of their own; Kubernetes is from $KDEPLOY_K8S_BINARIES or `make cluster-binaries`
- KDEPLOY_E2E_KUBECONFIG and KDEPLOY_E2E_REGISTRY: kind or any other cluster (tests/cluster/README.md)
"""


def _run_all(arguments: Sequence[str]) -> list[Tally]:
    if os.environ.get("KDEPLOY_E2E_KUBECONFIG") or os.environ.get("KDEPLOY_E2E_STATE"):
        return [_run(from_environment().version, arguments, {}, [*ROUNDS, IMAGE])]
    *older, newest = _versions(os.environ.get("KDEPLOY_E2E_KUBERNETES", ""))
    tallies = [_run_on_fresh(version, arguments, ROUNDS) for version in older]
    return [*tallies, _run_on_fresh(newest, arguments, [*ROUNDS, IMAGE])]


def _versions(wanted: str) -> list[str]:
    """Those that can be run here, oldest first; of `wanted`, such as v1.20.2 or 1.20, if that is not empty."""
    name = f"v{wanted.removeprefix('v')}"
    found = [each.version for each in available()]
    fitting = [version for version in found if not wanted or f"{version}.".startswith(f"{name}.")]
    if not fitting:
        raise RigError(f"no Kubernetes {wanted or 'at all'} is here (available: {', '.join(found) or 'none'})")
    return fitting


def _run_on_fresh(version: str, arguments: Sequence[str], rounds: Rounds) -> Tally:
    """Starts a cluster, tests on it, and takes it down whatever happens. The logs of a failure are kept."""
    folder = Path(tempfile.mkdtemp(prefix=f"kdeploy-e2e-{version}-"))
    state, keep = folder / "cluster", False
    try:
        lifecycle.up(state, version, _say)
        tally = _run(version, arguments, {"KDEPLOY_E2E_STATE": str(state)}, rounds)
        keep = not tally.passed
        return tally
    finally:
        lifecycle.down(state)
        if keep:
            _say(f"the cluster's logs: {state / 'logs'}")
        else:
            shutil.rmtree(folder, ignore_errors=True)


def _run(version: str, arguments: Sequence[str], environment: Mapping[str, str], rounds: Rounds) -> Tally:
    start = time.monotonic()
    environment = {**environment, **({} if arguments else {WHOLE: "1"})}
    cache = ("-o", f"cache_dir=.pytest_cache/e2e-{version}")
    codes = [_round([*chosen, *cache, *arguments], {**os.environ, **environment}) for chosen in rounds]
    allowed = {0, NOTHING_RUN} if arguments else {0}
    return Tally(version=version, passed=set(codes) <= allowed, seconds=time.monotonic() - start)


def _round(arguments: Sequence[str], environment: Mapping[str, str]) -> int:
    """Runs the chosen tests; those that fail once more, alone: four at a time on two cores, a bound may be missed.

    What passes only then is named in pytest's own summary of the first try, and counts as passed.
    """
    code = _pytest(arguments, environment)
    if code != FAILED:
        return code
    _say("some tests failed: once more, one at a time")
    return _pytest([*arguments, "-n", "0", "--last-failed", "--last-failed-no-failures", "none"], environment)


def _pytest(arguments: Sequence[str], environment: Mapping[str, str]) -> int:
    command = [sys.executable, "-m", "pytest", "-q", "--durations=5", str(TESTS), *arguments]
    return subprocess.run(command, env=environment, cwd=TESTS.parent.parent, check=False).returncode


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
