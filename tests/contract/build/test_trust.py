"""Registries with certificates of their own: trusted by Docker's folder, and by nothing less."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from kdeploy.build import open_registry
from kdeploy.build.trust import certificate_folders
from kdeploy.errors import RefusedError
from kdeploy.model import Reason

# A certificate for 127.0.0.1 signed by itself, with its key; it protects nothing.
PEM = Path(__file__).parents[1] / "cluster" / "loopback.pem"
AUTHORITY = PEM.with_suffix(".crt")
DIGEST = "sha256:" + "1" * 64


class _Registry(BaseHTTPRequestHandler):
    def do_HEAD(self) -> None:
        self.send_response(200)
        self.send_header("Docker-Content-Digest", DIGEST)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """A handshake that fails is no news here."""


@pytest.fixture(params=[False, True], ids=["", "asks for a client certificate"])
def registry(request: pytest.FixtureRequest) -> Iterator[str]:
    """Its address."""
    server = _Server(("127.0.0.1", 0), _Registry)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(PEM)
    if request.param:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(AUTHORITY)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield f"127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def put(folder: Path, **files: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, source in files.items():
        (folder / name.replace("_", ".")).write_bytes(source.read_bytes())


def test_a_registry_is_trusted_by_the_authority_and_the_client_certificate_in_dockers_folder(
    registry: str, tmp_path: Path
) -> None:
    put(tmp_path / "certs.d" / registry, ca_crt=AUTHORITY, client_cert=PEM, client_key=PEM)
    env = {"DOCKER_CONFIG": str(tmp_path)}
    assert open_registry(env).resolve(f"{registry}/acme/web:v1", 10).digest == DIGEST


# A connection whose handshake fails is closed by the garbage collector.
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("where", ["", "127.0.0.1:1"])
def test_without_a_folder_of_its_own_it_is_not_trusted(registry: str, tmp_path: Path, where: str) -> None:
    if where:
        put(tmp_path / "certs.d" / where, ca_crt=AUTHORITY, client_cert=PEM, client_key=PEM)
    with pytest.raises(RefusedError):
        open_registry({"DOCKER_CONFIG": str(tmp_path)}).resolve(f"{registry}/acme/web:v1", 10)


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"client_cert": PEM}, "No such file"),
        ({"client_key": PEM}, r"client.key has no client.cert beside it"),
        ({"ca_crt": Path(__file__)}, "certs.d"),
    ],
)
def test_certificates_that_cannot_be_used_are_told_with_their_folder(
    tmp_path: Path, files: dict[str, Path], words: str
) -> None:
    put(tmp_path / "certs.d" / "127.0.0.1:1", **files)
    with pytest.raises(RefusedError, match=words) as caught:
        open_registry({"DOCKER_CONFIG": str(tmp_path)}).resolve("127.0.0.1:1/acme/web:v1", 10)
    assert caught.value.reason is Reason.IMAGE_PULL_FAILED
    assert "127.0.0.1:1" in caught.value.message
    assert "NAME.crt" in caught.value.hint


def test_the_folders_are_those_of_the_engine_of_docker_desktop_and_of_one_without_root() -> None:
    assert [str(folder) for folder in certificate_folders({"HOME": "/home/ann"})] == [
        "/etc/docker/certs.d",
        "/home/ann/.docker/certs.d",
        "/home/ann/.config/docker/certs.d",
    ]
