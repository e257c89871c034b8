"""What comes before a container's process: its image, unpacked, and its command; or why there is none, for now.

pkg/kubelet/images/image_manager.go; the reasons are those of pkg/kubelet/kuberuntime/kuberuntime_container.go.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from kdeploy.model import Obj
from kdeploy.sandbox.core.images import RUN_LABEL, ImageInfo, PullError
from kdeploy.sandbox.core.podstatus import HOST_IP
from kdeploy.sandbox.core.resources import Resource
from kdeploy.sandbox.kubelet.command import Command, command_of
from kdeploy.sandbox.kubelet.environment import ConfigError, Facts, environment_of
from kdeploy.sandbox.kubelet.node import Node
from kdeploy.sandbox.kubelet.unpack import UnpackError

Say = Callable[[str, str], None]
"""Tells a reason and a message of the container, as an event of type Normal."""


class HeldError(Exception):
    """The container waits: the reason and message of its state. `pulls`: the image could not be had."""

    def __init__(self, reason: str, message: str, *, pulls: bool = False) -> None:
        super().__init__(message)
        self.reason, self.message, self.pulls = reason, message, pulls


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """An image that is ready to be run."""

    info: ImageInfo
    root: Path


async def prepare_image(node: Node, spec: Obj, present: Prepared | None, say: Say) -> Prepared:
    """Pulls and unpacks the container's image, or takes what is `present` where its policy allows. Raises HeldError."""
    image, policy = str(spec["image"]), spec.get("imagePullPolicy") or "IfNotPresent"
    if present is not None and policy != "Always":
        say("Pulled", f'Container image "{image}" already present on machine')
        return present
    began = node.now()
    say("Pulling", f'Pulling image "{image}"')
    info = node.images(image)
    if info is None:
        raise HeldError("ErrImagePull", "the registry has not answered yet", pulls=True)
    if isinstance(info, PullError):
        raise HeldError(info.reason, info.message, pulls=True)
    if not is_process(info):
        raise HeldError("CreateContainerError", f"{image} has no label {RUN_LABEL}=process, so it is not run")
    try:
        root = await node.roots.get(info)
    except UnpackError as error:
        raise HeldError("ErrImagePull", f'failed to pull and unpack image "{image}": {error}', pulls=True) from error
    took, size = f"{round((node.now() - began) * 1000)}ms", sum(layer.size for layer in info.layers)
    words = f"in {took} ({took} including waiting). Image size: {size} bytes."
    say("Pulled", f'Successfully pulled image "{image}" {words}')
    return Prepared(info=info, root=root)


def prepare_command(node: Node, pod: Obj, spec: Obj, ip: str, image: Prepared, scratch: Path) -> Command:
    """What is to be run. Raises HeldError, and StartError where the image has no such program."""
    mounts = [mount["mountPath"] for mount in spec.get("volumeMounts") or ()]
    if mounts:
        why = f"the sandbox runs a process without mounts, and {mounts[0]} is wanted"
        raise HeldError("CreateContainerError", why)
    namespace = pod["metadata"]["namespace"]

    def get(resource: Resource, name: str) -> Obj | None:
        return node.store.get(resource, namespace, name)

    facts = Facts(pod=pod, ip=ip, host_ip=HOST_IP, get=get, services=node.services(namespace))
    try:
        own = environment_of(spec, facts)
    except ConfigError as error:
        raise HeldError("CreateContainerConfigError", str(error)) from error
    scratch.mkdir(parents=True, exist_ok=True)
    env = {"HOME": str(scratch), "TMPDIR": str(scratch), **own}
    return command_of(spec, image.info.config, env, image.root, node.interpreter)


def is_process(info: ImageInfo) -> bool:
    """Whether the image says that it is to be run."""
    return info.labels.get(RUN_LABEL) == "process"


def python() -> str:
    """The interpreter that images without one are given: this very one, without what its environment adds to it."""
    return str(getattr(sys, "_base_executable", None) or sys.executable)
