"""The API server's own texts here are those of v1.20.2 and v1.35.4, as both gave them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest

from kdeploy.model import HttpCheck
from kdeploy.verify.answer import Trouble, apps_answer, proxied_answer, subject
from kdeploy.verify.url import is_direct

CHECK = HttpCheck(name="health", path="/health?token=hidden")
NOT_REACHED = "error trying to reach service: "


@dataclass(frozen=True)
class Answer:
    status: int | None
    body_excerpt: str = ""
    is_proxy_error: bool = False


def test_the_checks_own_status_is_a_good_sample() -> None:
    assert proxied_answer(CHECK, Answer(200)).ok is True
    assert proxied_answer(replace(CHECK, status=301), Answer(301)).ok is True


def test_another_status_is_a_bad_sample_that_says_what_the_app_said() -> None:
    found = proxied_answer(CHECK, Answer(500, "database\x1b[31m is\n\u202eaway"))
    assert (found.ok, found.message) == (False, "GET /health answered 500 instead of 200 (database is away)")


@pytest.mark.parametrize(
    "page",
    ["<!DOCTYPE html>\n<html><body>away</body>", "\n <HTML>x", "<?xml version='1.0'?><e/>", "<!-- x --><p>", "<body>"],
)
def test_a_page_is_told_by_its_status_alone(page: str) -> None:
    assert apps_answer(CHECK, 502, page).message == "GET /health answered 502 instead of 200"


@pytest.mark.parametrize("body", ["<nil>", "a <html> in it", '{"page": "<html>"}', "<htmlish>"])
def test_what_is_no_page_is_shown(body: str) -> None:
    assert body in apps_answer(CHECK, 502, body).message


def test_a_long_body_is_cut() -> None:
    assert len(apps_answer(CHECK, 500, "x" * 5000).message) < 200


def test_a_refused_connection_is_a_bad_sample() -> None:
    assert proxied_answer(CHECK, Answer(None, "connection refused")).ok is False


@pytest.mark.parametrize(
    "said",
    [
        "dial tcp 10.91.1.11:8081: connect: connection refused",
        "read tcp 10.91.3.1:59616->10.91.3.13:8082: read: connection reset by peer",
        'net/http: HTTP/1.x transport connection broken: malformed HTTP response "garbage"',
        'malformed HTTP response "garbage"',
        "tls: first record does not look like a TLS handshake",
        "EOF",
    ],
)
def test_a_pod_that_was_reached_in_vain_is_a_bad_sample(said: str) -> None:
    for status in (500, 503):
        found = proxied_answer(CHECK, Answer(status, NOT_REACHED + said, is_proxy_error=True))
        assert (found.ok, found.message) == (False, f"GET /health: {said}")


@pytest.mark.parametrize(
    ("answer", "trouble"),
    [
        (Answer(401, "Unauthorized", is_proxy_error=True), Trouble.DENIED),
        (Answer(403, 'pods "web" is forbidden', is_proxy_error=True), Trouble.DENIED),
        (Answer(429, "Too many requests, please try again later.", is_proxy_error=True), Trouble.BUSY),
        (Answer(404, 'pods "nope" not found', is_proxy_error=True), Trouble.OTHER),
        (Answer(503, NOT_REACHED + "dial tcp 10.0.0.1:80: i/o timeout", is_proxy_error=True), Trouble.OTHER),
        (Answer(503, NOT_REACHED + "dial tcp 10.0.0.1:80: no route to host", is_proxy_error=True), Trouble.OTHER),
        (Answer(None, "the API server is away", is_proxy_error=True), Trouble.OTHER),
    ],
)
def test_an_answer_of_the_way_is_no_sample(answer: Answer, trouble: Trouble) -> None:
    found = proxied_answer(CHECK, answer)
    assert (found.ok, found.trouble) == (None, trouble)
    assert answer.body_excerpt in found.message


@pytest.mark.parametrize(
    ("check", "said"),
    [
        (CHECK, "GET /health"),
        (
            HttpCheck(name="x", url="https://me:secret@shop.example:8443/h?key=secret#x"),
            "GET https://shop.example:8443/h",
        ),
        (HttpCheck(name="x", url="http://shop.example"), "GET http://shop.example/"),
    ],
)
def test_a_message_names_the_question_without_its_secrets(check: HttpCheck, said: str) -> None:
    assert subject(check) == said


@pytest.mark.parametrize(
    ("host", "no_proxy", "direct"),
    [
        ("shop.example", "", False),
        ("localhost", "", True),
        ("127.0.0.1", "", True),
        ("::1", "", True),
        ("shop.example", "*", True),
        ("shop.example", "other, Shop.Example", True),
        ("a.shop.example", ".shop.example", True),
        ("a.shop.example", "shop.example", True),
        ("a.shop.example", "*.shop.example", True),
        ("workshop.example", "shop.example", False),
        ("10.1.2.3", "10.0.0.0/8", True),
        ("11.1.2.3", "10.0.0.0/8", False),
        ("shop.example", ",,", False),
    ],
)
def test_no_proxy_is_honoured(host: str, no_proxy: str, direct: bool) -> None:
    assert is_direct(host, no_proxy) is direct
