"""One long conversation with a registry, to be held with ours and with Docker's: the same requests in the same order.

`converse` tells for each request its name, the status and the error codes. What Docker's registry 2.8 answered is
kept in docker-registry-2.8.json beside this file; tests/e2e/test_sandbox_registry.py checks that it still does, and
`python -m tests.contract.sandbox.registry.conversation PORT` writes it anew.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from kdeploy.sandbox.registry.manifest import DOCKER_LIST, DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST
from tests.contract.sandbox.registry.pushing import ABSENT, CONFIG, Pusher, described, digest_of, index, manifest
from tests.contract.sandbox.serving import Client, Reply

RECORD = Path(__file__).with_name("docker-registry-2.8.json")
LAYER, OTHER = b"hello world", b"something else"
UNKNOWN_UPLOAD = "blobs/uploads/00000000-0000-4000-8000-000000000000"

Told = Iterator[tuple[str, Reply]]


def converse(client: Client) -> dict[str, list[Any]]:
    """Name of each request -> [status, code...]. The registry must be empty."""
    answers: dict[str, list[Any]] = {}
    parts: tuple[Callable[[Client], Told], ...] = (
        _blobs,
        _whole_uploads,
        _chunked_uploads,
        _cancelled_uploads,
        _mounts,
        _manifests,
        _bad_manifests,
        _indexes,
        _tags,
        _deletions,
        _wrong_doors,
    )
    for part in parts:
        for name, reply in part(client):
            assert name not in answers, name
            answers[name] = list(reply.brief)
    return answers


def _blobs(ask: Client) -> Told:
    push = Pusher(ask=ask)
    yield "the base", ask("GET", "/v2/")
    yield "a blob that is not there", ask("GET", push.path(f"blobs/{ABSENT}"))
    yield "HEAD of a blob that is not there", ask("HEAD", push.path(f"blobs/{ABSENT}"))
    yield "a blob by a digest that is none", ask("GET", push.path("blobs/sha256:abc"))
    yield "a blob by a word", ask("GET", push.path("blobs/nonsense"))
    digest = push.blob(LAYER)
    yield "a blob", ask("GET", push.path(f"blobs/{digest}"))
    yield "HEAD of a blob", ask("HEAD", push.path(f"blobs/{digest}"))
    yield "another repository's blob", ask("GET", f"/v2/team/other/blobs/{digest}")
    for wanted in ("0-4", "2-", "-3", "5-100", "50-", "11-", "4-2", "x-y"):
        yield f"bytes {wanted} of 11", ask("GET", push.path(f"blobs/{digest}"), b"", {"Range": f"bytes={wanted}"})


def _whole_uploads(ask: Client) -> Told:
    push = Pusher(ask=ask)
    digest = digest_of(OTHER)
    yield "starting an upload", ask("POST", push.path("blobs/uploads/"))
    yield "a fresh upload's status", ask("GET", push.start())
    yield "PUT of a whole blob", push.finish(push.start(), digest, OTHER)
    yield "PUT of a blob that is there", push.finish(push.start(), digest, OTHER)
    yield "PUT of an empty blob", push.finish(push.start(), digest_of(b""))
    yield "PUT with another digest", push.finish(push.start(), ABSENT, OTHER)
    yield "PUT with a digest that is none", push.finish(push.start(), "nonsense", OTHER)
    yield "PUT without a digest", ask("PUT", push.start(), OTHER)
    yield "POST of a whole blob", ask("POST", push.path(f"blobs/uploads/?digest={digest}"), OTHER)
    yield "POST of a whole blob with another digest", ask("POST", push.path(f"blobs/uploads/?digest={ABSENT}"), OTHER)


def _chunked_uploads(ask: Client) -> Told:
    push = Pusher(ask=ask)
    digest = digest_of(b"abcdef")
    yield "a chunk without Content-Range", push.chunk(push.start(), b"abc")
    yield "an empty chunk", push.chunk(push.start(b"abc"), b"")
    yield "a stream", push.chunk(push.start(b"abc"), iter([b"d", b"ef"]))
    yield "the next chunk", push.chunk(push.start(b"abc"), b"def", "3-5")
    yield "a chunk too far", push.chunk(push.start(b"abc"), b"def", "7-9")
    yield "a chunk twice", push.chunk(push.start(b"abc"), b"abc", "0-2")
    yield "a chunk shorter than told", push.chunk(push.start(b"abc"), b"def", "3-9")
    yield "a chunk with a range that is none", push.chunk(push.start(b"abc"), b"def", "some")
    yield "a half upload's status", ask("GET", push.start(b"abc"))
    yield "a last chunk with PUT", push.finish(push.start(b"abc"), digest, b"def", {"Content-Range": "3-5"})
    yield "a last chunk without a range", push.finish(push.start(b"abc"), digest, b"def")
    yield "the end of an upload", push.finish(push.start(b"abc", b"def"), digest)
    location = push.start(b"abc", b"def")
    yield "the wrong end of an upload", push.finish(location, ABSENT)
    yield "and then the right one", push.finish(location, digest)
    yield "a finished upload's status", ask("GET", location)
    yield "an end after the end", push.finish(location, digest)


def _cancelled_uploads(ask: Client) -> Told:
    push = Pusher(ask=ask)
    location = push.start(b"abc")
    yield "an upload by another repository's name", ask("GET", location.replace("team/web", "team/other"))
    yield "cancelling an upload", ask("DELETE", location)
    yield "cancelling it again", ask("DELETE", location)
    yield "a cancelled upload's status", ask("GET", location)
    yield "a chunk for a cancelled upload", push.chunk(location, b"def")
    yield "the end of a cancelled upload", push.finish(location, digest_of(b"abc"))
    yield "an unknown upload's status", ask("GET", push.path(UNKNOWN_UPLOAD))
    yield "a chunk for an unknown upload", push.chunk(push.path(UNKNOWN_UPLOAD), b"abc")
    yield "the end of an unknown upload", push.finish(push.path(UNKNOWN_UPLOAD), digest_of(b"abc"))
    yield "cancelling an unknown upload", ask("DELETE", push.path(UNKNOWN_UPLOAD))


def _mounts(ask: Client) -> Told:
    digest = digest_of(LAYER)

    def mount(blob: str, source: str) -> Reply:
        return ask("POST", f"/v2/team/mounted/blobs/uploads/?mount={blob}&from={source}")

    yield "mounting a blob that is not there", mount(ABSENT, "team/web")
    yield "mounting from a repository that is not there", mount(digest, "no/such")
    yield "mounting from a name that is none", mount(digest, "No")
    yield "mounting by a digest that is none", mount("nonsense", "team/web")
    yield "mounting without a source", ask("POST", f"/v2/team/mounted/blobs/uploads/?mount={digest}")
    yield "a blob before it is mounted", ask("GET", f"/v2/team/mounted/blobs/{digest}")
    yield "mounting", mount(digest, "team/web")
    yield "a mounted blob", ask("GET", f"/v2/team/mounted/blobs/{digest}")


def _manifests(ask: Client) -> Told:
    push = Pusher(ask=ask)
    push.blob(CONFIG)
    image = manifest([LAYER])
    accept = {"Accept": OCI_MANIFEST}

    def get(reference: str, method: str = "GET", **headers: str) -> Reply:
        return ask(method, push.path(f"manifests/{reference}"), b"", headers or accept)

    yield "a manifest by tag", push.put("v1", image)
    yield "a manifest by digest", push.put(digest_of(image), image)
    yield "getting a tag", get("v1")
    yield "getting a digest", get(digest_of(image))
    yield "HEAD of a tag", get("v1", "HEAD")
    yield "HEAD of a digest", get(digest_of(image), "HEAD")
    yield "a tag that is not there", get("none")
    yield "HEAD of a tag that is not there", get("none", "HEAD")
    yield "a digest that is not there", get(ABSENT)
    yield "a tag of a repository that is not there", ask("GET", "/v2/no/such/manifests/v1", b"", accept)
    yield "a tag that is none", get("-v1")
    yield "a digest that is none", get("sha256:abc")
    yield "an OCI manifest where Docker's is wanted", get("v1", Accept=DOCKER_MANIFEST)
    yield "an OCI manifest where anything is wanted", get("v1", Accept="*/*")


def _bad_manifests(ask: Client) -> Told:
    push = Pusher(ask=ask)
    image, docker = manifest([LAYER]), manifest([LAYER], media_type=DOCKER_MANIFEST)
    yield "a manifest whose layer is missing", push.put("bad", manifest([b"missing"]))
    yield "a manifest whose config is missing", push.put("bad", manifest([LAYER], b"{}"))
    yield "a manifest that misses two", push.put("bad", manifest([b"missing"], b"{}"))
    yield "a manifest in another repository", Pusher(ask=ask, repository="team/other").put("bad", image)
    yield "a manifest by another digest", push.put(ABSENT, image)
    yield "a manifest by a tag that is none", push.put("-bad", image)
    yield "half of a manifest", push.put("bad", image[:-9])
    yield "an empty manifest", push.put("bad", b"")
    yield "a list for a manifest", push.put("bad", b"[]")
    yield "a manifest that says nothing", push.put("bad", b"{}")
    yield "a manifest as text", push.put("bad", image, "text/plain")
    yield "a manifest as JSON", push.put("bad", image, "application/json")
    yield "a manifest as another kind's", push.put("bad", image, DOCKER_MANIFEST)
    yield "a manifest without its media type", push.put("untyped", manifest([LAYER], mediaType=None))
    yield "Docker's manifest", push.put("docker", docker)
    yield "Docker's manifest as Docker's", push.put("docker", docker, DOCKER_MANIFEST)
    yield "Docker's manifest with a parameter", push.put("docker", docker, f"{DOCKER_MANIFEST}; charset=utf-8")
    bare = manifest([LAYER], media_type=DOCKER_MANIFEST, mediaType=None)
    yield "Docker's manifest without its media type", push.put("bad", bare, DOCKER_MANIFEST)
    yield "a manifest of schema 1", push.put("bad", manifest([LAYER], schemaVersion=1))
    yield "a manifest that is an index too", push.put("bad", manifest([LAYER], manifests=[described(image)]))
    yield "a manifest without layers", push.put("bare", manifest())
    yield "a manifest whose layer has no digest", push.put("bad", image.replace(digest_of(LAYER).encode(), b"no"))
    yield "a manifest past 4 MiB", push.put("bad", manifest([LAYER], annotations={"a": "a" * (4 << 20)}))
    yield "nothing bad was kept", ask("GET", push.path("manifests/bad"), b"", {"Accept": OCI_MANIFEST})


def _indexes(ask: Client) -> Told:
    push = Pusher(ask=ask)
    image, docker = manifest([LAYER]), manifest([LAYER], media_type=DOCKER_MANIFEST)
    multi, absent = index(image), index(manifest([b"absent"]))
    yield "an index", push.put("multi", multi, OCI_INDEX)
    yield "an index of nothing", push.put("nothing", index(), OCI_INDEX)
    yield "an index whose manifest is missing", push.put("bad", absent, OCI_INDEX)
    yield "an index in another repository", Pusher(ask=ask, repository="team/other").put("bad", multi, OCI_INDEX)
    yield "Docker's list", push.put("list", index(docker, media_type=DOCKER_LIST), DOCKER_LIST)
    missing = index(manifest([b"absent"]), media_type=DOCKER_LIST)
    yield "Docker's list whose manifest is missing", push.put("bad", missing, DOCKER_LIST)
    yield "an index as a manifest", push.put("bad", multi, OCI_MANIFEST)
    yield "a manifest as an index", push.put("bad", image, OCI_INDEX)
    yield "getting an index", ask("GET", push.path("manifests/multi"), b"", {"Accept": OCI_INDEX})
    yield "an index where a manifest is wanted", ask("GET", push.path("manifests/multi"), b"", {"Accept": OCI_MANIFEST})
    yield "getting Docker's list", ask("GET", push.path("manifests/list"), b"", {"Accept": DOCKER_LIST})


def _tags(ask: Client) -> Told:
    yield "tags", ask("GET", "/v2/team/web/tags/list")
    yield "tags of a repository that is not there", ask("GET", "/v2/no/such/tags/list")
    yield "tags of a repository with blobs only", ask("GET", "/v2/team/mounted/tags/list")
    yield "tags, minus one at a time", ask("GET", "/v2/team/web/tags/list?n=-1")
    yield "the catalog", ask("GET", "/v2/_catalog")


def _deletions(ask: Client) -> Told:
    push = Pusher(ask=ask)
    image, digest = manifest([LAYER]), digest_of(LAYER)
    yield "deleting a tag", ask("DELETE", push.path("manifests/untyped"))
    yield "deleting a tag that is not there", ask("DELETE", push.path("manifests/none"))
    yield "deleting a manifest that is not there", ask("DELETE", push.path(f"manifests/{ABSENT}"))
    yield "deleting a manifest", ask("DELETE", push.path(f"manifests/{digest_of(image)}"))
    yield "deleting it again", ask("DELETE", push.path(f"manifests/{digest_of(image)}"))
    yield "the tag of a deleted manifest", ask("GET", push.path("manifests/v1"), b"", {"Accept": OCI_MANIFEST})
    yield "deleting a blob", ask("DELETE", push.path(f"blobs/{digest}"))
    yield "a deleted blob", ask("GET", push.path(f"blobs/{digest}"))
    yield "deleting the blob again", ask("DELETE", push.path(f"blobs/{digest}"))
    yield "where it was mounted, it stays", ask("GET", f"/v2/team/mounted/blobs/{digest}")
    yield "deleting a blob of a repository that is not there", ask("DELETE", f"/v2/no/such/blobs/{ABSENT}")


def _wrong_doors(ask: Client) -> Told:
    yield "PUT of a blob by its digest", ask("PUT", f"/v2/team/web/blobs/{ABSENT}", b"x")
    yield "POST of a manifest", ask("POST", "/v2/team/web/manifests/v1", b"x")
    yield "PATCH of the tags", ask("PATCH", "/v2/team/web/tags/list", b"x")
    yield "no endpoint", ask("GET", "/v2/team/web/nothing")
    yield "referrers", ask("GET", f"/v2/team/web/referrers/{ABSENT}")
    yield "an upload to a name in capitals", ask("POST", "/v2/Team/blobs/uploads/")
    yield "a manifest of a name in capitals", ask("GET", "/v2/Team/manifests/v1")
    yield "a name that is too long", ask("GET", f"/v2/{'a' * 300}/manifests/v1")


if __name__ == "__main__":
    said = converse(Client(port=int(sys.argv[1])))
    RECORD.write_text("{\n" + ",\n".join(f"  {json.dumps(k)}: {json.dumps(v)}" for k, v in said.items()) + "\n}\n")
