"""Protobuf, beside what a real API server encodes: the same object in both forms."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdeploy.sandbox.api import protobuf
from kdeploy.sandbox.api.decode import decode
from kdeploy.sandbox.api.protobuf import ProtobufError
from kdeploy.sandbox.core.defaults import with_defaults
from kdeploy.sandbox.core.resources import by_kind

REAL = Path(__file__).parents[3] / "contract" / "sandbox" / "real" / "protobuf.json"
RECORDED: dict[str, list[Any]] = json.loads(REAL.read_text())


@pytest.mark.parametrize("path", RECORDED)
def test_an_object_is_the_same_in_both_forms(path: str) -> None:
    obj, data = RECORDED[path]
    resource = by_kind(obj["apiVersion"], obj["kind"])
    assert resource is not None
    found = protobuf.decode(base64.b64decode(data), obj["kind"])
    assert with_defaults(resource, decode(obj["kind"], found).obj) == decode(obj["kind"], obj).obj
    assert protobuf.kind_of(base64.b64decode(data)) == (obj["apiVersion"], obj["kind"])


@given(st.binary(max_size=60), st.sampled_from(["Deployment", "Pod", "Secret", "Event"]))
def test_any_bytes_are_read_or_refused(data: bytes, kind: str) -> None:
    message = b"k8s\x00\x0a\x00\x12" + bytes([len(data)]) + data
    try:
        protobuf.decode(message, kind)
    except ProtobufError:
        return


@given(st.data())
def test_a_damaged_object_is_read_or_refused(data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(sorted(RECORDED)))
    whole = bytearray(base64.b64decode(RECORDED[path][1]))
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(4, len(whole) - 1))] = data.draw(st.integers(0, 255))
    try:
        protobuf.decode(bytes(whole[: data.draw(st.integers(4, len(whole)))]), RECORDED[path][0]["kind"])
    except ProtobufError:
        return


@pytest.mark.parametrize("data", [b"", b"k8s", b"{}", b"k8s\x00\x0a\xff", b"k8s\x00\x0b", b"k8s\x00\x12\x01\x80"])
def test_what_is_no_object_is_refused(data: bytes) -> None:
    with pytest.raises(ProtobufError):
        protobuf.decode(data, "Pod")
