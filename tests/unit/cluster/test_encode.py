from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from kdeploy.cluster.encode import go_json

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner),
)


def test_it_is_what_go_writes() -> None:
    """The right side was printed by Go 1.26's json.Marshal."""
    text = 'a && b <c> é \u2028 \u2029 "q" \\ \n\r\t\b\f \x01 \x7f 😀'
    assert go_json([text]) == (
        b'["a \\u0026\\u0026 b \\u003cc\\u003e \xc3\xa9 \\u2028 \\u2029 \\"q\\" \\\\ \\n\\r\\t\\b\\f \\u0001 \x7f '
        b'\xf0\x9f\x98\x80"]'
    )


@given(VALUES)
def test_it_reads_back_as_it_was(value: object) -> None:
    assert json.loads(go_json(value)) == value
