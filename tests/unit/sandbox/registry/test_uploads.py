"""An upload grows, is a blob or nothing, and does not stay for ever."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from kdeploy.sandbox.registry.errors import Code, RegistryError, refusal
from kdeploy.sandbox.registry.names import digest_of
from kdeploy.sandbox.registry.storage import Storage
from kdeploy.sandbox.registry.uploads import Uploads
from tests.unit.sandbox.registry.images import ABSENT, REPOSITORY

NOW = 1_800_000_000.0


class Clock:
    """Goes on when a test says so."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def uploads(storage: Storage, clock: Clock) -> Uploads:
    return Uploads(storage, lifetime=60.0, clock=clock)


def test_pieces_make_a_blob(storage: Storage, uploads: Uploads) -> None:
    upload = uploads.start(REPOSITORY)
    assert upload.range == "0-0"
    for piece in (b"ab", b"", bytearray(b"cdef")):
        upload.append(piece)
    assert (upload.size, upload.range, upload.digest) == (6, "0-5", digest_of(b"abcdef"))
    uploads.finish(upload, digest_of(b"abcdef"))
    path = storage.blob_path(digest_of(b"abcdef"))
    assert path
    assert path.read_bytes() == b"abcdef"
    with pytest.raises(RegistryError, match="BLOB_UPLOAD_UNKNOWN"):
        uploads.find(REPOSITORY, upload.id)
    with pytest.raises(RegistryError, match="BLOB_UPLOAD_UNKNOWN"):
        uploads.finish(upload, digest_of(b"abcdef"))


def test_the_wrong_digest_makes_none(storage: Storage, uploads: Uploads) -> None:
    upload = uploads.start(REPOSITORY)
    upload.append(b"abc")
    with pytest.raises(RegistryError, match="DIGEST_INVALID"):
        uploads.finish(upload, ABSENT)
    assert storage.blob_path(ABSENT) is None
    assert uploads.find(REPOSITORY, upload.id) is upload


def test_an_upload_is_known_in_its_own_repository_only(uploads: Uploads) -> None:
    upload = uploads.start(REPOSITORY)
    for repository, name in (("other", upload.id), (REPOSITORY, "../x"), (REPOSITORY, "")):
        with pytest.raises(RegistryError, match="BLOB_UPLOAD_UNKNOWN"):
            uploads.find(repository, name)


def test_a_refusal_undoes_what_its_request_wrote(uploads: Uploads) -> None:
    upload = uploads.start(REPOSITORY)
    upload.append(b"abc")

    def request() -> None:
        with uploads.writing(upload):
            upload.append(b"wrong")
            uploads.finish(upload, ABSENT)

    with pytest.raises(RegistryError, match="DIGEST_INVALID"):
        request()
    assert (upload.size, upload.digest, upload.is_busy) == (3, digest_of(b"abc"), False)
    assert upload.path.read_bytes() == b"abc"


def test_a_connection_that_ends_keeps_what_came(uploads: Uploads) -> None:
    upload = uploads.start(REPOSITORY)

    def request() -> None:
        with uploads.writing(upload):
            upload.append(b"abc")
            raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        request()
    assert (upload.size, upload.is_busy) == (3, False)


def test_bytes_of_a_failed_write_do_not_count(
    storage: Storage, uploads: Uploads, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk is full after some of a piece: the next piece is written over it."""
    upload = uploads.start(REPOSITORY)
    upload.append(b"abc")
    write = os.write

    def short(descriptor: int, content: bytes) -> int:
        if len(content) < 3:
            raise OSError(28, "No space left on device")
        return write(descriptor, content[:4])

    monkeypatch.setattr(os, "write", short)
    with pytest.raises(OSError, match="No space"):
        upload.append(b"12345")
    monkeypatch.undo()
    assert upload.size == 3
    upload.append(b"d")
    uploads.finish(upload, digest_of(b"abcd"))
    path = storage.blob_path(digest_of(b"abcd"))
    assert path
    assert path.read_bytes() == b"abcd"


def test_one_request_at_a_time(uploads: Uploads) -> None:
    upload = uploads.start(REPOSITORY)
    with uploads.writing(upload):
        with pytest.raises(RegistryError, match="BLOB_UPLOAD_INVALID"), uploads.writing(upload):
            pass
        assert upload.is_busy


def test_a_request_that_is_refused_when_its_upload_was_cancelled_is_refused_all_the_same(uploads: Uploads) -> None:
    upload = uploads.start(REPOSITORY)

    def request() -> None:
        with uploads.writing(upload):
            uploads.cancel(upload)
            raise refusal(Code.DIGEST_INVALID)

    with pytest.raises(RegistryError, match="DIGEST_INVALID"):
        request()
    assert not upload.path.exists()


def test_what_was_cancelled_meanwhile_is_said_to_be_unknown(uploads: Uploads) -> None:
    upload = uploads.start(REPOSITORY)

    def request() -> None:
        with uploads.writing(upload):
            uploads.cancel(upload)
            upload.append(b"abc")

    with pytest.raises(RegistryError, match="BLOB_UPLOAD_UNKNOWN"):
        request()
    assert not upload.path.exists()


def test_what_nobody_adds_to_is_removed_after_its_lifetime(storage: Storage, uploads: Uploads, clock: Clock) -> None:
    old, new = uploads.start(REPOSITORY), uploads.start(REPOSITORY)
    orphans = [storage.incoming / "of-a-killed-process", storage.incoming / "of-another-process"]
    for path, age in zip(orphans, (61, 59), strict=True):
        path.write_bytes(b"half")
        os.utime(path, (NOW - age, NOW - age))
    clock.seconds += 2
    new.append(b"a")
    clock.seconds += 59
    uploads.purge(NOW)
    assert set(storage.incoming.iterdir()) == {new.path, orphans[1]}
    assert uploads.find(REPOSITORY, new.id) is new
    with pytest.raises(RegistryError, match="BLOB_UPLOAD_UNKNOWN"):
        uploads.find(REPOSITORY, old.id)


@pytest.mark.parametrize("jump", [-1e9, 1e9])
def test_a_jump_of_the_machines_clock_ends_no_upload(uploads: Uploads, jump: float) -> None:
    upload = uploads.start(REPOSITORY)
    uploads.purge(time.time() + jump)
    upload.append(b"abc")
    assert uploads.find(REPOSITORY, upload.id) is upload


def test_a_link_that_was_put_in_its_place_is_not_followed(uploads: Uploads, tmp_path: Path) -> None:
    upload = uploads.start(REPOSITORY)
    victim = tmp_path / "victim"
    victim.write_text("precious")
    upload.path.unlink()
    upload.path.symlink_to(victim)
    with pytest.raises(OSError):
        upload.append(b"abc")
    assert victim.read_text() == "precious"
