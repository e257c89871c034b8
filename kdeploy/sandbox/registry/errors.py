"""What a registry says when it refuses: the specification's codes, each with its status and its words.

https://github.com/opencontainers/distribution-spec/blob/main/spec.md#error-codes. The statuses are those of Docker's
registry. Pure.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from kdeploy.text import one_line


class Code(StrEnum):
    """The codes that clients know."""

    BLOB_UNKNOWN = "BLOB_UNKNOWN"
    BLOB_UPLOAD_INVALID = "BLOB_UPLOAD_INVALID"
    BLOB_UPLOAD_UNKNOWN = "BLOB_UPLOAD_UNKNOWN"
    DENIED = "DENIED"
    DIGEST_INVALID = "DIGEST_INVALID"
    MANIFEST_BLOB_UNKNOWN = "MANIFEST_BLOB_UNKNOWN"
    MANIFEST_INVALID = "MANIFEST_INVALID"
    MANIFEST_UNKNOWN = "MANIFEST_UNKNOWN"
    NAME_INVALID = "NAME_INVALID"
    NAME_UNKNOWN = "NAME_UNKNOWN"
    PAGINATION_NUMBER_INVALID = "PAGINATION_NUMBER_INVALID"
    SIZE_INVALID = "SIZE_INVALID"
    UNAUTHORIZED = "UNAUTHORIZED"
    UNKNOWN = "UNKNOWN"
    UNSUPPORTED = "UNSUPPORTED"


_MEANING: Mapping[Code, tuple[int, str]] = {
    Code.BLOB_UNKNOWN: (404, "blob unknown to registry"),
    Code.BLOB_UPLOAD_INVALID: (416, "blob upload invalid"),
    Code.BLOB_UPLOAD_UNKNOWN: (404, "blob upload unknown to registry"),
    Code.DENIED: (403, "requested access to the resource is denied"),
    Code.DIGEST_INVALID: (400, "provided digest did not match uploaded content"),
    Code.MANIFEST_BLOB_UNKNOWN: (400, "blob unknown to registry"),
    Code.MANIFEST_INVALID: (400, "manifest invalid"),
    Code.MANIFEST_UNKNOWN: (404, "manifest unknown"),
    Code.NAME_INVALID: (400, "invalid repository name"),
    Code.NAME_UNKNOWN: (404, "repository name not known to registry"),
    Code.PAGINATION_NUMBER_INVALID: (400, "invalid number of results requested"),
    Code.SIZE_INVALID: (400, "provided length did not match content length"),
    Code.UNAUTHORIZED: (401, "authentication required"),
    Code.UNKNOWN: (500, "unknown error"),
    Code.UNSUPPORTED: (405, "the operation is unsupported"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One entry of an answer's "errors". `detail` says what it is about; `message`, if given, replaces the usual."""

    code: Code
    detail: str = ""
    message: str = ""

    def as_json(self) -> Mapping[str, str]:
        """{"code", "message"} and, where there is one, "detail"."""
        usual = {"code": str(self.code), "message": self.message or _MEANING[self.code][1]}
        return usual | ({"detail": one_line(self.detail)} if self.detail else {})


class RegistryError(Exception):
    """A request is refused. The first problem tells the status where none is given."""

    def __init__(self, *problems: Problem, status: int = 0, headers: Mapping[str, str] | None = None) -> None:
        super().__init__("; ".join(f"{each.code}: {each.message or each.detail}" for each in problems))
        self.problems = problems
        self.status = status or _MEANING[problems[0].code][0]
        self.headers = headers or {}

    @property
    def body(self) -> bytes:
        """The answer's JSON: {"errors": [{"code", "message", "detail"}]}."""
        return (
            json.dumps({"errors": [each.as_json() for each in self.problems]}, separators=(",", ":")).encode() + b"\n"
        )


def refusal(
    code: Code, detail: str = "", *, message: str = "", status: int = 0, headers: Mapping[str, str] | None = None
) -> RegistryError:
    """An error with one problem."""
    return RegistryError(Problem(code=code, detail=detail, message=message), status=status, headers=headers)
