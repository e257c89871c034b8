"""The little OpenAPI without which kubectl would not send a manifest: that the server validates fields itself. Pure.

Before `create` and `apply`, kubectl looks in the OpenAPI v3 document of an object's group for a PATCH that takes the
parameter fieldValidation (k8s.io/cli-runtime/pkg/resource/query_param_verifier_v3.go), and else refuses without
`--validate=false`. No PATCH says how it merges, so kubectl merges by its own types. The schemas are for
`kubectl explain`: fields and types, without the text about them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kdeploy.model import Obj
from kdeploy.sandbox.api.discovery import VERSION, group_names, of_group
from kdeploy.sandbox.api.fields import Type, struct
from kdeploy.sandbox.core.resources import Resource

V2 = "/openapi/v2"
V2_MEDIA = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
"""What kubectl asks for there, of kinds that version 3 does not know: an empty message is a document without any, and
so kubectl says that there is no such kind, instead of that it cannot validate.
"""

_KIND = "x-kubernetes-group-version-kind"
_NO_TEXT = "The sandbox knows fields and types only: see https://kubernetes.io/docs/reference/kubernetes-api/"
_TYPES = {"bool": "boolean", "int32": "integer", "int64": "integer", "Raw": "object"}


def document(path: str) -> Obj | None:
    """The answer to a path below /openapi/v3, None where there is none."""
    documents = {"api/v1": "", **{f"apis/{group}/v1": group for group in group_names()}}
    wanted = path.removeprefix("/openapi/v3").strip("/")
    if not wanted:
        return {"paths": {name: {"serverRelativeURL": f"/openapi/v3/{name}?hash=0"} for name in documents}}
    if wanted not in documents:
        return None
    writable = [one for one in of_group(documents[wanted]) if "patch" in one.verbs]
    return {
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": VERSION},
        "paths": {_path(wanted, one): _methods(one) for one in writable},
        "components": {"schemas": _schemas(writable)},
    }


def _path(root: str, resource: Resource) -> str:
    namespaced = "/namespaces/{namespace}" if resource.namespaced else ""
    return f"/{root}{namespaced}/{resource.plural}/{{name}}"


def _methods(resource: Resource) -> dict[str, Any]:
    parameters = [
        {"name": name, "in": "query", "schema": {"type": "string", "uniqueItems": True}}
        for name in ("dryRun", "fieldManager", "fieldValidation")
    ]
    answers = {"200": {"description": "OK"}}
    return {"patch": {"parameters": parameters, "responses": answers, _KIND: _kind(resource)}}


def _schemas(resources: Sequence[Resource]) -> dict[str, Any]:
    """The schemas of the kinds, and of all types that they are made of."""
    schemas: dict[str, Any] = {}
    left = [resource.kind for resource in resources]
    while left:
        name = left.pop()
        fields = struct(name)
        if fields is not None and name not in schemas:
            schemas[name] = {"type": "object", "properties": {key: _schema(one.type) for key, one in fields.items()}}
            left += [_innermost(one.type) for one in fields.values()]
    for resource in resources:
        schemas[resource.kind] |= {"description": _NO_TEXT, _KIND: [_kind(resource)]}
    return schemas


def _schema(type_: Type) -> dict[str, Any]:
    if type_.item is not None:
        inside = _schema(type_.item)
        return (
            {"type": "array", "items": inside} if type_.is_list else {"type": "object", "additionalProperties": inside}
        )
    if struct(type_.name) is not None:
        return {"allOf": [{"$ref": f"#/components/schemas/{type_.name}"}], "default": {}}
    return {"type": _TYPES.get(type_.name, "string")}


def _innermost(type_: Type) -> str:
    return type_.name if type_.item is None else _innermost(type_.item)


def _kind(resource: Resource) -> dict[str, str]:
    return {"group": resource.group, "version": resource.version, "kind": resource.kind}
