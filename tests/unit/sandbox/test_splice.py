"""Bytes that come before there is somebody to pass them to."""

import asyncio
from typing import Any

from kdeploy.sandbox.splice import Half


class Transport(asyncio.Transport):
    """Notes what it is told."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[Any] = []

    def write(self, data: Any) -> None:
        """See asyncio.Transport; so below."""
        self.told.append(data)

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.told.append("eof")

    def is_closing(self) -> bool:
        return False

    def pause_reading(self) -> None:
        self.told.append("pause")

    def resume_reading(self) -> None:
        self.told.append("resume")

    def close(self) -> None:
        self.told.append("close")

    def abort(self) -> None:
        self.told.append("abort")


def half() -> tuple[Half, Transport]:
    made, transport = Half(), Transport()
    made.connection_made(transport)
    return made, transport


def test_what_comes_early_is_passed_on_in_its_order_and_no_more_is_read_meanwhile() -> None:
    front, client = half()
    front.data_received(b"GET ")
    front.data_received(b"/")
    assert client.told[-1] == "pause"
    back, server = half()
    front.join(back)
    assert server.told == ["pause", b"GET /", "resume"]
    front.data_received(b" HTTP/1.1")
    assert server.told[-1] == b" HTTP/1.1"
    assert client.told[-1] == "resume"


def test_an_end_that_comes_early_leaves_the_answer_its_way() -> None:
    front, client = half()
    front.data_received(b"ask")
    assert front.eof_received() is True
    back, server = half()
    front.join(back)
    assert server.told == ["pause", b"ask", "eof", "resume"]
    back.data_received(b"answer")
    assert client.told[-1] == b"answer"


def test_what_is_lost_before_it_is_joined_ends_the_other_one_too() -> None:
    (front, client), (back, _) = half(), half()
    front.data_received(b"ask")
    back.connection_lost(ConnectionResetError())
    front.join(back)
    assert client.told[-1] == "abort"
