"""Which registries are spoken to over plain HTTP, by Docker's own rule. Pure.

The rule (moby registry/config.go, `isSecureIndex`): loopback addresses, and what the engine lists as
insecure-registries, by "host:port" or by network.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

from kdeploy.model import Obj

_LOOPBACK = ("127.0.0.0/8", "::1/128")


def allows_plain_http(domain: str, insecure: Sequence[str] = ()) -> bool:
    """Whether the registry at `domain` ("host:port") may be asked without TLS. `insecure`: names and networks."""
    host = host_of(domain)
    return is_loopback(host) or domain in insecure or _is_within(host, insecure)


def is_loopback(host: str) -> bool:
    """Whether `host` is localhost or a loopback address."""
    return host == "localhost" or _is_within(host, _LOOPBACK)


def host_of(domain: str) -> str:
    """The host without its port and without the brackets of IPv6."""
    if domain.startswith("["):
        return domain[1:].partition("]")[0]
    return domain.partition(":")[0]


def insecure_registries(info: Obj) -> tuple[str, ...]:
    """The names and networks that an engine's `GET /info` lists as insecure; empty where it says nothing."""
    config = info.get("RegistryConfig") or {}
    networks = config.get("InsecureRegistryCIDRs") or ()
    indexes = config.get("IndexConfigs") or {}
    names = [name for name, index in indexes.items() if isinstance(index, dict) and index.get("Secure") is False]
    return tuple(str(entry) for entry in (*networks, *names))


def _is_within(host: str, networks: Sequence[str]) -> bool:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return any(address in network for network in _networks(networks))


def _networks(entries: Sequence[str]) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    found = []
    for entry in entries:
        try:
            found.append(ipaddress.ip_network(entry, strict=False))
        except ValueError:
            continue
    return found
