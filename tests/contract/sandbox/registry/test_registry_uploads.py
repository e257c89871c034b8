"""Blobs on their way in: whole, in chunks, cut off, too large, out of order, at once."""

from __future__ import annotations

import json
import socket
import threading
import time
import tracemalloc
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdeploy.sandbox.registry.server import Limits
from tests.contract.api_server import eventually
from tests.contract.sandbox.registry.conftest import Served, serve
from tests.contract.sandbox.registry.pushing import ABSENT, Pusher, digest_of

CONTENT = bytes(range(256)) * 10
DIGEST = digest_of(CONTENT)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One registry for many examples."""
    yield from serve(tmp_path_factory.mktemp("shared"))


Cut = tuple[int, bool, bool]
"""How many bytes a chunk has, whether it says its range, and whether it is a stream of unknown length."""


@settings(max_examples=50)
@given(
    content=st.binary(max_size=3000),
    cuts=st.lists(st.tuples(st.integers(0, 1000), st.booleans(), st.booleans()), max_size=6),
    has_rest=st.booleans(),
)
def test_however_a_blob_is_cut_it_comes_out_whole(
    shared: Served, content: bytes, cuts: list[Cut], has_rest: bool
) -> None:
    push = shared.push
    location, sent = push.start(), 0
    for length, says_range, is_stream in cuts:
        piece = content[sent : sent + length]
        told = f"{sent}-{sent + len(piece) - 1}" if says_range and piece else None
        reply = push.chunk(location, pieces(piece) if is_stream else piece, told)
        sent += len(piece)
        assert (reply.status, reply.headers["Range"]) == (202, f"0-{max(0, sent - 1)}")
        location = reply.headers["Location"]
    if not has_rest and content[sent:]:
        location = push.chunk(location, content[sent:]).headers["Location"]
        sent = len(content)
    done = push.finish(location, digest_of(content), content[sent:])
    assert (done.status, done.headers["Docker-Content-Digest"]) == (201, digest_of(content))
    assert shared.ask("GET", done.headers["Location"]).body == content
    assert shared.incoming == []


def pieces(content: bytes) -> Iterator[bytes]:
    for start in range(0, len(content), 100):
        yield content[start : start + 100]


@settings(max_examples=30)
@given(cut=st.integers(1, 2000), wrong=st.integers(0, 3000))
def test_a_chunk_out_of_order_changes_nothing(shared: Served, cut: int, wrong: int) -> None:
    push = shared.push
    location = push.start(CONTENT[:cut])
    if wrong != cut:
        refused = push.chunk(location, b"x" * 10, f"{wrong}-{wrong + 9}")
        assert refused.brief == (416, "BLOB_UPLOAD_INVALID")
        assert refused.headers["Range"] == f"0-{cut - 1}"
    assert push.finish(location, DIGEST, CONTENT[cut:]).status == 201


def test_nothing_of_a_half_upload_can_be_seen(registry: Served) -> None:
    registry.push.start(CONTENT[:100])
    for digest in (DIGEST, digest_of(CONTENT[:100])):
        assert registry.ask("GET", f"/v2/team/web/blobs/{digest}").brief == (404, "BLOB_UNKNOWN")
        assert registry.storage.blob_path(digest) is None


def test_what_is_written_belongs_to_its_user_alone(registry: Served) -> None:
    registry.push.image("v1", CONTENT)
    registry.push.start(b"half")
    files = [path for path in registry.folder.rglob("*") if path.is_file()]
    assert len(files) > 6
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}
    assert registry.folder.stat().st_mode & 0o777 == 0o700


def test_a_request_with_the_wrong_digest_leaves_the_upload_as_it_was(registry: Served) -> None:
    push = registry.push
    location = push.start(CONTENT[:100])
    assert push.finish(location, ABSENT, CONTENT[100:]).brief == (400, "DIGEST_INVALID")
    assert registry.ask("GET", location).headers["Range"] == "0-99"
    assert registry.incoming[0].stat().st_size == 100
    assert push.finish(location, DIGEST, CONTENT[100:]).status == 201


def test_a_chunk_that_is_longer_than_it_says_leaves_the_upload_as_it_was(registry: Served) -> None:
    push = registry.push
    location = push.start(CONTENT[:100])
    assert push.chunk(location, iter([b"x" * 50, b"y" * 50]), "100-149").brief == (400, "SIZE_INVALID")
    assert push.finish(location, DIGEST, CONTENT[100:]).status == 201


def test_a_whole_blob_that_is_refused_leaves_no_file(registry: Served) -> None:
    path = registry.push.path(f"blobs/uploads/?digest={ABSENT}")
    assert registry.ask("POST", path, CONTENT).brief == (400, "DIGEST_INVALID")
    assert registry.incoming == []


def test_what_came_before_a_connection_ended_is_kept_and_can_be_gone_on_with(registry: Served) -> None:
    location = registry.push.start(CONTENT[:100])
    hang_up(registry, "PATCH", location, CONTENT[100:150])
    eventually(lambda: registry.ask("GET", location).headers["Range"] in ("0-99", "0-149"))
    reply = go_on(registry, location)
    assert reply.status == 201
    assert registry.ask("GET", reply.headers["Location"]).body == CONTENT


def go_on(registry: Served, location: str):  # type: ignore[no-untyped-def]
    """As a client does: asks how far it came, and sends the rest."""
    reply = registry.ask("GET", location)
    while True:
        start = int(reply.headers["Range"].partition("-")[2]) + 1
        reply = registry.push.finish(
            location, DIGEST, CONTENT[start:], {"Content-Range": f"{start}-{len(CONTENT) - 1}"}
        )
        if reply.status != 416:  # the server has not yet seen that the first connection ended
            return reply
        time.sleep(0.02)


def hang_up(registry: Served, method: str, location: str, body: bytes) -> None:
    """Sends the beginning of a body of 10,000 bytes and closes the connection."""
    parts = urlsplit(location)
    head = f"{method} {parts.path}?{parts.query} HTTP/1.1\r\nHost: x\r\nContent-Length: 10000\r\n\r\n"
    with closing(socket.create_connection(("127.0.0.1", registry.ask.port))) as connection:
        connection.sendall(head.encode() + body)


def test_a_whole_blob_that_is_cut_off_leaves_no_file(registry: Served) -> None:
    hang_up(registry, "POST", registry.push.path(f"blobs/uploads/?digest={DIGEST}"), CONTENT[:50])
    eventually(lambda: registry.incoming == [])
    assert registry.storage.blob_path(DIGEST) is None


@pytest.mark.parametrize("is_stream", [False, True])
def test_a_blob_past_the_limit_is_refused_with_413(small: Served, is_stream: bool) -> None:
    push = small.push
    location = push.start(b"x" * 60)
    refused = push.chunk(location, iter([b"x" * 41]) if is_stream else b"x" * 41)
    assert refused.brief == (413, "SIZE_INVALID")
    assert "100 bytes" in refused.json["errors"][0]["message"]
    assert push.finish(location, digest_of(b"x" * 100), b"x" * 40).status == 201


def test_a_blob_that_says_it_is_past_the_limit_is_refused_before_it_is_sent(small: Served) -> None:
    assert answer_to_head(small, "PATCH", small.push.start()).startswith(b"HTTP/1.1 413 ")


def test_a_manifest_that_says_it_is_past_the_limit_is_refused_before_it_is_sent(small: Served) -> None:
    assert answer_to_head(small, "PUT", small.push.path("manifests/v1")).startswith(b"HTTP/1.1 413 ")


def answer_to_head(registry: Served, method: str, location: str) -> bytes:
    """What is answered to a request whose 10,000 bytes are told and never come."""
    head = f"{method} {location} HTTP/1.1\r\nHost: x\r\nContent-Length: 10000\r\n\r\n"
    with closing(socket.create_connection(("127.0.0.1", registry.ask.port), timeout=20)) as connection:
        connection.sendall(head.encode())
        return connection.recv(100)


def test_a_compressed_transfer_is_refused_as_it_would_hide_the_size(registry: Served) -> None:
    reply = registry.ask("PATCH", registry.push.start(), b"\x1f\x8b", {"Content-Encoding": "gzip"})
    assert reply.brief == (415, "UNSUPPORTED")


def test_an_upload_that_is_cancelled_in_the_middle_of_a_chunk_is_gone(registry: Served) -> None:
    location = registry.push.start()
    gate = threading.Event()

    def slow() -> Iterator[bytes]:
        yield b"x" * 100
        assert registry.ask("DELETE", location).status == 204
        gate.set()
        yield b"y" * 100

    assert registry.push.chunk(location, slow()).brief == (404, "BLOB_UPLOAD_UNKNOWN")
    assert gate.is_set()
    assert registry.incoming == []


def test_two_requests_do_not_write_to_one_upload_at_once(registry: Served) -> None:
    location = registry.push.start()

    def slow() -> Iterator[bytes]:
        yield CONTENT[:100]
        eventually(lambda: registry.push.chunk(location, b"zzz").brief == (416, "BLOB_UPLOAD_INVALID"))
        yield CONTENT[100:]

    assert registry.push.chunk(location, slow()).status == 202
    assert registry.push.finish(location, DIGEST).status == 201


def test_the_same_blob_may_come_from_many_at_once(registry: Served) -> None:
    content = CONTENT * 300
    done: list[int] = []

    def send(number: int) -> None:
        push = Pusher(ask=registry.ask, repository=f"team/{number % 3}")
        done.append(push.finish(push.start(), digest_of(content), content).status)

    threads = [threading.Thread(target=send, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert done == [201] * 8
    for number in range(3):
        assert registry.ask("GET", f"/v2/team/{number}/blobs/{digest_of(content)}").body == content
    assert registry.incoming == []


def test_an_upload_that_nobody_goes_on_with_is_removed(tmp_path: Path) -> None:
    folder = tmp_path / "registry"
    for served in serve(folder):
        served.push.start(b"of a process that was killed")
        assert len(served.incoming) == 1
    for served in serve(folder, Limits(upload_lifetime=0)):
        eventually(lambda: served.incoming == [])  # noqa: B023


def test_an_upload_that_is_gone_on_with_stays(tmp_path: Path) -> None:
    for served in serve(tmp_path / "registry", Limits(upload_lifetime=60)):
        location = served.push.start(CONTENT[:5])
        assert served.push.finish(location, DIGEST, CONTENT[5:]).status == 201


def test_a_large_blob_is_never_held_in_memory(registry: Served) -> None:
    piece, count = b"\0" * 65536, 1024
    push = registry.push
    location = push.start()
    tracemalloc.start()
    try:
        assert push.chunk(location, (piece for _ in range(count))).headers["Range"] == f"0-{65536 * count - 1}"
        held = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert held < 16 << 20


def test_a_folder_that_takes_no_more_is_told_and_the_server_goes_on(registry: Served) -> None:
    location = registry.push.start(b"abc")
    registry.incoming[0].chmod(0o400)
    (path,) = registry.incoming
    path.unlink()
    path.mkdir()
    reply = registry.push.chunk(location, b"def")
    assert reply.brief == (500, "UNKNOWN")
    assert json.loads(reply.body)["errors"][0]["message"].startswith("the registry's folder: ")
    assert registry.push.blob(b"goes on")
