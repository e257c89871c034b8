"""What a kubelet learns when it pulls an image: the image, or why there is none, in the words of the real parts.

The words are containerd's, as the kubelet of Kubernetes 1.35 passes them on in events and in a waiting container's
message; the reasons are those of pkg/kubelet/images/types.go.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from kdeploy.model import Obj

RUN_LABEL = "dev.kdeploy.sandbox.run"
"""An image whose label has the value "process" is run, where that can be done; every other one is simulated."""

BEHAVIOUR_LABEL = "dev.kdeploy.sandbox.behaviour"
"""What a simulated container of the image does (behaviour.py)."""

KIND_ANNOTATION = "sandbox.kdeploy.dev/kind"
"""Which kubelet a pod has, on every pod whose images are known: "process" or "simulated"."""

ERR_IMAGE_PULL = "ErrImagePull"
INVALID_IMAGE_NAME = "InvalidImageName"


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """One layer of an image, as its manifest names it. `size` is that of the blob, in bytes."""

    digest: str
    size: int
    media_type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageInfo:
    """An image of this machine's platform, ready to be unpacked.

    `digest` is what the reference resolved to: the index's where it named an index. `config` is the whole image
    configuration (https://github.com/opencontainers/image-spec/blob/main/config.md), with "config" and "rootfs" in it;
    `labels` are its "config.Labels". `layers` come lowest first.
    """

    digest: str
    labels: Mapping[str, str]
    config: Obj
    layers: tuple[Layer, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PullError:
    """Why an image cannot be pulled. `reason` is the waiting container's, `message` what the runtime says."""

    reason: str
    message: str


Images = Callable[[str], ImageInfo | PullError | None]
"""Looks up the text of a container's `image`. None: not known yet; whoever looks it up says when to ask again."""


def not_found(reference: str) -> PullError:
    """There is no such image. `reference` is the full name, with its domain and its tag or digest."""
    return failed(reference, f'failed to resolve reference "{reference}": {reference}: not found', "NotFound")


def unresolved(reference: str, why: str) -> PullError:
    """The registry gave no answer, which says nothing about the image; `why` is half a sentence."""
    return failed(reference, f'failed to resolve reference "{reference}": {why}')


def no_platform(reference: str) -> PullError:
    """The index has no image for the machine."""
    return failed(reference, "no match for platform in manifest: not found", "NotFound")


def failed(reference: str, why: str, code: str = "") -> PullError:
    """A pull that failed, for whatever `why` says. `code` is gRPC's; the kubelet leaves out that of "Unknown"."""
    wrapping = f"rpc error: code = {code} desc = " if code else ""
    message = f'{wrapping}failed to pull and unpack image "{reference}": {why}'
    return PullError(reason=ERR_IMAGE_PULL, message=message)


def invalid_name(image: str, why: str) -> PullError:
    """`image`, as the pod names it, is no image name at all; `why` is half a sentence."""
    text = f'Failed to apply default image tag "{image}": couldn\'t parse image name "{image}": {why}'
    return PullError(reason=INVALID_IMAGE_NAME, message=text)
