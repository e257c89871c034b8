"""A certificate for a server on loopback, made with the standard library alone.

kubectl sends no token over plain http (client-go, tools/clientcmd/client_config.go: only "if we are secure"), so the
sandbox's API speaks TLS. The certificate signs itself (ECDSA on P-256, X.509 v3, RFC 5280), and its key leaves the
machine as little as the token does. The connections themselves are OpenSSL's work; what is here signs once.
"""

from __future__ import annotations

import base64
import hashlib
import ipaddress
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from kdeploy.secret import Secret

_DAYS = 3650

# NIST P-256, FIPS 186-5: the field's prime, the order of the generator, its coordinates; a is -3.
_PRIME = 2**256 - 2**224 + 2**192 + 2**96 - 1
_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_GENERATOR = (
    0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
)

Point = tuple[int, int] | None
"""A point of the curve; None is the one at infinity."""

RandomBelow = Callable[[int], int]
"""A random number from 0 up to, and without, its argument: `secrets.randbelow`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """A certificate and its private key, both in PEM."""

    certificate: str
    key: Secret


def make(addresses: Sequence[str], names: Sequence[str], now: float, random: RandomBelow) -> Certificate:
    """A certificate for those IP addresses and DNS names, good from a day before `now` (Unix seconds) for ten years."""
    key = 1 + random(_ORDER - 1)
    public = b"\x04" + b"".join(part.to_bytes(32, "big") for part in _multiplied(key, _GENERATOR) or ())
    body = _body(public, addresses, names, now, serial=random(2**63))
    signed = _sequence(body, _sequence(_ECDSA_SHA256), _bits(_signature(key, body, random)))
    private = _sequence(_integer(1), _der(0x04, key.to_bytes(32, "big")), _der(0xA0, _P256), _der(0xA1, _bits(public)))
    return Certificate(certificate=_pem("CERTIFICATE", signed), key=Secret(_pem("EC PRIVATE KEY", private)))


def _body(public: bytes, addresses: Sequence[str], names: Sequence[str], now: float, *, serial: int) -> bytes:
    """What is signed: RFC 5280, 4.1, TBSCertificate."""
    whose = _sequence(_der(0x31, _sequence(_COMMON_NAME, _der(0x0C, b"kdeploy-sandbox"))))
    begin = datetime.fromtimestamp(now, UTC) - timedelta(days=1)
    times = _sequence(_time(begin), _time(begin + timedelta(days=_DAYS)))
    identifier = hashlib.sha1(public, usedforsecurity=False).digest()
    alternatives = [_der(0x87, ipaddress.ip_address(one).packed) for one in addresses]
    alternatives += [_der(0x82, name.encode("ascii")) for name in names]
    extensions = (
        _extension(_BASIC_CONSTRAINTS, _sequence(_TRUE), critical=True),
        _extension(_KEY_USAGE, _der(0x03, b"\x02\x84"), critical=True),  # digitalSignature, keyCertSign
        _extension(_EXTENDED_KEY_USAGE, _sequence(_SERVER_AUTH)),
        _extension(_SUBJECT_KEY, _der(0x04, identifier)),
        _extension(_AUTHORITY_KEY, _sequence(_der(0x80, identifier))),
        _extension(_ALTERNATIVE_NAMES, _sequence(*alternatives)),
    )
    return _sequence(
        _der(0xA0, _integer(2)),
        _integer(serial),
        _sequence(_ECDSA_SHA256),
        whose,
        times,
        whose,
        _sequence(_sequence(_EC_PUBLIC_KEY, _P256), _bits(public)),
        _der(0xA3, _sequence(*extensions)),
    )


def _signature(key: int, message: bytes, random: RandomBelow) -> bytes:
    """ECDSA with SHA-256: FIPS 186-5, 6.4.1."""
    hashed = int.from_bytes(hashlib.sha256(message).digest(), "big")
    while True:
        nonce = 1 + random(_ORDER - 1)
        point = _multiplied(nonce, _GENERATOR)
        first = point[0] % _ORDER if point is not None else 0
        second = pow(nonce, -1, _ORDER) * (hashed + first * key) % _ORDER
        if first and second:
            return _sequence(_integer(first), _integer(second))


def _multiplied(factor: int, point: Point) -> Point:
    found: Point = None
    while factor:
        if factor & 1:
            found = _added(found, point)
        point = _added(point, point)
        factor >>= 1
    return found


def _added(one: Point, other: Point) -> Point:
    if one is None or other is None:
        return other if one is None else one
    (x1, y1), (x2, y2) = one, other
    if x1 == x2 and (y1 + y2) % _PRIME == 0:
        return None
    slope = (3 * x1 * x1 - 3) * pow(2 * y1, -1, _PRIME) if one == other else (y2 - y1) * pow(x2 - x1, -1, _PRIME)
    x3 = (slope * slope - x1 - x2) % _PRIME
    return x3, (slope * (x1 - x3) - y1) % _PRIME


def _der(tag: int, content: bytes) -> bytes:
    """One element of ITU-T X.690."""
    size = len(content)
    length = size.to_bytes((size.bit_length() + 7) // 8, "big") if size > 127 else b""
    return bytes([tag, 0x80 | len(length) if length else size]) + length + content


def _sequence(*parts: bytes) -> bytes:
    return _der(0x30, b"".join(parts))


def _integer(value: int) -> bytes:
    return _der(0x02, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def _bits(content: bytes) -> bytes:
    return _der(0x03, b"\x00" + content)


def _time(moment: datetime) -> bytes:
    """UTCTime up to 2049, GeneralizedTime from then on: RFC 5280, 4.1.2.5."""
    late = moment.year >= 2050
    return _der(0x18 if late else 0x17, f"{moment:{'%Y' if late else '%y'}%m%d%H%M%SZ}".encode())


def _extension(which: bytes, content: bytes, *, critical: bool = False) -> bytes:
    return _sequence(which, _TRUE if critical else b"", _der(0x04, content))


def _object(text: str) -> bytes:
    """An object identifier."""
    first, second, *rest = (int(part) for part in text.split("."))
    content = bytearray([40 * first + second])
    for part in rest:
        digits = [part & 0x7F]
        while part := part >> 7:
            digits.append(0x80 | part & 0x7F)
        content += bytes(reversed(digits))
    return _der(0x06, bytes(content))


def _pem(label: str, content: bytes) -> str:
    text = base64.b64encode(content).decode()
    lines = [text[at : at + 64] for at in range(0, len(text), 64)]
    return "\n".join([f"-----BEGIN {label}-----", *lines, f"-----END {label}-----", ""])


_TRUE = _der(0x01, b"\xff")
_COMMON_NAME = _object("2.5.4.3")
_ECDSA_SHA256 = _object("1.2.840.10045.4.3.2")
_EC_PUBLIC_KEY = _object("1.2.840.10045.2.1")
_P256 = _object("1.2.840.10045.3.1.7")
_SUBJECT_KEY = _object("2.5.29.14")
_KEY_USAGE = _object("2.5.29.15")
_ALTERNATIVE_NAMES = _object("2.5.29.17")
_BASIC_CONSTRAINTS = _object("2.5.29.19")
_AUTHORITY_KEY = _object("2.5.29.35")
_EXTENDED_KEY_USAGE = _object("2.5.29.37")
_SERVER_AUTH = _object("1.3.6.1.5.5.7.3.1")
