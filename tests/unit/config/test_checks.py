from __future__ import annotations

import pytest

from kdeploy.config.checks import parse_check_flags
from kdeploy.config.file import parse_config
from kdeploy.config.flags import Flags
from kdeploy.config.settings import resolve
from kdeploy.errors import ConfigError
from kdeploy.model import HttpCheck


def checks(*https: str) -> tuple[HttpCheck, ...]:
    items = "".join(f"      - http: {http}\n" for http in https)
    text = f"version: 1\nservices:\n  web:\n    target: deploy/web\n    verify:\n{items}"
    return resolve(parse_config(text.encode(), "kdeploy.yaml"), Flags()).checks


@pytest.mark.parametrize(
    ("text", "check"),
    [
        ("/health", HttpCheck(name="http /health", path="/health")),
        (":8080/health", HttpCheck(name="http /health", path="/health", port=8080)),
        (":http/health?a=b", HttpCheck(name="http /health?a=b", path="/health?a=b", port="http")),
        ("https://a.example/h", HttpCheck(name="http https://a.example/h", url="https://a.example/h")),
        ("http://a.example:81", HttpCheck(name="http http://a.example:81", url="http://a.example:81")),
    ],
)
def test_a_check_on_the_command_line_is_a_path_a_port_and_path_or_a_url(text: str, check: HttpCheck) -> None:
    assert parse_check_flags([text]) == (check,)


@pytest.mark.parametrize("text", ["health", ":8080", ":0/x", ":99999/x", "ftp://x/", "http://", "https:///x", ":A/x"])
def test_anything_else_on_the_command_line_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="neither a path nor a URL"):
        parse_check_flags([text])


@pytest.mark.parametrize(
    "text",
    [
        "/health, /ready",
        "/health,/ready",
        "/health,:8080/x",
        "/health /ready",
        "/health,",
        "https://a.example/h https://b.example/",
        "/a\tb",
        ":8/a b",
    ],
)
def test_several_in_one_on_the_command_line_are_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="not one path or URL") as caught:
        parse_check_flags([text])
    assert "repeat the flag" in caught.value.hint
    assert "one a line" in caught.value.hint


def test_commas_within_a_path_are_its_own() -> None:
    assert parse_check_flags(["/a,b/c"])[0].path == "/a,b/c"


def test_the_refusal_of_several_in_one_keeps_them_to_itself() -> None:
    with pytest.raises(ConfigError, match="the 1st --verify-http") as caught:
        parse_check_flags(["/health?token=t0k, /ready"])
    assert "t0k" not in caught.value.message


@pytest.mark.parametrize("text", ["https://ann:pa55/w0rd@x.example/h", "https://ann:pa55@x:port/", "pa55", "s:pa55@x"])
def test_what_cannot_be_parsed_is_not_shown(text: str) -> None:
    with pytest.raises(ConfigError, match="the 2nd --verify-http is neither") as caught:
        parse_check_flags(["/health", text])
    assert "pa55" not in caught.value.message + caught.value.hint


def test_durations_become_seconds() -> None:
    (check,) = checks("{path: /, timeout: 1m, interval: 250ms, within: 2m, watch_for: 1h}")
    assert (check.timeout, check.interval, check.within, check.watch_for) == (60, 0.25, 120, 3600)
    assert type(check.timeout) is float


def test_checks_of_one_path_get_names_of_their_own() -> None:
    found = checks("{path: /h}", "{path: /h, port: 81}", "{path: /h, samples: 3}", "{path: /h, port: 81, pods: 1}")
    assert [check.name for check in found] == ["http /h", "http :81/h", "http /h (2)", "http /h (3)"]


def test_two_checks_of_one_given_name_are_refused() -> None:
    with pytest.raises(ConfigError, match=r'kdeploy.yaml:7: .* two checks are called "a"'):
        checks("{name: a, path: /x}", "{name: a, path: /y}")


@pytest.mark.parametrize(
    "http",
    [
        "{}",
        "{path: /x, url: 'http://x/'}",
        "{url: 'http://'}",
        "{url: 'http://x/', port: 1}",
        "{path: '/x, /y'}",
        "{url: 'http://x/a b'}",
    ],
)
def test_a_check_that_is_ambiguous_or_empty_is_refused_with_its_line(http: str) -> None:
    with pytest.raises(ConfigError, match=r"kdeploy.yaml:6: services.web.verify\[0\].http: "):
        checks(http)


def test_the_values_of_headers_are_not_printed() -> None:
    (check,) = checks("{url: 'https://shop.example/', headers: {Authorization: Bearer s3cret}}")
    assert check.headers["Authorization"] == "Bearer s3cret"
    assert "s3cret" not in repr(check)
    assert "Authorization" in repr(check)


def test_a_name_made_of_a_url_has_no_password_and_no_query() -> None:
    (check,) = parse_check_flags(["https://user:pa55@x.example/h?token=t0k"])
    assert check.name == "http https://x.example/h"
    assert check.url == "https://user:pa55@x.example/h?token=t0k"


@pytest.mark.parametrize("header", ["Authorization", "host", "Impersonate-User", "Proxy-Authorization", "Connection"])
def test_a_header_that_the_pod_proxy_keeps_is_refused_for_a_path_with_its_line(header: str) -> None:
    with pytest.raises(ConfigError, match=r"kdeploy.yaml:8: .*headers\.\S+: the API server's pod proxy") as caught:
        checks(f"\n          path: /x\n          headers: {{{header}: s3cret}}")
    assert "url" in caught.value.hint
    assert "s3cret" not in caught.value.message
    (check,) = checks(f"{{url: 'https://shop.example/', headers: {{{header}: x}}}}")
    assert check.headers[header] == "x"


def test_a_header_whose_name_only_begins_like_one_of_those_is_sent() -> None:
    (check,) = checks("{path: /x, headers: {Upgrade-Insecure-Requests: '1', Hostname: a, X-Forwarded-Host: b}}")
    assert set(check.headers) == {"Upgrade-Insecure-Requests", "Hostname", "X-Forwarded-Host"}


@pytest.mark.parametrize(
    ("headers", "problem"),
    [
        ('{"X Y": a}', "no name of a header"),
        ('{X: "s3cret\\r\\nY: b"}', "no header may hold"),
        ("{X: '☃'}", "no header"),
    ],
)
def test_a_header_that_cannot_be_sent_is_refused_without_its_value(headers: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem) as caught:
        checks(f"{{url: 'https://shop.example/', headers: {headers}}}")
    assert "s3cret" not in caught.value.message
