"""Child processes: their output, their end, and that none is left behind."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kdeploy.process import NOT_FOUND, run, stream


class StopError(Exception):
    """Stands for a signal that raises."""


def alive(pid: int) -> bool:
    """Whether the process runs; one that has ended and waits for its parent does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def until_gone(pid: int) -> bool:
    for _ in range(100):
        if not alive(pid):
            return True
        time.sleep(0.01)
    return False


def shell(script: str) -> list[str]:
    return ["sh", "-c", script]


def test_a_program_is_run_to_its_end() -> None:
    finished = run(shell("cat; echo oops >&2; exit 3"), stdin=b"hello ")
    assert (finished.code, finished.text, finished.err) == (3, "hello", "oops\n")


def test_a_program_that_is_not_there_has_the_code_of_a_shell() -> None:
    lines: list[str] = []
    assert run(["no-such-program"]).code == NOT_FOUND
    assert stream(["no-such-program"], line=lines.append, timeout=1) == NOT_FOUND
    assert lines == ["no-such-program: No such file or directory"]


def test_lines_of_both_streams_come_as_they_are_printed() -> None:
    moments: list[float] = []
    lines: list[str] = []

    def line(text: str) -> None:
        lines.append(text)
        moments.append(time.monotonic())

    script = r"printf 'one\r\ntwo\rthree\n\n'; sleep 0.2; printf 'caf\303\251 \377' >&2; exit 4"
    assert stream(shell(script), line=line, timeout=5) == 4
    assert lines == ["one", "two", "three", "caf\u00e9 \ufffd"]
    assert moments[-1] - moments[0] > 0.15


def test_a_line_without_end_is_cut() -> None:
    lines: list[str] = []
    program = "import sys; sys.stdout.write('x' * 100000)"
    stream([sys.executable, "-c", program], line=lines.append, timeout=10)
    assert lines
    assert max(map(len, lines)) <= 16_384


@pytest.mark.parametrize("stubborn", ["", "trap '' TERM;"])
def test_at_the_timeout_the_whole_group_is_ended(stubborn: str) -> None:
    pids: list[str] = []
    start = time.monotonic()
    with pytest.raises(TimeoutError):
        stream(shell(f"{stubborn} sleep 60 & echo $!; wait; wait"), line=pids.append, timeout=0.3)
    assert time.monotonic() - start < 5
    assert until_gone(int(pids[0]))


def test_when_the_caller_raises_the_whole_group_is_ended() -> None:
    pids: list[int] = []

    def line(text: str) -> None:
        pids.append(int(text))
        raise StopError

    with pytest.raises(StopError):
        stream(shell("sleep 60 & echo $!; wait"), line=line, timeout=30)
    assert until_gone(pids[0])


@pytest.fixture
def alarm_raises() -> Iterator[None]:
    def handler(number: int, frame: object) -> None:
        raise StopError

    before = signal.signal(signal.SIGALRM, handler)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


@pytest.mark.usefixtures("alarm_raises")
def test_a_signal_that_raises_ends_the_whole_group() -> None:
    pids: list[str] = []
    signal.setitimer(signal.ITIMER_REAL, 0.3)
    with pytest.raises(StopError):
        stream(shell("sleep 60 & echo $!; wait"), line=pids.append, timeout=30)
    assert until_gone(int(pids[0]))


@pytest.mark.usefixtures("alarm_raises")
def test_a_signal_that_raises_ends_a_program_that_is_waited_for(tmp_path: Path) -> None:
    file = tmp_path / "pid"
    signal.setitimer(signal.ITIMER_REAL, 0.3)
    with pytest.raises(StopError):
        run(shell(f"echo $$ > {file}; exec sleep 60"))
    assert until_gone(int(file.read_text()))


def test_a_program_that_is_waited_for_ends_at_its_timeout(tmp_path: Path) -> None:
    file = tmp_path / "pid"
    with pytest.raises(TimeoutError, match="did not end within"):
        run(shell(f"echo $$ > {file}; exec sleep 60"), timeout=0.3)
    assert until_gone(int(file.read_text()))


def test_a_process_that_keeps_the_pipe_open_does_not_hold_the_caller() -> None:
    pids: list[str] = []
    start = time.monotonic()
    assert stream(shell("sleep 60 & echo $!; exit 0"), line=pids.append, timeout=30) == 0
    assert time.monotonic() - start < 5
    os.kill(int(pids[0]), signal.SIGKILL)


@pytest.mark.parametrize("is_own", [True, False])
def test_no_child_gets_the_secrets_among_kdeploys_own_variables(is_own: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    given = {"KDEPLOY_REGISTRY_PASSWORD": "a", "KDEPLOY_GITHUB_TOKEN": "b", "KDEPLOY_TIMEOUT": "10m"}
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    told = run(["env"], env=None if is_own else {"PATH": os.defpath, **given}).text.splitlines()
    assert [name for name in given if any(line.startswith(f"{name}=") for line in told)] == ["KDEPLOY_TIMEOUT"]


COMMAND = """
from docker.credentials import Store
from kdeploy.cli.run import Result, run_command
from kdeploy.config.flags import Flags

def body(session):
    Store("spy").get("registry.example")
    return Result(exit_code=len(session.env["KDEPLOY_GITHUB_TOKEN"]))

run_command(Flags(), body)
"""


def test_no_program_that_a_library_starts_gets_them_either(tmp_path: Path) -> None:
    helper, seen = tmp_path / "docker-credential-spy", tmp_path / "seen"
    helper.write_text(f"""#!/bin/sh\nenv >{seen}\necho '{{"Username": "u", "Secret": "s"}}'\n""")
    helper.chmod(0o755)
    given = {"KDEPLOY_REGISTRY_PASSWORD": "canary-1", "KDEPLOY_GITHUB_TOKEN": "canary-2", "KDEPLOY_TIMEOUT": "10m"}
    env = {"PATH": f"{tmp_path}:{os.defpath}", **given}
    assert subprocess.run([sys.executable, "-c", COMMAND], env=env, check=False).returncode == len("canary-2")
    assert "KDEPLOY_TIMEOUT=10m" in seen.read_text()
    assert "canary" not in seen.read_text()
