"""A simulated container's way to its image: pulled, there already, or why not. No clock, no I/O.

pkg/kubelet/images/image_manager.go.
"""

from __future__ import annotations

from kdeploy.sandbox.core.backoff import Backoff
from kdeploy.sandbox.core.behaviour import Behaviour, of_label
from kdeploy.sandbox.core.container import NOTICE, RESYNC, Container, Place, Stage
from kdeploy.sandbox.core.images import BEHAVIOUR_LABEL, INVALID_IMAGE_NAME, ImageInfo, PullError


def pull(c: Container, place: Place, now: float) -> None:
    """Asks for the image, unless it is on the node. Nothing is due while nobody knows it yet."""
    image, policy = str(c.spec["image"]), c.spec.get("imagePullPolicy") or "IfNotPresent"
    if policy != "Always" and image in place.present:
        place.tell("Pulled", f'Container image "{image}" already present on machine')
        _know(c, place.present[image], now)
        return
    if policy == "Never":
        message = f'Container image "{image}" is not present with pull policy of Never'
        place.tell("ErrImageNeverPull", message, "Warning")
        _wait(c, place, "ErrImageNeverPull", message, now + RESYNC)
        return
    found = place.images(image)
    if isinstance(found, PullError) and found.reason == INVALID_IMAGE_NAME:
        place.tell("InspectFailed", found.message, "Warning")
        _wait(c, place, found.reason, found.message, now + RESYNC)
        return
    if c.pulling is None:
        c.pulling = now
        place.tell("Pulling", f'Pulling image "{image}"')
    if isinstance(found, PullError):
        place.tell("Failed", f'Failed to pull image "{image}": {found.message}', "Warning")
        c.stage, c.pulling, c.pulls = Stage.PULL_FAILED, None, c.pulls.after(now, now)
        _wait(c, place, found.reason, found.message, now + NOTICE)
    elif found is not None:
        c.info = found
        c.stage, c.due = Stage.PULLED, now + _label(found).pull


def pull_failed(c: Container, place: Place, _: float) -> None:
    """Waits before it tries again, and says so, and why."""
    waiting, image = c.state["waiting"], c.spec["image"]
    back_off = f'Back-off pulling image "{image}"'
    place.tell("BackOff", back_off)
    c.stage = Stage.PULL
    message = f"{back_off}: {waiting['reason']}: {waiting['message']}"
    _wait(c, place, "ImagePullBackOff", message, c.pulls.until(c.pulls.updated))


def pulled(c: Container, place: Place, now: float) -> None:
    """The image is on the node from now on."""
    assert c.info is not None
    assert c.pulling is not None
    image, took = str(c.spec["image"]), f"{round((now - c.pulling) * 1000)}ms"
    size = sum(layer.size for layer in c.info.layers)
    how = f"in {took} ({took} including waiting). Image size: {size} bytes."
    place.tell("Pulled", f'Successfully pulled image "{image}" {how}')
    place.present[image], c.pulling, c.pulls = c.info, None, Backoff()
    _know(c, c.info, now)


def _know(c: Container, info: ImageInfo, now: float) -> None:
    c.info, c.behaviour = info, _label(info)
    c.stage, c.due = Stage.CREATE, now


def _wait(c: Container, place: Place, reason: str, message: str, due: float) -> None:
    c.state, c.due = {"waiting": {"reason": reason, "message": message}}, due
    place.tell("Failed", f"Error: {reason}", "Warning")


def _label(info: ImageInfo) -> Behaviour:
    return of_label(info.labels.get(BEHAVIOUR_LABEL, ""))
