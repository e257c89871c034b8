"""What the demo says: on stderr what happens, on stdout how it ended."""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TextIO

from kdeploy.report.wording import Marks, duration
from kdeploy.sandbox.demo.client import Tally
from kdeploy.sandbox.demo.commits import COMMITS, Commit
from kdeploy.sandbox.demo.scene import Scene
from kdeploy.sandbox.demo.table import Row, client_lines, table

BOLD, DIM, GREEN, RED = "1", "2", "32", "1;31"


@dataclass(frozen=True, slots=True, kw_only=True)
class Screen:
    """Where it is said. `colour`, for each stream, whether it takes colours; `kdeploy` is how a shell finds kdeploy."""

    out: TextIO
    err: TextIO
    marks: Marks
    colour: Callable[[TextIO], bool]
    kdeploy: str

    def introduce(self, there: Scene) -> None:
        """Says what is about to happen, and where."""
        served = there.served
        removed = "" if there.kept else ", removed at the end"
        self._tell("kdeploy demo: four commits of a small web shop, deployed by kdeploy deploy itself", BOLD)
        self._tell(f"  registry    {served.registry}")
        self._tell(f"  cluster     {served.api}")
        real = f"processes of this machine, at {served.network}"
        self._tell(f"  pods        {real if served.network else 'simulated: none of them is a process'}")
        self._tell(f"  folder      {there.folder.path}{removed}")
        self._tell("  a crash loop is called after one restart: crash_budget: 1 in the shop's kdeploy.yaml")

    def announce(self, number: int, commit: Commit, sha: str, there: Scene) -> None:
        """Says which commit comes next."""
        self._tell()
        self._tell(f"{number + 1}/{len(COMMITS)}  {sha[:12]}  {commit.subject}", BOLD)
        self._tell(f"$ {shlex.join(there.command)}", DIM)

    def conclude(self, rows: Sequence[Row], tally: Tally, running: str, wrong: Sequence[str], seconds: float) -> None:
        """Says how it ended."""
        self._end()
        head, *lines = table(rows, self.marks).splitlines()
        self._end(head, BOLD)
        for line, row in zip(lines, rows, strict=True):
            self._end(line, GREEN if row.as_told else RED)
        self._end("seconds from the patch: to the verdict, and until the last version was back and verified", DIM)
        self._end()
        self._end(f"running now: {running}")
        first, *answers = client_lines(tally)
        self._end(f"a client all the while: {first}", RED if tally.lost else "")
        for answer in answers:
            self._end(f"  {answer}")
        self._end()
        if not wrong:
            self._end(f"{self.marks.good} all four ended as they had to, in {duration(seconds)}", GREEN)
        for difference in wrong:
            self._end(f"{self.marks.bad} {difference}", RED)

    def suggest(self, kept: Scene | None) -> None:
        """Says what to try next."""
        self._end()
        self._end("next:", BOLD)
        for command, why in _with(kept, self.kdeploy) if kept else _without(self.kdeploy):
            self._end(f"  {command}")
            self._end(f"      {why}", DIM)
        if kept:
            self._end(f"stop it: {self.kdeploy} sandbox down")

    def _tell(self, text: str = "", style: str = "") -> None:
        self._write(self.err, text, style)

    def _end(self, text: str = "", style: str = "") -> None:
        self._write(self.out, text, style)

    def _write(self, stream: TextIO, text: str, style: str) -> None:
        coloured = style and text and self.colour(stream)
        with contextlib.suppress(OSError):  # nobody reads it any more: how the demo ends is its exit code
            stream.write(f"\x1b[{style}m{text}\x1b[0m\n" if coloured else f"{text}\n")
            stream.flush()


def _without(kdeploy: str) -> list[tuple[str, str]]:
    deploy = f"{kdeploy} deploy deployment/web -n shop --image ghcr.io/acme/web --verify-http /health"
    return [
        (f"{kdeploy} demo --keep", "the same again, and the sandbox stays up to play with"),
        (f'eval "$({kdeploy} sandbox up)"', "an empty sandbox, for your own manifests and images"),
        (deploy, "on a cluster of yours"),
    ]


def _with(there: Scene, kdeploy: str) -> list[tuple[str, str]]:
    exports = {"KUBECONFIG": str(there.folder.kubeconfig), "KDEPLOY_IMAGE": there.image, "KDEPLOY_BUILDER": "layers"}
    words = " ".join(f"{name}={shlex.quote(value)}" for name, value in exports.items())
    return [
        (
            f"cd {shlex.quote(str(there.repository.folder))}; export {words}",
            "the repository, and what it is deployed to",
        ),
        (f"{kdeploy} history deployment/web -n demo", "the revisions, and which of them were verified"),
        (f"git revert --no-edit HEAD HEAD~1 && {kdeploy} deploy", "put the shop right, and deploy that"),
    ]
