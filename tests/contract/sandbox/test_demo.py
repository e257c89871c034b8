"""`kdeploy demo`, whole: as a newcomer runs it, in an environment that is against it, and ended in the middle."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from kdeploy.sandbox.addresses import can_have_addresses
from tests.contract.sandbox.sandboxes import ENV, command_lines, kdeploy

pytestmark = pytest.mark.skipif(not can_have_addresses(), reason="this machine has one loopback address only")

AGAINST = {
    "CI": "true",
    "GITHUB_ACTIONS": "true",
    "GITHUB_SHA": "0" * 40,
    "KDEPLOY_NAMESPACE": "nowhere",
    "KDEPLOY_IMAGE": "nowhere/web:1",
    "KDEPLOY_OUTPUT": "json",
    "KUBECONFIG": "/nonexistent/kubeconfig",
    "DOCKER_HOST": "tcp://127.0.0.1:1",
    "HTTP_PROXY": "http://127.0.0.1:1",
    "HTTPS_PROXY": "http://127.0.0.1:1",
    "ALL_PROXY": "http://127.0.0.1:1",
    "GIT_DIR": "/nonexistent/.git",
    "GIT_AUTHOR_DATE": "2001-01-01T00:00:00Z",
}


README = Path(__file__).parents[3] / "README.md"


@pytest.fixture
def env(tmp_path: Path) -> Iterator[dict[str, str]]:
    """An environment with places that are empty afterwards, as is the machine of processes that know them."""
    place, home = tmp_path / "tmp", tmp_path / "home"
    place.mkdir()
    home.mkdir()
    yield {**ENV, "TMPDIR": str(place), "HOME": str(home), "XDG_STATE_HOME": str(home / "state")}
    assert list(place.iterdir()) == []
    no_process_knows(tmp_path, 10)


def no_process_knows(folder: Path, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while left := [line for line in command_lines() if str(folder) in line and "pytest" not in line]:
        assert time.monotonic() < deadline, left
        time.sleep(0.05)


def rows(output: str) -> list[tuple[str, ...]]:
    """The table's rows: commit, digest, outcome."""
    return re.findall(r"^✓  ([0-9a-f]{12})  ([0-9a-f]{12})  (\S+(?: \S+)?) ", output, re.M)


def test_four_commits_end_as_they_have_to_and_no_request_is_lost(env: dict[str, str]) -> None:
    done = kdeploy("demo", env={**AGAINST, **env}, timeout=240)
    assert done.returncode == 0, done.stdout + done.stderr
    found = rows(done.stdout)
    assert [row[2].strip() for row in found] == [
        "deployed", "deployed", "rolled-back CrashLoop", "rolled-back Unhealthy",
    ]  # fmt: skip
    asked = re.search(r"([\d,]+) requests, 50 a second, each by a new connection: 0 lost", done.stdout)
    assert asked
    assert int(asked[1].replace(",", "")) > 100
    assert f"running now: commit {found[1][0]}, 3 of 3 pods ready" in done.stdout
    assert "KeyError: 'DATABASE_URL'" in done.stderr
    assert "the stock is not loaded" in done.stderr
    assert list(Path(env["HOME"]).iterdir()) == []
    # The same commits and images on every machine. Who changes the app or the builder runs it for the README again.
    session = README.read_text().split("<!-- demo: begin -->")[1].split("<!-- demo: end -->")[0]
    assert found == rows(session)


def test_without_addresses_for_processes_the_pods_are_simulated(env: dict[str, str]) -> None:
    done = kdeploy("demo", "--simulated", env={**AGAINST, **env}, timeout=240)
    assert done.returncode == 0, done.stdout + done.stderr
    assert [row[2].strip() for row in rows(done.stdout)] == [
        "deployed", "deployed", "rolled-back CrashLoop", "rolled-back Unhealthy",
    ]  # fmt: skip
    assert re.search(r"[\d,]+ requests, 50 a second, each by a new connection: 0 lost", done.stdout)
    assert re.search(r"\d+ x simulated pod web-", done.stdout)
    assert "simulated: none of them is a process" in done.stderr
    assert "KeyError: DATABASE_URL" in done.stderr
    session = README.read_text().split("<!-- demo: begin -->")[1].split("<!-- demo: end -->")[0]
    assert rows(done.stdout) == rows(session)


@pytest.mark.parametrize(("moment", "number"), [("1/4", signal.SIGTERM), ("patched to", signal.SIGINT)])
def test_ended_in_the_middle_it_leaves_nothing_behind(env: dict[str, str], moment: str, number: signal.Signals) -> None:
    with started(env, moment) as demo:
        demo.send_signal(number)
        assert demo.stderr
        demo.stderr.read()
        assert demo.wait(40) == 128 + number


def test_no_process_is_left_where_it_is_killed(tmp_path: Path) -> None:
    place = tmp_path / "tmp"
    place.mkdir()
    with started({**ENV, "TMPDIR": str(place), "HOME": str(tmp_path)}, "patched to") as demo:
        demo.kill()
    no_process_knows(place, 60)


@contextmanager
def started(env: dict[str, str], moment: str) -> Iterator[subprocess.Popen[str]]:
    """A demo that has come to the moment at which it says something."""
    command = [sys.executable, "-m", "kdeploy", "demo"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=env) as demo:
        assert demo.stderr
        assert any(moment in line for line in demo.stderr)
        yield demo


def test_kept_it_stays_up_with_a_repository_to_go_on_with(env: dict[str, str]) -> None:
    done = kdeploy("demo", "--keep", env=env, timeout=240)
    assert done.returncode == 0, done.stdout + done.stderr
    go, history, mend = re.findall(r"^  (\S.*)\n      ", done.stdout.split("next:")[1], re.M)

    def shell(command: str) -> subprocess.CompletedProcess[str]:
        script = ["bash", "-c", f"{go} && {command}"]  # as it was said, on a machine whose git knows nobody
        return subprocess.run(script, capture_output=True, text=True, check=False, env=env, timeout=120)

    try:
        assert shell(history).stdout.count("  yes  ") == 3
        mended = shell(mend)
        assert mended.returncode == 0, mended.stderr
        again = kdeploy("demo", "--keep", env=env)
        assert again.returncode == 4
        assert "a sandbox runs" in again.stderr
    finally:
        assert kdeploy("sandbox", "down", env=env).returncode == 0
    assert not Path(env["XDG_STATE_HOME"], "kdeploy", "sandbox").exists()


def test_without_git_it_says_so(env: dict[str, str], tmp_path: Path) -> None:
    done = kdeploy("demo", env={**env, "PATH": str(tmp_path)})
    assert done.returncode == 2
    assert "git is not there" in done.stderr
    assert "next: install git" in done.stderr
