"""Pieces of a blob, by RFC 9110."""

from __future__ import annotations

import pytest

from tests.contract.sandbox.registry.conftest import Served

CONTENT = b"hello world"


@pytest.mark.parametrize(
    ("wanted", "status", "told", "body"),
    [
        ("bytes=0-4", 206, "bytes 0-4/11", b"hello"),
        ("Bytes=-5", 206, "bytes 6-10/11", b"world"),
        ("bytes=-99", 206, "bytes 0-10/11", CONTENT),
        ("bytes=6-99", 206, "bytes 6-10/11", b"world"),
        ("bytes=11-", 416, "bytes */11", b""),
        ("bytes=-0", 416, "bytes */11", b""),
        ("bytes=0-1,3-4", 200, None, CONTENT),
        ("lines=0-4", 200, None, CONTENT),
        ("nonsense", 200, None, CONTENT),
    ],
)
def test_one_range_of_bytes_is_sent_and_what_is_not_understood_ignored(
    registry: Served, wanted: str, status: int, told: str | None, body: bytes
) -> None:
    path = registry.push.path(f"blobs/{registry.push.blob(CONTENT)}")
    reply = registry.ask("GET", path, b"", {"Range": wanted})
    assert (reply.status, reply.headers["Content-Range"]) == (status, told)
    assert reply.body == body or status == 416
    head = registry.ask("HEAD", path, b"", {"Range": wanted})
    assert (head.status, head.headers["Content-Range"], head.body) == (status, told, b"")
