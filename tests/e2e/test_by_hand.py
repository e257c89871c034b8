"""The commands beside `deploy`: rollback, history, status, verify, build."""

import json

from tests.e2e.app import HEALTH, crashing, depending_on, good, never_ready, unhealthy
from tests.e2e.program import Ran
from tests.e2e.scene import Scene


def three_versions(scene: Scene) -> tuple[Ran, Ran, Ran]:
    """Two verified ones and a bad one, which is live."""
    scene.create()
    first, second = scene.deployed(good("one")), scene.deployed(good("two"))
    bad = scene.deploy(crashing("three"), "--crash-budget", "0", "--no-rollback")
    return first, second, bad.ended(12, "not-rolled-back", "CrashLoop")


def test_a_rollback_restores_the_newest_verified_version(scene: Scene) -> None:
    _, second, bad = three_versions(scene)
    ran = scene.program.run("rollback").ended(0, "restored", "Restored")

    live = scene.look()
    live.runs(second.image, 2)
    assert live.marks["commit"] == second.report["commit"]
    assert ran.deploy["rolled_back_to"] == second.image
    assert [passed for _, passed in ran.checks] == [True]
    assert scene.program.ask("status").code == 0
    assert bad.image != second.image


def test_a_rollback_goes_to_the_version_that_is_named(scene: Scene) -> None:
    first, second, bad = three_versions(scene)
    before = scene.look()
    for name in (bad.deploy["revision"], bad.report["commit"], bad.deploy["image"]["digest"]):
        scene.program.run("rollback", "--to", name).ended(4, "refused", "NoRollbackTarget").says("never verified")
    scene.program.run("rollback", "--to", "99").ended(4, "refused", "NotFound").says("no revision 99")
    assert scene.look().generation == before.generation

    scene.program.run("rollback", "--to", first.deploy["revision"]).ended(0, "restored", "Restored")
    scene.look().runs(first.image, 2)
    scene.program.run("rollback", "--to", second.report["commit"][:10]).ended(0, "restored", "Restored")
    scene.look().runs(second.image, 2)
    scene.program.run("rollback", "--to", first.deploy["image"]["digest"]).ended(0, "restored", "Restored")
    scene.look().runs(first.image, 2)


def test_the_history_tells_which_versions_were_verified(scene: Scene) -> None:
    first, second, bad = three_versions(scene)
    ran = scene.program.ask("history")

    assert ran.code == 0
    rows = ran.report["revisions"]
    assert [(row["commit"], row["digest"], row["verified"], row["live"]) for row in rows] == [
        (bad.report["commit"], bad.deploy["image"]["digest"], False, True),
        (second.report["commit"], second.deploy["image"]["digest"], True, False),
        (first.report["commit"], first.deploy["image"]["digest"], True, False),
        (None, None, False, False),
    ]
    assert rows[0]["revision"] == int(bad.deploy["revision"])
    code, out, _ = scene.program.show("history")
    assert code == 0
    assert [line.split()[1] for line in out.splitlines()[1:4]] == [
        ran.report["commit"][:12] for ran in (bad, second, first)
    ]


def test_a_foreign_change_is_not_verified_by_the_marks_that_it_inherits(scene: Scene) -> None:
    scene.create()
    first = scene.deployed(good("one"))
    scene.kube("set", "env", scene.target, "A=b")
    scene.kube.roll_out(scene.target)

    rows = scene.program.ask("history").report["revisions"]
    assert [(row["verified"], row["live"]) for row in rows] == [(False, True), (True, False), (False, False)]
    scene.program.run("rollback").ended(0, "restored", "Restored")
    live = scene.look()
    live.runs(first.image, 2)
    assert "env" not in live.template["spec"]["containers"][0]


def test_status_tells_a_complete_a_progressing_and_a_failed_rollout_apart(scene: Scene) -> None:
    scene.create()
    scene.deployed(good("one"))
    assert status(scene) == (0, "complete", "Complete")

    scene.kube("set", "image", scene.target, f"app={scene.images.of(never_ready('seed-never-ready'))}")
    assert status(scene) == (1, "progressing", "Progressing")
    scene.kube("rollout", "pause", scene.target)
    assert status(scene) == (1, "paused", "Paused")
    scene.kube("rollout", "resume", scene.target)

    scene.kube("set", "image", scene.target, f"app={scene.cluster.registry}/nowhere:1")
    ran = scene.program.ask("status", "--watch", "--timeout", "60s")
    assert (ran.code, ran.report["reason"]) == (12, "ImageNotFound")
    assert status(scene) == (12, "failed", "ImageNotFound")


def test_status_watches_a_rollout_to_its_end(scene: Scene) -> None:
    scene.create(calm=3)
    scene.kube("set", "image", scene.target, f"app={scene.images.of(good('outside'))}")
    ran = scene.program.ask("status", "--watch")

    assert (ran.code, ran.report["state"], ran.report["reason"]) == (0, "complete", "Complete")
    scene.look().runs(scene.images.of(good("outside")), 2)


def test_status_of_a_dump_is_that_of_the_cluster(scene: Scene) -> None:
    scene.create()
    scene.deployed(good("one"))
    for image in ("", f"{scene.cluster.registry}/nowhere:1"):
        if image:
            scene.kube("set", "image", scene.target, f"app={image}")
            assert scene.program.ask("status", "--watch", "--timeout", "60s").code == 12
        dump = scene.program.outputs.parent / "dump.yaml"
        dump.write_text(scene.kube("get", "deploy,rs,pods,events", "--output=yaml"))
        live, read = (scene.program.ask("status", scene.target, *words) for words in ((), ("--from-file", str(dump))))
        assert read.code == live.code
        same = ("state", "reason", "target", "pods")
        assert {key: read.report[key] for key in same} == {key: live.report[key] for key in same}


def status(scene: Scene) -> tuple[int, str, str]:
    """Exit code, state and reason of `kdeploy status`, once kdeploy sees what was just changed."""
    ran = scene.program.ask("status")
    return ran.code, ran.report["state"], ran.report["reason"]


def test_verify_asks_what_runs_and_changes_nothing(scene: Scene) -> None:
    scene.start_database()
    scene.create()
    first = scene.deployed(depending_on("one", "database"))
    before = scene.look()
    ran = scene.program.run("verify").ended(0, "passed", "Complete")
    assert ran.checks == [(f"http {HEALTH}", True)]

    scene.stop_database()
    ran = scene.program.run("verify").ended(12, "failed", "Unhealthy").says("500")
    assert ran.checks == [(f"http {HEALTH}", False)]

    after = scene.look()
    after.runs(first.image, 2)
    assert after.generation == before.generation
    assert after.restarts == before.restarts


def test_an_unchanged_version_that_became_unhealthy_is_left_as_it_is(scene: Scene) -> None:
    scene.start_database()
    scene.create()
    first = scene.deployed(depending_on("one", "database"))
    scene.stop_database()

    scene.deploy().ended(12, "not-rolled-back", "Unhealthy").says("it ran already", "left as it is")
    scene.look().runs(first.image, 2)


def test_build_pushes_and_prints_the_reference_that_deploy_then_takes(scene: Scene) -> None:
    before = scene.create()
    commit = scene.checkout.commit(unhealthy("one"))
    built = scene.program.run("build").ended(0, "built", "Complete")
    code, out, _ = scene.program.show("build")

    assert code == 0
    assert out == f"{built.report['message']}\n"
    assert out.startswith(f"{scene.repository}:{commit}@sha256:")
    assert scene.look().generation == before.generation
    ran = scene.deploy(None, "--image", out.strip(), "--no-rollback").ended(12, "not-rolled-back", "Unhealthy")
    assert ran.image == out.strip()


def test_a_schema_is_printed_for_config_report_and_events(scene: Scene) -> None:
    for name in ("config", "report", "events"):
        code, out, _ = scene.program.show("schema", name)
        assert (code, json.loads(out)["$schema"]) == (0, "https://json-schema.org/draft/2020-12/schema")
