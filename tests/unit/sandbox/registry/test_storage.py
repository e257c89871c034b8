"""What is kept, who sees it, and that it is whole."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from kdeploy.sandbox.registry.errors import RegistryError
from kdeploy.sandbox.registry.manifest import OCI_MANIFEST
from kdeploy.sandbox.registry.names import digest_of
from kdeploy.sandbox.registry.storage import Storage
from kdeploy.sandbox.registry.uploads import Uploads
from tests.unit.sandbox.registry.images import (
    ABSENT,
    REPOSITORY,
    config,
    encoded,
    entry,
    manifest,
    put_blob,
    put_image,
    put_index,
)


def test_an_image_is_found_by_tag_and_by_digest(storage: Storage) -> None:
    digest = put_image(storage, "v1", b"layer")
    assert storage.resolve(REPOSITORY, "v1") == digest
    assert storage.resolve(REPOSITORY, digest) == digest
    stored = storage.manifest(REPOSITORY, digest)
    assert stored
    assert (stored.digest, stored.media_type) == (digest, OCI_MANIFEST)
    assert digest_of(stored.content) == digest
    assert storage.tags(REPOSITORY) == ["v1"]
    assert storage.repositories() == [REPOSITORY]


def test_what_is_not_there_is_none(storage: Storage) -> None:
    put_image(storage, "v1")
    assert storage.resolve(REPOSITORY, "v2") is None
    assert storage.resolve(REPOSITORY, ABSENT) is None
    assert storage.resolve(REPOSITORY, "../../x") is None
    assert storage.resolve("no/such", "v1") is None
    assert storage.manifest(REPOSITORY, ABSENT) is None
    assert storage.blob_path(ABSENT) is None
    assert storage.tags("no/such") is None
    assert storage.tags("team") is None


def test_a_blob_is_one_file_and_belongs_to_who_pushed_or_mounted_it(storage: Storage) -> None:
    digest = put_blob(storage, b"content")
    path = storage.blob_path(digest)
    assert path
    assert path.read_bytes() == b"content"
    assert not storage.has_blob("other", digest)
    assert not storage.mount("third", digest, "other")
    assert storage.mount("other", digest, REPOSITORY)
    assert storage.has_blob("other", digest)
    storage.delete_blob(REPOSITORY, digest)
    assert not storage.has_blob(REPOSITORY, digest)
    assert storage.has_blob("other", digest)


def test_it_is_all_there_after_a_restart(storage: Storage, tmp_path: Path) -> None:
    digest = put_image(storage, "v1", b"layer")
    again = Storage(tmp_path / "registry")
    assert again.resolve(REPOSITORY, "v1") == digest
    assert again.has_blob(REPOSITORY, digest_of(b"layer"))


def test_a_manifest_is_no_blob_and_a_blob_no_manifest(storage: Storage) -> None:
    digest = put_image(storage, "v1", b"layer")
    assert not storage.has_blob(REPOSITORY, digest)
    assert storage.manifest(REPOSITORY, digest_of(b"layer")) is None
    assert storage.resolve(REPOSITORY, digest_of(b"layer")) is None


def test_another_repositorys_manifest_is_not_ours(storage: Storage) -> None:
    digest = put_image(storage, "v1")
    put_blob(storage, b"x", "other")
    assert storage.manifest("other", digest) is None
    assert storage.resolve("other", digest) is None


def test_an_index_needs_its_manifests(storage: Storage) -> None:
    digest = put_image(storage, "v1")
    assert put_index(storage, "multi", entry(storage, digest))
    with pytest.raises(RegistryError, match="MANIFEST_BLOB_UNKNOWN") as caught:
        put_index(storage, "bad", entry(storage, digest) | {"digest": ABSENT})
    assert [problem.detail for problem in caught.value.problems] == [ABSENT]
    assert storage.resolve(REPOSITORY, "bad") is None


def test_a_manifest_by_a_digest_needs_that_digest(storage: Storage) -> None:
    put_blob(storage, config())
    content = encoded(manifest(config()))
    with pytest.raises(RegistryError, match="DIGEST_INVALID"):
        storage.put_manifest(REPOSITORY, ABSENT, OCI_MANIFEST, content)
    assert storage.put_manifest(REPOSITORY, digest_of(content), OCI_MANIFEST, content) == digest_of(content)
    assert storage.tags(REPOSITORY) == []


@pytest.mark.parametrize("tag", ["", ".", "..", "a/b", "../x", "-v", "a" * 129, "é", "v1\n"])
def test_a_tag_that_is_none_is_refused_before_anything_is_written(storage: Storage, tmp_path: Path, tag: str) -> None:
    put_blob(storage, config())
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(RegistryError):
        storage.put_manifest(REPOSITORY, tag, OCI_MANIFEST, encoded(manifest(config())))
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("name", ["..", "a/../..", "_blobs", "/etc", ""])
def test_every_method_refuses_a_name_that_is_none(storage: Storage, name: str) -> None:
    for call in (
        lambda: storage.resolve(name, "v1"),
        lambda: storage.resolve(name, ABSENT),
        lambda: storage.manifest(name, ABSENT),
        lambda: storage.has_blob(name, ABSENT),
        lambda: storage.tags(name),
        lambda: storage.mount(name, put_blob(storage, b"x"), REPOSITORY),
        lambda: storage.mount(REPOSITORY, ABSENT, name),
        lambda: storage.delete_blob(name, ABSENT),
        lambda: storage.delete_manifest(name, "v1"),
        lambda: Uploads(storage).start(name),
    ):
        with pytest.raises(RegistryError, match="NAME_INVALID"):
            call()


@pytest.mark.parametrize("digest", ["sha256:..", "../../x", "", f"sha256:{'0' * 63}/"])
def test_every_method_refuses_a_digest_that_is_none(storage: Storage, digest: str) -> None:
    for call in (
        lambda: storage.blob_path(digest),
        lambda: storage.manifest(REPOSITORY, digest),
        lambda: storage.has_blob(REPOSITORY, digest),
        lambda: storage.delete_blob(REPOSITORY, digest),
    ):
        with pytest.raises(RegistryError, match="DIGEST_INVALID"):
            call()


def test_a_write_that_fails_leaves_what_was_there(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    older = put_image(storage, "v1", b"one")
    put_image(storage, "v2", b"two")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="No space"):
        storage.put_manifest(REPOSITORY, "v1", OCI_MANIFEST, encoded(manifest(config(b"two"), [b"two"])))
    assert storage.resolve(REPOSITORY, "v1") == older
    assert list(storage.incoming.iterdir()) == []


def test_a_tag_file_that_was_tampered_with_names_nothing(storage: Storage, tmp_path: Path) -> None:
    put_image(storage, "v1")
    (file,) = (path for path in tmp_path.rglob("v1") if path.is_file())
    file.write_text("../../../etc/passwd")
    assert storage.resolve(REPOSITORY, "v1") is None


def test_the_folder_is_its_users_alone_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        storage = Storage(tmp_path / "deep" / "registry")
        put_image(storage, "v1", b"layer")
    finally:
        os.umask(before)
    assert (tmp_path / "deep" / "registry").stat().st_mode & 0o777 == 0o700
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}


def test_a_tag_that_is_called_like_a_folder_is_a_tag(storage: Storage) -> None:
    put_image(storage, "_manifests")
    assert storage.tags(REPOSITORY) == ["_manifests"]
    assert storage.repositories() == [REPOSITORY]
