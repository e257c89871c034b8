"""Containers as processes, for real: exit codes, signals, what they leave behind, and how they end."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kdeploy.sandbox.kubelet.command import Command, StartError
from kdeploy.sandbox.kubelet.process import start


def python(code: str, **env: str) -> Command:
    return Command(program=sys.executable, argv=("python3", "-c", code), env=env, folder="/tmp")


def run(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[[], None]:
    def inner() -> None:
        async def bounded() -> None:
            async with asyncio.timeout(30):
                await test()

        asyncio.run(bounded())

    inner.__name__ = test.__name__
    return inner


class Output:
    """What a container wrote."""

    def __init__(self) -> None:
        self.data = b""

    def __call__(self, data: bytes) -> None:
        self.data += data

    async def line(self) -> bytes:
        while b"\n" not in self.data:
            await asyncio.sleep(0.01)
        return self.data.split(b"\n")[0]


def is_there(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] != "Z"
    except OSError:
        return False


async def gone(*pids: int) -> None:
    while any(is_there(pid) for pid in pids):
        await asyncio.sleep(0.02)


@run
async def test_a_process_has_its_own_session_folder_and_a_clean_environment() -> None:
    output = Output()
    facts = "sorted(set(os.environ) - {'LC_CTYPE'}), os.getcwd(), os.getsid(0) == os.getpid(), os.read(0, 1)"
    process = await start(python(f"import os; print({facts})", A="1"), output)
    assert await process.wait() == 0
    assert output.data == b"['A'] /tmp True b''\n"


@run
async def test_both_streams_come_in_the_order_of_writing() -> None:
    output = Output()
    process = await start(python("import os\nfor i in range(4): os.write(1 + i % 2, b'%d' % i)"), output)
    await process.wait()
    assert output.data == b"0123"


@pytest.mark.parametrize(
    ("code", "expected"),
    [("raise SystemExit(7)", 7), ("import os; os.kill(os.getpid(), 9)", 137), ("import os; os.abort()", 134)],
)
def test_exit_codes_are_real_and_signals_are_128_and_more(code: str, expected: int) -> None:
    async def test() -> None:
        assert await (await start(python(code), Output())).wait() == expected

    run(test)()


@run
async def test_a_graceful_process_ends_by_itself_when_it_is_asked() -> None:
    output = Output()
    code = "import signal, sys; signal.signal(15, lambda *_: sys.exit(3)); print('up', flush=True); signal.pause()"
    process = await start(python(code), output)
    await output.line()
    assert await process.stop(10) == 3


@run
async def test_one_that_does_not_listen_is_killed_after_its_grace() -> None:
    output = Output()
    code = "import signal; signal.signal(15, signal.SIG_IGN); print('up', flush=True)\nwhile True: signal.pause()"
    process = await start(python(code), output)
    await output.line()
    began = time.monotonic()
    assert await process.stop(0.3) == 137
    assert 0.3 <= time.monotonic() - began < 3


DAEMON = """
import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        print(os.getpid(), flush=True)
        time.sleep(60)
    os._exit(0)
{rest}
"""


@run
async def test_what_left_the_session_ends_with_the_container_all_the_same() -> None:
    output = Output()
    process = await start(python(DAEMON.format(rest="time.sleep(0.3); raise SystemExit(5)")), output)
    daemon = int(await output.line())
    assert is_there(daemon)
    assert await process.wait() == 5
    assert not is_there(daemon)


@run
async def test_a_program_that_cannot_be_run_is_told_as_runc_does() -> None:
    for program, words in (("/nope", "no such file or directory"), ("/etc/passwd", "permission denied")):
        with pytest.raises(StartError, match=f'exec: "{program}": {words}'):
            await start(Command(program=program, argv=(program,), env={}, folder="/"), Output())


@run
async def test_words_that_no_system_takes_are_told_as_runc_does() -> None:
    words, variables = {"argv": ("python3", "a\0b")}, {"env": {"A": "a\0b"}}
    for wrong in (words, variables):
        with pytest.raises(StartError, match='exec: "python3": invalid argument'):
            await start(replace(python("pass"), **wrong), Output())


@run
async def test_nothing_is_left_when_the_shim_is_killed() -> None:
    output = Output()
    process = await start(python("import os, time; print(os.getppid(), flush=True); time.sleep(60)"), output)
    os.kill(int(await output.line()), signal.SIGKILL)
    assert await process.wait() == 137
    await gone(process.pid)


SANDBOX = """
import asyncio, sys
sys.path.insert(0, {root!r})
from tests.contract.sandbox.test_process import DAEMON, Output, python
from kdeploy.sandbox.kubelet.process import start

async def main():
    output = Output()
    process = await start(python(DAEMON.format(rest="time.sleep(60)")), output)
    print(process.pid, (await output.line()).decode(), flush=True)
    await process.wait()

asyncio.run(main())
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_nothing_is_left_when_the_sandbox_ends_however_it_does(number: signal.Signals) -> None:
    root = str(Path(__file__).parents[3])
    with subprocess.Popen(
        [sys.executable, "-c", SANDBOX.format(root=root)], stdout=subprocess.PIPE, text=True
    ) as sandbox:
        assert sandbox.stdout
        pids = [int(word) for word in sandbox.stdout.readline().split()]
        assert all(is_there(pid) for pid in pids)
        sandbox.send_signal(number)
        sandbox.wait()

    async def test() -> None:
        await gone(*pids)

    run(test)()
