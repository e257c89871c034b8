"""Who may do what: the sandbox has one user, who may do everything. Pure."""

from __future__ import annotations

from typing import Any

from kdeploy.model import Obj
from kdeploy.sandbox.api import status
from kdeploy.sandbox.api.request import SELF_SUBJECT_REVIEWS, SELF_SUBJECT_RULES_REVIEWS
from kdeploy.sandbox.core.field_errors import invalid
from kdeploy.sandbox.core.resources import Resource

USER = "kdeploy-sandbox"
_GROUPS = ["system:masters", "system:authenticated"]
_ALL = ["*"]


def review(resource: Resource, sent: Obj) -> Obj:
    """A review as the API server answers it. Raises ApiError 422."""
    return {
        "kind": resource.kind,
        "apiVersion": resource.api_version,
        "metadata": {},
        **({"spec": sent.get("spec") or {}} if resource is not SELF_SUBJECT_REVIEWS else {}),
        "status": _answer(resource, sent.get("spec") or {}),
    }


def _answer(resource: Resource, spec: Obj) -> dict[str, Any]:
    if resource is SELF_SUBJECT_REVIEWS:
        return {"userInfo": {"username": USER, "groups": _GROUPS}}
    if resource is SELF_SUBJECT_RULES_REVIEWS:
        rules = [{"verbs": _ALL, "apiGroups": _ALL, "resources": _ALL}]
        return {
            "resourceRules": rules,
            "nonResourceRules": [{"verbs": _ALL, "nonResourceURLs": _ALL}],
            "incomplete": False,
        }
    if ("resourceAttributes" in spec) == ("nonResourceAttributes" in spec):
        said = "exactly one of nonResourceAttributes or resourceAttributes must be specified"
        cause = invalid("spec.resourceAttributes", spec.get("resourceAttributes"), said)
        raise status.invalid(resource.group, resource.kind, "", [cause])
    return {"allowed": True}
