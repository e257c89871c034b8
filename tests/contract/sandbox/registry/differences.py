"""Where the sandbox's registry answers otherwise than Docker's registry 2.8, and why. Everything else is the same."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# The specification asks for it; 2.8 is older than the paragraph, or does not keep to it.
_SPECIFIED: Mapping[str, list[Any]] = {
    "POST of a whole blob": [201],
    "POST of a whole blob with another digest": [400, "DIGEST_INVALID"],
    "a chunk too far": [416, "BLOB_UPLOAD_INVALID"],
    "a chunk twice": [416, "BLOB_UPLOAD_INVALID"],
    "a chunk shorter than told": [400, "SIZE_INVALID"],
    "a chunk with a range that is none": [416, "BLOB_UPLOAD_INVALID"],
    "a manifest past 4 MiB": [413, "SIZE_INVALID"],
    "deleting a tag": [202],
    "deleting a tag that is not there": [404, "MANIFEST_UNKNOWN"],
}

# 2.8 keeps an upload's state in its Location, signed, and says so where that is missing.
_UPLOADS: Mapping[str, list[Any]] = {
    "an upload by another repository's name": [404, "BLOB_UPLOAD_UNKNOWN"],
    "an unknown upload's status": [404, "BLOB_UPLOAD_UNKNOWN"],
    "a chunk for an unknown upload": [404, "BLOB_UPLOAD_UNKNOWN"],
    "the end of an unknown upload": [404, "BLOB_UPLOAD_UNKNOWN"],
    "cancelling an unknown upload": [404, "BLOB_UPLOAD_UNKNOWN"],
}

# 2.8 answers in plain text, with 500 for what the client did, or as if there were nothing.
_TOLD: Mapping[str, list[Any]] = {
    "a blob by a word": [400, "DIGEST_INVALID"],
    "a digest that is none": [400, "DIGEST_INVALID"],
    "a tag that is none": [404, "MANIFEST_UNKNOWN"],
    "a manifest by a tag that is none": [400, "MANIFEST_INVALID"],
    "a manifest that says nothing": [400, "MANIFEST_INVALID"],
    "a manifest of schema 1": [400, "MANIFEST_INVALID"],
    "a manifest whose layer has no digest": [400, "DIGEST_INVALID"],
    "an upload to a name in capitals": [400, "NAME_INVALID"],
    "a manifest of a name in capitals": [400, "NAME_INVALID"],
    "a name that is too long": [400, "NAME_INVALID"],
    "tags, minus one at a time": [400, "PAGINATION_NUMBER_INVALID"],
    "PUT of a blob by its digest": [405, "UNSUPPORTED"],
    "POST of a manifest": [405, "UNSUPPORTED"],
    "PATCH of the tags": [405, "UNSUPPORTED"],
    "no endpoint": [404, "UNSUPPORTED"],
    "referrers": [404, "UNSUPPORTED"],
}

# For people with curl, which sends "Accept: */*".
_CURL: Mapping[str, list[Any]] = {"an OCI manifest where anything is wanted": [200]}

DIFFERENCES: Mapping[str, list[Any]] = {**_SPECIFIED, **_UPLOADS, **_TOLD, **_CURL}
