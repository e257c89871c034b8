"""What a person and a script read on stdout."""

import json

from tests.e2e.scene import Scene
from tests.scenarios.versions import good


def test_build_prints_the_reference_and_history_a_table(scene: Scene) -> None:
    scene.create()
    ran = scene.deployed(good("one"))

    assert scene.program.show("build")[:2] == (0, f"{ran.image}\n")
    code, out, _ = scene.program.show("history")
    assert code == 0
    assert out.splitlines()[1].split()[1] == ran.report["commit"][:12]


def test_a_schema_is_printed_for_config_report_and_events(scene: Scene) -> None:
    for name in ("config", "report", "events"):
        code, out, _ = scene.program.show("schema", name)
        assert (code, json.loads(out)["$schema"]) == (0, "https://json-schema.org/draft/2020-12/schema")
