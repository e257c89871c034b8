"""What a request does to the store's objects, and what is answered: no HTTP, nothing that waits.

The order of the checks is that of k8s.io/apiserver/pkg/endpoints/handlers and pkg/registry/generic.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from kdeploy.model import Obj
from kdeploy.sandbox.api import access, patch, scale, status
from kdeploy.sandbox.api.decode import MismatchError, decode
from kdeploy.sandbox.api.options import DeleteOptions, check_field_validation, check_options, delete_options
from kdeploy.sandbox.api.prepare import for_create, for_update
from kdeploy.sandbox.api.request import ENDPOINT_SLICES, Asked
from kdeploy.sandbox.api.selectors import Selector, SelectorError, selector
from kdeploy.sandbox.api.slices import slices_of
from kdeploy.sandbox.core.admission import refusal
from kdeploy.sandbox.core.errors import AlreadyExistsError
from kdeploy.sandbox.core.field_errors import immutable, invalid
from kdeploy.sandbox.core.metadata import created, key_of, replaced, suffix
from kdeploy.sandbox.core.resources import ENDPOINTS, NAMESPACES, PODS, SERVICES, Resource
from kdeploy.sandbox.core.store import Store, check_same
from kdeploy.sandbox.core.validate import validate

_RETURNED = frozenset({PODS, SERVICES, NAMESPACES})
"""A deletion of these answers with the object itself, one of others with a Status."""

_NO_UID = "00000000-0000-0000-0000-000000000000"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An answer: HTTP status and body, and for the client's user what was wrong but taken."""

    status: int = 200
    body: Obj
    warnings: Sequence[str] = ()


class Objects:
    """The verbs. `clock` gives Unix seconds; `after_write` is called after each change of the store."""

    def __init__(self, store: Store, clock: Callable[[], float], after_write: Callable[[], None]) -> None:
        self._store = store
        self._clock = clock
        self._after_write = after_write

    def answer(self, asked: Asked, media_type: str, body: Any) -> Answer:
        """Carries out any verb but list and watch. `body` is decoded JSON, None where there is none.

        Raises ApiError, StoreError.
        """
        verbs: Mapping[str, Callable[[Asked, str, Any], Answer]] = {
            "get": self._get,
            "create": self._create,
            "update": self._update,
            "patch": self._patch,
            "delete": self._delete,
            "deletecollection": self._delete_collection,
        }
        return verbs[asked.verb](asked, media_type, body)

    def selected(self, asked: Asked) -> tuple[Selector, Sequence[Obj]]:
        """What a list or watch asks for, and what of it is there. Raises ApiError 400."""
        query = asked.query
        try:
            wanted = selector(asked.resource, query.get("labelSelector", ""), query.get("fieldSelector", ""))
        except SelectorError as error:
            raise status.bad_request(str(error)) from None
        return wanted, [obj for obj in self._all(asked.resource, asked.namespace) if wanted.matches(obj)]

    def _all(self, resource: Resource, namespace: str | None) -> Sequence[Obj]:
        if resource is ENDPOINT_SLICES:
            return [one for obj in self._store.list(ENDPOINTS, namespace) for one in slices_of(obj)]
        return self._store.list(resource, namespace if resource.namespaced else None)

    def _find(self, asked: Asked) -> Obj:
        if asked.resource is ENDPOINT_SLICES:
            every = self._all(asked.resource, asked.namespace)
            found = next((one for one in every if one["metadata"]["name"] == asked.name), None)
        else:
            found = self._store.get(asked.resource, asked.namespace or "", asked.name)
        if found is None:
            raise status.not_found(asked.resource, asked.name)
        return found

    def _get(self, asked: Asked, _: str, __: Any) -> Answer:
        found = self._find(asked)
        return Answer(body=scale.scale_of(found) if asked.subresource == "scale" else found)

    def _create(self, asked: Asked, _: str, body: Any) -> Answer:
        resource = asked.resource
        if asked.subresource == "binding":
            return self._bind(asked, body)
        check_options("CreateOptions", asked.query)
        obj, warnings = self._decoded(asked, resource.kind, resource.api_version, body)
        if "list" not in resource.verbs:
            return Answer(status=201, body=access.review(resource, obj), warnings=warnings)
        obj = _placed(asked, obj)
        if resource.namespaced and self._store.get(NAMESPACES, "", asked.namespace or "") is None:
            raise status.not_found(NAMESPACES, asked.namespace or "")
        if obj["metadata"].get("resourceVersion"):
            raise status.failure(500, "", "resourceVersion should not be set on objects to be created")
        new = for_create(resource, obj)
        self._admit(resource, new)
        validate(resource, new)
        if asked.dry_run:
            return Answer(status=201, body=self._imagined(resource, new), warnings=warnings)
        stored = self._store.create(resource, new, self._clock())
        self._after_write()
        return Answer(status=201, body=stored, warnings=warnings)

    def _admit(self, resource: Resource, obj: Obj) -> None:
        if resource is not PODS:
            return
        metadata = obj["metadata"]
        name = str(metadata.get("name") or metadata.get("generateName") or "")
        said = refusal(self._store.get, metadata["namespace"], name, obj["spec"])
        if said is not None:
            raise status.failure(403, "Forbidden", said, status.about(resource, name))

    def _imagined(self, resource: Resource, obj: Obj) -> Obj:
        """A new object as a dry run shows it: stored nowhere, of no resourceVersion. Raises AlreadyExistsError."""
        metadata, now = obj["metadata"], self._clock()
        name = metadata.get("name") or metadata["generateName"] + suffix(f"{metadata['generateName']}{now}")
        if self._store.get(resource, metadata.get("namespace") or "", name) is not None:
            raise AlreadyExistsError(resource, name)
        new = created(resource, obj, name=name, uid=_NO_UID, version=0, now=now)
        return {**new, "metadata": {key: value for key, value in new["metadata"].items() if key != "resourceVersion"}}

    def _bind(self, asked: Asked, body: Any) -> Answer:
        """A scheduler's Binding: the pod is on the node that it names."""
        pod, node = self._find(asked), ((body or {}).get("target") or {}).get("name")
        if not isinstance(node, str) or not node:
            raise status.bad_request("the binding names no node")
        if pod["spec"].get("nodeName"):
            said = f"pod {asked.name} is already assigned to node {pod['spec']['nodeName']!r}"
            raise status.conflict(PODS, asked.name, said.replace("'", '"'))
        if not asked.dry_run:
            bound = {**pod, "spec": {**pod["spec"], "nodeName": node}}
            self._store.replace(PODS, bound, self._clock(), subresource="binding")
            self._after_write()
        return Answer(
            status=201, body={"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}
        )

    def _update(self, asked: Asked, _: str, body: Any) -> Answer:
        check_options("UpdateOptions", asked.query)
        kind, version = sent_kind(asked)
        obj, warnings = self._decoded(asked, kind, version, body)
        return self._replace(asked, self._find(asked), _placed(asked, obj), warnings)

    def _patch(self, asked: Asked, media_type: str, body: Any) -> Answer:
        check_options("PatchOptions", asked.query)
        stored = self._find(asked)
        shown = scale.scale_of(stored) if asked.subresource == "scale" else stored
        kind, version = sent_kind(asked)
        changed = patch.patched(kind, shown, media_type, body)
        try:
            decoded = decode(kind, {**changed, "kind": kind, "apiVersion": version})
        except MismatchError as error:
            raise _unpatchable(changed, str(error)) from None
        warnings = check_field_validation(asked.query, decoded.unknown, lambda said: _unpatchable(changed, said))
        obj = _placed(asked, decoded.obj)
        uid = stored["metadata"]["uid"]
        if causes := immutable("metadata.uid", obj["metadata"].get("uid") or uid, uid):
            raise status.invalid(asked.resource.group, asked.resource.kind, asked.name, causes)
        return self._replace(asked, stored, obj, warnings)

    def _replace(self, asked: Asked, stored: Obj, obj: Obj, warnings: Sequence[str]) -> Answer:
        """Puts a decoded object, or its status or scale, in the place of the stored one."""
        resource, subresource = asked.resource, asked.subresource
        if subresource == "scale":
            obj = scale.scaled(stored, obj)
        check_same(resource, asked.name, stored, obj)
        if subresource != "status":
            obj = for_update(resource, obj, stored)
            validate(resource, obj, stored)
        written = "status" if subresource == "status" else ""
        if asked.dry_run:
            new = replaced(resource, stored, obj, written, self._store.version)
        else:
            new = self._store.replace(resource, obj, self._clock(), subresource=written)
            self._after_write()
        return Answer(body=scale.scale_of(new) if subresource == "scale" else new, warnings=warnings)

    def _delete(self, asked: Asked, _: str, body: Any) -> Answer:
        options = delete_options(asked, body)
        stored = self._find(asked)
        _check_conditions(asked.resource, stored, options)
        if options.dry_run:
            return self._deleted(asked.resource, stored)
        gone = self._store.delete(
            asked.resource,
            asked.namespace or "",
            asked.name,
            self._clock(),
            grace=options.grace,
            propagation=options.propagation,
        )
        self._after_write()
        return self._deleted(asked.resource, gone)

    def _deleted(self, resource: Resource, obj: Obj) -> Answer:
        waits = "deletionTimestamp" in obj["metadata"]
        return Answer(body=obj if waits or resource in _RETURNED else status.success(resource, obj))

    def _delete_collection(self, asked: Asked, _: str, body: Any) -> Answer:
        options = delete_options(asked, body)
        found = self.selected(asked)[1]
        answer = Answer(body=listing(asked.resource, found, self._store.version))
        if options.dry_run:
            return answer
        for obj in found:
            namespace, name = key_of(obj)
            if self._store.get(asked.resource, namespace, name) is not None:  # it may have gone with its owner
                grace, propagation = options.grace, options.propagation
                self._store.delete(asked.resource, namespace, name, self._clock(), grace=grace, propagation=propagation)
        self._after_write()
        return answer

    def _decoded(self, asked: Asked, kind: str, version: str, body: Any) -> tuple[Obj, Sequence[str]]:
        """The sent object in its Go shape, and warnings. Raises ApiError 400."""
        beginning = f'{kind} in version "{version.rpartition("/")[2]}" cannot be handled as a {kind}'
        if not isinstance(body, Mapping):
            raise status.bad_request(f"the object provided is unrecognized (must be of type {kind}): no JSON object")
        sent_kind, sent_version = body.get("kind") or kind, body.get("apiVersion") or version
        if (sent_kind, sent_version) != (kind, version):
            named = f'{sent_kind} in version "{str(sent_version).rpartition("/")[2]}" cannot be handled as a {kind}'
            raise status.bad_request(f'{named}: no kind "{sent_kind}" is registered for version "{sent_version}"')
        try:
            decoded = decode(kind, {**body, "kind": kind, "apiVersion": version})
        except MismatchError as error:
            raise status.bad_request(f"{beginning}: {error}") from None
        return decoded.obj, check_field_validation(
            asked.query, decoded.unknown, lambda said: status.bad_request(f"{beginning}: {said}")
        )


def listing(resource: Resource, objects: Sequence[Obj], version: int) -> Obj:
    """A list as the API server sends it: its items say neither kind nor apiVersion."""
    items = [{key: value for key, value in obj.items() if key not in ("kind", "apiVersion")} for obj in objects]
    return {
        "kind": f"{resource.kind}List",
        "apiVersion": resource.api_version,
        "metadata": {"resourceVersion": str(version)},
        "items": items,
    }


def _check_conditions(resource: Resource, stored: Obj, options: DeleteOptions) -> None:
    """Raises ApiError 409 where the object is not the one that is to be deleted."""
    metadata = stored["metadata"]
    for field, condition, has, told in (
        ("UID", options.uid, metadata["uid"], "have been deleted and then recreated"),
        ("ResourceVersion", options.resource_version, metadata["resourceVersion"], "have been modified"),
    ):
        if condition is not None and condition != has:
            said = f"the {field} in the precondition ({condition}) does not match the {field} in record ({has})."
            raise status.unmet(resource, metadata["name"], f"{said} The object might {told}")


def sent_kind(asked: Asked) -> tuple[str, str]:
    """The kind and apiVersion of what is read and written there."""
    if asked.subresource == "scale":
        return scale.KIND, "autoscaling/v1"
    return asked.resource.kind, asked.resource.api_version


def _placed(asked: Asked, obj: Obj) -> Obj:
    """The object with the namespace of the path. Raises ApiError 400 where it is meant for another place."""
    metadata = obj["metadata"]
    if asked.name:
        if not metadata.get("name"):
            said = f"the name of the object ({asked.name} based on URL) was undeterminable: name must be provided"
            raise status.bad_request(said)
        if metadata["name"] != asked.name:
            said = f"the name of the object ({metadata['name']}) does not match the name on the URL ({asked.name})"
            raise status.bad_request(said)
    if not asked.resource.namespaced:
        return obj
    if metadata.get("namespace") not in (None, "", asked.namespace):
        said = "the namespace of the provided object does not match the namespace sent on the request"
        raise status.bad_request(said)
    return {**obj, "metadata": {**metadata, "namespace": asked.namespace}}


def _unpatchable(changed: Obj, said: str) -> status.ApiError:
    """422: the patch makes something of which the API server cannot make an object."""
    return status.invalid("", "", "", [invalid("patch", msgspec.json.encode(changed).decode(), said)])
