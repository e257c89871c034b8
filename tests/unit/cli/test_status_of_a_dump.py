from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from kdeploy.cli.looking import status_result
from kdeploy.cli.run import execute
from kdeploy.config.flags import Flags

TEMPLATE: dict[str, Any] = {
    "metadata": {"labels": {"app": "web"}},
    "spec": {"containers": [{"name": "web", "image": "acme/web:1"}]},
}


def deployment(namespace: str = "shop", name: str = "web", updated: int = 1) -> dict[str, Any]:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": namespace, "uid": f"u-{namespace}-{name}", "generation": 1},
        "spec": {"replicas": 1, "selector": {"matchLabels": {"app": "web"}}, "template": TEMPLATE},
        "status": {"observedGeneration": 1, "replicas": 1, "updatedReplicas": updated, "availableReplicas": updated},
    }


def listed(*items: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "List", "items": list(items)}


def status(tmp_path: Path, dump: Any, **flags: Any) -> tuple[int, dict[str, Any]]:
    file = tmp_path / "dump.yaml"
    file.write_text(dump if isinstance(dump, str) else json.dumps(dump))
    out = io.StringIO()
    asked = Flags(from_file=str(file), output="json", **flags)
    code = execute(asked, status_result, env={}, out=out, err=io.StringIO())
    return code, json.loads(out.getvalue())


def test_the_only_workload_needs_no_name(tmp_path: Path) -> None:
    code, found = status(tmp_path, listed(deployment(updated=0)))
    assert (code, found["state"], found["schema"]) == (1, "progressing", "kdeploy.status/v1")
    assert found["target"] == {"kind": "Deployment", "name": "web", "namespace": "shop"}


def test_a_dump_may_be_one_object_alone(tmp_path: Path) -> None:
    assert status(tmp_path, deployment())[1]["target"]["name"] == "web"


def test_one_of_several_workloads_is_chosen_by_name(tmp_path: Path) -> None:
    dump = listed(deployment(name="api"), deployment())
    assert status(tmp_path, dump, target=("deploy/api",))[1]["target"]["name"] == "api"
    assert status(tmp_path, dump)[0] == 4


def test_one_of_several_namespaces_must_be_named(tmp_path: Path) -> None:
    dump = listed(deployment("a"), deployment("b"))
    code, found = status(tmp_path, dump, target=("deploy/web",))
    assert (code, found["hint"]) == (2, "name one with -n: a, b")
    assert status(tmp_path, dump, target=("deploy/web",), namespace="b")[1]["target"]["namespace"] == "b"


@pytest.mark.parametrize("dump", ["", "[]", "a: 1", "kind: List\nitems: {}", "kind: List\nitems: [1]", "a: [1\nb: ]"])
def test_what_is_no_dump_is_refused(tmp_path: Path, dump: str) -> None:
    code, found = status(tmp_path, dump)
    assert (code, found["outcome"]) == (2, "usage")


def test_a_missing_file_is_refused() -> None:
    out = io.StringIO()
    asked = Flags(from_file="/nonexistent/dump.yaml", output="json")
    assert execute(asked, status_result, env={}, out=out, err=io.StringIO()) == 2


def test_watching_a_file_is_refused(tmp_path: Path) -> None:
    assert status(tmp_path, listed(deployment()), watch=True)[0] == 2
