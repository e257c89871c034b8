"""What an API server's answer means: Kubernetes `Status` bodies to errors. Pure."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from kdeploy.errors import ClusterError, PatchConflictError, UnreachableError
from kdeploy.model import Obj, Permission, Reason
from kdeploy.text import one_line

# k8s.io/apiserver/pkg/admission/plugin/webhook/errors/statuserror.go ("denied the request"), validating policies
# ("denied request"), pod security admission. A webhook chooses its HTTP status, so it is told by its words.
_DENIED = re.compile(r"denied (the )?request|violates PodSecurity")
# A webhook that cannot be called is a 500: nothing was written, and a later try may succeed.
_WEBHOOK = "failed calling webhook"


class ThrottledError(UnreachableError):
    """429 or 5xx: a later try may help. `retry_after` is how long the server asks to wait, in seconds."""

    def __init__(self, message: str, *, hint: str, reason: Reason, status: int, retry_after: float | None) -> None:
        # 429 is said before the request is looked at, and so is a webhook's failure before anything is written.
        arrived = status != 429 and reason is not Reason.ADMISSION_DENIED
        super().__init__(message, hint=hint, reason=reason, status=status, may_have_arrived=arrived)
        self.retry_after = retry_after


def decode(data: bytes | bytearray | memoryview) -> dict[str, Any]:
    """One JSON object. Raises ClusterError for anything else, however deep or broken."""
    try:
        found = msgspec.json.decode(data)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise _not_an_api_server(f"what it sent is not JSON ({one_line(str(error), 80)})") from None
    if not isinstance(found, dict):
        raise _not_an_api_server("what it sent is not a JSON object")
    return found


def failure(status: int, body: bytes, doing: Permission, retry_after: str | None = None) -> ClusterError:
    """The error that an answer with an HTTP status outside 200-299 is."""
    said = status_of(body)
    message = (
        one_line(str(said.get("message") or "")) or f"HTTP {status} {one_line(body[:200].decode(errors='replace'))}"
    )
    if status == 401:
        return ClusterError(
            f"the API server does not accept the credentials (401): {message}",
            hint="the token may have expired: log in to the cluster anew, then run this again",
            reason=Reason.FORBIDDEN,
            status=status,
        )
    if status == 429 or status >= 500:
        return _throttled(status, message, doing, retry_after)
    if status < 400:
        return _not_an_api_server(f"it redirects (HTTP {status})")
    return _refusal(status, message, doing)


def status_of(body: bytes) -> Obj:
    """The Kubernetes `Status` in an answer's body; empty where it is none."""
    try:
        found = msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return {}
    return found if isinstance(found, dict) and found.get("kind") == "Status" else {}


def _throttled(status: int, message: str, doing: Permission, retry_after: str | None) -> ThrottledError:
    webhook = _WEBHOOK in message
    return ThrottledError(
        f"cannot {doing}: {message}",
        hint="an admission webhook of the cluster is down"
        if webhook
        else "the API server is busy or broken: try later",
        reason=Reason.ADMISSION_DENIED if webhook else Reason.CLUSTER_UNREACHABLE,
        status=status,
        retry_after=min(float(retry_after), 60.0) if retry_after and retry_after.isdecimal() else None,
    )


def _refusal(status: int, message: str, doing: Permission) -> ClusterError:
    text = f"cannot {doing}: {message}"
    if "exceeded quota" in message:
        hint = f"raise the quota (kubectl describe quota -n {doing.namespace}), or ask for less"
        return ClusterError(text, hint=hint, reason=Reason.QUOTA_EXCEEDED, status=status)
    if _DENIED.search(message):
        hint = "an admission policy of the cluster refuses this change: meet it, or ask whoever runs it"
        return ClusterError(text, hint=hint, reason=Reason.ADMISSION_DENIED, status=status)
    if status == 403:
        return ClusterError(text, hint=f"grant: {doing.rule}", reason=Reason.FORBIDDEN, status=status)
    if status == 404:
        hint = "check the name, the namespace and the context"
        return ClusterError(text, hint=hint, reason=Reason.NOT_FOUND, status=status)
    if status in (409, 422):
        return PatchConflictError(
            text, hint="somebody changed it meanwhile, or it is invalid: look again", status=status
        )
    return ClusterError(text, hint="the API server refuses this request", reason=Reason.CONFLICT, status=status)


def _not_an_api_server(what: str) -> ClusterError:
    return ClusterError(
        f"this does not look like a Kubernetes API server: {what}",
        hint="check the server's address in the kubeconfig, and the proxies in between",
    )
