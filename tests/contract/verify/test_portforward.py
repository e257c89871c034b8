"""Port-forward against a server that speaks as the kubelet does; the frames are those that real ones sent."""

from __future__ import annotations

import base64
import hashlib
import socket
import ssl
import struct
import time
from contextlib import closing
from functools import partial

import pytest

from kdeploy.clock import Deadline
from kdeploy.verify.portforward import ApiEndpoint, ForwardDeniedError, PodRefusedError, PortForwarder
from tests.contract.verify.peers import Handler, Serve, answers, hangs_after, read_head

PORT = struct.pack("<H", 8080)
REFUSED = (
    b"error forwarding port 8080 to pod " + b"e" * 64 + b", uid : failed to execute portforward in network namespace "
    b'"/var/run/netns/cni-' + b"b" * 300 + b'": IPv4: dial tcp4 127.0.0.1:8080: connect: connection refused '
)


def frame(data: bytes, opcode: int = 2) -> bytes:
    length = bytes((len(data),)) if len(data) < 126 else b"\x7e" + struct.pack(">H", len(data))
    return bytes((0x80 | opcode,)) + length + data


def forwards(
    *frames: bytes, heads: list[str] | None = None, got: list[bytes] | None = None, goodbye: bool = True
) -> Handler:
    """Upgrades, announces the port on both channels, reads one frame, sends `frames` and says goodbye, or breaks."""

    def handle(connection: socket.socket) -> None:
        head = read_head(connection)
        if heads is not None:
            heads.append(head)
        key = next(line.partition(": ")[2] for line in head.split("\r\n") if line.startswith("Sec-WebSocket-Key"))
        accept = base64.b64encode(hashlib.sha1(f"{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11".encode()).digest())
        connection.sendall(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Protocol: v4.channel.k8s.io\r\nSec-WebSocket-Accept: " + accept + b"\r\n\r\n"
        )
        connection.sendall(frame(b"\0" + PORT) + frame(b"\1" + PORT))
        sent = _unmasked(connection)
        if got is not None:
            got.append(sent)
        connection.sendall(b"".join(frames))
        if goodbye:
            connection.sendall(frame(b"\x03\xe8", opcode=8))
            connection.recv(1)

    return handle


def _unmasked(connection: socket.socket) -> bytes:
    start = connection.recv(2, socket.MSG_WAITALL)
    if len(start) < 2:  # the client hung up
        return b""
    _, length = start
    mask = connection.recv(4, socket.MSG_WAITALL)
    data = connection.recv(length & 0x7F, socket.MSG_WAITALL)
    return bytes(byte ^ mask[index % 4] for index, byte in enumerate(data))


def forwarder(port: int, **options: str) -> PortForwarder:
    endpoint = ApiEndpoint(
        server=f"http://127.0.0.1:{port}", tls=None, headers=lambda: [("Authorization", "Bearer hunter2")], **options
    )
    return PortForwarder(lambda: endpoint, "shop")


def deadline(seconds: float = 5.0) -> Deadline:
    return Deadline(time.monotonic, seconds)


def test_bytes_go_to_the_pod_and_come_back(serve: Serve) -> None:
    heads: list[str] = []
    got: list[bytes] = []
    wire = forwarder(serve(forwards(frame(b"\0fi"), frame(b"\0ne"), heads=heads, got=got)))("web-a", 8080, deadline())
    wire.send(b"hello")
    assert [wire.receive(1), wire.receive(9), wire.receive(9), wire.receive(9)] == [b"f", b"i", b"ne", b""]
    wire.close()
    assert heads[0].startswith("GET /api/v1/namespaces/shop/pods/web-a/portforward?ports=8080 HTTP/1.1\r\n")
    assert "\r\nAuthorization: Bearer hunter2\r\n" in heads[0]
    assert "\r\nSec-WebSocket-Protocol: v4.channel.k8s.io\r\n" in heads[0]
    assert "Origin:" not in heads[0]
    assert got == [b"\0hello"]


def test_the_kubelets_connection_refused_is_the_pods_fault(serve: Serve) -> None:
    with closing(forwarder(serve(forwards(frame(b"\1" + REFUSED))))("web-a", 8080, deadline())) as wire:
        wire.send(b"hello")
        with pytest.raises(PodRefusedError, match=r"^connection refused$"):
            wire.receive(9)


def test_another_error_of_the_kubelet_says_nothing_about_the_pod(serve: Serve) -> None:
    with closing(
        forwarder(serve(forwards(frame(b"\1error forwarding port: no such sandbox"))))("web-a", 8080, deadline())
    ) as wire:
        wire.send(b"hello")
        with pytest.raises(ConnectionAbortedError, match="no such sandbox"):
            wire.receive(9)


@pytest.mark.parametrize(("status", "lasting"), [(401, True), (403, True), (404, False), (429, False), (503, False)])
def test_an_answer_instead_of_an_upgrade_is_a_denial(serve: Serve, status: int, lasting: bool) -> None:
    with pytest.raises(ForwardDeniedError, match=f"answered {status}") as caught:
        forwarder(serve(answers(status, b"{}")))("web-a", 8080, deadline())
    assert caught.value.lasting is lasting


def test_an_api_server_that_is_away_is_an_os_error(free_port: int) -> None:
    with pytest.raises(ConnectionRefusedError):
        forwarder(free_port)("web-a", 8080, deadline())


def test_a_silent_api_server_is_a_timeout(serve: Serve) -> None:
    with pytest.raises(TimeoutError):
        forwarder(serve(hangs_after()))("web-a", 8080, deadline(0.05))


def test_a_pod_that_says_nothing_is_a_timeout(serve: Serve) -> None:
    with closing(forwarder(serve(forwards()))("web-a", 8080, deadline(0.05))) as wire, pytest.raises(TimeoutError):
        wire.receive(9)


def test_a_connection_that_breaks_is_an_os_error(serve: Serve) -> None:
    with closing(forwarder(serve(forwards(goodbye=False)))("web-a", 8080, deadline())) as wire:
        wire.send(b"hello")
        with pytest.raises(OSError, match="closed"):
            wire.receive(9)


def test_the_proxy_on_the_way_gets_a_tunnel_request(serve: Serve) -> None:
    heads: list[str] = []
    proxy = f"http://127.0.0.1:{serve(answers(502, heads=heads))}"
    endpoint = ApiEndpoint(server="https://api.example:6443", tls=None, headers=list, proxy=proxy)
    with pytest.raises(OSError):
        PortForwarder(lambda: endpoint, "shop")("web-a", 8080, deadline())
    assert heads[0].startswith("CONNECT api.example:6443 HTTP/1.1\r\n")


def test_the_environments_proxy_is_not_asked_again(
    serve: Serve, free_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{free_port}")
    monkeypatch.setenv("NO_PROXY", "elsewhere")
    forwarder(serve(forwards()))("web-a", 8080, deadline()).close()


def test_a_name_that_could_not_be_verified_is_not_trusted(free_port: int) -> None:
    tls = ssl.create_default_context()
    tls.check_hostname = False
    endpoint = ApiEndpoint(server=f"https://127.0.0.1:{free_port}", tls=tls, headers=list)
    with pytest.raises(ForwardDeniedError, match="could not be verified"):
        PortForwarder(lambda: endpoint, "shop")("web-a", 8080, deadline())


def test_the_headers_are_not_in_the_endpoints_repr() -> None:
    headers = partial(list[tuple[str, str]], [("Authorization", "hunter2")])
    endpoint = ApiEndpoint(server="https://api.example", tls=None, headers=headers)
    assert "hunter2" not in repr(endpoint)
