"""What a kubelet gets for an image's name: the image, or containerd's words for why not."""

from __future__ import annotations

from pathlib import Path

import pytest

from kdeploy.sandbox.core.images import ImageInfo, PullError
from kdeploy.sandbox.registry.names import digest_of
from kdeploy.sandbox.registry.pull import image_info, machine_architecture
from kdeploy.sandbox.registry.storage import Storage
from tests.unit.sandbox.registry.images import (
    ABSENT,
    REPOSITORY,
    config,
    encoded,
    entry,
    manifest,
    part,
    put_image,
    put_index,
)

HOST = "localhost:5000"
NAME = f"{HOST}/{REPOSITORY}"


def pulled(storage: Storage, reference: str = f"{NAME}:v1", architecture: str = "amd64") -> ImageInfo:
    found = image_info(storage, reference, registries=(HOST, "127.0.0.1:5000"), architecture=architecture)
    assert isinstance(found, ImageInfo), found
    return found


def refused(storage: Storage, reference: str = f"{NAME}:v1", architecture: str = "amd64") -> PullError:
    found = image_info(storage, reference, registries=(HOST, "127.0.0.1:5000"), architecture=architecture)
    assert isinstance(found, PullError), found
    return found


def test_an_image_comes_with_labels_config_and_layers(storage: Storage) -> None:
    of = config(b"lower", b"upper", Labels={"a": "b"}, Env=["X=1"])
    digest = put_image(storage, "v1", b"lower", b"upper", of=of)
    found = pulled(storage)
    assert (found.digest, found.labels) == (digest, {"a": "b"})
    assert found.config["config"]["Env"] == ["X=1"]
    assert [(x.digest, x.size) for x in found.layers] == [(digest_of(b"lower"), 5), (digest_of(b"upper"), 5)]


@pytest.mark.parametrize("reference", [f"{NAME}@{{}}", f"{NAME}:none@{{}}", f"127.0.0.1:5000/{REPOSITORY}:v1", NAME])
def test_the_digest_counts_before_the_tag_and_latest_is_the_default(storage: Storage, reference: str) -> None:
    digest = put_image(storage, "v1")
    put_image(storage, "latest")
    assert pulled(storage, reference.format(digest)).digest == digest


def test_an_index_gives_the_machines_image_and_keeps_its_own_digest(storage: Storage) -> None:
    amd = put_image(storage, "amd", b"for amd")
    arm = put_image(storage, "arm", b"for arm", of=config(b"for arm", architecture="arm64"))
    attestation = entry(storage, amd, os="unknown", architecture="unknown")
    windows = entry(storage, amd, os="windows", architecture="amd64")
    fitting = (entry(storage, arm, architecture="arm64"), entry(storage, amd, architecture="amd64"))
    digest = put_index(storage, "v1", attestation, windows, *fitting)
    for architecture, layer in (("amd64", b"for amd"), ("arm64", b"for arm")):
        found = pulled(storage, architecture=architecture)
        assert (found.digest, found.layers[0].digest) == (digest, digest_of(layer))
    assert refused(storage, architecture="s390x").message == (
        f'rpc error: code = NotFound desc = failed to pull and unpack image "{NAME}:v1": '
        "no match for platform in manifest: not found"
    )


def test_an_index_may_name_an_index_and_an_image_without_a_platform(storage: Storage) -> None:
    digest = put_image(storage, "one")
    inner = put_index(storage, "inner", entry(storage, digest))
    outer = put_index(storage, "v1", entry(storage, inner))
    assert pulled(storage).digest == outer


def test_indexes_within_indexes_come_to_an_end(storage: Storage) -> None:
    digest = put_image(storage, "one")
    for _ in range(6):
        digest = put_index(storage, "v1", entry(storage, digest))
    assert "no match for platform" in refused(storage).message


def test_an_empty_index_has_no_image(storage: Storage) -> None:
    put_index(storage, "v1")
    assert "no match for platform" in refused(storage).message


def test_an_image_that_was_named_without_an_index_is_pulled_whatever_its_platform(storage: Storage) -> None:
    digest = put_image(storage, "v1", of=config(architecture="arm64"))
    assert pulled(storage).digest == digest


def test_an_index_that_names_no_platform_is_judged_by_the_config(storage: Storage) -> None:
    other = put_image(storage, "other", of=config(architecture="arm64"))
    put_index(storage, "v1", entry(storage, other))
    assert "no match for platform" in refused(storage).message
    silent = put_image(storage, "silent", of=encoded({"config": {}}))
    digest = put_index(storage, "v1", entry(storage, other), entry(storage, silent))
    assert pulled(storage).digest == digest


@pytest.mark.parametrize("told", [(), (b"one", b"two")])
def test_a_config_of_other_layers_fails_the_pull(storage: Storage, told: tuple[bytes, ...]) -> None:
    put_image(storage, "v1", b"layer", of=config(*told))
    assert f"number of layers and diffIDs don't match: 1 != {len(told)}" in refused(storage).message


@pytest.mark.parametrize(
    ("reference", "full"),
    [(f"{NAME}:none", f"{NAME}:none"), (f"{HOST}/no/such", f"{HOST}/no/such:latest"), (f"{NAME}@{ABSENT}",) * 2],
)
def test_a_missing_image_is_told_in_full(storage: Storage, reference: str, full: str) -> None:
    put_image(storage, "v1")
    error = refused(storage, reference)
    assert error.reason == "ErrImagePull"
    assert error.message == (
        f'rpc error: code = NotFound desc = failed to pull and unpack image "{full}": '
        f'failed to resolve reference "{full}": {full}: not found'
    )


@pytest.mark.parametrize("reference", ["Web", "web:", "", "http://x/y", "web@sha256:1", f"{HOST}/Team/web:v1"])
def test_what_is_no_image_name_is_told_as_such(storage: Storage, reference: str) -> None:
    error = refused(storage, reference)
    assert error.reason == "InvalidImageName"
    assert "invalid reference format" in error.message


def test_an_image_of_another_registry_cannot_be_had_and_it_says_where_from(storage: Storage) -> None:
    put_image(storage, "v1")
    error = refused(storage, "nginx")
    assert error.reason == "ErrImagePull"
    assert '"docker.io/library/nginx:latest"' in error.message
    assert HOST in error.message
    assert isinstance(image_info(storage, f"any.example/{REPOSITORY}:v1", architecture="amd64"), ImageInfo)


@pytest.mark.parametrize("layer", [b"layer", b""])
def test_a_layer_that_was_deleted_fails_the_pull(storage: Storage, layer: bytes) -> None:
    put_image(storage, "v1", layer)
    storage.delete_blob(REPOSITORY, digest_of(layer))
    error = refused(storage)
    assert f"content descriptor {digest_of(layer)} (" in error.message
    assert error.message.endswith("from remote: not found")


def test_a_layer_of_another_size_than_told_fails_the_pull(storage: Storage) -> None:
    for size, said in ((4, "failed size validation: 5 != 4"), (6, "unexpected EOF")):
        lying = manifest(config(b"layer"), [b"layer"]) | {"layers": [part(b"layer") | {"size": size}]}
        put_image(storage, "v1", b"layer", document=lying)
        assert said in refused(storage).message


@pytest.mark.parametrize("content", [b"", b"no json", b"[]", b"[" * 100_000])
def test_a_config_that_is_none_fails_the_pull(storage: Storage, content: bytes) -> None:
    put_image(storage, "v1", of=content)
    assert "unmarshal image config: " in refused(storage).message


@pytest.mark.parametrize("inner", [None, [], {"Labels": None}, {"Labels": ["a"]}])
def test_a_config_without_labels_has_none(storage: Storage, inner: object) -> None:
    put_image(storage, "v1", of=encoded({"config": inner}))
    assert pulled(storage).labels == {}


def test_a_manifest_that_was_tampered_with_is_no_traceback(storage: Storage) -> None:
    digest = put_image(storage, "v1")
    path = storage.blob_path(digest)
    assert isinstance(path, Path)
    path.write_bytes(b"{}")
    assert "MANIFEST_INVALID" in refused(storage).message


def test_the_machines_own_architecture_is_told_as_images_tell_it() -> None:
    assert machine_architecture() not in ("x86_64", "aarch64")
