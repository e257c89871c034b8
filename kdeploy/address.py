"""Addresses that may hold a login: those of proxies, and of a kubeconfig's server. No output shows their passwords."""

from __future__ import annotations

import re
from collections.abc import Mapping

from kdeploy.errors import ConfigError

ESCAPES = "in its user name and password write %23 for #, %2F for /, %3F for ?, %40 for @ and %5B for ["
"""How to mend an address that is not readable."""

_PARTS = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]*://)?(?P<server>[^/?#\\]*)(?P<rest>.*)", re.IGNORECASE | re.DOTALL)
_SERVER = re.compile(r"(?:\[[0-9a-f:.]+(?:%[\w.~-]+)?\]|[^\s:@\[\]]+)(?::[0-9]{0,5})?", re.IGNORECASE)


def is_readable(address: str) -> bool:
    """Whether an HTTP library finds the server that was meant: with "#" or "/" in its password it takes that for the
    server's name, and shows it where it complains.
    """
    parts = _PARTS.fullmatch(address.strip())
    login, _, server = parts["server"].rpartition("@") if parts else ("", "", "")
    # An @ is the path's own only where a plain host stands before it; else that may be a part of the password.
    is_host = parts is not None and "." in parts["server"] and not set("@:") & set(parts["server"])
    is_meant = parts is not None and ("@" not in parts["rest"] or (is_host and parts["rest"][0] == "/"))
    return bool(is_meant and _SERVER.fullmatch(server) and not set("[]") & set(login))


def without_login(address: str) -> str:
    """The same address without user name and password."""
    parts = _PARTS.fullmatch(address)
    return f"{parts['scheme'] or ''}{parts['server'].rpartition('@')[2]}{parts['rest']}" if parts else address


def proxies(env: Mapping[str, str]) -> dict[str, str]:
    """The proxies of an environment by the names of their variables, which count in either case."""
    names = ("https_proxy", "http_proxy", "all_proxy")
    return {name: value for name, value in env.items() if name.lower() in names and value}


def refuse_unreadable(env: Mapping[str, str]) -> None:
    """Raises ConfigError for a proxy whose address cannot be read."""
    for name, value in proxies(env).items():
        if not is_readable(value):
            raise ConfigError(f"{name} is no address of a proxy", hint=f"write http://HOST:PORT; {ESCAPES}")
