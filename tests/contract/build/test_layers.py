"""The builder that needs no daemon, against a registry on loopback: what is pushed, and what is refused."""

from __future__ import annotations

import io
import tarfile
import threading
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.typedefs import Handler

from kdeploy.build.layers.oci import LAYER_TYPE
from kdeploy.build.layers.problems import UnsupportedError
from kdeploy.errors import BuildError
from tests.contract.build.conftest import DOCKERFILE, deep
from tests.contract.build.layers_shop import BASE, INDEX_TYPE, TAG, Registry, Shop, base_layer, registry, sha256


def files(content: bytes) -> dict[str, tuple[int, int, int]]:
    """A layer's entries: mode, user, time."""
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        return {member.name: (member.mode, member.uid, int(member.mtime)) for member in archive}


def test_an_image_is_pushed_and_is_what_the_dockerfile_says(shop: Shop, here: Registry) -> None:
    image = shop.build(f"{here.name}/web", args={"VERSION": "7"})
    manifest, config = here.manifest("web"), here.config("web")
    assert image.digest == sha256(here.get(f"web/manifests/{TAG}"))
    assert config["config"] == {
        "Cmd": ["/app/main.py"],
        "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "VERSION=7"],
        "Labels": {"org.opencontainers.image.revision": "a" * 40},
        "User": "1000",
        "WorkingDir": "/app",
    }
    assert (config["created"], config["os"], config["architecture"]) == ("2026-01-02T02:04:05Z", "linux", "amd64")
    assert [entry.get("empty_layer", False) for entry in config["history"]] == [
        True,
        True,
        False,
        False,
        False,
        True,
        True,
    ]
    layers = [here.get(f"web/blobs/{layer['digest']}") for layer in manifest["layers"]]
    assert [sha256(layer) for layer in layers] == config["rootfs"]["diff_ids"]
    assert [len(layer) for layer in layers] == [layer["size"] for layer in manifest["layers"]]
    at = 1767319445
    assert [files(layer) for layer in layers] == [
        {"app": (0o755, 0, at)},
        {"app": (0o755, 0, at), "app/main.py": (0o644, 0, at)},
        {"src": (0o755, 0, at), "src/a": (0o644, 0, at), "src/b": (0o755, 0, at), "src/b/c": (0o644, 0, at)},
    ]


def test_its_lines_tell_each_step_and_each_blob(shop: Shop, here: Registry) -> None:
    image = shop.build(f"{here.name}/web")
    assert [line for line in shop.lines if line.startswith("[")] == [
        "[1/4] FROM scratch (linux/amd64)",
        "[2/4] WORKDIR /app",
        "[3/4] COPY main.py .",
        "[4/4] COPY src /src/",
    ]
    assert shop.lines[-1] == f"pushed {here.name}/web:{TAG} {image.digest}"
    assert sum(line.startswith("pushed sha256:") for line in shop.lines) == 4


def test_a_second_push_of_the_same_sends_nothing(shop: Shop, here: Registry) -> None:
    first = shop.build(f"{here.name}/web")
    assert here.changes()[-1] == f"PUT /v2/web/manifests/{TAG}"
    assert shop.build(f"{here.name}/web") == first
    assert here.changes() == []
    assert shop.lines[-1] == f"exists {here.name}/web:{TAG} {first.digest}"


def test_only_what_the_registry_lacks_is_pushed(shop: Shop, here: Registry) -> None:
    shop.build(f"{here.name}/web")
    here.changes()
    shop.write({"src/a": "changed"})
    shop.build(f"{here.name}/web")
    assert here.changes() == ["POST /v2/web/blobs", "PUT /v2/web/blobs"] * 2 + [f"PUT /v2/web/manifests/{TAG}"]
    assert [line.partition(" ")[0] for line in shop.lines[-5:]] == ["exists", "exists", "pushed", "pushed", "pushed"]


def test_the_digest_does_not_depend_on_the_machine(shop: Shop, here: Registry, tmp_path: Path) -> None:
    first = shop.build(f"{here.name}/web")
    other = Shop(folder=tmp_path / "another" / "place", env={"TZ": "Asia/Tokyo"})
    other.write({"src/b/c": "c", "src/a": "a", "main.py": ""}, Dockerfile=DOCKERFILE)
    for path in other.folder.rglob("*"):
        path.chmod(0o700 if path.is_dir() else 0o600)
    other.write({"later": "", "src/.git/x": ""})
    assert other.build(f"{here.name}/other").digest == first.digest
    (other.folder / "main.py").chmod(0o755)
    assert other.build(f"{here.name}/other").digest != first.digest


def test_source_date_epoch_goes_before_the_commits_time(shop: Shop, here: Registry) -> None:
    first = shop.build(f"{here.name}/web")
    asked = shop.build(f"{here.name}/web", args={"SOURCE_DATE_EPOCH": "1000"})
    assert here.config("web")["created"] == "1970-01-01T00:16:40Z"
    assert asked.digest != first.digest
    environment = Shop(folder=shop.folder, env={"SOURCE_DATE_EPOCH": "1000"})
    assert environment.build(f"{here.name}/web").digest == asked.digest


def test_a_base_in_the_same_registry_is_mounted_and_never_sent(shop: Shop, here: Registry) -> None:
    layer = base_layer(*BASE)
    here.push_image("base/os", "1", [layer], {"Env": ["PATH=/bin"], "Cmd": ["sh"], "Labels": {"from": "base"}})
    shop.write(Dockerfile=f"FROM {here.name}/base/os:1\nCOPY src/a /tmp/\nCOPY src/a /bin/tool\nENV A=1\n")
    here.changes()
    shop.build(f"{here.name}/web")
    manifest, config = here.manifest("web"), here.config("web")
    assert any(line.startswith(f"mounted {sha256(layer[0])}") for line in shop.lines)
    assert here.changes()[:3] == ["POST /v2/web/blobs"] * 2 + ["PUT /v2/web/blobs"]
    assert manifest["layers"][0] == {
        "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip",
        "digest": sha256(layer[0]),
        "size": len(layer[0]),
    }
    assert config["rootfs"]["diff_ids"][0] == sha256(layer[1])
    assert config["config"] == {
        "Env": ["PATH=/bin", "A=1"],
        "Cmd": ["sh"],
        "Labels": {"from": "base", "org.opencontainers.image.revision": "a" * 40},
    }
    assert config["history"][0] == {"created_by": "base"}
    tmp, tool = (files(here.get(f"web/blobs/{each['digest']}")) for each in manifest["layers"][1:])
    assert tmp["tmp"][0] == 0o1777
    assert list(tool) == ["usr", "usr/bin", "usr/bin/tool"]


def test_a_base_layer_is_read_once_on_a_machine(shop: Shop, here: Registry) -> None:
    layer = base_layer(*BASE)
    here.push_image("base/os", "1", [layer])
    shop.write(Dockerfile=f"FROM {here.name}/base/os:1\nCOPY src/a /x\n")
    shop.build(f"{here.name}/one")
    assert f"GET /v2/base/os/blobs/{sha256(layer[0])}" in here.asked
    here.asked.clear()
    shop.build(f"{here.name}/two")
    assert f"GET /v2/base/os/blobs/{sha256(layer[0])}" not in here.asked


def test_a_base_layer_goes_from_one_registry_to_another(shop: Shop, here: Registry, tmp_path: Path) -> None:
    layer = base_layer(*BASE)
    with registry(tmp_path / "elsewhere") as elsewhere:
        elsewhere.push_image("base/os", "1", [layer])
        shop.write(Dockerfile=f"FROM {elsewhere.name}/base/os:1\nCOPY src/a /x\n")
        shop.build(f"{here.name}/web")
    assert here.get(f"web/blobs/{sha256(layer[0])}") == layer[0]
    assert any(line.startswith(f"pushed {sha256(layer[0])}") for line in shop.lines)


def test_of_an_index_the_platforms_own_image_is_taken(shop: Shop, here: Registry) -> None:
    layers = {name: base_layer((name, tarfile.DIRTYPE, 0o755)) for name in ("amd64", "arm64")}
    entries = [
        {
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "digest": here.push_image("os", f"only-{name}", [layer], architecture=name),
            "size": 1,
            "platform": {"os": "linux", "architecture": name},
        }
        for name, layer in layers.items()
    ]
    attestation = {**entries[0], "platform": {"os": "unknown", "architecture": "unknown"}}
    index = {"schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": [attestation, *entries]}
    digest = here.push_manifest("os", "1", index, INDEX_TYPE)
    shop.write(Dockerfile=f"FROM {here.name}/os@{digest}\nCOPY src/a /x\n")
    for platforms, name in (((), "amd64"), (("linux/arm64/v8",), "arm64")):
        shop.build(f"{here.name}/web", platforms=platforms)
        assert here.manifest("web")["layers"][0]["digest"] == sha256(layers[name][0])
        assert here.config("web")["architecture"] == name
    with pytest.raises(BuildError, match=r"line 1: .* no image for linux/s390x; there are: linux/amd64, linux/arm64"):
        shop.build(f"{here.name}/web", platforms=("linux/s390x",))
    shop.write(Dockerfile=f"FROM {here.name}/os:only-arm64\nCOPY src/a /x\n")
    with pytest.raises(BuildError, match="is for linux/arm64, and linux/amd64 is asked for"):
        shop.build(f"{here.name}/web", platforms=("linux/amd64",))
    shop.build(f"{here.name}/web")
    assert "note: " in shop.lines[0]
    assert here.config("web")["architecture"] == "arm64"


def test_what_takes_an_engine_is_refused_before_anything_is_asked(shop: Shop, here: Registry) -> None:
    shop.write(Dockerfile=f"FROM {here.name}/absent\nCOPY src /src\nRUN make\n")
    with pytest.raises(UnsupportedError, match="line 3: the layers builder cannot do RUN make"):
        shop.build(f"{here.name}/web")
    assert here.asked == []
    engineless = Shop(folder=shop.folder, no_engine="docker has no buildx plugin")
    assert engineless.builder().title == "the layers builder (no engine here)"
    with pytest.raises(BuildError) as caught:
        engineless.build(f"{here.name}/web")
    assert "there is no Docker engine to build with (docker has no buildx plugin)" in caught.value.message
    assert "line 3: the layers builder cannot do RUN make" in caught.value.message
    assert "start Docker" in caught.value.hint
    assert "COPY what it makes" in caught.value.hint


@pytest.mark.parametrize(
    ("more", "what"),
    [({"secrets": ("id=a,src=b",)}, "build secrets"), ({"platforms": ("linux/amd64", "linux/arm64")}, "one platform")],
)
def test_what_it_does_not_know_is_refused_plainly(shop: Shop, here: Registry, more: dict[str, Any], what: str) -> None:
    with pytest.raises(BuildError, match=what) as caught:
        shop.build(f"{here.name}/web", **more)
    assert "--builder buildx" in caught.value.hint
    assert here.asked == []


@pytest.mark.parametrize(
    ("base", "problem"),
    [("{}/absent:1", "there is no image"), ("Not A Name", "FROM"), ("127.0.0.1:1/x", "does not answer")],
)
def test_a_base_that_is_not_to_be_had_is_told_by_its_line(shop: Shop, here: Registry, base: str, problem: str) -> None:
    shop.write(Dockerfile=f"# comment\nFROM {base.format(here.name)}\nCOPY src /src\n")
    with pytest.raises(BuildError, match="Dockerfile line 2: ") as caught:
        shop.build(f"{here.name}/web")
    assert problem in caught.value.message
    assert here.changes() == []


@pytest.mark.parametrize("dockerfile", ["COPY src/a /x", "ENV A=1"])
def test_a_base_layer_that_never_comes_whole_is_an_error(
    shop: Shop, here: Registry, tmp_path: Path, dockerfile: str
) -> None:
    stored, plain = base_layer(*BASE)

    async def break_off(request: web.Request, handler: Handler) -> web.StreamResponse:
        if not request.path.endswith(sha256(stored)) or request.method != "GET":
            return await handler(request)
        answer = web.StreamResponse(headers={"Content-Length": str(len(stored))})
        await answer.prepare(request)
        await answer.write(stored[:50])
        assert request.transport
        request.transport.abort()
        return answer

    with registry(tmp_path / "elsewhere", break_off) as elsewhere:
        elsewhere.push_image("os", "1", [(stored, plain)])
        shop.write(Dockerfile=f"FROM {elsewhere.name}/os:1\n{dockerfile}\n")
        with pytest.raises(BuildError, match=f"the connection to {elsewhere.name} broke"):
            shop.build(f"{here.name}/web")
    assert not any("manifests" in line for line in here.changes())


def test_folders_without_end_are_refused_and_no_bug(shop: Shop, here: Registry) -> None:
    shop.write(Dockerfile="FROM scratch\nCOPY . /\n")
    with deep(shop.folder), pytest.raises(BuildError, match="so deep in each other"):
        shop.build(f"{here.name}/web")


def test_a_base_for_another_system_is_refused(shop: Shop, here: Registry) -> None:
    here.push_image("win", "1", [], os="windows")
    shop.write(Dockerfile=f"FROM {here.name}/win:1\nENV A=1\n")
    with pytest.raises(BuildError, match="is for windows/amd64, and linux/amd64 is asked for"):
        shop.build(f"{here.name}/web")


def test_nothing_is_left_in_the_temporary_folder(
    shop: Shop, here: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    shop.build(f"{here.name}/web")
    shop.write(Dockerfile="FROM scratch\nCOPY src /src\nCOPY absent /\n")
    with pytest.raises(BuildError, match="absent is not in the build context"):
        shop.build(f"{here.name}/web")
    assert list(folder.iterdir()) == []
    assert not [thread for thread in threading.enumerate() if thread.name == "build"]


def test_a_large_base_layer_is_never_in_memory(shop: Shop, here: Registry, tmp_path: Path) -> None:
    size = 32 << 20
    with registry(tmp_path / "elsewhere") as elsewhere:
        elsewhere.push_image("os", "1", [(bytes(size), bytes(size))], kind=LAYER_TYPE)
        shop.write(Dockerfile=f"FROM {elsewhere.name}/os:1\nCOPY src/a /x\n")
        tracemalloc.start()
        try:
            shop.build(f"{here.name}/web")
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert here.manifest("web")["layers"][0]["size"] == size
    assert peak < 8 << 20
