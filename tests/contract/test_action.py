"""The action's entry point, as the runner starts it: inputs in the environment, file commands, a fresh HOME."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from kdeploy.report.github.outputs import OUTPUTS
from tests.unit.report.github.runner import commands, read_file

ROOT = Path(__file__).parents[2]
TOKEN = "s3cret-token-of-the-cluster"
KUBECONFIG = f"apiVersion: v1\nkind: Config\nusers:\n- name: ci\n  user:\n    token: {TOKEN}\n"


class Step:
    """One run of the action."""

    def __init__(
        self, folder: Path, *arguments: str, event: str = "", path: str = "", runner: str = "true", **inputs: str
    ) -> None:
        for name in ("home", "workspace", "tmp"):
            (folder / name).mkdir(exist_ok=True)
        self.folder, output = folder, folder / "output"
        env = {
            "PATH": "/usr/bin:/bin",
            "HOME": str(folder / "home"),
            "PYTHONPATH": str(ROOT),
            "CI": "true",
        }
        env |= {
            "GITHUB_ACTIONS": runner,
            "GITHUB_OUTPUT": str(output),
            "GITHUB_STEP_SUMMARY": str(folder / "summary"),
            "GITHUB_WORKSPACE": str(folder / "workspace"),
            "TMPDIR": str(folder / "tmp"),
        }
        env["PYTHONPATH"] = os.pathsep.join(map(str, filter(None, (path, str(ROOT)))))
        env |= {"GITHUB_EVENT_NAME": "pull_request", "GITHUB_EVENT_PATH": event} if event else {}
        env |= {f"INPUT_{name.upper().replace('_', '-')}": text for name, text in inputs.items()}
        command = [sys.executable, "-m", "kdeploy.cli.action", *arguments]
        done = subprocess.run(
            command, env=env, cwd=folder / "workspace", capture_output=True, text=True, check=False, timeout=60
        )
        self.code, self.out, self.log = done.returncode, done.stdout, done.stderr
        self.commands = commands(self.log)
        self.outputs = read_file(output.read_text()) if output.exists() else {}

    @property
    def errors(self) -> list[str]:
        return [each.data for each in self.commands if each.name == "error"]

    @property
    def everything(self) -> str:
        """All that it wrote, but for the lines that mask."""
        lines = [line for line in self.log.splitlines() if not line.startswith("::add-mask::")]
        names = ("output", "summary", f"workspace/{self.outputs['report']}")
        return "\n".join([*lines, self.out, *((self.folder / name).read_text() for name in names)])

    def left(self) -> list[Path]:
        return list((self.folder / "tmp").iterdir())


@pytest.mark.parametrize(
    ("inputs", "problem"),
    [
        ({}, "the input target is missing"),
        ({"target": "deployment/web", "image": "acme/web:1", "tag": "2"}, "finished image"),
        ({"verify_htpp": "/"}, 'no input "verify-htpp"'),
        (
            {"target": "deployment/web", "image": "acme/web", "kubeconfig": "YXBpVmVyc2lvbjogdjEK"},
            "kubeconfig holds none",
        ),
        ({"target": "deployment/web", "image": "acme/web", "crash_budget": "many"}, "crash-budget"),
    ],
)
def test_bad_input_is_exit_2_with_every_output_and_one_annotation(
    tmp_path: Path, inputs: dict[str, str], problem: str
) -> None:
    step = Step(tmp_path, **inputs)
    assert step.code == 2, step.log
    assert list(step.outputs) == list(OUTPUTS)
    assert (step.outputs["outcome"], step.outputs["reason"]) == ("usage", "UsageError")
    assert json.loads((tmp_path / "workspace" / step.outputs["report"]).read_text())["outcome"] == "usage"
    assert [problem in text for text in step.errors] == [True]


def test_bad_input_is_told_in_the_files_of_this_run_and_none_of_an_earlier_one_is_left(tmp_path: Path) -> None:
    workspace = tmp_path / "workspace"
    (workspace / "out").mkdir(parents=True)
    (workspace / "out/r.json").write_text('{"outcome": "deployed"}')
    step = Step(tmp_path, report="out/r.json", junit="results/r.xml", dotenv="a\nb", crash_budget="many")
    assert (step.code, step.outputs["report"]) == (2, "out/r.json")
    assert json.loads((workspace / "out/r.json").read_text())["outcome"] == "usage"
    assert "<failure" in (workspace / "results/r.xml").read_text()
    assert sorted(path.name for path in workspace.iterdir()) == ["out", "results"]


def test_what_is_wrong_is_told_in_the_words_of_the_inputs(tmp_path: Path) -> None:
    step = Step(tmp_path, command="deploy", target="deployment/web", image="acme/web")
    assert "(in the action: the input commit)" in step.log
    image = "acme/web@sha256:" + "a" * 64
    step = Step(tmp_path, command="deploy", target="deployment/web", image=image, kubeconfig="users: []\n")
    assert [text.startswith("the input kubeconfig sets no current-context") for text in step.errors] == [True], step.log


def test_a_kubeconfig_is_masked_first_is_in_no_other_line_and_is_gone_at_the_end(tmp_path: Path) -> None:
    server = "clusters:\n- name: c\n  cluster: {server: 'http://127.0.0.1:9'}\n"
    context = "contexts:\n- name: c\n  context: {cluster: c, user: ci}\ncurrent-context: c\n"
    image = "acme/web@sha256:" + "a" * 64
    step = Step(tmp_path, target="deployment/web", image=image, kubeconfig=KUBECONFIG + server + context)
    assert step.code not in (0, 2, 70), step.log
    lines = step.log.splitlines()
    masks = [line for line in lines if line.startswith("::add-mask::")]
    assert lines[: len(masks)] == masks
    assert {f"::add-mask::token: {TOKEN}", f"::add-mask::{TOKEN}"} <= set(masks)
    assert TOKEN not in "".join(lines[len(masks) :]) + step.out + str(step.outputs)
    assert list(step.outputs) == list(OUTPUTS)
    assert len(step.errors) == 1
    assert step.left() == []


def test_secrets_are_masked_before_anything_is_said_of_the_other_inputs(tmp_path: Path) -> None:
    step = Step(tmp_path, verify_htpp="/", registry_password="hunter2hunter2", kubeconfig=KUBECONFIG)
    masks = [each.data for each in step.commands if each.name == "add-mask"]
    assert {"hunter2hunter2", TOKEN} <= set(masks)
    assert [each.name for each in step.commands][: len(masks)] == ["add-mask"] * len(masks)
    assert step.log.startswith("::add-mask::")
    assert [step.code, "no input" in step.errors[0]] == [2, True]


@pytest.mark.parametrize(
    ("name", "content", "place"),
    [
        ("kdeploy.yaml", "version: 1\nservices:\n  web: {traget: deployment/web}\n", ("kdeploy.yaml", "3")),
        ("kdeploy.yaml", "version: [\n", ("kdeploy.yaml", "2")),
    ],
)
def test_what_is_wrong_in_a_file_is_annotated_at_its_line(
    tmp_path: Path, name: str, content: str, place: tuple[str, str]
) -> None:
    (tmp_path / "workspace").mkdir()
    (tmp_path / "workspace" / name).write_text(content)
    step = Step(tmp_path)
    (annotation,) = [each for each in step.commands if each.name == "error"]
    assert (annotation.properties["file"], annotation.properties["line"]) == place


@pytest.mark.parametrize(
    ("inputs", "problem"),
    [
        ({"build_arg": "SSH_KEY=-----BEGIN KEY-----\ncanaryb3Blbn\n-----END KEY-----"}, "the 2nd --build-arg"),
        ({"build_arg": "A=1\nNPM_TOKEN=canary-of-npm", "timeout": "canary-of-npm"}, "--timeout"),
        ({"verify_http": "https://ann:canary/pw@shop.example/health"}, "the 1st --verify-http"),
        ({"verify_http": "/a\nhttps://ann:canary@shop.example:port/health"}, "the 2nd --verify-http"),
        ({"kubeconfig": "apiVersion: v1\nusers:\n- name: a\n  user: !canary-of-the-cluster x\n"}, "look at line 4"),
    ],
)
def test_no_usage_error_shows_a_secret(tmp_path: Path, inputs: dict[str, str], problem: str) -> None:
    image = "acme/web" if "build_arg" in inputs else f"acme/web@sha256:{'a' * 64}"
    step = Step(tmp_path, target="deployment/web", image=image, verbose="true", **inputs)
    assert step.code == 2, step.log
    assert [problem in text for text in step.errors] == [True]
    assert "canary" not in step.everything


def test_a_pull_request_from_a_fork_is_refused_and_says_why(tmp_path: Path) -> None:
    sides = {"head": {"repo": {"full_name": "mallory/web"}}, "base": {"repo": {"full_name": "acme/web"}}}
    event = tmp_path / "event.json"
    event.write_text(json.dumps({"pull_request": sides}))
    step = Step(tmp_path, target="deployment/web", image="acme/web", kubeconfig="", event=str(event))
    assert (step.code, step.outputs["outcome"]) == (2, "usage")
    assert "from the fork mallory/web" in step.errors[0]

    own = tmp_path / "home/.kube/config"  # as in the composite variant, where the runner's home may have one
    own.parent.mkdir()
    own.write_text("{}")
    step = Step(tmp_path, target="deployment/web", image="acme/web@sha256:" + "a" * 64, event=str(event))
    assert "sets no current-context" in step.errors[0], step.log


def test_secrets_are_masked_and_the_report_is_in_the_workspace(tmp_path: Path) -> None:
    secrets = {"registry_password": "hunter2hunter2", "github_token": "ghs_0123456789"}
    step = Step(tmp_path, target="deployment/web", image="acme/web", **secrets)
    masks = {each.data for each in step.commands if each.name == "add-mask"}
    assert set(secrets.values()) <= masks
    report = tmp_path / "workspace" / step.outputs["report"]
    assert json.loads(report.read_text())["outcome"] == step.outputs["outcome"]


@pytest.mark.parametrize("runner", ["", "false"])
def test_where_no_runner_reads_the_log_no_secret_is_written_to_it(tmp_path: Path, runner: str) -> None:
    password = "hunter2hunter2"
    step = Step(tmp_path, runner=runner, target="deployment/web", registry_password=password, kubeconfig=KUBECONFIG)
    assert step.code == 2
    assert not [secret for secret in (password, TOKEN, "add-mask") if secret in step.log + step.out]


def test_with_arguments_it_is_kdeploy(tmp_path: Path) -> None:
    assert Step(tmp_path, "schema", "report").out.startswith("{")


INTERRUPTED = """
import os, signal, sys
from kdeploy.cli.action import main

module, number = sys.argv.pop(), int(sys.argv.pop())

class Interrupt:
    def find_spec(self, name, path=None, target=None):
        if name == module:
            os.kill(os.getpid(), number)

sys.meta_path.insert(0, Interrupt())
main()
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("module", ["typer", "kdeploy.cli.run", "kdeploy.cli.wiring"])
def test_a_signal_while_it_starts_ends_with_every_output(tmp_path: Path, module: str, number: signal.Signals) -> None:
    env = {**os.environ, "GITHUB_ACTIONS": "true", "GITHUB_OUTPUT": str(tmp_path / "output")}
    env |= {"INPUT_TARGET": "deployment/web", "INPUT_IMAGE": f"acme/web@sha256:{'a' * 64}"}
    command = [sys.executable, "-c", INTERRUPTED, str(int(number)), module]
    done = subprocess.run(command, env=env, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)

    assert (done.returncode, "Traceback" in done.stderr) == (128 + number, False), done.stderr
    written = read_file((tmp_path / "output").read_text())
    assert (list(written), written["outcome"]) == (list(OUTPUTS), "interrupted")


AT_ITS_FIRST_IMPORT = """
import os, sys

class Interrupt:
    def find_spec(self, name, path=None, target=None):
        if name == "kdeploy.cli.inputs":
            os.kill(os.getpid(), %d)

sys.meta_path.insert(0, Interrupt())
"""
BEFORE_IT_BEGAN = """
import os, signal
signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM))
os.kill(os.getpid(), %d)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("when", [AT_ITS_FIRST_IMPORT, BEFORE_IT_BEGAN])
def test_a_signal_before_there_are_handlers_waits_for_them(tmp_path: Path, when: str, number: signal.Signals) -> None:
    (tmp_path / "sitecustomize.py").write_text(when % number)
    step = Step(tmp_path, target="deployment/web", image="acme/web:1", path=str(tmp_path))
    assert (step.code, "Traceback" in step.log) == (128 + number, False), step.log
    assert (list(step.outputs), step.outputs["outcome"]) == (list(OUTPUTS), "interrupted")


def test_of_two_signals_that_waited_the_second_is_no_noise(tmp_path: Path) -> None:
    both = BEFORE_IT_BEGAN % signal.SIGINT + BEFORE_IT_BEGAN % signal.SIGTERM
    (tmp_path / "sitecustomize.py").write_text(both)
    step = Step(tmp_path, target="deployment/web", image="acme/web:1", path=str(tmp_path))
    assert (step.code, step.outputs["outcome"]) == (130, "interrupted")
    assert "race" not in step.log


def test_no_program_that_it_starts_has_signals_held_back(tmp_path: Path) -> None:
    git, found = tmp_path / "bin" / "git", tmp_path / "found"
    git.parent.mkdir()
    look = f"print(signal.pthread_sigmask(signal.SIG_BLOCK, []), file=open({str(found)!r}, 'w'))"
    git.write_text(f"#!{sys.executable} -I\nimport signal\n{look}\n")
    git.chmod(0o700)
    held = "signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM))"
    path = f"os.environ['PATH'] = '{git.parent}'"
    (tmp_path / "sitecustomize.py").write_text(f"import os, signal\n{held}\n{path}\n")
    Step(tmp_path, target="deployment/web", image="acme/web", path=str(tmp_path))
    assert found.read_text() == "set()\n"


def test_a_signal_while_kdeploy_itself_starts_in_the_container_is_no_traceback() -> None:
    command = [sys.executable, "-c", INTERRUPTED, "status", "deploy/web", str(int(signal.SIGINT)), "typer"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (130, "kdeploy: interrupted\n")


def test_the_values_of_a_kubeconfigs_users_are_masked_each_by_itself(tmp_path: Path) -> None:
    values = {"pa}ss'word1,more and more", "abcdefghijkl", "wJalrXUtnFEMI/K7MDENG", "Sep4rate", "J0ined"}
    users = """users:
- {name: one, user: {username: ann, password: "pa}ss'word1,more and more"}}
- name: two
  user: {token : abcdefghijkl}
- name: arn:of-the-cluster-and-its-context
  user:
    exec:
      command: aws
      args: [--cluster-name, my-cluster-of-shops, --client-secret, Sep4rate, --oidc-client-secret=J0ined]
      env: [{name: AWS_SECRET_ACCESS_KEY, value: wJalrXUtnFEMI/K7MDENG}]
"""
    step = Step(tmp_path, target="deployment/web", image="acme/web", kubeconfig=f"apiVersion: v1\n{users}")
    masked = {each.data for each in step.commands if each.name == "add-mask"}
    assert values <= masked
    assert not {"arn:of-the-cluster-and-its-context", "my-cluster-of-shops"} & masked, "the headline may say so"


@pytest.mark.parametrize("problem", ["not utf-8", "no room"])
def test_whatever_is_wrong_before_the_command_ends_with_every_output(tmp_path: Path, problem: str) -> None:
    more = {"kubeconfig": "abc\udcff\udcfedef"} if problem == "not utf-8" else {"kubeconfig": "a: b"}
    if problem == "no room":
        (tmp_path / "tmp").mkdir()
        (tmp_path / "sitecustomize.py").write_text(
            "import errno, tempfile\n"
            "def mkdtemp(*_, **__): raise OSError(errno.ENOSPC, 'No space left on device')\n"
            "tempfile.mkdtemp = mkdtemp\n"
        )
    step = Step(tmp_path, target="deployment/web", image="acme/web:1", path=str(tmp_path), **more)
    assert step.code in (2, 4), step.log
    assert list(step.outputs) == list(OUTPUTS)
    assert len(step.errors) == 1
    assert "Traceback" not in step.log
