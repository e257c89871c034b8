"""Addresses are given out one after the other, and again only when the others were."""

from __future__ import annotations

import pytest

from kdeploy.sandbox.addresses import NoAddressError, Pool


def test_an_address_that_is_given_back_is_the_last_to_be_given_again() -> None:
    pool = Pool(iter("abc"))
    first = pool.take()
    pool.give_back(first)
    pool.give_back("never mine")
    assert [pool.take() for _ in range(3)] == ["b", "c", "a"]
    with pytest.raises(NoAddressError):
        pool.take()
