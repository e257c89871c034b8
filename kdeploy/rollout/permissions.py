"""What this user must be allowed for a deploy to go through, and what it would do without the rest. Pure.

All is asked before anything is built: a right that is missing would else be found after the patch, by a deploy that
then cannot verify, nor roll back.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from kdeploy.errors import RefusedError
from kdeploy.model import HttpCheck, Kind, Permission, Reason, Target


def asked(target: Target, checks: Sequence[HttpCheck]) -> tuple[Permission, ...]:
    """All that is worth asking for. Reading the workload, its revisions and its pods is not: it was done by then."""
    probing = (_proxy(target), *_forwarding(target)) if _paths(checks) else ()
    return (*_required(target), *probing, *_consequences(target))


def reading(target: Target) -> tuple[Permission, ...]:
    """What reading the workload, its revisions and its pods takes: the part that `asked` leaves out."""
    return (
        _on(target, "get", target.kind.plural, "apps", target.name),
        _on(target, "list", target.kind.revisions_plural, "apps"),
        _on(target, "list", "pods"),
    )


def needed(target: Target, checks: Sequence[HttpCheck]) -> frozenset[Permission]:
    """The least that lets a deploy, its rollback and their evidence go through: the rules of a Role (without names)."""
    probing = (_proxy(target),) if _paths(checks) else ()
    every = (*reading(target), *_required(target), *probing, *_consequences(target))
    return frozenset(replace(one, name="") for one in every)


def refuse_forbidden(target: Target, checks: Sequence[HttpCheck], lacking: Collection[Permission]) -> tuple[str, ...]:
    """Raises RefusedError (Forbidden) with the rules to add, where the deploy could not go through without them.

    `lacking` are those of `asked` that this user has not. Returns warnings about the others.
    """
    missing = indispensable(target, checks, lacking)
    if missing:
        checking = ", which the checks need" if missing == (_proxy(target),) else ""
        raise RefusedError(
            f"this user may not {missing[0].rule}{checking}",
            hint=f"grant: {'; '.join(one.rule for one in missing)}",
            reason=Reason.FORBIDDEN,
        )
    return tuple(f"without {one.rule} {what}" for one, what in handicaps(target, lacking).items())


def indispensable(
    target: Target, checks: Sequence[HttpCheck], lacking: Collection[Permission]
) -> tuple[Permission, ...]:
    """Those of `lacking` without which the deploy could not go through."""
    missing = [one for one in (*reading(target), *_required(target)) if one in lacking]
    if _paths(checks) and _proxy(target) in lacking and not _may_forward(target, checks, lacking):
        missing.append(_proxy(target))
    return tuple(missing)


def handicaps(target: Target, lacking: Collection[Permission]) -> dict[Permission, str]:
    """Those of `lacking` that a deploy can do without, each with what happens then."""
    return {one: what for one, what in _consequences(target).items() if one in lacking}


def _required(target: Target) -> tuple[Permission, ...]:
    revisions = target.kind.revisions_plural
    return (
        *(_on(target, verb, target.kind.plural, "apps", target.name) for verb in ("patch", "list", "watch")),
        _on(target, "watch", revisions, "apps"),
        _on(target, "watch", "pods"),
    )


def _consequences(target: Target) -> dict[Permission, str]:
    """What happens without a permission that a deploy can do without."""
    found = {
        _on(target, "list", "events"): "a failure is told without its events, and a pull's back-off without its cause",
        _on(target, "get", "pods/log"): "a failure is told without the last lines of the log",
    }
    if target.kind is not Kind.DEPLOYMENT:
        marked = "a verified revision cannot be marked, and is not known as one to later rollbacks"
        found[_on(target, "patch", target.kind.revisions_plural, "apps")] = marked
    if target.kind is Kind.STATEFULSET:
        found[_on(target, "delete", "pods")] = (
            "a rollback past a broken pod has to wait until a person deletes that pod"
        )
    return found


def _paths(checks: Sequence[HttpCheck]) -> bool:
    return any(check.path is not None for check in checks)


def _proxy(target: Target) -> Permission:
    # With a name, which a rule without names allows as well: a StatefulSet's pods can be named in a rule.
    return _on(target, "get", "pods/proxy", name=f"{target.name}-0")


def _forwarding(target: Target) -> tuple[Permission, ...]:
    return tuple(_on(target, verb, "pods/portforward", name=f"{target.name}-0") for verb in ("get", "create"))


def _may_forward(target: Target, checks: Sequence[HttpCheck], lacking: Collection[Permission]) -> bool:
    """Whether port-forward may do instead of the pod proxy: for plain http, and not without `get`.

    Kubernetes 1.35 and later want `create` as well, older ones do not.
    """
    plain = all(check.scheme == "http" for check in checks if check.path is not None)
    return plain and _forwarding(target)[0] not in lacking


def _on(target: Target, verb: str, resource: str, group: str = "", name: str = "") -> Permission:
    return Permission(verb=verb, resource=resource, group=group, namespace=target.namespace, name=name)
