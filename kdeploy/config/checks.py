"""Health checks: the `verify` list of kdeploy.yaml and --verify-http become `HttpCheck` values."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlsplit

from kdeploy.config.shape import Check, Http
from kdeploy.errors import ConfigError
from kdeploy.model import HttpCheck
from kdeploy.text import one_line, ordinal

Fail = Callable[[Sequence[str | int], str, str], ConfigError]
"""Makes the error about a place below the list: path, problem, hint."""

_PORT_AND_PATH = re.compile(r":([0-9]{1,5}|[a-z0-9][-a-z0-9]{0,14})(/.*)\Z", re.ASCII)
# A variable is split at white space, and so a list with commas comes as "/health," and "/ready".
_LISTED = re.compile(r"\s|,(?:\Z|/|:|https?://)")

_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z", re.ASCII)
_VALUE = re.compile(r"[\t\x20-\x7e\xa0-\xff]*\Z")
_KEPT_BY_PROXY = frozenset({"authorization", "connection", "content-length", "host", "transfer-encoding", "upgrade"})


class HiddenValues(dict[str, str]):
    """A mapping that prints its keys alone: header values are often tokens."""

    def __repr__(self) -> str:
        """As a dict's, with *** for each value."""
        return repr(dict.fromkeys(self, "***"))


def passes_pod_proxy(header: str) -> bool:
    """Whether a header reaches a pod through the API server's proxy, which keeps those about itself and the connection.

    Authorization and Impersonate-... would speak for another user than the one who deploys, Host is the pod's own.
    """
    name = header.lower()
    return name not in _KEPT_BY_PROXY and not name.startswith(("proxy-", "impersonate-"))


def checks_of(checks: Sequence[Check], fail: Fail) -> tuple[HttpCheck, ...]:
    """The checks of a `verify` list, each with a name of its own. Raises what `fail` makes."""
    made: list[HttpCheck] = []
    for index, check in enumerate(checks):
        if fault := _fault(check.http):
            raise fail((index, "http"), *fault)
        for name, value in (check.http.headers or {}).items():
            if fault := _header_fault(check.http, name, value):
                raise fail((index, "http", "headers", name), *fault)
        made.append(_check(check.http, {one.name for one in made}))
        if made[-1].name in {one.name for one in made[:-1]}:
            hint = "give each check a name of its own"
            raise fail((index, "http", "name"), f'two checks are called "{one_line(made[-1].name)}"', hint)
    return tuple(made)


def parse_check_flags(texts: Sequence[str]) -> tuple[HttpCheck, ...]:
    """The checks that --verify-http asks for: "/health", ":8080/health", ":http/health" or a whole URL."""
    made: list[HttpCheck] = []
    for text in dict.fromkeys(texts):
        made.append(_check(_parse_flag(text, texts.index(text) + 1), {one.name for one in made}))
    return tuple(made)


def _parse_flag(text: str, number: int) -> Http:
    if _LISTED.search(text):
        raise ConfigError(
            f"the {ordinal(number)} --verify-http is not one path or URL: no white space goes into one, and no comma "
            "between two",
            hint="repeat the flag for each; the action takes one a line, the variable one a word; a space is %20",
        )
    if text.startswith("/"):
        return Http(path=text)
    if match := _PORT_AND_PATH.match(text):
        port = match[1]
        if not port.isdigit():
            return Http(path=match[2], port=port)
        if 1 <= int(port) <= 65535:
            return Http(path=match[2], port=int(port))
    elif _is_url(text):
        return Http(url=text)
    raise ConfigError(  # what cannot be parsed is not shown: it may hold a password
        f"the {ordinal(number)} --verify-http is neither a path nor a URL",
        hint="write /health, :8080/health or https://shop.example/health; / and @ of a password as %2F and %40",
    )


def _fault(http: Http) -> tuple[str, str] | None:
    """The problem and the hint for what the shape alone cannot tell."""
    if (http.path is None) == (http.url is None):
        return "one of path and url is needed, and not both", "path asks the new pods, url asks that address"
    if http.url is not None and not _is_url(http.url):
        return "the url has no host", "write it like https://shop.example/health"
    if re.search(r"\s", http.url or http.path or ""):
        what = "path" if http.url is None else "url"
        return f"there is white space in the {what}", "give each path or url an item of its own; a space is %20"
    if http.url is not None and (http.port is not None or http.scheme is not None):
        return "port and scheme go with path", "write them into the url"
    return None


def _header_fault(http: Http, name: str, value: str) -> tuple[str, str] | None:
    """What is wrong with a header; its value may be secret and is not shown."""
    if not _HEADER.match(name):
        return "this is no name of a header", "a header's name has letters, digits and hyphens"
    if not _VALUE.match(value):
        return "the value has characters that no header may hold", "is there a line's end in it?"
    if http.path is not None and not passes_pod_proxy(name):
        hint = "give the check a url instead of a path, or leave the header out"
        return "the API server's pod proxy keeps this header for itself, so the pod would not see it", hint
    return None


def _is_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _check(http: Http, taken: set[str]) -> HttpCheck:
    given: dict[str, Any] = {key: value for key in Http.__struct_fields__ if (value := getattr(http, key)) is not None}
    given["name"] = http.name or _free_name(http, taken)
    given["headers"] = HiddenValues(http.headers or {})
    durations = ("timeout", "interval", "within", "watch_for")
    return HttpCheck(**given | {key: float(given[key]) for key in durations if key in given})


def _free_name(http: Http, taken: set[str]) -> str:
    """The name "http /health", with the port where that name is taken, with a number where that one is, too."""
    plain = f"http {http.path or _without_credentials(http.url or '')}"
    with_port = f"http :{http.port}{http.path}" if http.port and http.path else plain
    names = [plain, with_port, *(f"{plain} ({number})" for number in range(2, len(taken) + 3))]
    return next(name for name in names if name not in taken)


def _without_credentials(url: str) -> str:
    """The URL as output may show it: no user, password, query and fragment, which may carry a token."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}{parts.path}"
