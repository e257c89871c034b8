"""Whose connection it is, by the kernel's table."""

from __future__ import annotations

from kdeploy.sandbox.peers import owner_in

TABLE = """\
  sl  local_address                         remote_address                        st tx rx tr tm retr  uid
   0: 0000000000000000FFFF00000100007F:C351 0000000000000000FFFF00000100007F:1F90 01 0:0 00:0 0  1001        0 4 1 0
   1: 0000000000000000FFFF00000100007F:1F90 0000000000000000FFFF00000100007F:C351 01 0:0 00:0 0     0        0 5 1 0
"""
SERVER = ("127.0.0.1", 8080)


def test_the_owner_is_that_of_the_clients_own_end() -> None:
    assert owner_in(TABLE.splitlines(), ("127.0.0.1", 50001), SERVER) == 1001


def test_a_connection_that_is_not_there_belongs_to_nobody() -> None:
    assert owner_in(TABLE.splitlines(), ("127.0.0.1", 50002), SERVER) is None
