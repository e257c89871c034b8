"""Two sandboxes on one machine have networks of their own."""

from __future__ import annotations

import pytest

from kdeploy.sandbox import addresses
from kdeploy.sandbox.addresses import can_have_addresses, claim_network

pytestmark = pytest.mark.skipif(not can_have_addresses(), reason="this machine has one loopback address only")


def test_a_network_belongs_to_one_sandbox_until_it_is_closed() -> None:
    one, other = claim_network("seed"), claim_network("seed")
    assert one
    assert other
    try:
        assert one.name != other.name
        assert {one.pods.take(), one.services.take()}.isdisjoint({other.pods.take(), other.services.take()})
    finally:
        one.close()
    again = claim_network("seed")
    assert again
    assert again.name == one.name
    again.close()
    other.close()


def test_there_is_an_end_of_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(addresses, "FIRST", addresses.LAST)  # to take them all would disturb other sandboxes
    claims = [claim_network("seed") for _ in range(2)]
    assert claims[-1] is None
    for claim in claims:
        if claim:
            claim.close()
