"""Amounts of CPU and memory."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdeploy.sandbox.core.quantities import canonical, value_of

# Each is what an API server of Kubernetes 1.35 shows for what it was sent.
SHOWN = {
    "0.5": "500m", "1000m": "1", "1.5": "1500m", "1024Mi": "1Gi", "0.5Gi": "512Mi", "1.5Ki": "1536", "129e6": "129e6",
    "0": "0", "00": "0", "1000Ki": "1000Ki", "0.1Mi": "104857600m", ".5": "500m", "5.": "5", "+1": "1", "-1": "-1",
    "1000k": "1M", "2048": "2048", "0.1n": "1n", "1E": "1E", "0.5Ki": "512",
}  # fmt: skip


@pytest.mark.parametrize(("sent", "shown"), SHOWN.items())
def test_a_quantity_is_shown_in_its_canonical_form(sent: str, shown: str) -> None:
    assert canonical(sent) == shown


@pytest.mark.parametrize("text", ["", "x", "1 Gi", "1gi", "1Kib", "--1", "1e", "1e9999", "٣", "9" * 65, "."])
def test_what_is_no_quantity_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="quantities must match"):
        canonical(text)


@given(st.from_regex(r"-?[0-9]{1,9}(\.[0-9]{0,3})?([numkMGTPE]|[KMGTPE]i|e-?[0-9])?", fullmatch=True))
def test_the_canonical_form_is_the_same_amount_and_its_own_canonical_form(text: str) -> None:
    shown = canonical(text)
    assert canonical(shown) == shown
    assert abs(value_of(shown) - value_of(text)) <= Fraction(1, 10**9) or value_of(text) > 2**62
