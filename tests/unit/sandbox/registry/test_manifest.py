"""What a manifest says, and what is none."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdeploy.sandbox.registry.errors import RegistryError
from kdeploy.sandbox.registry.manifest import (
    DOCKER_LIST,
    DOCKER_MANIFEST,
    MANIFEST_TYPES,
    OCI_INDEX,
    OCI_MANIFEST,
    read_manifest,
)
from tests.unit.sandbox.registry.images import encoded, manifest, part

FOREIGN = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"


def test_an_image_names_its_config_and_its_layers_in_order() -> None:
    contents = read_manifest(OCI_MANIFEST, encoded(manifest(b"c", [b"1", b"2"])))
    assert contents.config
    assert [each.digest for each in contents.blobs] == [part(x)["digest"] for x in (b"c", b"1", b"2")]
    assert [each.size for each in contents.layers] == [1, 1]
    assert contents.manifests == ()


def test_an_index_names_manifests_with_their_platforms() -> None:
    platform = {"os": "linux", "architecture": "arm64", "os.features": ["x"]}
    entries = [part(b"1", platform=platform), part(b"2")]
    contents = read_manifest(OCI_INDEX, encoded({"schemaVersion": 2, "manifests": entries}))
    assert contents.blobs == ()
    assert [each.platform for each in contents.manifests] == [{"os": "linux", "architecture": "arm64"}, None]


def test_a_layer_that_is_fetched_from_elsewhere_need_not_be_held() -> None:
    layers = [part(b"1", FOREIGN, urls=["https://example.com/1"]), part(b"2", FOREIGN), part(b"3", urls=["https://x"])]
    contents = read_manifest(OCI_MANIFEST, encoded(manifest(b"c") | {"layers": layers}))
    assert [each.digest for each in contents.blobs] == [part(x)["digest"] for x in (b"c", b"2", b"3")]
    assert len(contents.layers) == 3


def test_oci_may_leave_out_its_media_type_and_docker_may_not() -> None:
    assert read_manifest(OCI_MANIFEST, encoded(manifest(b"c") | {"mediaType": None})).config
    with pytest.raises(RegistryError, match="mediaType"):
        read_manifest(DOCKER_MANIFEST, encoded(manifest(b"c") | {"mediaType": None}))


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        ("text/plain", {}),
        ("", {}),
        (OCI_INDEX, {}),
        (DOCKER_MANIFEST, {}),
        (OCI_MANIFEST, {"schemaVersion": 1}),
        (OCI_MANIFEST, {"schemaVersion": "2"}),
        (OCI_MANIFEST, {"mediaType": 2}),
        (OCI_MANIFEST, {"manifests": []}),
        (OCI_INDEX, {"mediaType": OCI_INDEX}),
        (DOCKER_LIST, {"mediaType": DOCKER_LIST, "config": None}),
        (OCI_MANIFEST, {"config": None}),
        (OCI_MANIFEST, {"config": []}),
        (OCI_MANIFEST, {"layers": {}}),
        (OCI_MANIFEST, {"layers": ["sha256"]}),
        (OCI_MANIFEST, {"layers": [{"size": 1}]}),
        (OCI_MANIFEST, {"layers": [part(b"") | {"size": -1}]}),
        (OCI_MANIFEST, {"layers": [part(b"") | {"size": True}]}),
        (OCI_MANIFEST, {"layers": [part(b"") | {"size": 1.5}]}),
        (OCI_MANIFEST, {"layers": [part(b"") | {"size": 1 << 70}]}),
        (OCI_MANIFEST, {"layers": [part(b"") | {"mediaType": 5}]}),
        (OCI_MANIFEST, {"layers": [part(b"") | {"digest": 5}]}),
    ],
)
def test_what_is_no_manifest_is_refused(kind: str, change: dict[str, Any]) -> None:
    with pytest.raises(RegistryError, match="MANIFEST_INVALID") as caught:
        read_manifest(kind, encoded(manifest(b"c", [b"1"]) | change))
    assert caught.value.status == 400


@pytest.mark.parametrize("digest", ["", "sha256:../../x", "sha512:" + "0" * 128, "SHA256:" + "0" * 64])
def test_a_part_without_a_digest_that_we_know_is_refused(digest: str) -> None:
    with pytest.raises(RegistryError, match="DIGEST_INVALID"):
        read_manifest(OCI_MANIFEST, encoded(manifest(b"c") | {"layers": [part(b"") | {"digest": digest}]}))


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"1", b"\xff", b"[" * 100_000, b'{"a":' * 100_000])
def test_bytes_that_are_no_json_object_are_refused(content: bytes) -> None:
    with pytest.raises(RegistryError, match="MANIFEST_INVALID"):
        read_manifest(OCI_MANIFEST, content)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
KEYS = st.sampled_from(["schemaVersion", "mediaType", "config", "layers", "manifests"])


@settings(max_examples=60)
@given(kind=st.sampled_from(sorted(MANIFEST_TYPES)), change=st.dictionaries(KEYS, JSON, max_size=3))
def test_whatever_is_in_it_the_answer_is_a_reading_or_a_refusal(kind: str, change: dict[str, Any]) -> None:
    try:
        read_manifest(kind, encoded(manifest(b"c", [b"1"]) | {"mediaType": kind} | change))
    except RegistryError:
        return
