"""The table of what is served."""

from __future__ import annotations

import pytest

from kdeploy.model import Kind
from kdeploy.sandbox.core import resources
from kdeploy.sandbox.core.resources import RESOURCES, by_kind, by_plural, of_workload


def test_each_resource_is_found_by_its_group_and_name_and_by_its_kind() -> None:
    for resource in RESOURCES:
        assert by_plural(resource.group, resource.plural) is resource
        assert by_kind(resource.api_version, resource.kind) is resource


def test_names_and_short_names_are_unique() -> None:
    names = [name for r in RESOURCES for name in (r.plural, r.singular, *r.short_names)]
    assert len(names) == len(set(names)) + 1  # endpoints are their own singular


def test_what_is_not_served_is_not_found() -> None:
    assert by_plural("", "deployments") is None
    assert by_kind("apps/v1", "Pod") is None


@pytest.mark.parametrize("kind", list(Kind))
def test_every_workload_kind_is_served_with_its_revisions(kind: Kind) -> None:
    assert of_workload(kind).kind == kind.value
    assert by_plural("apps", kind.revisions_plural) is not None


def test_names_are_printed_with_their_group() -> None:
    assert repr(resources.DEPLOYMENTS) == "deployments.apps"
    assert repr(resources.PODS) == "pods"
