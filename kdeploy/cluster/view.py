"""What a list and its watch say about one resource, and how a read past the watch joins it. Pure.

resourceVersion is opaque: it is only ever compared for equality.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

import msgspec

from kdeploy.cluster.answers import failure
from kdeploy.errors import ClusterError
from kdeploy.model import Obj, Permission

T = TypeVar("T")
DELETED = "DELETED"
Delivered = tuple[str, str]
"""What the stream has said: an object's uid, and its resourceVersion or DELETED."""


class GoneError(ClusterError):
    """410: the watch cannot go on from its resourceVersion; list again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """One resource's objects by uid. `version` is where its watch goes on.

    `awaited` names objects that a read past the stream has shown in a newer state: what the stream says about them is
    older, until it comes to that resourceVersion (None: until it comes to the deletion).
    """

    objects: Mapping[str, Obj] = field(default_factory=dict)
    version: str = ""
    awaited: Mapping[str, str | None] = field(default_factory=dict)


def uid(obj: Obj) -> str:
    """The object's uid."""
    return str((obj.get("metadata") or {}).get("uid") or "")


def version(obj: Obj) -> str:
    """The object's resourceVersion."""
    return str((obj.get("metadata") or {}).get("resourceVersion") or "")


def by_uid(objects: Iterable[Obj]) -> dict[str, Obj]:
    """The objects, keyed as a `View` keeps them."""
    return {uid(one): one for one in objects}


def items(body: Obj) -> tuple[Obj, ...]:
    """A list's items with the kind and apiVersion that a list says only once, and a watch with each object."""
    kind, api_version = str(body.get("kind", "")).removesuffix("List"), body.get("apiVersion")
    return tuple({"kind": kind, "apiVersion": api_version, **one} for one in body.get("items") or ())


def listed(body: Obj) -> View:
    """The view that a list's answer gives."""
    return View(objects=by_uid(items(body)), version=version(body))


def apply_event(view: View, event: Obj, doing: Permission) -> View:
    """The view after one watch event. Raises GoneError for an ERROR event of code 410, ClusterError for another."""
    kind, obj = event.get("type"), event.get("object")
    if not isinstance(obj, Mapping):
        raise ClusterError(f"cannot {doing}: the stream sent an event without an object")
    if kind == "ERROR":
        raise _error(obj, doing)
    moved = replace(view, version=version(obj) or view.version)
    if kind == "BOOKMARK":
        return moved
    if kind in ("ADDED", "MODIFIED"):
        return _put(moved, obj)
    if kind == DELETED:
        key = uid(obj)
        return replace(moved, objects=_without(view.objects, key), awaited=_without(view.awaited, key))
    return moved


def said(event: Obj) -> Delivered:
    """What an event says, for `join`."""
    obj = event.get("object") or {}
    return uid(obj), DELETED if event.get("type") == DELETED else version(obj)


def join(before: View, now: View, delivered: frozenset[Delivered], read: Mapping[str, Obj]) -> View:
    """The view that a read past the stream gives: of each object the newer state of the two.

    The read began when the view was `before`; since then the stream has `delivered` what made it `now`. A state that
    the stream has already shown is not newer than the stream. What `before` had and the read has not is deleted.
    Returns `now` itself where the read brings no news.
    """
    objects, awaited, news = dict(now.objects), dict(now.awaited), False
    for key, obj in read.items():
        known = version(before.objects[key]) if key in before.objects else None
        if known == version(obj) or not delivered.isdisjoint({(key, version(obj)), (key, DELETED)}):
            continue
        objects[key], awaited[key], news = obj, version(obj), True
    for key in before.objects.keys() - read.keys():
        if objects.pop(key, None) is not None:
            awaited[key], news = None, True
    return replace(now, objects=objects, awaited=awaited) if news else now


def join_relisted(before: View, now: View, delivered: frozenset[Delivered], read: Mapping[str, Obj]) -> View:
    """As `join`, where a new list has come since `before`: it may be older than the read (a PATCH's answer), or newer.

    The read counts for an object that the list shows as it was before, or in an older generation; the watch, which goes
    on from the list, tells the rest.
    """
    lagging = {key for key, one in now.objects.items() if _lags(one, before.objects.get(key), read.get(key))}
    seen = {key: one for key, one in now.objects.items() if key not in lagging}
    return join(now, now, delivered, {**seen, **{key: read[key] for key in lagging & read.keys()}})


def _lags(listed_: Obj, before: Obj | None, read: Obj | None) -> bool:
    if before is not None and version(before) == version(listed_):
        return True
    return read is not None and _generation(listed_) < _generation(read)


def _generation(obj: Obj) -> int:
    return int((obj.get("metadata") or {}).get("generation") or 0)


def _put(view: View, obj: Obj) -> View:
    key = uid(obj)
    if key not in view.awaited:
        return replace(view, objects={**view.objects, key: obj})
    if view.awaited[key] != version(obj):
        return view
    return replace(view, awaited=_without(view.awaited, key))


def _without(mapping: Mapping[str, T], key: str) -> Mapping[str, T]:
    return {one: value for one, value in mapping.items() if one != key} if key in mapping else mapping


def _error(status: Obj, doing: Permission) -> ClusterError:
    code = status.get("code")
    if code == 410 or status.get("reason") in ("Expired", "Gone"):
        return GoneError(f"cannot {doing}: the watch has expired", status=410)
    return failure(code if isinstance(code, int) and code >= 400 else 500, msgspec.json.encode(status), doing)
