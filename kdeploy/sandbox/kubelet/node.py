"""What all pods of this kubelet share: the store that it reports to, images, probes, a clock, a folder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from kdeploy.model import Obj
from kdeploy.sandbox.core.images import Images
from kdeploy.sandbox.core.resources import SERVICES
from kdeploy.sandbox.core.store import Store
from kdeploy.sandbox.kubelet.prober import Prober
from kdeploy.sandbox.kubelet.roots import Roots

COMPONENT = "kubelet"


class Tell(Protocol):
    """Makes a Kubernetes event about a pod, or about one of its containers."""

    def __call__(
        self,
        pod: Obj,
        reason: str,
        message: str,
        type_: Literal["Normal", "Warning"] = "Normal",
        *,
        container: str = "",
        init: bool = False,
    ) -> None:
        """`reason` and `message` as the kubelet words them."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """See the module. `now` gives Unix seconds; `folder` holds a folder for each pod; `interpreter` is Python's."""

    store: Store
    images: Images
    roots: Roots
    prober: Prober
    now: Callable[[], float]
    tell: Tell
    folder: Path
    interpreter: str

    def services(self, namespace: str) -> Sequence[Obj]:
        """The Services of a namespace."""
        return self.store.list(SERVICES, namespace)
