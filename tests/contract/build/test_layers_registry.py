"""What a registry may do to the builder that needs no daemon: refuse, stumble, lie, be slow."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.typedefs import Handler

from kdeploy.errors import BuildError
from kdeploy.model import Reason
from tests.contract.build.layers_shop import BASE, TAG, Registry, Shop, TokenDoor, base_layer, registry, sha256, slow


def spoil(path: str, content: bytes) -> Any:
    """A registry that sends something else for a blob."""

    async def front(request: web.Request, handler: Handler) -> web.StreamResponse:
        return web.Response(body=content) if request.path.endswith(path) else await handler(request)

    return front


@pytest.mark.parametrize("wrong", ["changed", "longer", "shorter"])
def test_a_base_layer_of_another_digest_is_refused(shop: Shop, here: Registry, tmp_path: Path, wrong: str) -> None:
    stored, plain = base_layer(*BASE)
    content = {"changed": stored[:-1] + b"\1", "longer": stored + b"\0", "shorter": stored[:-9]}[wrong]
    with registry(tmp_path / "elsewhere", spoil(sha256(stored), content)) as elsewhere:
        elsewhere.push_image("os", "1", [(stored, plain)])
        shop.write(Dockerfile=f"FROM {elsewhere.name}/os:1\nCOPY src/a /x\n")
        with pytest.raises(BuildError, match=r"broken answer|cannot be read") as caught:
            shop.build(f"{here.name}/web")
        assert "Dockerfile line 1" in caught.value.message
        assert here.changes() == []
        # and where the layer is not read but only passed on, the registry never gets it
        shop.write(Dockerfile=f"FROM {elsewhere.name}/os:1\nENV A=1\n")
        with pytest.raises(BuildError, match=r"broken answer|does not answer"):
            shop.build(f"{here.name}/web")
    assert not any("manifests" in line for line in here.changes())


def test_a_manifest_or_a_configuration_of_another_digest_is_refused(shop: Shop, tmp_path: Path) -> None:
    wrong = json.dumps({"schemaVersion": 2, "config": {}, "layers": []}).encode()
    for path in ("/manifests/", "/blobs/"):
        with registry(tmp_path / path.strip("/")) as good:
            digest = good.push_image("os", "1", [])
            config = good.manifest("os", "1")["config"]["digest"]
        with registry(
            tmp_path / path.strip("/"), spoil(path + (digest if "manifests" in path else config), wrong)
        ) as bad:
            shop.write(Dockerfile=f"FROM {bad.name}/os@{digest}\n")
            with pytest.raises(BuildError, match="has another digest"):
                shop.build(f"{bad.name}/web")


def test_a_push_without_a_login_is_denied(shop: Shop, tmp_path: Path) -> None:
    with registry(tmp_path / "private", TokenDoor()) as private:
        for auths in ({}, {private.name: "wrong"}):
            denied = Shop(folder=shop.folder, auths=auths)
            with pytest.raises(BuildError) as caught:
                denied.build(f"{private.name}/web")
            assert caught.value.reason is Reason.PUSH_DENIED
            assert f"docker login {private.name}" in caught.value.hint
            assert "authentication required" in caught.value.message
            assert denied.lines[-1].startswith("ERROR: ")


def test_a_token_is_asked_for_with_the_scopes_of_a_mount(shop: Shop, tmp_path: Path) -> None:
    door = TokenDoor()
    layer = base_layer(*BASE)
    with registry(tmp_path / "private") as open_door:
        open_door.push_image("base/os", "1", [layer])
    with registry(tmp_path / "private", door) as private:
        shop.write(Dockerfile=f"FROM {private.name}/base/os:1\nCOPY src/a /x\n")
        Shop(folder=shop.folder, auths={private.name: door.password}).build(f"{private.name}/web")
    assert ["repository:base/os:pull", "repository:web:pull,push"] in door.scopes
    assert not any(line.startswith("PUT") and sha256(layer[0]) in line for line in private.asked)


def test_a_token_that_ends_meanwhile_is_asked_for_anew(shop: Shop, tmp_path: Path) -> None:
    door = TokenDoor(uses=1)
    with registry(tmp_path / "private", door) as private:
        image = Shop(folder=shop.folder, auths={private.name: door.password}).build(f"{private.name}/web")
    with registry(tmp_path / "private") as open_door:
        assert sha256(open_door.get(f"web/manifests/{TAG}")) == image.digest


def test_a_mount_that_is_refused_is_no_failure(shop: Shop, tmp_path: Path) -> None:
    async def refuse(request: web.Request, handler: Handler) -> web.StreamResponse:
        if "mount" in request.query:
            return web.json_response({"errors": [{"code": "DENIED"}]}, status=403)
        return await handler(request)

    layer = base_layer(*BASE)
    with registry(tmp_path / "registry", refuse) as served:
        served.push_image("base/os", "1", [layer])
        shop.write(Dockerfile=f"FROM {served.name}/base/os:1\nCOPY src/a /x\n")
        shop.build(f"{served.name}/web")
        assert served.get(f"web/blobs/{sha256(layer[0])}") == layer[0]


def test_an_upload_is_sent_again_where_the_registry_stumbles(shop: Shop, tmp_path: Path) -> None:
    stumbles = iter((503, 500, 429))

    async def stumble(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.method == "PUT" and (status := next(stumbles, 0)):
            await request.read()
            return web.Response(status=status)
        return await handler(request)

    with registry(tmp_path / "registry", stumble) as served:
        image = shop.build(f"{served.name}/web")
        assert sha256(served.get(f"web/manifests/{TAG}")) == image.digest


def test_what_the_registry_says_is_shown(shop: Shop, tmp_path: Path) -> None:
    async def full(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.method == "POST":
            errors = {"errors": [{"code": "TOOBIG", "message": "quota\x1b[31m exceeded"}]}
            return web.json_response(errors, status=413)
        return await handler(request)

    with registry(tmp_path / "registry", full) as served, pytest.raises(BuildError) as caught:
        shop.build(f"{served.name}/web")
    assert "HTTP 413 toobig: quota exceeded" in caught.value.message
    assert caught.value.reason is Reason.BUILD_FAILED


@pytest.mark.parametrize("method", ["HEAD", "POST", "PUT"])
def test_a_build_ends_at_its_timeout_whatever_the_registry_does(shop: Shop, tmp_path: Path, method: str) -> None:
    with registry(tmp_path / "registry", slow(method, 20)) as served:
        start = time.monotonic()
        with pytest.raises(BuildError, match="the layers builder did not finish within 1 s"):
            shop.build(f"{served.name}/web", timeout=1)
        assert time.monotonic() - start < 3
