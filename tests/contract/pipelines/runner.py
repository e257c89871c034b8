"""Runs the jobs of a workflow here, step by step, as GitHub's runner does; foreign actions have stand-ins.

What a step gets: https://docs.github.com/actions/reference/workflows-and-actions/variables, and of a container action
the inputs in the environment by their own names, a home of its own and nothing of the machine's.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from composite.run import STAMP, place
from tests.contract.pipelines.workflow import COMPOSITE, OURS, PINNED, ROOT, Workflow, fill, holds, read_action
from tests.unit.report.github.runner import Command, commands, read_file

BASH = ("bash", "--noprofile", "--norc", "-eo", "pipefail")
"""`shell: bash`, and what `run` has where the workflow names no shell (then without pipefail)."""
PYTHONS = str(Path(sys.executable).parent)

StandIn = Callable[["Job", Mapping[str, str]], Mapping[str, str]]
"""Does what a foreign action would have done here, given its `with`; the variables that it sets for later steps."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """How a step ended."""

    code: int
    log: str
    outputs: Mapping[str, str]
    summary: str = ""

    @property
    def commands(self) -> list[Command]:
        return commands(self.log)


@dataclass(kw_only=True)
class Job:
    """One job of a workflow on a machine of its own: the workspace, files of the runner, variables so far."""

    folder: Path
    workspace: Path
    definition: Mapping[str, Any]
    contexts: dict[str, Any]
    stand_ins: Mapping[str, StandIn]
    machine: Mapping[str, str]
    variables: dict[str, str] = field(default_factory=dict)
    done: list[Done] = field(default_factory=list)

    @property
    def permissions(self) -> Mapping[str, str]:
        found: Mapping[str, str] = self.definition["permissions"]
        return found

    def run(self) -> Job:
        """All steps, up to the first that fails; itself."""
        for name in ("home", "temp", "bin"):
            (self.folder / name).mkdir(exist_ok=True)
        for number, step in enumerate(self.definition["steps"]):
            done = self._step(step, self.folder / f"step{number}")
            self.contexts["steps"] = {
                **self.contexts["steps"],
                step.get("id", f"__{number}"): {"outputs": done.outputs},
            }
            self.done.append(done)
            if done.code:
                break
        return self

    @property
    def last(self) -> Done:
        """The step that ended it."""
        return self.done[-1]

    @property
    def outputs(self) -> Mapping[str, str]:
        """What the job gives to those that need it."""
        return {name: fill(text, self.contexts) for name, text in self.definition.get("outputs", {}).items()}

    def _step(self, step: Mapping[str, Any], files: Path) -> Done:
        files.mkdir()
        given = {name: fill(text, self.contexts) for name, text in step.get("with", {}).items()}
        own = {name: fill(text, self.contexts) for name, text in step.get("env", {}).items()}
        if "run" in step:
            return self._shell(step["run"], files, own)
        if step["uses"] == OURS:
            return self._container(given, files)
        if step["uses"] == COMPOSITE:
            return self._composite(given, files)
        assert PINNED.fullmatch(step["uses"]), step["uses"]
        self.variables |= self.stand_ins[step["uses"].partition("@")[0]](self, given)
        return Done(code=0, log="", outputs={})

    def _shell(self, script: str, files: Path, env: Mapping[str, str]) -> Done:
        (files / "script.sh").write_text(script)
        path = f"{self.folder / 'bin'}:{PYTHONS}:{self.machine['PATH']}"
        return self._process((*BASH, str(files / "script.sh")), files, {**self.variables, **env, "PATH": path})

    def _container(self, given: Mapping[str, str], files: Path) -> Done:
        env = {f"INPUT_{name.upper()}": text for name, text in _inputs("action.yml", given).items()}
        return self._process(entry_point(), files, env)

    def _composite(self, given: Mapping[str, str], files: Path) -> Done:
        action = read_action("composite/action.yml")
        (step,) = action["runs"]["steps"]
        assert step["shell"] == "bash"
        install(self.folder / "temp")
        contexts = {"inputs": _inputs("composite/action.yml", given)}
        env = {name: fill(text, contexts) for name, text in step["env"].items()}
        done = self._shell(step["run"], files, {**env, "GITHUB_ACTION_PATH": str(ROOT / "composite")})
        inner = {"steps": {step["id"]: {"outputs": done.outputs}}}
        outputs = {name: fill(each["value"], inner) for name, each in action["outputs"].items()}
        return Done(code=done.code, log=done.log, outputs=outputs, summary=done.summary)

    def _process(self, command: tuple[str, ...], files: Path, env: Mapping[str, str]) -> Done:
        names = {name: files / name for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY", "GITHUB_ENV")}
        for file in names.values():
            file.touch()
        event = files / "event.json"
        event.write_text(json.dumps(self.contexts["github"]["event"]))
        whole = {
            **self.machine,
            **_variables(self.contexts["github"]),
            **{name: str(file) for name, file in names.items()},
            "GITHUB_EVENT_PATH": str(event),
            "HOME": str(self.folder / "home"),
            "RUNNER_TEMP": str(self.folder / "temp"),
            "GITHUB_WORKSPACE": str(self.workspace),
            **env,
        }
        done = subprocess.run(
            command, env=whole, cwd=self.workspace, capture_output=True, text=True, check=False, timeout=120
        )
        self.variables |= read_file(names["GITHUB_ENV"].read_text())
        return Done(
            code=done.returncode,
            log=done.stdout + done.stderr,
            outputs=read_file(names["GITHUB_OUTPUT"].read_text()),
            summary=names["GITHUB_STEP_SUMMARY"].read_text(),
        )


def entry_point() -> tuple[str, ...]:
    """What the container runs, by this interpreter."""
    (found,) = re.findall(r"^ENTRYPOINT (\[.+\])$", (ROOT / "Dockerfile").read_text(), re.M)
    python, *arguments = json.loads(found)
    assert python == "/opt/kdeploy/bin/python"
    return (sys.executable, *arguments)


def install(temp: Path) -> Path:
    """What composite/run.py makes with pip, which needs the network: an environment with the kdeploy of this tree."""
    home = place({"RUNNER_TEMP": str(temp)}, f"{PYTHONS}/python3")
    venv.create(home, with_pip=False, symlinks=True)
    (packages,) = home.glob("lib/python3.*/site-packages")
    (packages / "kdeploy.pth").write_text(f"{sysconfig.get_path('purelib')}\n{ROOT}\n")
    (home / STAMP).touch()
    return home


def _inputs(file: str, given: Mapping[str, str]) -> dict[str, str]:
    """Every input of an action, those that are not given empty. GitHub only warns of an unknown one."""
    declared = read_action(file)["inputs"]
    assert set(given) <= set(declared), f"{set(given) - set(declared)} of {file}"
    return {name: given.get(name, "") for name in declared}


def _variables(github: Mapping[str, Any]) -> dict[str, str]:
    """The variables that stand for the `github` context."""
    named = ("repository", "sha", "ref", "actor", "run_id", "run_number", "workflow_ref", "server_url", "event_name")
    return {"CI": "true", "GITHUB_ACTIONS": "true", **{f"GITHUB_{name.upper()}": str(github[name]) for name in named}}


def is_wanted(workflow: Workflow, job: str, contexts: Mapping[str, Any]) -> bool:
    """Whether the job's `if` lets it run."""
    condition = workflow.jobs[job].get("if")
    return condition is None or holds(condition, contexts)


MACHINE = {"PATH": os.environ.get("PATH", os.defpath), "PYTHONPATH": str(ROOT), "LANG": "C.UTF-8"}
"""What every process here gets of this machine: how to find git, and the kdeploy of this tree."""
