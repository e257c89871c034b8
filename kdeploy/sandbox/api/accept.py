"""In which form a client wants its answer: from the header Accept. Pure.

https://kubernetes.io/docs/reference/using-api/api-concepts/#alternate-representations-of-resources
"""

from __future__ import annotations

from enum import Enum

from kdeploy.sandbox.api import status
from kdeploy.sandbox.api.discovery import AGGREGATED

KNOWN = ("application/json",)


class Form(Enum):
    """A form of an answer in JSON; the value is the parameter "as" of the media type."""

    OBJECTS = ""
    TABLE = "Table"
    METADATA = "PartialObjectMetadata"
    METADATA_LIST = "PartialObjectMetadataList"
    DISCOVERY = AGGREGATED


_GROUPS = {
    Form.TABLE: ("meta.k8s.io", "v1"),
    Form.METADATA: ("meta.k8s.io", "v1"),
    Form.METADATA_LIST: ("meta.k8s.io", "v1"),
    Form.DISCOVERY: ("apidiscovery.k8s.io", "v2"),
}


def wanted(accept: str) -> Form:
    """The first form in the header that can be served. Raises ApiError 406 where there is none."""
    if not accept.strip():
        return Form.OBJECTS
    for clause in accept.split(","):
        media_type, *parameters = (part.strip() for part in clause.split(";"))
        given = dict(part.partition("=")[::2] for part in parameters)
        if media_type not in ("application/json", "application/*", "*/*"):
            continue
        if not given.get("as"):
            return Form.OBJECTS
        form = next((one for one in _GROUPS if one.value == given["as"]), None)
        if form is not None and (given.get("g"), given.get("v")) == _GROUPS[form]:
            return form
    raise status.not_acceptable(KNOWN)
