"""The action as GitHub's runner runs it: its own `docker run` with the real image, on a real engine and cluster.

The other half of what the image must do, as GitLab and Jenkins use it, is in test_image.py.
"""

import base64
import html
import json
import secrets
import signal
import time
from dataclasses import replace
from pathlib import Path

import pytest

from kdeploy.report.github.outputs import OUTPUTS
from tests.cluster.commands import run
from tests.e2e.scene import Scene
from tests.e2e.test_registry import make_pull_secret, use_private
from tests.image.runner import Ended, Job, Step
from tests.scenarios.program import validator
from tests.scenarios.versions import Version, crashing, good, never_ready

pytestmark = pytest.mark.image
REPORT = "kdeploy-report.json"
SLOW = Version(name="slow", dockerfile="FROM {base}\nRUN echo compiling; sleep 60\nCMD {command}\n")
HOSTILE = "raise SystemExit('the workspace was imported')\n"


@pytest.fixture
def job(scene: Scene, image: str) -> Job:
    """A job in a namespace of its own; the workspace is the scene's checkout."""
    return Job(
        folder=scene.program.outputs.parent / "runner",
        workspace=scene.checkout.folder,
        image=image,
        docker_host=scene.cluster.docker_host,
        docker_socket=Path(scene.cluster.docker_host.removeprefix("unix://")),
    )


def inputs(scene: Scene, **more: str) -> dict[str, str]:
    """What a workflow's `with:` gives."""
    return {"kubeconfig": scene.kubeconfig.read_text(), "report": REPORT, **more}


def ended(step: Ended, job: Job, code: int, outcome: str, reason: str) -> Ended:
    """Asserts all that the runner shows of a step, whatever its outcome; itself."""
    assert step.code == code, step.log
    assert "Traceback" not in step.log
    assert list(step.outputs) == list(OUTPUTS)
    assert (step.outputs["outcome"], step.outputs["reason"]) == (outcome, reason)
    assert float(step.outputs["duration-seconds"]) > 0
    assert len(step.errors) == (1 if code else 0), step.log
    assert outcome in html.unescape(step.summary)
    if step.outputs["report"]:
        report = json.loads((job.workspace / step.outputs["report"]).read_text())
        validator("report").validate(report)
        assert (report["outcome"], report["reason"], report["exit_code"]) == (outcome, reason, code)
    return step


def leaves_nothing(job: Job, step: Step) -> None:
    """Asserts that the container is gone, and no credential lies in what outlives it."""
    names = run("docker", "--host", job.docker_host, "ps", "--all", "--format={{.Names}}")
    assert step.name not in names.split()
    kept = [path for path in job.folder.rglob("*") if path.is_file() and path != step.log]
    assert [path for path in kept if b"client-key-data" in path.read_bytes()] == []


def until(step: Step, word: str, seconds: float = 60) -> None:
    """Waits for a word in the log."""
    give_up = time.monotonic() + seconds
    while word not in step.said:
        assert step.process.poll() is None, f"it ended before {word!r}:\n{step.said}"
        assert time.monotonic() < give_up, f"no {word!r} within {seconds} s:\n{step.said}"
        time.sleep(0.02)


def test_a_good_deploy_whatever_python_files_the_workspace_has(scene: Scene, job: Job) -> None:
    scene.create()
    for name in ("json.py", "sitecustomize.py", "yaml.py", "kdeploy/__init__.py", "kubernetes/__init__.py"):
        path = scene.checkout.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(HOSTILE)
    commit = scene.checkout.commit(good("one"))
    mine = replace(job, sha=commit, variables={"PYTHONPATH": "/github/workspace", "PYTHONSTARTUP": "json.py"})
    step = mine.start(**inputs(scene))
    done = ended(step.end(), mine, 0, "deployed", "Complete")

    assert done.outputs["image"] == f"{scene.repository}:{commit}@{done.outputs['digest']}"
    assert done.outputs["report"] == REPORT
    live = scene.look()
    live.runs(done.outputs["image"], 2)
    assert (live.marks["commit"], live.marks["actor"]) == (commit, "octocat")
    assert live.marks["run-url"] == "https://github.com/acme/shop/actions/runs/1"
    leaves_nothing(mine, step)


def test_a_crash_loop_is_rolled_back(scene: Scene, job: Job) -> None:
    scene.create()
    before = scene.deployed(good("one")).image
    scene.checkout.commit(crashing("two"))
    done = ended(job.run(**inputs(scene, crash_budget="1")), job, 10, "rolled-back", "CrashLoop")

    assert (done.outputs["previous-image"], done.outputs["rolled-back-to"]) == (before, before)
    assert float(done.outputs["time-to-verdict-seconds"]) > 0
    assert "exited with code 7" in done.errors[0]
    scene.look().runs(before, 2)


def test_a_cancelled_run_puts_the_old_version_back_before_the_runner_asks_twice(scene: Scene, job: Job) -> None:
    scene.create()
    before = scene.deployed(good("one")).image
    scene.checkout.commit(never_ready("two"))
    step = job.start(**inputs(scene))
    until(step, "patched to")
    assert step.cancel() == "SIGINT"

    done = ended(step.end(), job, 130, "interrupted", "Interrupted")
    assert done.outputs["rolled-back-to"] == before
    scene.look().runs(before, 2)
    leaves_nothing(job, step)


def test_a_run_whose_docker_client_is_killed_puts_the_old_version_back_all_the_same(scene: Scene, job: Job) -> None:
    scene.create()
    before = scene.deployed(good("one")).image
    scene.checkout.commit(never_ready("two"))
    step = job.start(**inputs(scene))
    until(step, "patched to")
    step.process.send_signal(signal.SIGINT)
    until(step, "restored to")
    step.process.kill()
    step.process.wait()

    def told() -> bool:
        return "interrupted" in step.files["GITHUB_OUTPUT"].read_text()

    scene.kube.until(told, "the outputs of the container that lives on")
    scene.kube.roll_out(scene.target)
    scene.look().runs(before, 2)


def test_cancelled_before_the_patch_the_workload_is_untouched(scene: Scene, job: Job) -> None:
    before = scene.create()
    scene.checkout.commit(SLOW)
    step = job.start(**inputs(scene))
    until(step, "compiling")
    assert step.cancel() == "SIGINT"

    ended(step.end(), job, 130, "interrupted", "Interrupted")
    scene.look().is_untouched_since(before)
    leaves_nothing(job, step)


def test_a_registrys_login_by_inputs_is_used_masked_and_gone(scene: Scene, job: Job) -> None:
    use_private(scene)
    make_pull_secret(scene)
    scene.create(secret="pull")
    scene.checkout.commit(good("one"))
    password = scene.cluster.private_password
    login = {"registry_username": scene.cluster.private_user, "registry_password": password}
    done = ended(job.run(**inputs(scene, **login)), job, 0, "deployed", "Complete")

    assert done.outputs["image"].startswith(scene.cluster.private_registry)
    scene.look().runs(done.outputs["image"], 2)
    masks = [f"::add-mask::{each}" for each in (password, base64.b64encode(password.encode()).decode())]
    shown = [line for line in done.log.splitlines() if not line.startswith("::add-mask::")]
    assert set(masks) <= set(done.log.splitlines())
    files = [path.read_text("utf-8", "replace") for path in job.folder.rglob("*") if path.is_file()]
    assert password not in "\n".join([*shown, *(text for text in files if text != done.log)])


def test_a_missing_input_is_told_with_every_output(job: Job, tmp_path: Path) -> None:
    empty = replace(job, workspace=tmp_path / "empty")
    empty.workspace.mkdir()
    done = ended(empty.run(), empty, 2, "usage", "UsageError")

    assert "the input target is missing" in done.errors[0]
    assert "actions/checkout" in done.log


def test_a_workspace_that_is_no_checkout_is_named_by_the_commit_of_the_run(scene: Scene, job: Job) -> None:
    scene.create()
    scene.checkout.commit(good("one"))
    run("rm", "-r", scene.checkout.folder / ".git")
    mine = replace(job, sha=secrets.token_hex(20))
    done = ended(mine.run(**inputs(scene)), mine, 0, "deployed", "Complete")

    assert f":{mine.sha}@" in done.outputs["image"]
    scene.look().runs(done.outputs["image"], 2)


def test_a_shallow_clone_is_deployed(scene: Scene, job: Job) -> None:
    scene.create()
    scene.deployed(good("one"))
    commit = scene.checkout.commit(good("two"))
    shallow = job.folder.with_name("shallow")
    run("git", "clone", "--quiet", "--depth=1", f"file://{scene.checkout.folder}", shallow)
    mine = replace(job, workspace=shallow, sha=commit)
    done = ended(mine.run(**inputs(scene)), mine, 0, "deployed", "Complete")

    scene.look().runs(done.outputs["image"], 2)
    assert scene.look().marks["commit"] == commit


def without_docker(job: Job) -> Job:
    """On a machine that has no socket where the runner looks: the engine makes an empty folder in its place."""
    return replace(job, docker_socket=job.folder / "no.sock")


def test_without_a_docker_socket_an_image_that_needs_no_engine_is_built_and_deployed(scene: Scene, job: Job) -> None:
    scene.create()
    scene.checkout.commit(good("one"))
    bare = without_docker(job)
    done = ended(bare.run(**inputs(scene)), bare, 0, "deployed", "Complete")

    scene.look().runs(done.outputs["image"], 2)


def test_without_a_docker_socket_an_image_that_needs_one_is_refused_with_the_ways_out(scene: Scene, job: Job) -> None:
    before = scene.create()
    scene.checkout.commit(SLOW)
    bare = without_docker(job)
    done = ended(bare.run(**inputs(scene)), bare, 3, "build-failed", "BuildFailed")

    assert "no Docker engine" in done.errors[0]
    assert "the layers builder cannot do RUN" in done.log
    scene.look().is_untouched_since(before)
