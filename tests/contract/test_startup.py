"""What starting up costs: the SDKs stay out until a command needs them. Counted in modules, not in seconds."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from kdeploy import __version__

SDKS = {
    "kubernetes", "docker", "rich", "requests", "urllib3", "jinja2", "pydantic", "msgspec", "yaml", "tenacity",
    "aiohttp", "asyncio", "jsonpatch",
}  # fmt: skip
LOADED = """
import sys
sys.argv = ["kdeploy", *sys.argv[1:]]
from kdeploy.__main__ import main
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
finally:
    print("LOADED", *sorted({name.partition(".")[0] for name in sys.modules} | ({"kdeploy.sandbox"} & {*sys.modules})))
"""


def run(*arguments: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, check=False, env=os.environ | (env or {})
    )


def loaded(*arguments: str) -> set[str]:
    done = run("-c", LOADED, *arguments)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.rpartition("LOADED")[2].split())


@pytest.mark.parametrize(
    "arguments",
    [["--version"], ["--help"], ["deploy", "--help"], ["demo", "--help"], ["sandbox", "up", "--help"]],
)
def test_help_and_version_import_no_sdk(arguments: list[str]) -> None:
    assert not loaded(*arguments) & {*SDKS, "kdeploy.sandbox"}


def test_the_version_is_told_before_typer_is_imported() -> None:
    assert not loaded("--version") & {"typer", "dataclasses", "inspect"}


def test_all_that_a_deploy_imports_is_never_searched_for_garbage() -> None:
    program = """
import gc
from kdeploy.__main__ import OBJECTS
before = [stats["collections"] for stats in gc.get_stats()]
gc.set_threshold(OBJECTS)
import kdeploy.cli.app, kdeploy.cli.wiring, kdeploy.deploy, kubernetes.config
print(gc.get_count()[0], [stats["collections"] for stats in gc.get_stats()] == before)
"""
    made, is_never = run("-c", program).stdout.split()
    assert is_never == "True", made


def test_it_runs_as_a_module_too() -> None:
    done = run("-m", "kdeploy", "--version")
    assert (done.returncode, done.stdout) == (0, f"kdeploy {__version__}\n")


def test_the_version_is_told_among_other_flags() -> None:
    assert run("-m", "kdeploy", "--version", "--help").stdout == f"kdeploy {__version__}\n"


def test_nothing_to_do_is_exit_2_and_shows_the_help() -> None:
    done = run("-m", "kdeploy")
    assert done.returncode == 2
    assert "Commands:" in done.stdout + done.stderr


def test_the_shell_completes_commands() -> None:
    words = {"COMP_WORDS": "kdeploy ver", "COMP_CWORD": "1", "_KDEPLOY_COMPLETE": "complete_bash"}
    assert run("-m", "kdeploy", env=words).stdout.split() == ["verify"]


def test_a_wrong_flag_is_told_on_stderr_and_as_json_where_that_is_wanted() -> None:
    plain = run("-m", "kdeploy", "deploy", "--nope")
    assert (plain.returncode, plain.stdout) == (2, "")
    assert "--nope" in plain.stderr
    asked = run("-m", "kdeploy", "deploy", "--nope", "-o", "json")
    assert asked.returncode == 2
    assert '"outcome": "usage"' in asked.stdout


def test_a_reader_that_went_away_leaves_the_exit_code_and_no_noise() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "kdeploy", "deploy", "deploy/a", "deploy/b", "-o", "json"]
    try:
        done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, text=True, check=False)
    finally:
        os.close(writer)
    assert done.returncode == 2
    assert "one target a run" in done.stderr
    assert "BrokenPipe" not in done.stderr


OPENED = """
import sys
import time
from kdeploy.build import open_builder
from kdeploy.clock import Deadline
print(open_builder("layers", {"HOME": "/none"}, Deadline(time.monotonic, 60)).title)
print(*{name.partition(".")[0] for name in sys.modules} & {"docker", "kubernetes"})
"""


def test_a_builder_without_an_engine_imports_no_engines_sdk() -> None:
    done = run("-c", OPENED)
    assert (done.returncode, done.stdout.split()) == (0, ["the", "layers", "builder"]), done.stderr


INTERRUPTED = """
import os, signal, sys
from kdeploy.__main__ import main

module, number = sys.argv[1], int(sys.argv[2])

class Interrupt:
    def find_spec(self, name, path=None, target=None):
        if name == module:
            os.kill(os.getpid(), number)

sys.meta_path.insert(0, Interrupt())
sys.argv = ["kdeploy", "status", "deploy/web", "--kubeconfig", "/nowhere"]
main()
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("module", ["typer", "kdeploy.cli.run", "kdeploy.cli.wiring"])
def test_a_signal_while_it_starts_is_no_traceback(module: str, number: signal.Signals) -> None:
    done = run("-c", INTERRUPTED, module, str(int(number)))
    assert (done.returncode, "Traceback" in done.stderr) == (128 + number, False), done.stderr
    assert "interrupted" in done.stderr
