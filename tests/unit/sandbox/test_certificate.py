"""The loopback certificate: what OpenSSL makes of it, and that each is its own."""

from __future__ import annotations

import random
import secrets
import ssl
from pathlib import Path
from typing import Any

import pytest

from kdeploy.sandbox.certificate import Certificate, make

NOW = 1795480422.0


def handshake(made: Certificate, folder: Path, name: str, trusted: str | None = None) -> Any:
    """A TLS handshake in memory, as strict as OpenSSL can be; returns the certificate that the client accepted."""
    (folder / "c.pem").write_text(made.certificate + made.key.reveal())
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(folder / "c.pem")
    client = ssl.create_default_context(cadata=trusted or made.certificate)
    client.verify_flags |= ssl.VERIFY_X509_STRICT
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [client.wrap_bio(back, there, server_hostname=name), server.wrap_bio(there, back, server_side=True)]
    for _ in range(4):
        for end in ends:
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
    return ends[0].getpeercert()


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost"])
def test_a_strict_client_accepts_it_for_its_names(tmp_path: Path, name: str) -> None:
    made = make(["127.0.0.1"], ["localhost"], NOW, secrets.randbelow)
    accepted = handshake(made, tmp_path, name)
    assert accepted["subject"] == ((("commonName", "kdeploy-sandbox"),),)
    assert accepted["notBefore"].startswith("Nov 23 00:33:42 2026")


def test_a_client_refuses_it_for_another_name(tmp_path: Path) -> None:
    with pytest.raises(ssl.SSLCertVerificationError, match=r"127\.0\.0\.2"):
        handshake(make(["127.0.0.1"], [], NOW, secrets.randbelow), tmp_path, "127.0.0.2")


def test_a_client_that_trusts_another_one_refuses_it(tmp_path: Path) -> None:
    one, other = (make(["127.0.0.1"], [], NOW, secrets.randbelow) for _ in range(2))
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(one, tmp_path, "127.0.0.1", trusted=other.certificate)


def test_its_key_is_a_secret_and_no_two_are_the_same() -> None:
    one, other = (make(["127.0.0.1"], [], NOW, secrets.randbelow) for _ in range(2))
    assert one.key.reveal() != other.key.reveal()
    assert "PRIVATE" not in f"{one!r}{one.key}"


@pytest.mark.parametrize("seed", range(10))
def test_any_random_numbers_make_one_that_is_accepted(tmp_path: Path, seed: int) -> None:
    numbers = random.Random(seed)
    assert handshake(make(["127.0.0.1"], [], NOW, numbers.randrange), tmp_path, "127.0.0.1")
