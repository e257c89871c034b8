"""How soon is a version that cannot start found out, and the old one restored?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench.moments import Obj, cannot_pull, cannot_start, eventually, first, image_of, is_complete
from bench.numbers import Measure, Row, Target, Unit
from bench.process import run
from bench.rig import Rig
from bench.workload import Eyes, Workload
from tests.cluster.commands import run as run_short

KUBECTL_TIMEOUT = 60
ROLLED_BACK = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """Moments of one failed deploy, all but the last by the watcher: patch, first bad status of a pod, restore patch,
    old version complete again, process ended.
    """

    patched: float
    bad: float
    restoring: float
    restored: float
    ended: float

    @property
    def own_share(self) -> float:
        """Seconds that are the program's own: from bad to the restore patch, and from restored to its exit."""
        return (self.restoring - self.bad) + (self.ended - self.restored)


@dataclass(frozen=True, slots=True, kw_only=True)
class Failing:
    """A kind of version that cannot start: its deploy's flags, the image as pods name it, how its failure shows."""

    title: str
    make: Callable[[Rig], tuple[tuple[str, ...], str]]
    is_bad: Callable[[Obj], bool]


def missing_image(rig: Rig) -> tuple[tuple[str, ...], str]:
    """Builds and pushes to one repository; the cluster is told to pull from another, where nothing is."""
    registry, tag = rig.cluster.registry, f"v{rig.number()}"
    checkout = _checkout(rig)
    absent = f"{registry}/bench/absent"
    where = ("--image", absent, "--push-image", f"{registry}/bench/pushed", "--build-context", str(checkout))
    return (*where, "--tag", tag), f"{absent}:{tag}"


def unstartable_image(rig: Rig) -> tuple[tuple[str, ...], str]:
    """An image that is there and names a program that is not."""
    image = rig.unstartable()
    return ("--image", image), image


MISSING = Failing(title="An image that does not exist", make=missing_image, is_bad=cannot_pull)
UNSTARTABLE = Failing(title="An entry point that does not exist", make=unstartable_image, is_bad=cannot_start)


def measure_failure(workload: Workload, failing: Failing, runs: int) -> tuple[Timeline, ...]:
    """Deploys `runs` versions that cannot start; each must end rolled back."""
    found = []
    for _ in range(runs):
        workload.calm()
        flags, image = failing.make(workload.rig)
        old = workload.image
        with workload.watched() as eyes:
            deployed = workload.deploy(*flags, code=ROLLED_BACK)
            found.append(timeline(eyes, failing.is_bad, image, old, deployed.ended.ended))
    return tuple(found)


def measure_kubectl(workload: Workload, failing: Failing) -> Timeline:
    """The same with a script of kubectl: set image, rollout status --timeout, and where that fails undo, status."""
    workload.calm()
    image, old = failing.make(workload.rig)[1], workload.image
    kubectl = f"{workload.rig.kubectl} --namespace {workload.name}"
    script = (
        f"set -e; {kubectl} set image deployment/web web={image}; "
        f"{kubectl} rollout status deployment/web --timeout={KUBECTL_TIMEOUT}s || "
        f"{{ {kubectl} rollout undo deployment/web; {kubectl} rollout status deployment/web; exit {ROLLED_BACK}; }}"
    )
    with workload.watched() as eyes:
        ended = run(["sh", "-c", script], workload.rig.environment, workload.rig.folder, codes=(ROLLED_BACK,))
        return eventually(lambda: timeline(eyes, failing.is_bad, image, old, ended.ended))


def timeline(eyes: Eyes, is_bad: Callable[[Obj], bool], image: str, old: str, ended: float) -> Timeline:
    """The moments of one run, from what the watcher saw."""
    seen = eyes.deployment
    patched = first(seen, lambda d: image_of(d).startswith(image))
    restoring = first(seen, lambda d: image_of(d) == old, after=patched)
    return Timeline(
        patched=patched,
        bad=first(eyes.pods_of(image), is_bad),
        restoring=restoring,
        restored=first(seen, lambda d: image_of(d) == old and is_complete(d), after=restoring),
        ended=ended,
    )


def failure_table(failing: Failing, ours: tuple[Timeline, ...], kubectl: Timeline) -> Measure:
    """The page's table."""
    beside = (kubectl.restored - kubectl.patched,)
    seconds = Unit.SECONDS
    return Measure(
        title=failing.title,
        note="From the patch to the old version complete again, on a real kubelet, as the watcher saw it. kdeploy's "
        "own share: from the first bad status on the watch to its restore patch, and from complete again to its exit. "
        f"The kubectl script waits with `rollout status --timeout={KUBECTL_TIMEOUT}s`, then undoes: without a timeout "
        "it would wait for the progress deadline, 600 s by default.",
        rows=(
            _row("kdeploy: patch to restored", [t.restored - t.patched for t in ours], seconds, 5.0, beside),
            _row("kdeploy: its own share", [t.own_share for t in ours], seconds, 1.0),
            _row("patch to bad status (the kubelet)", [t.bad - t.patched for t in ours], seconds),
            _row("bad status to restore patch", [1000 * (t.restoring - t.bad) for t in ours], Unit.MILLISECONDS),
            _row("restore patch to restored (the cluster)", [t.restored - t.restoring for t in ours], seconds),
            _row("restored to exit", [1000 * (t.ended - t.restored) for t in ours], Unit.MILLISECONDS),
            _row("kubectl script: patch to restored", list(beside), seconds),
        ),
    )


def _row(what: str, values: list[float], unit: Unit, limit: float | None = None, beside: tuple[float, ...] = ()) -> Row:
    target = None if limit is None else Target(limit=limit)
    return Row(what=what, unit=unit, values=tuple(values), target=target, beside=beside)


def _checkout(rig: Rig) -> Path:
    """A git repository with something to build."""
    folder = rig.folder / "checkout"
    if not folder.is_dir():
        folder.mkdir()
        (folder / "Dockerfile").write_text(f'FROM {rig.cluster.base_image}\nCMD ["sleep", "1000000"]\n')
        git = ("git", "-C", str(folder), "-c", "user.name=bench", "-c", "user.email=bench@localhost")
        run_short(*git, "init", "--quiet")
        run_short(*git, "add", "Dockerfile")
        run_short(*git, "commit", "--quiet", "--message", "A version")
    return folder
