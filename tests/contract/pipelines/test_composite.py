"""composite/run.py: which Python it takes, what an install may see, what becomes of one that fails."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from composite import run
from kdeploy.report.github.outputs import OUTPUTS
from tests.contract.pipelines.runner import PYTHONS, entry_point, install
from tests.contract.pipelines.shop import Shop
from tests.contract.pipelines.workflow import ROOT, fill, read_action
from tests.unit.report.github.runner import commands, read_file

OLD_ONES = sorted(Path.home().glob(".pyenv/versions/3.*/bin/python3"))
"""Other interpreters that this machine may have."""


def start(
    tmp_path: Path, python: str = f"{PYTHONS}/python3", **env: str
) -> tuple[subprocess.CompletedProcess[str], Mapping[str, str]]:
    """The step's own command, with what the runner sets."""
    output = tmp_path / "output"
    whole = {
        "PATH": str(Path(python).parent), "RUNNER_TEMP": str(tmp_path), "GITHUB_OUTPUT": str(output),
        "GITHUB_ACTION_PATH": str(ROOT / "composite"), "GITHUB_ACTIONS": "true", "HOME": str(tmp_path), **env,
    }  # fmt: skip
    script = 'exec python3 -I "$GITHUB_ACTION_PATH/run.py"'
    done = subprocess.run(
        ["/bin/bash", "-c", script], env=whole, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60
    )
    return done, read_file(output.read_text()) if output.exists() else {}


def early(outcome: str, reason: str) -> Mapping[str, str]:
    """The outputs where kdeploy itself never ran."""
    return {**dict.fromkeys(OUTPUTS, ""), "outcome": outcome, "reason": reason}


def program(path: Path, script: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o700)
    return path


def test_the_inputs_have_their_own_names_again_and_everything_else_stays() -> None:
    named = run.named({"INPUT_BUILD_ARG": "A=1", "INPUT_ENV": "", "KDEPLOY_BUILD_ARG": "B=2"})
    assert named == {"INPUT_BUILD-ARG": "A=1", "INPUT_ENV": "", "KDEPLOY_BUILD_ARG": "B=2"}


HOSTILE = ("docker", "yaml", "signal", "kdeploy")


def test_what_lies_in_the_workspace_is_no_module_of_kdeploys(tmp_path: Path) -> None:
    install(tmp_path)
    for name in HOSTILE:
        (tmp_path / f"{name}.py").write_text('raise SystemExit("the workspace was run")\n')
    done, outputs = start(tmp_path, INPUT_TARGET="deployment/web")
    assert (done.returncode, outputs["outcome"]) == (2, "usage"), done.stderr
    assert "the input image is missing" in done.stderr


def test_nor_of_the_programs_that_install_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`python -m venv` in a folder with a venv.py runs that: so each has -I, and another folder."""
    ran: list[tuple[list[str], Mapping[str, str], Path]] = []

    def call(command: list[str], env: Mapping[str, str], folder: Path, _: object) -> int:
        ran.append((command, env, folder))
        home.mkdir(exist_ok=True)
        return 0

    home = tmp_path / "home"
    monkeypatch.setattr(run, "call", call)
    run.install(sys.executable, home, {"RUNNER_TEMP": "x", "PYTHONPATH": ".", "INPUT_KUBECONFIG": "a"}, run.Signals())
    assert [command[1] for command, _, _ in ran] == ["-I"] * 2
    assert [folder for _, _, folder in ran] == [tmp_path] * 2
    assert [env for _, env, _ in ran] == [{"RUNNER_TEMP": "x"}] * 2
    (tmp_path / "venv.py").write_text('raise SystemExit("the workspace was run")\n')
    monkeypatch.chdir(tmp_path)
    assert run.is_new_enough(sys.executable)


def test_nor_is_it_in_the_container(tmp_path: Path) -> None:
    for name in HOSTILE:
        (tmp_path / f"{name}.py").write_text('raise SystemExit("the workspace was run")\n')
    env = {"INPUT_TARGET": "deployment/web", "PYTHONPATH": str(ROOT), "GITHUB_ACTIONS": "true"}
    done = subprocess.run(entry_point(), env=env, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 2, done.stderr
    assert "the input image is missing" in done.stderr


def test_the_runners_signal_reaches_kdeploy_which_puts_the_last_version_back(shop: Shop, tmp_path: Path) -> None:
    before, _ = shop.image(), shop.commit("one", "ready-after=60s")
    install(tmp_path)
    env = {
        **shop.machine, "RUNNER_TEMP": str(tmp_path), "GITHUB_ACTION_PATH": str(ROOT / "composite"),
        "INPUT_TARGET": "web", "INPUT_ENV": "production", "INPUT_TIMEOUT": "15s",
        "KUBECONFIG": str(shop.sandbox.kubeconfig),
        "PATH": f"{PYTHONS}:{shop.machine['PATH']}", "HOME": str(tmp_path),
    }  # fmt: skip
    (step,) = read_action("composite/action.yml")["runs"]["steps"]
    with subprocess.Popen(
        ["bash", "-c", step["run"]], env=env, cwd=shop.checkout.folder, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr
        for line in process.stderr:
            if "patched to" in line:
                process.send_signal(signal.SIGINT)
                break
        rest = process.stderr.read()
        assert process.wait(60) == 130, rest
    assert shop.image() == before


def test_a_bad_input_is_told_as_in_the_container(tmp_path: Path) -> None:
    install(tmp_path)
    done, outputs = start(tmp_path, INPUT_CRASH_BUDGET="many", INPUT_TARGET="deployment/web", INPUT_IMAGE="web")
    assert (done.returncode, outputs["reason"]) == (2, "UsageError")
    assert "crash-budget" in done.stderr


def test_an_input_that_the_action_does_not_declare_is_refused_as_in_the_container(tmp_path: Path) -> None:
    """The runner has it in the `inputs` context all the same: github.com/actions/runner, ActionRunner.cs, RunAsync."""
    install(tmp_path)
    action = read_action("composite/action.yml")
    (step,) = action["runs"]["steps"]
    given = {"target": "deployment/web", "image": "acme/web", "build-arg": "A=1", "Verify-HTPP": "/health"}
    contexts = {"inputs": {**dict.fromkeys(action["inputs"], ""), **given}}
    done, outputs = start(tmp_path, **{name: fill(text, contexts) for name, text in step["env"].items()})
    assert (done.returncode, outputs["reason"]) == (2, "UsageError")
    assert 'there is no input "verify-htpp"' in done.stderr
    assert 'did you mean "verify-http"?' in done.stderr
    assert list(outputs) == list(OUTPUTS)


def test_an_undeclared_name_is_handed_on_whatever_it_is_and_its_value_never() -> None:
    named = run.named({"INPUT_JSON": '{"Tag": "1", "a=b\\u0000\\ud800": "s3cret", "ta_g": "x"}', "INPUT_TAG": "1"})
    assert named == {"INPUT_TAG": "1", "INPUT_A?B??": "", "INPUT_TA_G": ""}
    for text in ("", "null", "{"):
        assert run.named({"INPUT_JSON": text, "INPUT_TAG": "1"}) == {"INPUT_TAG": "1"}


def test_an_install_sees_no_input_and_is_done_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = tmp_path / "seen"
    python = program(
        tmp_path / "bin/python3", f'env >> {seen}\n[ "$3" = pip ] || {{ mkdir -p "$4/bin"; cp "$0" "$4/bin/python"; }}'
    )
    monkeypatch.setattr(run, "ROOT", ROOT)
    env = {"RUNNER_TEMP": str(tmp_path), "INPUT_KUBECONFIG": "a-secret", "KDEPLOY_REGISTRY_PASSWORD": "a-secret"}
    home = run.place(env, str(python))
    run.install(str(python), home, {**env, "PATH": os.environ["PATH"]}, run.Signals())
    assert (home / run.STAMP).is_file()
    assert seen.read_text().count("RUNNER_TEMP") == 2
    assert "a-secret" not in seen.read_text()
    assert run.place(env, str(python)) == home
    assert run.place(env, "/another/python") != home


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_during_the_install_ends_it_with_outputs_and_leaves_no_child(
    tmp_path: Path, number: signal.Signals
) -> None:
    """A program that never ends stands for a slow registry of packages; it has a child of its own."""
    slow = program(tmp_path / "bin/python", f"sleep 60 & kill -{number.value} $PPID; wait")
    ask = f"import sys; sys.path.insert(0, {str(ROOT / 'composite')!r}); import run; "
    ask += f"run.find_python = lambda _: {str(slow)!r}; run.main()"
    env = {"RUNNER_TEMP": str(tmp_path), "GITHUB_OUTPUT": str(tmp_path / "output"), "PATH": os.environ["PATH"]}
    done = subprocess.run(  # it ends when nobody holds the pipes any more
        [sys.executable, "-I", "-c", ask], env=env, capture_output=True, text=True, check=False, timeout=30
    )
    outputs = read_file((tmp_path / "output").read_text())
    assert (done.returncode, outputs) == (128 + number, early("interrupted", "Interrupted"))
    assert "nothing was touched" in done.stdout
    assert done.stderr == ""


IMPORTING = """
import os, runpy, sys

class Interrupt:
    def find_spec(self, name, path=None, target=None):
        if name == "hashlib":
            os.kill(os.getpid(), %d)

sys.modules.pop("hashlib", None)
sys.meta_path.insert(0, Interrupt())
runpy.run_path(%r, run_name="__main__")
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_before_there_are_handlers_waits_for_them(tmp_path: Path, number: signal.Signals) -> None:
    install(tmp_path)
    env = {"RUNNER_TEMP": str(tmp_path), "GITHUB_OUTPUT": str(tmp_path / "output"), "PATH": os.environ["PATH"]}
    code = IMPORTING % (number, str(ROOT / "composite" / "run.py"))
    done = subprocess.run(
        [sys.executable, "-I", "-c", code], env=env, capture_output=True, text=True, check=False, timeout=30
    )
    assert (done.returncode, done.stderr) == (128 + number, "")
    assert read_file((tmp_path / "output").read_text())["outcome"] == "interrupted"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_it_becomes_kdeploy_waits_for_kdeploys_handlers(tmp_path: Path, number: signal.Signals) -> None:
    python = install(tmp_path) / "bin" / "python"
    own = python.rename(python.with_name("own-python"))
    program(python, f'kill -{number.value} $$\nexec {own} "$@"')
    done, outputs = start(tmp_path, INPUT_TARGET="deployment/web", INPUT_IMAGE="acme/web:1")
    assert (done.returncode, "Traceback" in done.stderr) == (128 + number, False), done.stderr
    assert (list(outputs), outputs["outcome"]) == (list(OUTPUTS), "interrupted")


def test_a_runner_without_a_place_is_told_and_is_no_traceback(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for place, problem in (("", "RUNNER_TEMP is not set"), (str(tmp_path / "file"), "could not be installed")):
        (tmp_path / "output").unlink(missing_ok=True)
        done, outputs = start(tmp_path, RUNNER_TEMP=place)
        assert (done.returncode, outputs) == (2, early("usage", "UsageError"))
        assert problem in done.stdout
        assert "Traceback" not in done.stderr


def test_outputs_that_cannot_be_written_are_told(tmp_path: Path) -> None:
    done, outputs = start(tmp_path, RUNNER_TEMP="", GITHUB_OUTPUT=str(tmp_path / "nowhere/output"))
    assert (done.returncode, outputs) == (2, {})
    assert [each.name for each in commands(done.stdout)] == ["error", "warning"]


def test_an_install_that_fails_is_a_usage_error_and_leaves_no_stamp(tmp_path: Path) -> None:
    home = install(tmp_path)
    (home / run.STAMP).unlink()
    missing = program(tmp_path / "bin/python3", f'[ "$2" = -m ] && exit 1\nexec {sys.executable} "$@"')
    done, outputs = start(tmp_path, str(missing), PYTHONEXECUTABLE=str(missing), PIP_NO_INDEX="1")
    assert (done.returncode, outputs) == (2, early("usage", "UsageError")), done.stdout + done.stderr
    assert ["could not be installed" in each.data for each in commands(done.stdout) if each.name == "error"] == [True]
    assert not list(tmp_path.rglob(run.STAMP))


@pytest.mark.parametrize("old", OLD_ONES, ids=lambda path: path.parts[-3])
def test_a_python_that_is_too_old_says_so_or_finds_a_newer_one(tmp_path: Path, old: Path) -> None:
    ask = f"import sys; sys.path.insert(0, {str(ROOT / 'composite')!r}); import run; print(run.find_python(%r))"
    newer = program(tmp_path / "tools/Python/3.12.1/x64/bin/python3", f'exec {sys.executable} "$@"')
    found = [
        subprocess.run(
            [str(old), "-c", ask % env],
            capture_output=True,
            text=True,
            check=True,
            env={"PYTHONDONTWRITEBYTECODE": "1"},
        ).stdout.strip()
        for env in ({"PATH": "/nowhere"}, {"PATH": "/nowhere", "RUNNER_TOOL_CACHE": str(tmp_path / "tools")})
    ]
    version = tuple(map(int, old.parts[-3].split(".")[:2]))
    assert found == (["", str(newer)] if version < run.OLDEST else [str(old)] * 2)


def test_without_any_python_it_names_what_to_add(tmp_path: Path) -> None:
    old = next((path for path in OLD_ONES if "/3.6" in str(path) or "/3.10" in str(path)), None)
    if old is None:
        pytest.skip("this machine has no old Python")
    done, outputs = start(tmp_path, str(old))
    assert (done.returncode, outputs["outcome"]) == (2, "usage"), done.stderr
    assert "actions/setup-python" in done.stdout


def test_a_step_that_ends_early_has_every_output() -> None:
    assert list(run.OUTPUTS) == list(OUTPUTS)


def test_the_composite_and_the_container_have_the_same_inputs_and_outputs() -> None:
    import yaml

    one, two = (yaml.safe_load((ROOT / file).read_text()) for file in ("action.yml", "composite/action.yml"))
    assert one["inputs"] == two["inputs"]
    assert list(one["outputs"]) == list(two["outputs"])
    (step,) = two["runs"]["steps"]
    assert step["env"].pop(run.ALL) == "${{ toJSON(inputs) }}"
    passed = {name.removeprefix("INPUT_").replace("_", "-").lower(): text for name, text in step["env"].items()}
    assert passed == {name: f"${{{{ inputs.{name} }}}}" for name in one["inputs"]}
