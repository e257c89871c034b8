"""What a benchmark stands on: a cluster, two command lines, images that all differ, a folder for scratch."""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.api import Api
from bench.process import Ended, run
from tests.cluster import images, lifecycle
from tests.cluster.cluster import Cluster, running
from tests.cluster.commands import run as run_short

ROOT = Path(__file__).resolve().parent.parent
REPOSITORY = "bench/app"
_APPLETS = ("sh", "sleep", "false")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rig:
    """The cluster under test and the programs that are measured on it."""

    cluster: Cluster
    api: Api
    folder: Path
    kubectl: str
    kdeploy: str
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    @property
    def environment(self) -> Mapping[str, str]:
        """What both programs are started with; nothing of the caller's CI or kdeploy variables."""
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        return kept | self.cluster.environment | {"DOCKER_BUILDKIT": "1"}

    def number(self) -> int:
        """A number that this run has not used yet."""
        return next(self._numbers)

    def run_kubectl(
        self, *words: str, codes: Sequence[int] = (0,), meanwhile: Callable[[], None] = lambda: None
    ) -> Ended:
        """One kubectl command; see `process.run`."""
        return run([self.kubectl, *words], self.environment, self.folder, codes=codes, meanwhile=meanwhile)

    def run_kdeploy(
        self, *words: str, codes: Sequence[int] = (0,), meanwhile: Callable[[], None] = lambda: None
    ) -> Ended:
        """One kdeploy command; see `process.run`."""
        return run([self.kdeploy, *words], self.environment, self.folder, codes=codes, meanwhile=meanwhile)

    def sleeping(self) -> str:
        """The digest reference of a new image that runs on."""
        return self._image("/bin/sleep", str(1_000_000 + self.number()))

    def crashing(self) -> str:
        """The digest reference of a new image that exits with 1 at once."""
        return self._image("/bin/false", str(self.number()))

    def unstartable(self) -> str:
        """The digest reference of a new image whose entry point is not there."""
        return self._image("/bin/absent", str(self.number()))

    def _image(self, *command: str) -> str:
        """They share one layer, so that pulling one costs the node next to nothing."""
        busybox = next(Path(place) for place in images.BUSYBOX if Path(place).is_file())
        image = images.make(
            {"bin/busybox": busybox.read_bytes()},
            links={f"bin/{name}": "busybox" for name in _APPLETS},
            command=command,
        )
        tag = f"v{self.number()}"
        return f"{images.push(image, self.cluster.registry, REPOSITORY, tag)}@{image.digest}"


@contextlib.contextmanager
def rig(version: str | None) -> Iterator[Rig]:
    """The cluster that $KDEPLOY_E2E_STATE names, else one of its own that ends with the block."""
    with tempfile.TemporaryDirectory(prefix="kdeploy-bench-") as scratch:
        folder = Path(scratch)
        named = os.environ.get("KDEPLOY_E2E_STATE")
        cluster = running(Path(named)) if named else lifecycle.up(folder / "cluster", version, print)
        try:
            work = folder / "work"
            work.mkdir()
            yield Rig(
                cluster=cluster,
                api=Api.of(cluster),
                folder=work,
                kubectl=find_kubectl(),
                kdeploy=str(ROOT / ".venv" / "bin" / "kdeploy"),
            )
        finally:
            if not named:
                lifecycle.down(cluster.state)


def find_kubectl() -> str:
    """The newest kubectl itself: Google's package puts a dispatcher in front, which asks the server for its version."""
    found = shutil.which("kubectl")
    if found is None:
        raise RuntimeError("kubectl is not on PATH")
    path = Path(found).resolve()
    itself = sorted(path.parent.glob("kubectl.1.*"), key=lambda one: int(one.name.rpartition(".")[2]))
    return str(itself[-1] if itself else path)


def text_of(*command: str) -> str:
    """What a short command prints; empty where it fails."""
    return run_short(*command, check=False).strip()
