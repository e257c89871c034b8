"""What clients may call repositories, contents and pieces of them. Pure: text in, values or RegistryError out.

Whatever passes here is safe as a part of a path: no dots alone, no slashes but those between a repository's parts.
"""

from __future__ import annotations

import hashlib
import re
import sys

from kdeploy.reference import is_path
from kdeploy.sandbox.registry.errors import Code, refusal

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_NOTHING = re.compile(r"-0+")
_CHUNK = re.compile(r"([0-9]{1,19})-([0-9]{1,19})")


def check_name(name: str) -> str:
    """`name` itself if it is a repository's. Raises NAME_INVALID."""
    if is_path(name):
        return name
    raise refusal(Code.NAME_INVALID, name)


def check_digest(text: str) -> str:
    """`text` itself if it is a SHA-256 digest, the only kind that is kept here. Raises DIGEST_INVALID."""
    if is_digest(text):
        return text
    message = "the digest is missing" if not text else "not a digest that this registry knows: sha256:<64 hex digits>"
    raise refusal(Code.DIGEST_INVALID, text, message=message)


def is_digest(text: str) -> bool:
    """Whether `text` is "sha256:" and 64 lower-case hex digits."""
    return _DIGEST.fullmatch(text) is not None


def digest_of(content: bytes) -> str:
    """The digest of these bytes."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def hex_of(digest: str) -> str:
    """The digits of a digest, checked: a file's name. Raises DIGEST_INVALID."""
    return check_digest(digest).partition(":")[2]


def chunk_range(text: str) -> tuple[int, int] | None:
    """First and last byte of a chunk's Content-Range, "0-1023"; None where it does not read so."""
    match = _CHUNK.fullmatch(text)
    return (int(match[1]), int(match[2])) if match else None


def byte_range(text: str) -> str | None:
    """A Range for one piece, "bytes=0-1023"; None where it is to be ignored: of other units, or several pieces.

    The last 0 bytes cannot be had, and neither can what begins after the end of any file.
    """
    unit, _, piece = text.partition("=")
    if unit.strip().lower() != "bytes" or "," in piece:
        return None
    return f"bytes={sys.maxsize}-" if _NOTHING.fullmatch(piece.strip()) else f"bytes={piece.strip()}"


def page_size(text: str | None) -> int | None:
    """A list's `n`, None where none is asked for. Raises PAGINATION_NUMBER_INVALID."""
    if text is None:
        return None
    if text.isascii() and text.isdigit() and len(text) < 10:
        return int(text)
    raise refusal(Code.PAGINATION_NUMBER_INVALID, text)
