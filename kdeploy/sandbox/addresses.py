"""Loopback addresses for pods and services: each sandbox has a network 127.N.0.0/16 of its own.

All of 127.0.0.0/8 is this machine on Linux. Elsewhere there is 127.0.0.1 alone, unless an administrator adds others.
"""

from __future__ import annotations

import hashlib
import socket
import sys
from collections.abc import Iterator

FIRST, LAST = 16, 250
"""The second number of the networks: what others use (127.0.0.1, 127.0.0.53, 127.0.1.1, 127.1.1.1) is left out."""

SERVICES = 16
"""127.N.0.0 up to 127.N.15.255 are for services, the rest for pods."""


class NoAddressError(Exception):
    """There is no address left."""


class Pool:
    """Addresses, given out one after the other; one that is given back is the last to be given again."""

    def __init__(self, addresses: Iterator[str]) -> None:
        self._fresh = addresses
        self._used: set[str] = set()
        self._returned: dict[str, None] = {}

    def take(self) -> str:
        """An address that nobody has. Raises NoAddressError."""
        address = next(self._fresh, None) or next(iter(self._returned), None)
        if address is None:
            raise NoAddressError("no loopback address is left")
        self._returned.pop(address, None)
        self._used.add(address)
        return address

    def give_back(self, address: str) -> None:
        """Makes it free again. An address that is not of this pool, or free, is left alone."""
        if address in self._used:
            self._used.remove(address)
            self._returned[address] = None


class Network:
    """The network of one sandbox, claimed so that no other sandbox on this machine takes it. Close it at the end."""

    def __init__(self, number: int, claim: socket.socket) -> None:
        self._claim = claim
        self.name = f"127.{number}.0.0/16"
        self.services = Pool(f"127.{number}.{high}.{low}" for high in range(SERVICES) for low in range(1, 255))
        self.pods = Pool(f"127.{number}.{high}.{low}" for high in range(SERVICES, 256) for low in range(1, 255))

    def close(self) -> None:
        """Gives up the claim."""
        self._claim.close()


def can_have_addresses() -> bool:
    """Whether any loopback address can be listened on without being set up first."""
    if sys.platform != "linux":
        return False
    with socket.socket() as probe:
        try:
            probe.bind((f"127.{LAST}.255.254", 0))
        except OSError:
            return False
    return True


def claim_network(seed: str) -> Network | None:
    """A network that no other sandbox has; the same for the same `seed` where it is free. None where all are taken.

    The claim is a name in the kernel's table of abstract sockets, which belongs to the same network namespace as the
    addresses, and goes with this process however it ends (unix(7)).
    """
    size = LAST - FIRST + 1
    start = int.from_bytes(hashlib.sha256(seed.encode()).digest()[:4], "big") % size
    for step in range(size):
        number = FIRST + (start + step) % size
        claim = socket.socket(socket.AF_UNIX)
        try:
            claim.bind(f"\0kdeploy-sandbox-127.{number}")
        except OSError:
            claim.close()
            continue
        return Network(number, claim)
    return None
