"""Lines of `kubectl get`, beside those that a real API server printed for the very same objects."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from kdeploy.sandbox.api.ages import age, human, since
from kdeploy.sandbox.api.pod_printer import pod_conditions
from kdeploy.sandbox.api.printers import printer, selector_text
from kdeploy.sandbox.api.tables import table
from kdeploy.sandbox.core.resources import NAMESPACES, NODES, PODS, SERVICE_ACCOUNTS, by_kind
from kdeploy.sandbox.core.timestamps import to_seconds

REAL = Path(__file__).parents[3] / "contract" / "sandbox" / "real" / "tables.json"
RECORDED: dict[str, list[Any]] = json.loads(REAL.read_text())
NOW = 1795564800.0


@pytest.mark.parametrize("name", RECORDED)
def test_an_objects_line_is_that_of_a_real_api_server(name: str) -> None:
    obj, cells, columns = RECORDED[name]
    resource = by_kind(obj["apiVersion"], obj["kind"])
    assert resource is not None
    printed = printer(resource)
    assert [column.name for column in printed.columns] == columns
    # It was printed as soon as it was created.
    found = zip(columns, printed.cells(obj, to_seconds(obj["metadata"]["creationTimestamp"])), strict=True)
    assert [cell for column, cell in found if column != "Age"] == cells


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "<invalid>"),
        (-1, "0s"),
        (0.9, "0s"),
        (119, "119s"),
        (120, "2m"),
        (125, "2m5s"),
        (600, "10m"),
        (3 * 3600 - 1, "179m"),
        (3 * 3600, "3h"),
        (3 * 3600 + 60, "3h1m"),
        (8 * 3600 + 60, "8h"),
        (47 * 3600, "47h"),
        (48 * 3600, "2d"),
        (49 * 3600, "2d1h"),
        (8 * 86400 + 3600, "8d"),
        (729 * 86400, "729d"),
        (730 * 86400, "2y"),
        (731 * 86400, "2y1d"),
        (8 * 365 * 86400 + 86400, "8y"),
    ],
)
def test_an_age_has_two_units_at_most(seconds: float, text: str) -> None:
    assert human(seconds) == text


def test_an_age_is_counted_from_the_creation() -> None:
    assert age({"metadata": {"creationTimestamp": "2026-11-24T00:33:42Z"}}, 1795480422.0 + 61) == "61s"
    assert age({"metadata": {}}, NOW) == since("nonsense", NOW) == "<unknown>"


def test_nodes_namespaces_and_accounts_have_their_columns() -> None:
    node = {
        "metadata": {"name": "n", "labels": {"node-role.kubernetes.io/worker": "", "node-role.kubernetes.io/a": ""}},
        "spec": {"unschedulable": True},
        "status": {
            "conditions": [{"type": "Ready", "status": "False"}],
            "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}, {"type": "Hostname", "address": "n"}],
            "nodeInfo": {"kubeletVersion": "v1", "osImage": "Debian"},
        },
    }
    assert printer(NODES).cells(node, NOW) == [
        *("n", "NotReady,SchedulingDisabled", "a,worker", "<unknown>", "v1"),
        *("127.0.0.1", "<none>", "Debian", "<unknown>", "<unknown>"),
    ]
    assert printer(NAMESPACES).cells({"metadata": {"name": "n"}, "status": {"phase": "Active"}}, NOW)[1] == "Active"
    assert printer(SERVICE_ACCOUNTS).cells({"metadata": {"name": "n"}}, NOW) == ["n", "<unknown>"]


@pytest.mark.parametrize(
    ("selector", "text"),
    [
        (None, ""),
        ({}, ""),
        ({"matchLabels": {"b": "1", "a": "2"}}, "a=2,b=1"),
        ({"matchExpressions": [{"key": "a", "operator": "NotIn", "values": ["y", "x"]}]}, "a notin (x,y)"),
        ({"matchExpressions": [{"key": "a", "operator": "Exists"}, {"key": "0", "operator": "DoesNotExist"}]}, "!0,a"),
    ],
)
def test_a_selector_reads_as_people_write_it(selector: dict[str, Any] | None, text: str) -> None:
    assert selector_text(selector) == text


def test_a_pod_that_has_ended_says_so_in_its_row() -> None:
    assert pod_conditions({"status": {"phase": "Running"}}) == []
    assert pod_conditions({"status": {"phase": "Failed"}})[0]["reason"] == "Failed"


@pytest.mark.parametrize(
    ("include", "kind"), [("None", None), ("Metadata", "PartialObjectMetadata"), ("Object", "Pod")]
)
def test_a_row_has_as_much_of_its_object_as_was_asked_for(include: str, kind: str | None) -> None:
    pod = {"kind": "Pod", "apiVersion": "v1", "metadata": {"name": "a"}, "spec": {}}
    made = table(PODS, [pod], "7", NOW, include=include)
    assert made["metadata"] == {"resourceVersion": "7"}
    row = made["rows"][0]["object"]
    assert (row and row["kind"]) == kind


@pytest.mark.parametrize("status", [None, {}, {"containerStatuses": [{}]}, {"initContainerStatuses": [{"state": {}}]}])
def test_a_pod_of_which_little_is_known_has_a_line(status: Any) -> None:
    pod = {"metadata": {"name": "a", "deletionTimestamp": "2026-11-24T00:33:42Z"}, "spec": {}, "status": status}
    assert printer(PODS).cells(pod, NOW)[2] in ("Terminating", "")
