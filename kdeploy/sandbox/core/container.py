"""One simulated container: what a kubelet knows of it. pulling.py and running.py say what happens to it."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, field
from enum import Enum, auto
from itertools import pairwise
from typing import Literal, Protocol

from kdeploy.model import Obj
from kdeploy.sandbox.core.backoff import Backoff
from kdeploy.sandbox.core.behaviour import Behaviour
from kdeploy.sandbox.core.endpoints import has_ready
from kdeploy.sandbox.core.images import ImageInfo, Images
from kdeploy.sandbox.core.needs import Get
from kdeploy.sandbox.core.podstatus import INITIALIZING, PENDING, container_status, is_sidecar
from kdeploy.sandbox.core.probing import Sent

NOTICE = 1.0
"""Seconds until a kubelet sees that a container has ended: it lists them once a second (pkg/kubelet/pleg)."""

RESYNC = 10.0
"""Seconds until a kubelet tries again what failed for want of something else."""


class Tells(Protocol):
    """Tells of a container: a reason and a message, as an event has them."""

    def __call__(self, reason: str, message: str, type_: Literal["Normal", "Warning"] = "Normal") -> None:
        """Takes one."""


class Stage(Enum):
    """What happens to a container at its `due`."""

    NEW = auto()
    PULL = auto()
    PULLED = auto()
    PULL_FAILED = auto()
    CREATE = auto()
    START = auto()
    RUN = auto()
    STOP = auto()
    ENDED = auto()
    AGAIN = auto()
    DONE = auto()


@dataclass(frozen=True, slots=True)
class Place:
    """What is around a container: its pod with its address, its node's images, and whom to tell.

    `present` are the images that are on the node, by the text that names them.
    """

    pod: Obj
    ip: str
    images: Images
    present: dict[str, ImageInfo]
    get: Get
    tell: Tells

    def serves(self, service: str) -> bool:
        """Whether a Service of the pod's namespace has a ready pod behind it."""
        return has_ready(self.get, self.pod["metadata"]["namespace"], service)


@dataclass(slots=True, eq=False)
class Container:
    """One container of a pod, which its steps change. Times are Unix seconds.

    `state` and `last` are as the API has them; `due` is when something happens next, None while it waits for something
    else; `terminated` is how the latest run ended; `pulling` since when its image is being pulled.
    """

    spec: Obj
    state: Obj
    init: bool = False
    stage: Stage = Stage.NEW
    due: float | None = None
    info: ImageInfo | None = None
    behaviour: Behaviour = field(default_factory=Behaviour)
    runs: int = 0
    started_at: float = 0.0
    ended_at: float = 0.0
    terminated: Obj | None = None
    last: Obj | None = None
    ready: bool = False
    started: bool = False
    crashes: Backoff = field(default_factory=Backoff)
    pulls: Backoff = field(default_factory=Backoff)
    pulling: float | None = None
    probes: tuple[Sent, ...] = ()

    @property
    def name(self) -> str:
        """The container's name in its pod."""
        return str(self.spec["name"])

    @property
    def is_step(self) -> bool:
        """Whether it has to end before the next container may begin."""
        return self.init and not is_sidecar(self.spec)

    @property
    def lets_pass(self) -> bool:
        """For an init container: whether the next one may begin."""
        return self.stage is Stage.DONE and self.ready if self.is_step else self.started

    @property
    def waits_for_image(self) -> bool:
        """Whether it is not known yet what its image is."""
        return self.stage is Stage.PULL and self.due is None

    @property
    def is_running(self) -> bool:
        """Whether there is something to stop."""
        return self.stage in (Stage.RUN, Stage.STOP)

    def exits_at(self) -> float | None:
        """When this run ends by itself, seconds after its start; an init container's image is one that ends."""
        ends = self.behaviour.exits_at(self.runs - 1)
        return 0.0 if ends is None and self.is_step else ends

    def stop_seconds(self) -> float:
        """How long it takes to end when it is asked to; one that hangs does not hear it."""
        hangs = self.behaviour.hangs_after < math.inf
        return math.inf if hangs else _pre_stop(self.spec) + self.behaviour.stop_after

    def status(self, uid: str) -> Obj:
        """Its entry in the pod's status; `uid` is the pod's."""
        digest = self.info.digest if self.info is not None and self.runs else ""
        return container_status(
            self.spec,
            state=self.state,
            last=self.last,
            container_id=self.id(uid) if self.runs else "",
            image_id=f"{_repository(str(self.spec['image']))}@{digest}" if digest else "",
            restarts=max(self.runs - 1, 0),
            ready=self.ready,
            started=self.started,
        )

    def id(self, uid: str) -> str:
        """The id of its latest run; `uid` is the pod's."""
        return "sandbox://" + hashlib.sha256(f"{uid}/{self.name}/{self.runs}".encode()).hexdigest()


def created(spec: Obj, *, init: bool, after_init: bool) -> Container:
    """A container that has not begun; `after_init`: init containers come before it."""
    return Container(spec, INITIALIZING if after_init else PENDING, init)


def grace_of(pod: Obj) -> float:
    """The seconds that a pod's containers have to end."""
    return float(pod["spec"].get("terminationGracePeriodSeconds", 30))


def _repository(image: str) -> str:
    """The image's name without tag and digest."""
    name = image.partition("@")[0]
    head, colon, tag = name.rpartition(":")
    return head if colon and "/" not in tag else name


def _pre_stop(container: Obj) -> float:
    """The seconds for which its preStop hook sleeps; other hooks take no time."""
    hook = (container.get("lifecycle") or {}).get("preStop")
    if not hook:
        return 0.0
    if hook.get("sleep"):
        return float(hook["sleep"].get("seconds") or 0)
    words = " ".join(map(str, (hook.get("exec") or {}).get("command") or ())).split()
    sleeps = [after for word, after in pairwise(words) if word == "sleep"]
    return float(sleeps[0]) if sleeps and sleeps[0].isdecimal() else 0.0
