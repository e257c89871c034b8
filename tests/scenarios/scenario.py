"""What a row of the table is made of: plain data, which says nothing about where it is played.

Texts may hold names, which stand for what only the place knows: `$namespace`, `$target`, `$repository` (where the row's
images go), `$registry`, and of each version by its name `$one.image` (its reference), `$one.digest`, `$one.commit`,
`$one.revision`. A version has them from its deploy on; the seed and those of `outside` have an image from the start.
"""

import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.scenarios.versions import HEALTH, Version, good

Fields = Mapping[str, Any]

SEED = good("seed")
"""What runs before kdeploy's first deploy."""

QUICK: Fields = {"path": HEALTH, "samples": 3, "interval": "100ms", "within": "3s"}
"""A check that takes half a second where all is well."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """What there is in the beginning: a workload called "app" that runs `seed`, with all its pods, if it `comes_up`.

    `calm`: the seconds for which a Deployment's new pod must be ready before the next one follows, so that others find
    the rollout under way. `container`: more fields of the app's container, `volumes` the pod's. `others`: objects
    that are made before it.
    """

    kind: str = "Deployment"
    replicas: int = 2
    calm: int = 0
    seed: Version = SEED
    exists: bool = True
    comes_up: bool = True
    container: Fields = field(default_factory=dict)
    volumes: tuple[Fields, ...] = ()
    others: tuple[Fields, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Ends:
    """How a run of kdeploy ends: exit code, outcome and reason, and what else its report says.

    `image`: fields of what was deployed. `previous` and `back_to` are names of versions; `back_to` is "" where nothing
    was put back. `says`: words of the message, the hint and the warnings. `culprit`: fields of the first one, and `log`
    a part of its log. `checks`: which of them passed. `requests`: so many are sent at most, preflight and checks apart.
    `story`: the kinds of events that matter, in order (story.py).
    """

    code: int
    outcome: str
    reason: str
    image: Fields | None = None
    previous: str | None = None
    back_to: str = ""
    says: tuple[str, ...] = ()
    culprit: Fields | None = None
    log: str = ""
    checks: tuple[bool, ...] | None = None
    requests: int | None = None
    story: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Prints:
    """How a run of `status` or `history` ends, which have no report: the exit code, and fields of what is printed."""

    code: int
    fields: Fields


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What a fresh read shows: `runs` and `marks` are names of versions.

    `pods`: there are so many, as the workload asks, all of them ready and running it; None: the rollout may be under
    way, and only the template is looked at. `marks`: whose deploy's marks the workload has; "" for none at all, None
    for not looked at. `keeps`: what is as it was before the step: "template", "marks", "generation", "spec", "pods"
    (the same ones, none of them restarted), "all pods but one". `env`: the app's environment.
    """

    runs: str
    pods: int | None = 2
    marks: str | None = None
    verified: bool | None = None
    keeps: tuple[str, ...] = ()
    env: tuple[Fields, ...] | None = None


GONE = State(runs="", pods=None)
"""The workload is not there any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What somebody else does. `kubectl` is what that person types, and what is sent is what kubectl sends for it.

    `settles`: the rollout that it causes is waited for. `empties`: a label that no pod has any more when it is done.
    """

    kubectl: str
    body: Fields
    path: str = "$workload"
    method: str = "PATCH"
    content_type: str = "application/strategic-merge-patch+json"
    settles: bool = False
    empties: str = ""
    live: State | None = None

    @property
    def title(self) -> str:
        """The command."""
        return f"kubectl {self.kubectl}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Dump:
    """`kubectl get deploy,rs,pods,events -o yaml`, into the file `$dump`."""

    plurals: tuple[str, ...] = ("deployments", "replicasets", "pods", "events")
    live: State | None = None

    @property
    def title(self) -> str:
        """The command."""
        return f"kubectl get {','.join(self.plurals)} -o yaml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settle:
    """`kubectl rollout status`: the rollout is waited for."""

    live: State | None = None

    @property
    def title(self) -> str:
        """The command."""
        return "kubectl rollout status $target"


@dataclass(frozen=True, slots=True, kw_only=True)
class Send:
    """A signal to kdeploy, once the first pod of the new version was seen."""

    number: signal.Signals


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run of `kdeploy WORDS`, the way it ends, and what is there afterwards. A killed one has no `ends`.

    `commit`: the version that is committed before, with `service` and `check` as changes of kdeploy.yaml. `checkout`:
    the version whose commit is checked out instead. `uncommitted`: a version whose files are there beside the commit.
    `configured`: whether there is a kdeploy.yaml; `versioned`: whether git knows the folder. `of`: the version that is
    deployed, if it is not what is checked out. `token`: what the kubeconfig logs in with, instead of the place's own.
    `may_all`: by somebody with every right, not only those of examples/rbac.yaml. `meanwhile` comes once the first pod
    of the new version was seen.
    """

    words: str = "deploy"
    commit: Version | None = None
    checkout: str = ""
    uncommitted: Version | None = None
    configured: bool = True
    versioned: bool = True
    token: str = ""
    may_all: bool = False
    of: str = ""
    service: Fields = field(default_factory=dict)
    check: Fields | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    meanwhile: "tuple[Change | Send | Run, ...]" = ()
    ends: Ends | Prints | None = None
    live: State | None = None

    @property
    def title(self) -> str:
        """The command."""
        return f"kdeploy {self.words}" + (f" (of {self.commit.name})" if self.commit else "")


Step = Run | Change | Settle | Dump


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One row. `waits`: seconds that must go by in it, of back-off and timeouts; what takes long is begun first."""

    name: str
    says: str
    workload: Workload = field(default_factory=Workload)
    outside: tuple[Version, ...] = ()
    steps: tuple[Step, ...]
    waits: int = 0

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class OutOfReach:
    """What the sandbox cannot express, and why. `tests`: where it is tested on the real thing, below tests/."""

    what: str
    why: str
    tests: tuple[str, ...] = ()
