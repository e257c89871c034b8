"""Manifests, tags and lists over HTTP: what is kept as it came, what is refused, and what nobody can reach."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest

from kdeploy.sandbox.registry.manifest import DOCKER_LIST, DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST
from kdeploy.sandbox.registry.server import Account
from kdeploy.secret import Secret
from tests.contract.sandbox.registry.conftest import Served, serve
from tests.contract.sandbox.registry.pushing import ABSENT, CONFIG, Pusher, digest_of, index, manifest


@pytest.mark.parametrize("media_type", [OCI_MANIFEST, DOCKER_MANIFEST])
def test_a_manifest_comes_back_byte_for_byte_with_its_media_type(registry: Served, media_type: str) -> None:
    push = registry.push
    push.blob(CONFIG)
    content = manifest(media_type=media_type).replace(b": ", b" :\n")
    reply = push.put("v1", content, media_type)
    assert reply.headers["Location"] == push.path(f"manifests/{digest_of(content)}")
    for reference in ("v1", digest_of(content)):
        for method in ("GET", "HEAD"):
            got = registry.ask(method, push.path(f"manifests/{reference}"))
            assert got.body == (content if method == "GET" else b"")
            assert got.headers["Content-Type"] == media_type
            assert got.headers["Content-Length"] == str(len(content))
            assert got.headers["Docker-Content-Digest"] == digest_of(content)


@pytest.mark.parametrize(("image", "several"), [(OCI_MANIFEST, OCI_INDEX), (DOCKER_MANIFEST, DOCKER_LIST)])
def test_an_index_comes_back_with_its_media_type(registry: Served, image: str, several: str) -> None:
    push = registry.push
    push.blob(CONFIG)
    one = manifest(media_type=image)
    assert push.put(digest_of(one), one, image).status == 201
    assert push.put("multi", index(one, media_type=several), several).status == 201
    got = registry.ask("GET", push.path("manifests/multi"), b"", {"Accept": f"{image}, {several};q=0.5"})
    assert (got.body, got.headers["Content-Type"]) == (index(one, media_type=several), several)


def test_a_tag_moves_and_the_older_manifest_stays(registry: Served) -> None:
    push = registry.push
    older = push.image("v1", b"one")
    newer = push.image("v1", b"two")
    assert registry.ask("GET", push.path("manifests/v1")).headers["Docker-Content-Digest"] == newer
    assert registry.ask("GET", push.path(f"manifests/{older}")).status == 200


def test_what_is_missing_is_named_once_for_each(registry: Served) -> None:
    reply = registry.push.put("v1", manifest([b"one", b"two"]))
    assert reply.brief == (400, *["MANIFEST_BLOB_UNKNOWN"] * 3)
    assert [error["detail"] for error in reply.json["errors"]] == [digest_of(x) for x in (CONFIG, b"one", b"two")]
    assert registry.ask("GET", registry.push.path("tags/list")).brief == (404, "NAME_UNKNOWN")


@pytest.mark.parametrize("is_stream", [False, True])
def test_a_manifest_past_the_limit_is_refused_with_413(small: Served, is_stream: bool) -> None:
    content = manifest(annotations={"a": "a" * 1000})
    path, headers = small.push.path("manifests/v1"), {"Content-Type": OCI_MANIFEST}
    reply = small.ask("PUT", path, iter([content]) if is_stream else content, headers)
    assert reply.brief == (413, "SIZE_INVALID")


ESCAPES = [
    "..",
    "a/..",
    "a/../b",
    "a/./b",
    "%2e%2e",
    "a/%2e%2e/b",
    "a%2f..%2fb",
    "a%2F%2E%2E",
    "..%5c..%5cb",
    "a%00b",
    "a%0ab",
    "_blobs",
    "a/_tags",
    "~",
    "A",
    "a" * 256,
    "/a",
    "a//b",
    "%c3%a9",
]


@pytest.mark.parametrize("name", ESCAPES)
def test_no_name_leads_out_of_the_folder(tmp_path: Path, registry: Served, name: str) -> None:
    digest = registry.push.image("v1")
    before = sorted(tmp_path.rglob("*"))
    content = manifest()
    for method, rest, body in [
        ("POST", "blobs/uploads/", b""),
        ("POST", f"blobs/uploads/?digest={digest_of(b'x')}", b"x"),
        ("POST", f"blobs/uploads/?mount={digest_of(CONFIG)}&from=team/web", b""),
        ("PUT", "manifests/v1", content),
        ("GET", "manifests/v1", b""),
        ("GET", f"manifests/{digest}", b""),
        ("GET", f"blobs/{digest_of(CONFIG)}", b""),
        ("DELETE", f"blobs/{digest_of(CONFIG)}", b""),
        ("DELETE", "manifests/v1", b""),
        ("GET", "tags/list", b""),
    ]:
        reply = registry.ask(method, f"/v2/{name}/{rest}", body, {"Content-Type": OCI_MANIFEST})
        assert reply.brief in [(400, "NAME_INVALID"), (404, "UNSUPPORTED")], (method, rest, reply)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("source", ESCAPES)
def test_nothing_is_mounted_from_outside(registry: Served, source: str) -> None:
    registry.push.blob(CONFIG)
    reply = registry.ask("POST", f"/v2/other/blobs/uploads/?mount={digest_of(CONFIG)}&from={source}")
    assert reply.status == 202


@pytest.mark.parametrize("tag", ["..", "%2e%2e", ".hidden", "-v1", "a%2fb", "a%00", "a" * 129, "%c3%a9"])
def test_no_tag_leads_out_of_its_folder(registry: Served, tag: str) -> None:
    push = registry.push
    push.image("v1")
    assert push.put(tag, manifest()).status in (400, 404)
    for method in ("GET", "DELETE"):
        assert registry.ask(method, push.path(f"manifests/{tag}")).brief in [
            (404, "MANIFEST_UNKNOWN"),
            (404, "UNSUPPORTED"),
        ]
    assert registry.ask("GET", push.path("tags/list")).json["tags"] == ["v1"]


@pytest.mark.parametrize(
    "digest", ["sha256:..", "sha256:%2e%2e", f"sha256:{'0' * 63}%2f", f"sha256:{'A' * 64}", "md5:0"]
)
def test_no_digest_leads_out_of_its_folder(registry: Served, digest: str) -> None:
    for kind in ("blobs", "manifests"):
        for method in ("GET", "DELETE"):
            assert registry.ask(method, registry.push.path(f"{kind}/{digest}")).brief in [
                (400, "DIGEST_INVALID"),
                (404, "UNSUPPORTED"),
            ]


def test_a_repository_may_be_called_as_the_endpoints_are(registry: Served) -> None:
    names = ["blobs", "a/blobs", "a/manifests", "tags/list", "a/blobs/uploads", "manifests/v1/manifests", "a", "a/b"]
    digests = {}
    for name in names:
        push = Pusher(ask=registry.ask, repository=name)
        digests[name] = push.image("v1", name.encode())
    for name in names:
        assert registry.ask("GET", f"/v2/{name}/manifests/v1").headers["Docker-Content-Digest"] == digests[name]
        assert registry.ask("GET", f"/v2/{name}/tags/list").json == {"name": name, "tags": ["v1"]}
        assert registry.ask("GET", f"/v2/{name}/blobs/{digest_of(name.encode())}").body == name.encode()
    assert registry.ask("GET", "/v2/_catalog").json == {"repositories": sorted(names)}


def test_tags_come_in_pages(registry: Served) -> None:
    push = registry.push
    push.image("b")
    for tag in ("a", "C", "d.1", "_e"):
        assert push.put(tag, manifest()).status == 201
    everything = ["C", "_e", "a", "b", "d.1"]
    assert registry.ask("GET", push.path("tags/list")).json["tags"] == everything
    seen, target = [], push.path("tags/list?n=2")
    while target:
        reply = registry.ask("GET", target)
        assert len(reply.json["tags"]) <= 2
        seen += reply.json["tags"]
        target = reply.headers.get("Link", "").partition(">")[0].lstrip("<")
    assert seen == everything
    assert registry.ask("GET", push.path("tags/list?last=a")).json["tags"] == ["b", "d.1"]
    empty = registry.ask("GET", push.path("tags/list?n=0"))
    assert (empty.json["tags"], empty.headers.get("Link")) == ([], None)
    assert registry.ask("GET", push.path("tags/list?n=5")).headers.get("Link") is None


@pytest.mark.parametrize("size", ["-1", "x", "", "1.5", "9" * 30])
def test_a_page_size_that_is_none_is_refused(registry: Served, size: str) -> None:
    registry.push.image("v1")
    reply = registry.ask("GET", registry.push.path(f"tags/list?n={size}"))
    assert reply.brief == (400, "PAGINATION_NUMBER_INVALID")


def test_a_deleted_manifest_takes_its_tags_along_and_no_other(registry: Served) -> None:
    push = registry.push
    digest = push.image("v1", b"one")
    push.put("latest", manifest([b"one"]))
    push.image("v2", b"two")
    assert registry.ask("DELETE", push.path(f"manifests/{digest}")).status == 202
    assert registry.ask("GET", push.path("tags/list")).json["tags"] == ["v2"]
    assert registry.ask("GET", push.path("manifests/v1")).brief == (404, "MANIFEST_UNKNOWN")


def test_a_deleted_tag_leaves_its_manifest(registry: Served) -> None:
    digest = registry.push.image("v1")
    assert registry.ask("DELETE", registry.push.path("manifests/v1")).status == 202
    assert registry.ask("GET", registry.push.path(f"manifests/{digest}")).status == 200
    assert registry.ask("GET", registry.push.path("tags/list")).json["tags"] == []


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[Served]:
    yield from serve(tmp_path / "registry", account=Account(name="ann", password=Secret("s3crét")))


@pytest.mark.parametrize("given", ["", "Basic", "Basic !!", "Bearer x", "Basic YW5uOnMzY3JldA==", "Basic é"])
def test_with_an_account_nobody_else_gets_in(guarded: Served, given: str) -> None:
    for method, path in [("GET", "/v2/"), ("POST", "/v2/a/blobs/uploads/"), ("GET", "/nothing")]:
        reply = guarded.ask(method, path, b"", {"Authorization": given.encode().decode("latin-1")} if given else {})
        assert reply.brief == (401, "UNAUTHORIZED")
        assert reply.headers["WWW-Authenticate"].startswith('Basic realm="')


def test_with_the_accounts_password_one_gets_in(guarded: Served) -> None:
    login = base64.b64encode("ann:s3crét".encode()).decode()
    assert guarded.ask("GET", "/v2/", b"", {"Authorization": f"Basic {login}"}).status == 200


@pytest.mark.parametrize("origin", ["https://example.com", "null", "http://127.0.0.1:1"])
def test_a_page_in_a_browser_is_kept_out(registry: Served, origin: str) -> None:
    reply = registry.ask("POST", "/v2/a/blobs/uploads/", b"", {"Origin": origin})
    assert reply.brief == (403, "DENIED")
    assert registry.incoming == []


def test_every_answer_says_that_this_is_a_registry(registry: Served) -> None:
    for path in ("/v2/", "/v2/a/manifests/v1", "/nothing", f"/v2/a/blobs/{ABSENT}"):
        assert registry.ask("GET", path).headers["Docker-Distribution-Api-Version"] == "registry/2.0"
