"""kdeploy as a user runs it: a process, its exit code, what it prints, its report and its events."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Self

from jsonschema import Draft202012Validator

KDEPLOY = Path(sys.executable).with_name("kdeploy")
_ENVIRONMENT = {
    "PATH": os.environ.get("PATH", os.defpath),
    "LANG": "C.UTF-8",
    "PYTHONPATH": str(Path(__file__).resolve().parents[2]),
}
"""A user's environment: none of the CI's variables. What runs is the kdeploy of this tree."""
LONGEST = 240.0
"""Seconds after which a run counts as hanging."""

Obj = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """How a run ended. `report` is what -o json printed; for `status` and `history`, their own document."""

    code: int
    report: Obj
    out: str
    err: str
    events: tuple[Obj, ...] = ()

    @property
    def deploy(self) -> Obj:
        """The report's one entry about a target."""
        (entry,) = self.report["deploys"]
        assert isinstance(entry, Mapping)
        return entry

    @property
    def image(self) -> str:
        """The reference that was deployed."""
        return str(self.deploy["image"]["reference"])

    @property
    def timings(self) -> Obj:
        """Seconds by step."""
        timings: Obj = self.report["timings"]
        return timings

    @property
    def checks(self) -> list[tuple[str, bool]]:
        """Each check, and whether it passed."""
        return [(check["name"], check["passed"]) for check in self.deploy["checks"]]

    @property
    def everything(self) -> str:
        """All that was written anywhere."""
        return "\n".join([self.out, self.err, json.dumps(self.report), json.dumps(self.events)])

    def ended(self, code: int, outcome: str, reason: str) -> "Ran":
        """Asserts how it ended, in process and report alike; itself."""
        told = (self.code, self.report["exit_code"], self.report["outcome"], self.report["reason"])
        assert told == (code, code, outcome, reason), f"{self.report['message']}\n{self.err}"
        for deploy in self.report["deploys"]:
            assert (deploy["outcome"], deploy["reason"]) == (outcome, reason)
        return self

    def says(self, *words: str) -> "Ran":
        """Asserts that the message, the hint and the warnings together contain all `words`; itself."""
        told = " ".join([self.report["message"], self.report["hint"], *self.report["warnings"]])
        assert [word for word in words if word not in told] == [], told
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A run under way; its files are in `folder`."""

    process: subprocess.Popen[bytes]
    folder: Path

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """A run that a failed test left behind does not go on."""
        if self.process.poll() is None:
            self.kill()

    @property
    def events(self) -> tuple[Obj, ...]:
        """The events so far, from --trace; a line that is being written is left for later."""
        lines = _read(self.folder / "trace").split("\n")[:-1]
        return tuple(json.loads(line) for line in lines)

    def until(self, true: Callable[[Obj], bool], what: str, seconds: float = 60) -> None:
        """Waits for an event that is so; fails where the run ends before it."""
        give_up = time.monotonic() + seconds
        while not any(true(event) for event in self.events):
            ended = self.process.poll() is not None
            assert not ended, f"it ended before {what}:\n{_read(self.folder / 'err')}"
            assert time.monotonic() < give_up, f"not {what} within {seconds} s:\n{_read(self.folder / 'err')}"
            time.sleep(0.02)

    def until_rolling(self) -> None:
        """Waits until the workload is patched and a new pod was seen."""
        self.until(lambda e: e["type"] == "progress" and e["phase"] == "rollout" and e["pods"]["new"] > 0, "a new pod")

    def send(self, number: signal.Signals) -> None:
        """Sends a signal to the process."""
        self.process.send_signal(number)

    def kill(self) -> None:
        """SIGKILL: it has no last word."""
        self.process.kill()
        self.process.wait(10)

    def end(self, seconds: float = LONGEST) -> Ran:
        """Waits for the end. Asserts that all outputs agree and are as their schemas say."""
        try:
            code = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise AssertionError(f"it hangs:\n{_read(self.folder / 'err')}") from None
        out, err, file = (_read(self.folder / name) for name in ("out", "err", "report"))
        assert "Traceback" not in err, err
        report = json.loads(out or "{}")
        if file:
            assert json.loads(file) == report
            validator("report").validate(report)
        for event in self.events:
            validator("events").validate(event)
        return Ran(code=code, report=report, out=out, err=err, events=self.events)


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """Runs kdeploy in `folder`, with `environment` and nothing of ours but PATH; `outputs` takes a folder a run."""

    folder: Path
    environment: Mapping[str, str]
    outputs: Path

    def start(self, *words: str, env: Mapping[str, str] | None = None) -> Running:
        """Starts `kdeploy WORDS` with a report and a trace; `env` is added to the environment."""
        folder = self._new_folder()
        files = ("-o", "json", "--report", str(folder / "report"), "--trace", str(folder / "trace"))
        return self._start(folder, [*words, *files], env)

    def run(self, *words: str, env: Mapping[str, str] | None = None) -> Ran:
        """The same, to its end."""
        return self.start(*words, env=env).end()

    def ask(self, *words: str) -> Ran:
        """Runs `status` or `history`, which have no report."""
        return self._start(self._new_folder(), [*words, "-o", "json"], None).end()

    def show(self, *words: str, env: Mapping[str, str] | None = None) -> tuple[int, str, str]:
        """Runs it for a person: exit code, stdout, stderr."""
        folder = self._new_folder()
        code = self._start(folder, list(words), env).process.wait(LONGEST)
        return code, _read(folder / "out"), _read(folder / "err")

    def _new_folder(self) -> Path:
        folder = self.outputs / str(len(list(self.outputs.iterdir())) + 1)
        folder.mkdir()
        return folder

    def _start(self, folder: Path, words: list[str], env: Mapping[str, str] | None) -> Running:
        with (folder / "out").open("wb") as out, (folder / "err").open("wb") as err:
            process = subprocess.Popen(
                [str(KDEPLOY), *words],
                cwd=self.folder,
                env={**_ENVIRONMENT, **self.environment, **(env or {})},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
            )
        return Running(process=process, folder=folder)


@cache
def validator(name: str) -> Draft202012Validator:
    """Knows what `kdeploy schema NAME` prints."""
    done = subprocess.run([str(KDEPLOY), "schema", name], capture_output=True, check=True)
    schema = json.loads(done.stdout)
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def _read(file: Path) -> str:
    return file.read_text("utf-8", "replace") if file.exists() else ""
