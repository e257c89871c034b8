"""Amounts of CPU and memory as Kubernetes writes them: "500m", "1Gi", "2e3". Pure.

The grammar and the canonical form are those of k8s.io/apimachinery/pkg/api/resource (quantity.go, suffix.go).
"""

from __future__ import annotations

import re
from fractions import Fraction

_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}
# Digits are bounded: a number is never computed that a short text could blow up.
_QUANTITY = re.compile(r"([+-]?)(\d{0,64})(?:\.(\d{0,64}))?(?:([eE][+-]?\d{1,2})|([numkMGTPE]|[KMGTPE]i)?)", re.ASCII)
_NANO = Fraction(1, 10**9)
_LARGEST = 2**63 - 1

WRONG = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
"""What a real API server says of a text that is no quantity."""


def value_of(text: str) -> Fraction:
    """The number that a quantity means: cores, or bytes. Raises ValueError with the API server's sentence."""
    return _parse(text)[0]


def canonical(text: str) -> str:
    """The same amount as an API server shows it: "0.5" is "500m", "1024Mi" is "1Gi". Raises ValueError."""
    value, style = _parse(text)
    if style == "binary" and (abs(value) < 1024 or value.denominator != 1):
        style = "decimal"
    sign, amount = ("-" if value < 0 else ""), abs(value)
    if amount == 0:
        return "0"
    if style == "binary":
        exponent = 0
        while exponent < 60 and amount % 1024 == 0:
            amount, exponent = amount / 1024, exponent + 10
        return f"{sign}{amount}{next((name for name, e in _BINARY.items() if e == exponent), '')}"
    exponent = 0
    while amount.denominator != 1:
        amount, exponent = amount * 1000, exponent - 3
    while exponent < 18 and amount % 1000 == 0:
        amount, exponent = amount / 1000, exponent + 3
    if style == "exponent":
        return f"{sign}{amount}{f'e{exponent}' if exponent else ''}"
    return f"{sign}{amount}{next(name for name, e in _DECIMAL.items() if e == exponent)}"


def _parse(text: str) -> tuple[Fraction, str]:
    """The value, in whole billionths, and how it was written: "decimal", "exponent" or "binary"."""
    match = _QUANTITY.fullmatch(text)
    if match is None or not (match[2] or match[3]):
        raise ValueError(WRONG)
    number = Fraction(f"{match[2] or '0'}.{match[3] or '0'}")
    suffix, style = match[5] or "", "decimal"
    if match[4]:
        number, style = number * Fraction(10) ** int(match[4][1:]), "exponent"
    elif suffix in _BINARY:
        number, style = min(number * 2 ** _BINARY[suffix], Fraction(_LARGEST)), "binary"
    else:
        number *= Fraction(10) ** _DECIMAL[suffix]
    number = -(-number // _NANO) * _NANO  # what is smaller counts as one
    return (-number if match[1] == "-" else number), style
