"""The one step of the composite variant: kdeploy from the action's own checkout, in a virtual environment of the job.

It is read by whatever python3 the runner has, so it keeps to what old ones know, and says so where they are too old.
"""

import signal

HANDLED = (signal.SIGINT, signal.SIGTERM)
if __name__ == "__main__":  # they wait: the imports below take several times as long as Python's own start
    signal.pthread_sigmask(signal.SIG_BLOCK, HANDLED)

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

OLDEST = (3, 11)
USAGE = 2
INPUT = "INPUT_"
ALL = "INPUT_JSON"
OUTPUTS = (
    *("outcome", "reason", "image", "digest", "previous-image", "revision", "rolled-back-to", "url"),
    *("duration-seconds", "time-to-verdict-seconds", "report"),
)
ROOT = Path(__file__).resolve().parent.parent
STAMP = "installed"


class Signals:
    """SIGINT and SIGTERM until this process becomes kdeploy: noted, and looked at where nothing is half done."""

    def __init__(self) -> None:
        self.numbers = []  # type: list[int]

    def listen(self) -> None:
        """From now on."""
        for number in HANDLED:
            signal.signal(number, lambda got, _: self.numbers.append(got))
        signal.pthread_sigmask(signal.SIG_UNBLOCK, HANDLED)

    def obey(self) -> None:
        """Ends the step where one has come."""
        if self.numbers:
            end("interrupted", "Interrupted", "interrupted; nothing was touched", 128 + self.numbers[0])


def main() -> None:
    """Becomes kdeploy, in the same process: the runner's signals reach it."""
    signals = Signals()
    signals.listen()
    try:
        if not os.environ.get("RUNNER_TEMP"):
            fail("RUNNER_TEMP is not set", "run it as a step of a workflow; nothing was touched")
        python = find_python(os.environ)
        if not python:
            fail("kdeploy needs Python 3.11 or later, and this runner has none", "add actions/setup-python before it")
        home = place(os.environ, python)
        if not (home / STAMP).is_file():
            install(python, home, os.environ, signals)
    except OSError as error:
        fail("kdeploy could not be installed on this runner: " + str(error), "nothing was touched")
    # What comes from here on waits until kdeploy has its own handlers: a mask outlasts an exec, and handlers do not.
    signal.pthread_sigmask(signal.SIG_BLOCK, HANDLED)
    signals.obey()
    program = str(home / "bin" / "python")
    # -I: what lies in the workspace is no module of kdeploy's, nor what the runner has for other Pythons
    os.execve(program, [program, "-I", "-m", "kdeploy.cli.action"], named(os.environ))  # noqa: S606


def named(env: "Mapping[str, str]") -> "dict[str, str]":
    """The environment with the inputs by the names that a container action gets: shells drop those with dashes. Those
    that the action does not declare are only in ALL; their names are enough for kdeploy to refuse them.
    """
    given = {key: env[key] for key in env if key.startswith(INPUT) and key != ALL}
    own = {INPUT + key[len(INPUT) :].replace("_", "-"): given[key] for key in given}
    with suppress(ValueError):
        for name in json.loads(env.get(ALL, "")) or ():
            own.setdefault(INPUT + re.sub("[^A-Z0-9_-]", "?", name.upper()), "")
    own.update((key, env[key]) for key in env if not key.startswith(INPUT))
    return own


def find_python(env: "Mapping[str, str]") -> str:
    """An interpreter that is new enough: this one, one on PATH, or one of the runner's tool cache; "" for none."""
    if sys.version_info >= OLDEST:
        return sys.executable
    on_path = [shutil.which("python3." + str(minor), path=env.get("PATH")) for minor in range(14, OLDEST[1] - 1, -1)]
    cached = Path(env.get("RUNNER_TOOL_CACHE") or "/nowhere").glob("Python/3.*/*/bin/python3")
    candidates = [one for one in on_path if one] + sorted(map(str, cached), reverse=True)
    return next(filter(is_new_enough, candidates), "")


def is_new_enough(python: str) -> bool:
    """Whether it runs, and is of a version that kdeploy runs on."""
    check = "import sys, venv; sys.exit(sys.version_info < " + repr(OLDEST) + ")"
    return subprocess.call([python, "-I", "-c", check], stderr=subprocess.DEVNULL) == 0


def place(env: "Mapping[str, str]", python: str) -> Path:
    """The folder of the environment: one a version, checkout and interpreter, gone with the job."""
    version = re.findall('__version__ = "(.*)"', (ROOT / "kdeploy" / "__init__.py").read_text(encoding="utf-8"))[0]
    key = hashlib.sha256("\n".join([str(ROOT), version, python]).encode()).hexdigest()[:12]
    return Path(env["RUNNER_TEMP"], "kdeploy-" + version + "-" + key)


def install(python: str, home: Path, env: "Mapping[str, str]", signals: Signals) -> None:
    """Makes the environment. Packages' own code runs meanwhile, and gets none of the step's inputs; nothing of the
    workspace does (-I): a venv.py or a pip/ there would be imported in the place of Python's own.
    """
    print("::group::kdeploy: install", flush=True)
    shutil.rmtree(str(home), ignore_errors=True)  # of a run that was ended
    home.parent.mkdir(parents=True, exist_ok=True)
    clean = {key: env[key] for key in env if not key.startswith((INPUT, "KDEPLOY_", "PYTHON"))}
    pip = ["-I", "-m", "pip", "install", "--no-input", "--disable-pip-version-check", "--no-compile", "--quiet"]
    commands = [[python, "-I", "-m", "venv", str(home)], [str(home / "bin" / "python"), *pip, str(ROOT)]]
    done = all(call(command, clean, home.parent, signals) == 0 for command in commands)
    print("::endgroup::", flush=True)
    if not done:
        fail("kdeploy could not be installed on this runner", "the step's log says why; nothing was touched")
    (home / STAMP).touch()


def call(command: "list[str]", env: "Mapping[str, str]", folder: Path, signals: Signals) -> int:
    """The exit code of a program, which has a process group of its own; a signal ends all of that, and the step."""
    child = subprocess.Popen(command, env=env, cwd=str(folder), start_new_session=True)
    while True:
        try:
            return child.wait(0.1)
        except subprocess.TimeoutExpired:
            if signals.numbers:
                os.killpg(child.pid, signal.SIGKILL)  # it only fills a folder that the next step makes anew
                child.wait()
                signals.obey()


def fail(message: str, hint: str) -> None:
    """Ends as a usage error does."""
    end("usage", "UsageError", message + "; " + hint, USAGE)


def end(outcome: str, reason: str, message: str, code: int) -> None:
    """Says why, writes every output, and exits."""
    text = message.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    print("::error title=kdeploy%3A " + outcome + "::" + text, flush=True)
    known = {"outcome": outcome, "reason": reason}
    if os.environ.get("GITHUB_OUTPUT"):
        try:
            with Path(os.environ["GITHUB_OUTPUT"]).open("a", encoding="utf-8") as stream:
                stream.write("".join(name + "=" + known.get(name, "") + "\n" for name in OUTPUTS))
        except OSError as error:
            print("::warning title=kdeploy::the step's outputs could not be written: " + str(error), flush=True)
    sys.exit(code)


if __name__ == "__main__":
    main()
