"""The options that a write comes with, in its query or its body. Pure.

k8s.io/apimachinery/pkg/apis/meta/v1/validation/validation.go.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from kdeploy.sandbox.api import status
from kdeploy.sandbox.api.decode import MismatchError, decode
from kdeploy.sandbox.api.request import Asked
from kdeploy.sandbox.core.field_errors import not_supported
from kdeploy.sandbox.core.store import Propagation

_VALIDATIONS = ("", "Ignore", "Strict", "Warn")
_POLICIES = ("Foreground", "Background", "Orphan")


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteOptions:
    """How to delete. `grace` in seconds, None for the object's own; `uid` and `resource_version` are conditions."""

    grace: float | None = None
    propagation: Propagation = "Background"
    uid: str | None = None
    resource_version: str | None = None
    dry_run: bool = False


def check_options(kind: str, query: Mapping[str, str]) -> None:
    """Raises ApiError 422 where dryRun or fieldValidation has a value that there is not."""
    dry_run, validation = query.get("dryRun", ""), query.get("fieldValidation", "")
    causes = []
    if dry_run not in ("", "All"):
        causes.append(not_supported("dryRun", [dry_run], ("All",)))
    if validation not in _VALIDATIONS:
        causes.append(not_supported("fieldValidation", validation, _VALIDATIONS))
    if causes:
        raise status.invalid("meta.k8s.io", kind, "", causes)


def check_field_validation(
    query: Mapping[str, str], unknown: Sequence[str], refuse: Callable[[str], status.ApiError]
) -> Sequence[str]:
    """The warnings about unknown fields. With fieldValidation=Strict raises what `refuse` makes of the sentence."""
    told = [f'unknown field "{path}"' for path in unknown]
    how = query.get("fieldValidation") or "Warn"
    if told and how == "Strict":
        raise refuse(f"strict decoding error: {', '.join(told)}")
    return told if how == "Warn" else ()


def delete_options(asked: Asked, body: Any) -> DeleteOptions:
    """From the body, a DeleteOptions object, where there is one, else from the query. Raises ApiError 400, 422."""
    sent = _sent(asked, body)
    policy: Any = sent.get("propagationPolicy") or "Background"
    dry_run = sent.get("dryRun") or []
    causes = []
    if policy not in get_args(Propagation):
        causes.append(not_supported("propagationPolicy", policy, (*_POLICIES, "nil")))
    if any(one != "All" for one in dry_run):
        causes.append(not_supported("dryRun", dry_run, ("All",)))
    if causes:
        raise status.invalid("meta.k8s.io", "DeleteOptions", "", causes)
    grace, conditions = sent.get("gracePeriodSeconds"), sent.get("preconditions") or {}
    return DeleteOptions(
        grace=None if grace is None else float(grace) if grace >= 0 else 1.0,
        propagation=policy if not sent.get("orphanDependents") else "Orphan",
        uid=conditions.get("uid"),
        resource_version=conditions.get("resourceVersion"),
        dry_run=bool(dry_run),
    )


def _sent(asked: Asked, body: Any) -> Mapping[str, Any]:
    if body is not None:
        try:
            return decode("DeleteOptions", body).obj
        except MismatchError as error:
            raise status.bad_request(str(error)) from None
    return {
        "gracePeriodSeconds": asked.integer("gracePeriodSeconds"),
        "propagationPolicy": asked.query.get("propagationPolicy"),
        "orphanDependents": asked.flag("orphanDependents"),
        "dryRun": [asked.query["dryRun"]] if asked.query.get("dryRun") else [],
    }
