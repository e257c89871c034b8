"""Whether a registry would take a push, asked without pushing anything.

An upload is begun and cancelled at once: a token alone proves nothing, since some registries give one for whatever is
asked and refuse only its use. So does github.com/google/go-containerregistry, pkg/v1/remote/check.go.
"""

from __future__ import annotations

from contextlib import suppress
from urllib.parse import urljoin

from kdeploy.build.answers import RETRIED, TransientError, retry_after
from kdeploy.build.credentials import login_hint
from kdeploy.build.transport import Request, Transport
from kdeploy.clock import Deadline
from kdeploy.errors import RefusedError
from kdeploy.model import Reason
from kdeploy.reference import Reference

_PATIENCE = 5.0
"""Seconds after which no further try begins: this is a question, not a push."""


def check_push(transport: Transport, image: Reference, deadline: Deadline) -> None:
    """Raises RefusedError where the registry would not take a push to the image's repository, or does not answer."""
    try:
        place = transport.retrying(lambda: _begin(transport, image, deadline), patience=_PATIENCE)
    except TransientError as error:
        raise RefusedError(
            f"the registry {image.domain} does not answer: {error}",
            hint="check the name and the network, then try again",
            reason=Reason.PUSH_DENIED,
        ) from error
    if place:
        # One that is left behind expires; not every registry lets uploads be cancelled.
        with suppress(TransientError, RefusedError), transport.exchange(_request("DELETE", image, place, deadline)):
            pass


def _begin(transport: Transport, image: Reference, deadline: Deadline) -> str:
    """The address of the new upload; "" where the registry names none."""
    with transport.exchange(_request("POST", image, "blobs/uploads/", deadline)) as response:
        status = response.status_code
        if status in RETRIED:
            raise TransientError(f"HTTP {status}", retry_after(response))
        if not response.ok:
            raise _denied(image, status)
        location = response.headers.get("Location", "")
        try:
            return urljoin(response.url, location) if location else ""
        except ValueError:
            raise TransientError("it names no address for the upload") from None


def _request(method: str, image: Reference, path: str, deadline: Deadline) -> Request:
    return Request(method=method, image=image, path=path, headers={"Content-Length": "0"}, deadline=deadline)


def _denied(image: Reference, status: int) -> RefusedError:
    repository = image.repository
    if status in (401, 403):
        return RefusedError(
            f"the registry {image.domain} does not let this login push to {repository} (HTTP {status})",
            hint=f"{login_hint(image.domain)}, and check that this user may write to {repository}",
            reason=Reason.PUSH_DENIED,
        )
    hint = "create the repository first: not every registry makes it with the first push" if status == 404 else ""
    return RefusedError(
        f"the registry {image.domain} takes no push to {repository}: HTTP {status}",
        hint=hint or "is this the address of a registry that can be written to?",
        reason=Reason.PUSH_DENIED,
    )
