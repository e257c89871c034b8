"""What this user may do: one review of all rules, and where that does not show a permission, one of that permission."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from kdeploy.cluster import requests
from kdeploy.cluster.parallel import together
from kdeploy.cluster.transport import Request, Transport
from kdeploy.errors import ClusterError
from kdeploy.model import Obj, Permission


def lacking(
    transport: Transport, asked: Sequence[Permission], until: float, *, must_tell: bool = False
) -> tuple[Permission, ...]:
    """Those that the API server says this user has not. What it does not say, or fails to find out, is not among them;
    `must_tell`: raises ClusterError where it cannot be asked for what the rules do not show.

    The list of rules is only ever believed where it grants: not every authorizer can list its rules (`incomplete`).
    """
    rules = _rules(transport, asked[0].namespace, until) if asked else ()
    doubtful = [one for one in asked if not is_granted(one, rules)]
    verdicts = together([partial(_is_refused, transport, one, until, must_tell) for one in doubtful])
    return tuple(one for one, is_refused in zip(doubtful, verdicts, strict=True) if is_refused)


def is_granted(asked: Permission, rules: Sequence[Obj]) -> bool:
    """Whether one of the `resourceRules` of a SelfSubjectRulesReview allows it
    (k8s.io/kubernetes/plugin/pkg/auth/authorizer/rbac, RuleAllows). Pure.
    """
    _, slash, subresource = asked.resource.partition("/")
    resources = {asked.resource, "*", *([f"*/{subresource}"] if slash else [])}
    return any(
        {asked.verb, "*"} & set(rule.get("verbs") or ())
        and {asked.group, "*"} & set(rule.get("apiGroups") or ())
        and resources & set(rule.get("resources") or ())
        and (not rule.get("resourceNames") or asked.name in rule["resourceNames"])
        for rule in rules
    )


def _rules(transport: Transport, namespace: str, until: float) -> tuple[Obj, ...]:
    status = _status(transport, requests.rules_review(namespace), until)
    return tuple(rule for rule in status.get("resourceRules") or () if isinstance(rule, Mapping))


def _is_refused(transport: Transport, asked: Permission, until: float, must_tell: bool) -> bool:
    """Whether the very request would be answered 403: no authorizer allows it, and none failed on the way."""
    status = _status(transport, requests.access_review(asked), until, must_tell)
    return status.get("allowed") is False and (bool(status.get("denied")) or not status.get("evaluationError"))


def _status(transport: Transport, review: Request, until: float, must_tell: bool = False) -> Obj:
    """A review's status; empty where it cannot be had, which forbids nothing: the deploy itself will tell. `must_tell`:
    raises ClusterError instead.
    """
    try:
        found = transport.once(review, until).get("status")
    except ClusterError:
        if must_tell:
            raise
        return {}
    return found if isinstance(found, Mapping) else {}
