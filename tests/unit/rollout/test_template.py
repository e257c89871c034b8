from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from kdeploy.model import Obj
from kdeploy.rollout.revisions import live_revision, revisions_of
from kdeploy.rollout.template import plain_template, template_hash, template_of
from tests.unit.rollout.dumps import MOMENTS, VERSIONS, changed, load, workload_of

SETTLED = [moment for moment in MOMENTS if moment not in ("paused",)]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("moment", SETTLED)
def test_a_template_has_one_hash_in_the_workload_and_in_its_stored_revision(version: str, moment: str) -> None:
    snapshot = load(version, moment)
    revision = live_revision(snapshot)
    assert revision is not None
    assert revision.hash == template_hash(template_of(workload_of(snapshot)))


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("moment", ["image-missing", "foreign-env", "statefulset-stuck", "daemonset-crash"])
def test_different_revisions_have_different_hashes(version: str, moment: str) -> None:
    hashes = [revision.hash for revision in revisions_of(load(version, moment))]
    assert len(set(hashes)) == len(hashes) > 1


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("moment", ["complete", "statefulset-complete", "daemonset-complete", "init-failing"])
def test_any_changed_field_changes_the_hash(version: str, moment: str) -> None:
    template = template_of(workload_of(load(version, moment)))
    original = template_hash(template)
    paths = list(leaves(template))
    assert len(paths) > 8
    for path in paths:
        assert template_hash(changed(template, lambda t, path=path: alter(t, path))) != original, path  # type: ignore[misc]


@pytest.mark.parametrize("version", VERSIONS)
def test_an_added_label_annotation_or_container_changes_the_hash(version: str) -> None:
    template = template_of(workload_of(load(version, "complete")))
    for change in (
        lambda t: t["metadata"]["labels"].update(team="shop"),
        lambda t: t["metadata"].update(annotations={"kubectl.kubernetes.io/restartedAt": "now"}),
        lambda t: t["spec"]["containers"].append({"name": "two", "image": "x"}),
        lambda t: t["spec"].update(initContainers=[{"name": "two", "image": "x"}]),
    ):
        assert template_hash(changed(template, change)) != template_hash(template)


def test_what_only_storage_adds_is_not_in_the_hash() -> None:
    author: Obj = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "web", "image": "x"}]}}
    stored: Obj = {
        "$patch": "replace",
        "metadata": {"creationTimestamp": None, "labels": {"app": "web", "pod-template-hash": "5d4f"}},
        "spec": {"containers": [{"name": "web", "image": "x", "resources": None}]},
    }
    assert template_hash(stored) == template_hash(author)
    assert plain_template(author) == author


def test_a_hash_does_not_depend_on_the_order_of_keys_but_on_that_of_containers() -> None:
    one, two = {"name": "one", "image": "x"}, {"image": "y", "name": "two"}
    template = {"metadata": {}, "spec": {"containers": [one, two]}}
    turned = {"spec": {"containers": [dict(reversed(one.items())), two]}, "metadata": {}}
    assert template_hash(turned) == template_hash(template)
    assert template_hash({"metadata": {}, "spec": {"containers": [two, one]}}) != template_hash(template)


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The paths of all values that are neither objects nor lists, nulls left out."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from leaves(item, (*path, key))
    if value is not None and not isinstance(value, (dict, list)):
        yield path


def alter(template: Any, path: tuple[Any, ...]) -> None:
    for key in path[:-1]:
        template = template[key]
    template[path[-1]] = f"another {template[path[-1]]}"
