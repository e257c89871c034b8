"""Pod templates compared and named, as the workload controllers do it. Pure.

The hashes have the form of Kubernetes' own (k8s.io/apimachinery/pkg/util/rand.SafeEncodeString of a 32-bit number), not
their value, which depends on the memory layout of Go structs.
"""

from __future__ import annotations

import json
import zlib
from typing import Any

from kdeploy.model import Obj
from kdeploy.rollout.template import POD_TEMPLATE_HASH, plain_template
from kdeploy.sandbox.core.defaults import admitted, with_defaults
from kdeploy.sandbox.core.metadata import LETTERS
from kdeploy.sandbox.core.resources import PODS


class Templates:
    """What was found out about pod templates lately. They do not change, so that one look at each is enough.

    A template that is kept stays alive, and so cannot be mistaken for another one at the same address.
    """

    def __init__(self, size: int = 4096) -> None:
        self._size = size
        self._keys: dict[int, tuple[Obj, str]] = {}
        self._specs: dict[int, tuple[Obj, Obj]] = {}

    def key(self, template: Obj) -> str:
        """A text that is the same for equal templates.

        Equal is what Kubernetes takes for equal (apimachinery's Semantic.DeepEqual): nulls, and empty maps and lists
        count as absent, and so does the label that a ReplicaSet's template has more.
        """
        kept = self._keys.get(id(template))
        if kept is not None:
            return kept[1]
        key = json.dumps(_without_empties(plain_template(template)), sort_keys=True, separators=(",", ":"))
        self._keep(self._keys, template, key)
        return key

    def note_equal(self, template: Obj, to: Obj) -> None:
        """Says that a template equals one that is known, since it was made from it."""
        self._keep(self._keys, template, self.key(to))

    def pod_spec(self, template: Obj) -> Obj:
        """The spec of its pods, as the API server admits it."""
        kept = self._specs.get(id(template))
        if kept is not None:
            return kept[1]
        spec = admitted_spec(template["spec"])
        self._keep(self._specs, template, spec)
        return spec

    def _keep(self, kept: dict[int, Any], template: Obj, value: Any) -> None:
        if len(kept) >= self._size:
            del kept[next(iter(kept))]
        kept[id(template)] = (template, value)


def admitted_spec(spec: Obj) -> Obj:
    """A template's spec as the API server admits it in a pod: with defaults, a service account, tolerations."""
    admitted_: Obj = admitted(with_defaults(PODS, {"metadata": {}, "spec": spec}))["spec"]
    return admitted_


def hash_of(key: str, collisions: int | None) -> str:
    """The hash that names a ReplicaSet or ControllerRevision; another one after each collision."""
    number = zlib.crc32(f"{key}{collisions if collisions is not None else ''}".encode())
    return "".join(LETTERS[ord(digit) % len(LETTERS)] for digit in str(number))


def with_hash(template: Obj, hash_: str) -> Obj:
    """The template as a ReplicaSet has it; what is not changed is shared."""
    metadata = template.get("metadata") or {}
    labels = {**(metadata.get("labels") or {}), POD_TEMPLATE_HASH: hash_}
    return {**template, "metadata": {**metadata, "labels": labels}}


def revision_data(template: Obj) -> Obj:
    """A ControllerRevision's data: the patch that restores the template (stateful_set_utils.go, getPatch)."""
    return {"spec": {"template": {**template, "$patch": "replace"}}}


def template_in(revision: Obj) -> Obj:
    """The template that a ControllerRevision keeps, with its "$patch"."""
    template: Obj = revision["data"]["spec"]["template"]
    return template


def restored(revision: Obj) -> Obj:
    """The template that a ControllerRevision keeps, as a workload has it."""
    return {key: value for key, value in template_in(revision).items() if key != "$patch"}


def _without_empties(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: kept for k, item in value.items() if (kept := _without_empties(item)) not in (None, {}, [])}
    if isinstance(value, list):
        return [_without_empties(item) for item in value]
    return value
