"""The sink that shows a deploy among the repository's deployments. GitHub never holds a deploy up: a thread speaks to
it, and the end waits for that one for a few seconds at most.
"""

from __future__ import annotations

from collections.abc import Callable
from queue import Empty, SimpleQueue
from threading import Thread
from typing import TextIO

from kdeploy.events import Event, Phase, PhaseStarted
from kdeploy.github.api import Api, GithubError
from kdeploy.github.plan import Deployment, State, creation, restored_commit, state_of, status
from kdeploy.model import Outcome
from kdeploy.report.github.commands import command
from kdeploy.report.value import Report
from kdeploy.text import bug, one_line

PATIENCE = 3.0
"""Seconds that the end waits. The process must end 5 s after its timeouts, whatever does not answer."""


class DeploymentSink:
    """Implements `sinks.Sink`. What goes wrong is a warning on `stream`, and changes nothing else."""

    title = "GitHub's deployments"

    def __init__(self, stream: TextIO, deployment: Deployment, *, redact: Callable[[str], str]) -> None:
        self._stream, self._redact, self._deployment = stream, redact, deployment
        self._tasks: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._ended: SimpleQueue[str] = SimpleQueue()
        self._api = Api(deployment)
        self._id: int | None = None
        self._is_under_way = False

    def emit(self, event: Event) -> None:
        """A deploy begins with its preflight; what begins otherwise changes no version."""
        if isinstance(event, PhaseStarted) and event.phase is Phase.PREFLIGHT and not self._is_under_way:
            self._do(self._begin)

    def finish(self, report: Report) -> None:
        """Tells how it ended, and waits for the answer."""
        if not self._is_under_way and restored_commit(report) is None:
            return
        self._do(lambda: self._end(report))
        self._tasks.put(None)
        try:
            problem = self._ended.get(timeout=PATIENCE)
        except Empty:
            problem = f"no answer within {PATIENCE:g} s"
        if problem:
            text = f"the deploy could not be shown among GitHub's deployments: {problem}"
            self._stream.write(self._redact(command("warning", one_line(text, 1000), title="kdeploy")) + "\n")
            self._stream.flush()

    def close(self) -> None:
        """Nothing is held: the thread is a daemon."""

    def _do(self, task: Callable[[], None]) -> None:
        if not self._is_under_way:
            self._is_under_way = True
            Thread(target=self._work, name="kdeploy-github", daemon=True).start()
        self._tasks.put(task)

    def _work(self) -> None:
        """Does the tasks in their order; the first that fails ends it."""
        problem = ""
        while (task := self._tasks.get()) is not None:
            try:
                if not problem:
                    task()
            except GithubError as error:
                problem = str(error)
            except Exception as error:  # it must not stay unsaid
                problem = bug(error)
        self._ended.put(problem)

    def _begin(self) -> None:
        self._id = self._api.create(creation(self._deployment, self._deployment.commit))
        self._set(self._id, "in_progress")

    def _end(self, report: Report) -> None:
        if self._id is not None:
            self._set(self._id, state_of(report), report)
        commit = restored_commit(report)
        # The restored version's own deployment mostly stayed the active one. Where it did not, a new one is made: a
        # success makes earlier ones inactive only. After a rollback by hand the newer version's is the active one.
        if commit is not None and not (report.outcome is Outcome.ROLLED_BACK and self._api.is_active(commit)):
            self._set(self._api.create(creation(self._deployment, commit)), "success", report)

    def _set(self, number: int, state: State, report: Report | None = None) -> None:
        self._api.set_status(number, status(self._deployment, state, report))
