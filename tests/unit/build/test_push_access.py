"""Whether a registry would take a push, against canned HTTP answers."""

from __future__ import annotations

import pytest
import responses

from kdeploy.errors import RefusedError
from kdeploy.model import Reason
from tests.unit.build.test_registry import ANN, BASE, BASIC, http, registry

__all__ = ["http"]
UPLOADS = f"{BASE}/blobs/uploads/"


def calls(http: responses.RequestsMock) -> list[tuple[str | None, str | None]]:
    return [(call.request.method, call.request.url) for call in http.calls]


def test_an_upload_is_begun_and_cancelled(http: responses.RequestsMock) -> None:
    http.add("POST", UPLOADS, status=202, headers={"Location": "/v2/acme/web/blobs/uploads/17?state=x"})
    http.add("DELETE", f"{UPLOADS}17", status=204)
    registry().check_push("reg.example/acme/web", 5)
    assert calls(http) == [("POST", UPLOADS), ("DELETE", f"{UPLOADS}17?state=x")]


@pytest.mark.parametrize("status", [404, 405, 500])
def test_an_upload_that_cannot_be_cancelled_is_left_to_expire(http: responses.RequestsMock, status: int) -> None:
    http.add("POST", UPLOADS, status=202, headers={"Location": f"{UPLOADS}17"})
    http.add("DELETE", f"{UPLOADS}17", status=status)
    registry().check_push("reg.example/acme/web", 5)


def test_a_login_is_given_where_it_is_wanted(http: responses.RequestsMock) -> None:
    http.add("POST", UPLOADS, status=401, headers={"WWW-Authenticate": "Basic"})
    http.add("POST", UPLOADS, status=202)
    registry(ANN).check_push("reg.example/acme/web", 5)
    assert http.calls[1].request.headers["Authorization"] == BASIC


@pytest.mark.parametrize(
    ("status", "says", "hint"),
    [
        (401, "does not let this login push", "docker login reg.example"),
        (403, "does not let this login push", "docker login reg.example"),
        (404, "takes no push", "create the repository first"),
        (405, "takes no push", "address of a registry"),
        (503, "does not answer: HTTP 503", "network"),
    ],
)
def test_a_push_that_would_be_refused_says_so(http: responses.RequestsMock, status: int, says: str, hint: str) -> None:
    http.add("POST", UPLOADS, status=status)
    with pytest.raises(RefusedError, match=says) as caught:
        registry().check_push("reg.example/acme/web", 5)
    assert caught.value.reason is Reason.PUSH_DENIED
    assert hint in caught.value.hint
