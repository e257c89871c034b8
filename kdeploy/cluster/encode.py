"""JSON as Go's encoding/json writes it."""

from __future__ import annotations

import json
from typing import Any

_ESCAPED = {ord(char): f"\\u{ord(char):04x}" for char in "<>&\u2028\u2029"}


def go_json(value: Any) -> bytes:
    r"""`value` in the very bytes that an API server would write.

    A patch's `test` compares texts byte by byte as they are escaped in the request and in the stored object
    (gopkg.in/evanphx/json-patch.v4, lazyNode.equal): "a && b" is not "a \u0026\u0026 b" to it. Go before 1.22 wrote
    a backspace and a form feed in another way: a template that holds one is refused by such an API server.
    """
    return json.dumps(value, ensure_ascii=False).translate(_ESCAPED).encode("utf-8", "replace")
