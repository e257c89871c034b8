"""The documents of an image, other people's among them; when it was made; what is kept of base images."""

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdeploy.build.layers.cache import Cache, cache_folder
from kdeploy.build.layers.draft import Draft
from kdeploy.build.layers.epoch import epoch_of
from kdeploy.build.layers.oci import (
    Base,
    Change,
    Descriptor,
    ImageError,
    make_config,
    make_manifest,
    pick,
    read_base,
    read_layers,
    scratch,
)
from kdeploy.build.layers.platforms import parse_platform
from kdeploy.build.layers.scan import Gone, Record
from kdeploy.build.layers.tree import Attributes, File, Link
from kdeploy.errors import BuildError

AMD64, ARM = parse_platform("linux/amd64"), parse_platform("linux/arm/v7")
ONE, TWO, THREE = ("sha256:" + digit * 64 for digit in "123")
LAYER = Descriptor(media_type="application/vnd.oci.image.layer.v1.tar", digest=ONE, size=10)


def draft(**config: Any) -> Draft:
    return Draft(config=config, given={}, shared={})


def config_of(base: Base, changes: tuple[Change, ...] = (), **config: Any) -> dict[str, Any]:
    made: dict[str, Any] = json.loads(make_config(base, draft(**config), changes, {"b": "2"}, epoch=86_400))
    return made


def test_equal_values_give_equal_bytes_in_whichever_order_they_came() -> None:
    one = make_config(scratch(AMD64), draft(Labels={"x": "1", "y": "2"}, User="a"), (), {"b": "2", "a": "1"}, epoch=0)
    two = make_config(scratch(AMD64), draft(User="a", Labels={"y": "2", "x": "1"}), (), {"a": "1", "b": "2"}, epoch=0)
    assert one == two


def test_labels_of_the_request_go_before_those_of_the_dockerfile() -> None:
    assert config_of(scratch(AMD64), Labels={"a": "1", "b": "1"})["config"]["Labels"] == {"a": "1", "b": "2"}


def test_what_is_empty_is_left_out() -> None:
    assert set(config_of(scratch(AMD64), Cmd=None, Entrypoint=[], User="", Volumes={})["config"]) == {"Env", "Labels"}


def test_the_history_tells_which_instruction_made_a_layer() -> None:
    changes = (Change(text="ENV A=1"), Change(text="COPY a /b", layer=LAYER))
    made = config_of(scratch(AMD64), changes)
    assert [(entry["created_by"], entry.get("empty_layer")) for entry in made["history"]] == [
        ("ENV A=1", True),
        ("COPY a /b", None),
    ]
    assert {entry["created"] for entry in made["history"]} == {"1970-01-02T00:00:00Z"}
    assert made["rootfs"] == {"type": "layers", "diff_ids": [ONE]}


BASE_CONFIG: dict[str, Any] = {
    "os": "linux",
    "architecture": "arm",
    "variant": "v7",
    "author": "Ann",
    "container_config": {"Cmd": ["old"]},
    "config": {
        "Env": ["A=1"],
        "Cmd": ["run"],
        "Labels": {"a": "1"},
        "Hostname": "abc",
        "Image": "sha256:old",
        "OnBuild": ["COPY . /src"],
        "StopTimeout": 5,
        "Healthcheck": {"Test": ["NONE"]},
    },
    "rootfs": {"type": "layers", "diff_ids": [TWO]},
    "history": [{"created_by": "base"}, "odd"],
}


def test_of_a_base_image_counts_what_docker_takes_over() -> None:
    base = read_base(BASE_CONFIG, (LAYER,), THREE)
    assert (base.platform, base.triggers, base.diff_ids, base.digest) == (ARM, ("COPY . /src",), (TWO,), THREE)
    made = json.loads(make_config(base, draft(**base.config), (), {}, epoch=0))
    assert (made["os"], made["architecture"], made["variant"], made["author"]) == ("linux", "arm", "v7", "Ann")
    assert set(made["config"]) == {"Env", "Cmd", "Labels", "StopTimeout", "Healthcheck"}
    assert made["history"] == [{"created_by": "base"}]
    assert "container_config" not in made


@pytest.mark.parametrize(
    "spoiled",
    [
        {"rootfs": None},
        {"rootfs": {"diff_ids": []}},
        {"rootfs": {"diff_ids": [TWO, TWO]}},
        {"rootfs": {"diff_ids": ["md5:1"]}},
        {"rootfs": {"diff_ids": [1]}},
    ],
)
def test_a_base_whose_layers_do_not_agree_is_refused(spoiled: dict[str, Any]) -> None:
    with pytest.raises(ImageError):
        read_base({**BASE_CONFIG, **spoiled}, (LAYER,), "")


@pytest.mark.parametrize(
    "odd", [{"config": None}, {"config": {"Env": "A=1", "Cmd": [1], "Labels": [], "User": 5}}, {"history": "x"}]
)
def test_fields_of_a_wrong_kind_are_left_out(odd: dict[str, Any]) -> None:
    base = read_base({**BASE_CONFIG, **odd}, (LAYER,), "")
    if "config" in odd:
        assert base.config == {}
    assert json.loads(make_config(base, draft(**base.config), (), {}, epoch=0))


@pytest.mark.parametrize(
    ("kind", "oci"),
    [
        ("application/vnd.docker.image.rootfs.diff.tar.gzip", "application/vnd.oci.image.layer.v1.tar+gzip"),
        ("application/vnd.oci.image.layer.v1.tar+zstd", "application/vnd.oci.image.layer.v1.tar+zstd"),
        ("application/vnd.oci.image.layer.v1.tar", "application/vnd.oci.image.layer.v1.tar"),
    ],
)
def test_layers_get_the_names_of_oci(kind: str, oci: str) -> None:
    layers = read_layers({"layers": [{"mediaType": kind, "digest": ONE, "size": 10, "annotations": {}}]})
    manifest = json.loads(make_manifest(Base(platform=AMD64, about={}, config={}, layers=layers), (), LAYER))
    assert manifest["layers"] == [{"mediaType": oci, "digest": ONE, "size": 10}]


@pytest.mark.parametrize(
    "layers",
    [
        None,
        "x",
        ["x"],
        [{}],
        [{"mediaType": "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", "digest": ONE, "size": 1}],
        [{"mediaType": LAYER.media_type, "digest": "sha256:short", "size": 1}],
        [{"mediaType": LAYER.media_type, "digest": ONE, "size": -1}],
        [{"mediaType": LAYER.media_type, "digest": ONE}],
        [LAYER.document()] * 501,
    ],
)
def test_layers_that_no_image_has_are_refused(layers: object) -> None:
    with pytest.raises(ImageError):
        read_layers({"layers": layers})


def entry(digest: object, **platform: str) -> dict[str, Any]:
    return {"digest": digest, "platform": platform}


INDEX = {
    "manifests": [
        entry(THREE, os="unknown", architecture="unknown"),
        entry(ONE, os="linux", architecture="amd64"),
        entry(TWO, os="linux", architecture="arm", variant="v6"),
        entry("broken", os="linux", architecture="s390x"),
        {"digest": THREE},
        "odd",
    ]
}


def test_the_image_for_a_platform_is_picked_or_one_that_runs_there_too() -> None:
    assert pick(INDEX, AMD64) == ONE
    assert pick(INDEX, ARM) == TWO
    with pytest.raises(ImageError, match="no image for linux/s390x; there are: linux/amd64, linux/arm/v6"):
        pick(INDEX, parse_platform("linux/s390x"))


@pytest.mark.parametrize(
    ("args", "env", "created", "epoch"),
    [
        ({}, {}, "2026-01-02T03:04:05+01:00", 1767319445),
        ({}, {}, "", 0),
        ({}, {}, "1969-01-01T00:00:00Z", 0),
        ({}, {"SOURCE_DATE_EPOCH": "5"}, "2026-01-02T03:04:05+01:00", 5),
        ({"SOURCE_DATE_EPOCH": "6"}, {"SOURCE_DATE_EPOCH": "5"}, "", 6),
        ({}, {"SOURCE_DATE_EPOCH": ""}, "1970-01-01T00:00:09Z", 9),
        ({}, {"SOURCE_DATE_EPOCH": "0"}, "1970-01-01T00:00:09Z", 0),
        ({}, {"SOURCE_DATE_EPOCH": "0" * 5000 + "7"}, "", 7),
    ],
)
def test_an_image_is_made_when_the_commit_was(
    args: dict[str, str], env: dict[str, str], created: str, epoch: int
) -> None:
    assert epoch_of(args, env, created) == epoch


@pytest.mark.parametrize("text", ["now", "-1", "1.5", "99999999999", "9" * 5000, "0" * 20 + "9" * 12])
def test_a_source_date_epoch_that_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(BuildError, match="SOURCE_DATE_EPOCH"):
        epoch_of({}, {"SOURCE_DATE_EPOCH": text}, "")


names = st.text(min_size=1, max_size=20)
attributes = st.builds(
    Attributes, mode=st.integers(0, 0o7777), uid=st.integers(0, 2**31), xattrs=st.dictionaries(names, names)
)
files = st.builds(File, st.one_of(st.none(), st.binary(max_size=20)))
entries = st.one_of(attributes, files, st.builds(Link, names), st.sampled_from(Gone))
records = st.lists(st.builds(Record, names, entries), max_size=5)


@settings(max_examples=40)
@given(records)
def test_what_is_kept_of_a_layer_comes_back_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, known: list[Record]
) -> None:
    cache = Cache(folder=tmp_path_factory.mktemp("cache"))
    cache.put(ONE, known)
    assert cache.get(ONE) == known
    assert cache.get(TWO) is None


def test_a_cache_that_is_broken_or_not_to_be_written_is_none(tmp_path: Path) -> None:
    cache = Cache(folder=tmp_path / "deep" / "cache")
    known = [Record("a", File())]
    cache.put(ONE, known)
    (file,) = (tmp_path / "deep" / "cache").iterdir()
    assert file.stat().st_mode & 0o777 == 0o600
    for content in ("", "[]", '{"format": "other"}', '{"format": "kdeploy.layer/v1", "records": [["a"]]}', "[" * 9999):
        file.write_text(content)
        assert cache.get(ONE) is None
    (tmp_path / "file").write_text("")
    Cache(folder=tmp_path / "file" / "cache").put(ONE, known)
    Cache(folder=None).put(ONE, known)
    assert Cache(folder=None).get(ONE) is None


def test_what_was_not_used_for_long_is_dropped(tmp_path: Path) -> None:
    cache = Cache(folder=tmp_path)
    cache.put(ONE, [])
    cache.put(TWO, [])
    old = time.time() - 100 * 24 * 3600
    for file in tmp_path.iterdir():
        os.utime(file, (old, old))
    assert cache.get(TWO) == []
    cache.put(THREE, [])
    assert (cache.get(ONE), cache.get(TWO), cache.get(THREE)) == (None, [], [])


@pytest.mark.parametrize(
    ("env", "folder"),
    [
        ({"XDG_CACHE_HOME": "/c", "HOME": "/h"}, "/c/kdeploy/layers"),
        ({"HOME": "/h"}, "/h/.cache/kdeploy/layers"),
        ({"XDG_CACHE_HOME": "relative"}, None),
        ({}, None),
    ],
)
def test_the_cache_is_where_caches_are(env: dict[str, str], folder: str | None) -> None:
    assert cache_folder(env) == (Path(folder) if folder else None)
