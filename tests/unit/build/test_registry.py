"""Reads of a registry, against canned HTTP answers."""

import contextlib
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import requests
import responses

from kdeploy.build.credentials import DockerLogins, Login, with_login
from kdeploy.build.registry import MANIFEST_TYPES, DistributionRegistry
from kdeploy.build.transport import Transport
from kdeploy.errors import RefusedError
from kdeploy.model import Image, Reason
from kdeploy.secret import Secret

BASE = "https://reg.example/v2/acme/web"
ABSENT = "sha256:" + "0" * 64
ANN = Login(username="ann", password=Secret("s3cret"))
BASIC = "Basic YW5uOnMzY3JldA=="
BEARER = {
    "WWW-Authenticate": 'Bearer realm="https://auth.example/token",service="reg",scope="repository:acme/web:pull"'
}


@dataclass
class Logins:
    """The same login for every registry."""

    found: Login | None = None
    asked: list[str] = field(default_factory=list)

    def login(self, domain: str, timeout: float) -> Login | None:
        self.asked.append(domain)
        return self.found

    def advice(self, domain: str) -> str:
        return f"docker login {domain}"


@pytest.fixture
def http() -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        yield mock


def registry(login: Login | None = None, insecure: tuple[str, ...] = ()) -> DistributionRegistry:
    return DistributionRegistry(Transport(Logins(login), insecure=lambda _: insecure, sleep=lambda _: None))


def put(http: responses.RequestsMock, kind: str, value: object) -> str:
    """Puts a manifest or blob into the registry; returns its digest."""
    body = json.dumps(value)
    digest = f"sha256:{hashlib.sha256(body.encode()).hexdigest()}"
    http.add("GET", f"{BASE}/{kind}/{digest}", body=body)
    return digest


def put_image(http: responses.RequestsMock, labels: dict[str, str], layer: str = "") -> tuple[str, str]:
    config = put(http, "blobs", {"config": {"Labels": labels}})
    return put(http, "manifests", {"config": {"digest": config}, "layers": [layer]}), config


def put_index(http: responses.RequestsMock, *entries: dict[str, Any]) -> str:
    return put(http, "manifests", {"manifests": list(entries)})


def platform(digest: str) -> dict[str, Any]:
    return {"digest": digest, "platform": {"os": "linux", "architecture": "amd64"}}


def test_a_tag_is_resolved_by_head_with_all_four_manifest_types(http: responses.RequestsMock) -> None:
    digest = "sha256:" + "1" * 64
    http.add("HEAD", f"{BASE}/manifests/v1", headers={"Docker-Content-Digest": digest})
    assert registry().resolve("reg.example/acme/web:v1") == Image(
        repository="reg.example/acme/web", tag="v1", digest=digest
    )
    accepted = http.calls[0].request.headers["Accept"].split(", ")
    assert sorted(accepted) == sorted(MANIFEST_TYPES)
    assert len(set(accepted)) == 4


def test_a_registry_that_tells_no_digest_is_asked_for_the_manifest(http: responses.RequestsMock) -> None:
    http.add("HEAD", f"{BASE}/manifests/latest", headers={"Docker-Content-Digest": "nonsense"})
    http.add("GET", f"{BASE}/manifests/latest", body=b"{}")
    assert registry().resolve("reg.example/acme/web").digest == f"sha256:{hashlib.sha256(b'{}').hexdigest()}"


def test_a_digest_stays_the_digest_that_was_asked_for(http: responses.RequestsMock) -> None:
    digest = "sha256:" + "1" * 64
    http.add("HEAD", f"{BASE}/manifests/{digest}", headers={"Docker-Content-Digest": ABSENT})
    image = registry().resolve(f"reg.example/acme/web:v1@{digest}")
    assert image.reference == f"reg.example/acme/web:v1@{digest}"


def test_only_404_means_absent(http: responses.RequestsMock) -> None:
    http.add("HEAD", f"{BASE}/manifests/v1", status=404)
    assert registry().find("reg.example/acme/web:v1") is None
    with pytest.raises(RefusedError) as caught:
        registry().resolve("reg.example/acme/web:v1")
    assert caught.value.reason is Reason.IMAGE_NOT_FOUND


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (401, Reason.IMAGE_UNAUTHORIZED),
        (403, Reason.IMAGE_UNAUTHORIZED),
        (400, Reason.IMAGE_PULL_FAILED),
        (405, Reason.IMAGE_PULL_FAILED),
        (500, Reason.IMAGE_PULL_FAILED),
    ],
)
def test_any_other_refusal_is_an_error_with_its_reason(
    http: responses.RequestsMock, status: int, reason: Reason
) -> None:
    http.add("HEAD", f"{BASE}/manifests/v1", status=status)
    with pytest.raises(RefusedError) as caught:
        registry().find("reg.example/acme/web:v1")
    assert caught.value.reason is reason
    assert caught.value.hint


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_transient_answer_is_tried_again(http: responses.RequestsMock, status: int) -> None:
    digest = "sha256:" + "1" * 64
    http.add("HEAD", f"{BASE}/manifests/v1", status=status)
    http.add("HEAD", f"{BASE}/manifests/v1", body=requests.exceptions.ReadTimeout("slow"))
    http.add("HEAD", f"{BASE}/manifests/v1", headers={"Docker-Content-Digest": digest})
    assert registry().find("reg.example/acme/web:v1") == digest


def test_retry_after_is_kept_to_but_not_for_long(http: responses.RequestsMock) -> None:
    waits: list[float] = []
    http.add("HEAD", f"{BASE}/manifests/v1", status=429, headers={"Retry-After": "3"})
    http.add("HEAD", f"{BASE}/manifests/v1", status=429, headers={"Retry-After": "3600"})
    http.add("HEAD", f"{BASE}/manifests/v1", status=404)
    client = DistributionRegistry(Transport(Logins(), sleep=waits.append))
    assert client.find("reg.example/acme/web:v1") is None
    assert waits == [3.0, 10.0]


def test_a_registry_that_stays_silent_is_an_error_after_four_attempts(http: responses.RequestsMock) -> None:
    http.add("HEAD", f"{BASE}/manifests/v1", body=requests.exceptions.ConnectTimeout("no route"))
    with pytest.raises(RefusedError, match=r"reg\.example does not answer"):
        registry().find("reg.example/acme/web:v1")
    assert len(http.calls) == 4


def test_a_basic_challenge_is_answered_with_the_login(http: responses.RequestsMock) -> None:
    http.add("HEAD", f"{BASE}/manifests/v1", status=401, headers={"WWW-Authenticate": 'Basic realm="x"'})
    http.add(
        "HEAD",
        f"{BASE}/manifests/v1",
        status=404,
        match=[responses.matchers.header_matcher({"Authorization": BASIC})],
    )
    assert registry(ANN).find("reg.example/acme/web:v1") is None


def test_without_a_login_a_basic_challenge_is_unauthorized(http: responses.RequestsMock) -> None:
    http.add("HEAD", f"{BASE}/manifests/v1", status=401, headers={"WWW-Authenticate": 'Basic realm="x"'})
    with pytest.raises(RefusedError) as caught:
        registry().find("reg.example/acme/web:v1")
    assert caught.value.reason is Reason.IMAGE_UNAUTHORIZED
    assert "docker login reg.example" in caught.value.hint


@pytest.mark.parametrize("method", ["HEAD", "POST"])
def test_a_refused_login_is_told_by_where_it_came_from(http: responses.RequestsMock, method: str) -> None:
    path = "manifests/v1" if method == "HEAD" else "blobs/uploads/"
    http.add(method, f"{BASE}/{path}", status=401, headers={"WWW-Authenticate": 'Basic realm="x"'})
    logins = DockerLogins(config=with_login({}, "reg.example", ANN))
    client = DistributionRegistry(Transport(logins, sleep=lambda _: None))
    with pytest.raises(RefusedError) as caught:
        client.find("reg.example/acme/web:v1") if method == "HEAD" else client.check_push("reg.example/acme/web")
    assert caught.value.hint.startswith("correct KDEPLOY_REGISTRY_PASSWORD, in the action registry-password")
    assert "as ann" in caught.value.hint
    assert "check that this user may" in caught.value.hint
    assert "pa:ss" not in caught.value.hint


@pytest.mark.parametrize("key", ["token", "access_token"])
@pytest.mark.parametrize("login", [None, ANN])
def test_a_bearer_challenge_is_answered_with_a_fetched_token(
    http: responses.RequestsMock, key: str, login: Login | None
) -> None:
    http.add("HEAD", f"{BASE}/manifests/v1", status=401, headers=BEARER)
    http.add("GET", "https://auth.example/token", json={key: "t0k"})
    http.add(
        "HEAD",
        f"{BASE}/manifests/v1",
        status=404,
        match=[responses.matchers.header_matcher({"Authorization": "Bearer t0k"})],
    )
    assert registry(login).find("reg.example/acme/web:v1") is None
    asked = http.calls[1].request
    assert asked.params == {"service": "reg", "scope": "repository:acme/web:pull"}  # type: ignore[attr-defined]
    assert asked.headers.get("Authorization") == (BASIC if login else None)


def test_an_identity_token_is_exchanged_by_post(http: responses.RequestsMock) -> None:
    refresh = Login(username="<token>", password=Secret("r3fresh"), is_identity_token=True)
    http.add("HEAD", f"{BASE}/manifests/v1", status=401, headers=BEARER)
    http.add("POST", "https://auth.example/token", json={"access_token": "t0k"})
    http.add("HEAD", f"{BASE}/manifests/v1", status=404)
    assert registry(refresh).find("reg.example/acme/web:v1") is None
    asked = http.calls[1].request
    assert "refresh_token=r3fresh" in str(asked.body)
    assert "Authorization" not in asked.headers
    assert "r3fresh" not in str(asked.url)


def test_a_token_is_fetched_once_for_several_reads(http: responses.RequestsMock) -> None:
    http.add("HEAD", f"{BASE}/manifests/v1", status=401, headers=BEARER)
    http.add("GET", "https://auth.example/token", json={"token": "t0k"})
    http.add("HEAD", f"{BASE}/manifests/v1", status=404)
    client = registry()
    assert client.find("reg.example/acme/web:v1") is None
    assert client.find("reg.example/acme/web:v1") is None
    assert len(http.calls) == 4


@pytest.mark.parametrize(
    ("status", "body"), [(401, "{}"), (403, "{}"), (200, "[]"), (200, "{}"), (200, "no json"), (302, "")]
)
def test_a_token_server_that_gives_no_token_is_unauthorized(
    http: responses.RequestsMock, status: int, body: str
) -> None:
    http.add("HEAD", f"{BASE}/manifests/v1", status=401, headers=BEARER)
    http.add("GET", "https://auth.example/token", status=status, body=body)
    with pytest.raises(RefusedError) as caught:
        registry(ANN).find("reg.example/acme/web:v1")
    assert caught.value.reason is Reason.IMAGE_UNAUTHORIZED
    assert "s3cret" not in f"{caught.value.message}{caught.value.hint}"


def test_a_login_is_never_sent_to_a_token_server_without_tls(http: responses.RequestsMock) -> None:
    header = {"WWW-Authenticate": 'Bearer realm="http://auth.example/token"'}
    http.add("HEAD", f"{BASE}/manifests/v1", status=401, headers=header)
    with pytest.raises(RefusedError, match="not on HTTPS"):
        registry(ANN).find("reg.example/acme/web:v1")
    assert len(http.calls) == 1


def test_labels_are_read_from_the_image_config(http: responses.RequestsMock) -> None:
    manifest, _ = put_image(http, {"a": "b"})
    assert registry().labels("reg.example/acme/web", manifest) == {"a": "b"}


def test_labels_of_an_index_are_those_of_its_first_image_past_the_attestations(http: responses.RequestsMock) -> None:
    first, _ = put_image(http, {"a": "b"})
    attestation = {"digest": ABSENT, "platform": {"os": "unknown", "architecture": "unknown"}}
    annotated = {"digest": ABSENT, "annotations": {"vnd.docker.reference.type": "attestation-manifest"}}
    index = put_index(http, attestation, annotated, platform(first), platform(ABSENT))
    assert registry().labels("reg.example/acme/web", index) == {"a": "b"}


@pytest.mark.parametrize("config", [{}, {"config": None}, {"config": {"Labels": None}}, {"config": {"Labels": ["x"]}}])
def test_a_config_without_labels_has_none(http: responses.RequestsMock, config: dict[str, Any]) -> None:
    manifest = put(http, "manifests", {"config": {"digest": put(http, "blobs", config)}})
    assert registry().labels("reg.example/acme/web", manifest) == {}


def test_a_blob_on_another_server_is_read_without_the_login(http: responses.RequestsMock) -> None:
    body = json.dumps({"config": {"Labels": {"a": "b"}}})
    config = f"sha256:{hashlib.sha256(body.encode()).hexdigest()}"
    manifest = put(http, "manifests", {"config": {"digest": config}})
    http.add("HEAD", f"{BASE}/manifests/v1", status=401, headers={"WWW-Authenticate": "Basic realm=x"})
    http.add("HEAD", f"{BASE}/manifests/v1", headers={"Docker-Content-Digest": manifest})
    http.add("GET", f"{BASE}/blobs/{config}", status=307, headers={"Location": "https://cdn.example/blob?sig=1"})
    http.add("GET", "https://cdn.example/blob", body=body)
    client = registry(ANN)
    assert client.find("reg.example/acme/web:v1") == manifest
    assert client.labels("reg.example/acme/web", manifest) == {"a": "b"}
    assert [call.request.headers.get("Authorization") for call in http.calls] == [None, BASIC, BASIC, BASIC, None]


def test_a_redirect_may_not_leave_https(http: responses.RequestsMock) -> None:
    http.add("HEAD", f"{BASE}/manifests/v1", status=302, headers={"Location": "http://cdn.example/x"})
    with pytest.raises(RefusedError, match="less safe"):
        registry().find("reg.example/acme/web:v1")


def test_a_redirect_to_no_address_is_refused(http: responses.RequestsMock) -> None:
    http.add("HEAD", f"{BASE}/manifests/v1", status=302, headers={"Location": "https://["})
    with pytest.raises(RefusedError, match="an address that is none"):
        registry().find("reg.example/acme/web:v1")


def test_redirects_in_circles_end(http: responses.RequestsMock) -> None:
    http.add("HEAD", f"{BASE}/manifests/v1", status=302, headers={"Location": f"{BASE}/manifests/v1"})
    with pytest.raises(RefusedError, match="circles"):
        registry().find("reg.example/acme/web:v1")


def test_a_body_that_does_not_match_its_digest_is_refused(http: responses.RequestsMock) -> None:
    http.add("GET", f"{BASE}/manifests/{ABSENT}", body=b"{}")
    with pytest.raises(RefusedError, match="has another digest"):
        registry().labels("reg.example/acme/web", ABSENT)


@pytest.mark.parametrize(
    "value", [[], "text", {"config": {"digest": "sha256:../../x"}}, {"config": 3}, {"manifests": 3}]
)
def test_hostile_manifests_are_refused_or_have_no_labels(http: responses.RequestsMock, value: object) -> None:
    manifest = put(http, "manifests", value)
    with contextlib.suppress(RefusedError):
        assert registry().labels("reg.example/acme/web", manifest) == {}


def test_a_manifest_without_end_is_not_read_to_its_end(http: responses.RequestsMock) -> None:
    http.add("GET", f"{BASE}/manifests/{ABSENT}", body=b"x" * ((4 << 20) + 1))
    with pytest.raises(RefusedError, match="more than 4194304 bytes"):
        registry().labels("reg.example/acme/web", ABSENT)


def test_docker_hub_is_asked_at_its_real_address(http: responses.RequestsMock) -> None:
    http.add("HEAD", "https://registry-1.docker.io/v2/library/nginx/manifests/1.27", status=404)
    assert registry().find("nginx:1.27") is None


def test_a_loopback_registry_without_tls_is_asked_by_http(http: responses.RequestsMock) -> None:
    http.add("HEAD", "https://localhost:5000/v2/web/manifests/v1", body=requests.exceptions.SSLError("no TLS"))
    http.add("HEAD", "http://localhost:5000/v2/web/manifests/v1", status=404)
    client = registry()
    assert client.find("localhost:5000/web:v1") is None
    assert client.find("localhost:5000/web:v1") is None
    assert [str(call.request.url).partition(":")[0] for call in http.calls] == ["https", "http", "http"]


def test_another_registry_without_tls_is_refused_unless_the_engine_lists_it(http: responses.RequestsMock) -> None:
    http.add("HEAD", "https://reg.example:5000/v2/web/manifests/v1", body=requests.exceptions.SSLError("no TLS"))
    http.add("HEAD", "http://reg.example:5000/v2/web/manifests/v1", status=404)
    with pytest.raises(RefusedError, match="cannot be trusted"):
        registry().find("reg.example:5000/web:v1")
    assert registry(insecure=("reg.example:5000",)).find("reg.example:5000/web:v1") is None


def test_a_registry_that_once_spoke_tls_is_never_asked_without(http: responses.RequestsMock) -> None:
    http.add("HEAD", "https://localhost:5000/v2/web/manifests/v1", status=404)
    http.add("HEAD", "https://localhost:5000/v2/web/manifests/v1", body=requests.exceptions.ConnectionError("reset"))
    client = registry()
    assert client.find("localhost:5000/web:v1") is None
    with pytest.raises(RefusedError, match="does not answer"):
        client.find("localhost:5000/web:v1")


def test_images_with_one_config_are_the_same(http: responses.RequestsMock) -> None:
    one, config = put_image(http, {"a": "b"})
    two, _ = put_image(http, {"a": "b"}, layer="recompressed")
    other, _ = put_image(http, {"a": "c"})
    index = put_index(http, platform(one))
    name = "reg.example/acme/web"
    http.add("GET", f"{BASE}/manifests/{config}", status=404)
    http.add("GET", f"{BASE}/manifests/{ABSENT}", status=404)
    client = registry()
    assert client.same_config(name, one, one, 5.0) is True
    assert client.same_config(name, one, two, 5.0) is True
    assert client.same_config(name, index, one, 5.0) is True
    assert client.same_config(name, index, two, 5.0) is True
    assert client.same_config(name, index, config, 5.0) is True
    assert client.same_config(name, index, other, 5.0) is False
    assert client.same_config(name, index, ABSENT, 5.0) is None


def test_what_the_registry_does_not_tell_is_not_known(http: responses.RequestsMock) -> None:
    http.add("GET", f"{BASE}/manifests/{ABSENT}", status=403)
    assert registry().same_config("reg.example/acme/web", ABSENT, "sha256:" + "1" * 64, 5.0) is None
    assert registry().same_config("reg.example/acme/web", "nonsense", ABSENT, 5.0) is None
