"""What is done inside a running container besides its process: commands of probes, and its lifecycle hooks."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from pathlib import Path

from kdeploy.model import Obj
from kdeploy.sandbox.kubelet.command import Command, StartError, made
from kdeploy.sandbox.kubelet.node import Node
from kdeploy.sandbox.kubelet.prober import Asked
from kdeploy.sandbox.kubelet.process import start

_OUTPUT = 10 * 1024
_LONGEST = 3600.0


class HookError(Exception):
    """A hook failed; the message says how."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inside:
    """A running container from within. `command` is what it runs, `root` its image."""

    node: Node
    spec: Obj
    ip: str
    command: Command
    root: Path

    @property
    def asked(self) -> Asked:
        """For probes."""
        return Asked(address=self.ip, container=self.spec, execute=self.execute)

    async def execute(self, words: list[str], timeout: float) -> tuple[int, bytes]:
        """Runs a command with the container's environment. Exit code and output; raises TimeoutError."""
        output = bytearray()

        def take(data: bytes) -> None:
            output.extend(data[: _OUTPUT - len(output)])

        try:
            process = await start(self._command(words), take)
        except StartError as error:
            return 126, str(error).encode()
        try:
            async with asyncio.timeout(timeout):
                return await process.wait(), bytes(output)
        finally:
            await process.stop(0)

    async def after_start(self) -> None:
        """The postStart hook. Raises HookError."""
        await self._run_hook("postStart", _LONGEST)

    async def before_stop(self, seconds: float) -> None:
        """The preStop hook, for as long as there is time; that it fails changes nothing."""
        with contextlib.suppress(HookError, TimeoutError):
            await self._run_hook("preStop", seconds)

    async def _run_hook(self, name: str, seconds: float) -> None:
        hook = (self.spec.get("lifecycle") or {}).get(name) or {}
        async with asyncio.timeout(seconds):
            if hook.get("sleep"):
                await asyncio.sleep(float(hook["sleep"].get("seconds") or 0))
            elif hook.get("httpGet"):
                found = await self.node.prober.http_get(hook["httpGet"], self.asked, min(seconds, 30.0))
                if not found.good:
                    raise HookError(found.message)
            elif hook.get("exec"):
                words = [str(word) for word in hook["exec"].get("command") or ()]
                code, output = await self.execute(words, seconds)
                if code:
                    said = output.decode(errors="replace").strip()
                    raise HookError(f"command '{' '.join(words)}' exited with {code}: {said}")

    def _command(self, words: list[str]) -> Command:
        return made(words, self.command.env, self.root, Path(self.command.folder), self.node.interpreter)
