"""Tables, as `kubectl get` asks for them, and objects of which only the metadata is wanted. Pure.

The server prints: https://kubernetes.io/docs/reference/using-api/api-concepts/#receiving-resources-as-tables
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kdeploy.model import Obj
from kdeploy.sandbox.api.printers import printer
from kdeploy.sandbox.core.resources import Resource

_META = "meta.k8s.io/v1"


def table(
    resource: Resource, objects: Sequence[Obj], version: str, now: float, *, include: str, headers: bool = True
) -> Obj:
    """The objects as a Table of that resourceVersion.

    `include` is the parameter includeObject: "None", "Metadata" or "Object". Without `headers` it has no columns, as in
    a watch after its first event.
    """
    printed = printer(resource)
    rows = []
    for obj in objects:
        row: dict[str, Any] = {"cells": printed.cells(obj, now)}
        if conditions := printed.conditions(obj):
            row["conditions"] = conditions
        rows.append({**row, "object": _object(obj, include)})
    columns = [one.as_json() for one in printed.columns] if headers else []
    metadata = {"resourceVersion": version} if version else {}
    return {"kind": "Table", "apiVersion": _META, "metadata": metadata, "columnDefinitions": columns, "rows": rows}


def metadata_only(obj: Obj) -> Obj:
    """The object without all but its metadata."""
    return {"kind": "PartialObjectMetadata", "apiVersion": _META, "metadata": obj["metadata"]}


def metadata_list(objects: Sequence[Obj], metadata: Mapping[str, Any]) -> Obj:
    """A list of objects without all but their metadata."""
    items = [metadata_only(obj) for obj in objects]
    return {"kind": "PartialObjectMetadataList", "apiVersion": _META, "metadata": metadata, "items": items}


def _object(obj: Obj, include: str) -> Obj | None:
    if include == "None":
        return None
    return obj if include == "Object" else metadata_only(obj)
