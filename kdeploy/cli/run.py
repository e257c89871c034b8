"""Runs a command and exits: the only place that does.

Every way a command may end comes together here: a result, an expected error, a signal, a bug. Each becomes a report, an
exit code and, as -o, --report and --trace ask, output.
"""

from __future__ import annotations

import contextlib
import os
import sys
import traceback
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, NoReturn, TextIO, cast

from kdeploy.cli.files import make_way, unwritable, write_files
from kdeploy.cli.private import is_kept, remove_all
from kdeploy.clock import Deadline, SystemClock
from kdeploy.config.flags import Flags
from kdeploy.errors import ConfigError, InterruptedBySignalError, KdeployError
from kdeploy.events import BuildOutput, Event
from kdeploy.model import Obj, Outcome, Reason
from kdeploy.ports import Clock
from kdeploy.process import end_all
from kdeploy.report.encode import dumps
from kdeploy.report.folding import GITHUB, GITLAB, Folding
from kdeploy.report.redact import Redactor
from kdeploy.report.renderer import Renderer, renderer, wants_live
from kdeploy.report.sinks import PlainSink, Sink, shows_at
from kdeploy.report.value import Report, Timings
from kdeploy.report.wording import defused
from kdeploy.secret import GITHUB_TOKEN, PRIVATE, Secret
from kdeploy.signals import Signals
from kdeploy.text import one_line

TAIL = 20
"""Lines of the builder's output that are shown again where a failed build's were not to be seen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """What a command is given: what was asked, and the few things that it may touch. `started`: on `clock`. `err` is
    for sinks that the command adds to `shown`.
    """

    flags: Flags
    env: Mapping[str, str]
    clock: Clock
    redactor: Redactor
    signals: Signals
    shown: Renderer
    err: TextIO
    started: float
    output: deque[str] = field(default_factory=lambda: deque(maxlen=TAIL))

    def emit(self, event: Event) -> None:
        """Shows an event."""
        if isinstance(event, BuildOutput):
            self.output.append(event.line)
        self.shown.emit(event)

    def within(self, seconds: float) -> Deadline:
        """The moment so many seconds after the command began."""
        return Deadline(self.clock.now, self.started + seconds - self.clock.now())


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """How a command ended. A `report` is shown and written by the renderers. `text` goes to stdout with -o human,
    `document` with -o json and jsonl, where there is no report.
    """

    exit_code: int
    report: Report | None = None
    text: str = ""
    document: Obj | None = None


Body = Callable[[Session], Result]


def reported(report: Report, text: str = "") -> Result:
    """The result of a command that ends with a report."""
    return Result(exit_code=report.exit_code, report=report, text=text)


def run_command(flags: Flags, body: Body) -> NoReturn:
    """Runs `body` and exits with its code.

    At once: all is written and closed by now, and to take every imported module apart would cost another 100 ms.
    """
    env = dict(os.environ)
    for name in PRIVATE:  # libraries start programs too, and hand on this process's own environment
        os.environ.pop(name, None)
    with Signals() as signals:
        code = _execute(flags, body, signals, env=env, out=sys.stdout, err=sys.stderr)
        _flush()
        end_all()
        remove_all()
        os._exit(code)


def execute(flags: Flags, body: Body, *, env: Mapping[str, str], out: TextIO, err: TextIO) -> int:
    """Runs `body`, shows how it ended, and returns the exit code."""
    with Signals() as signals:
        return _execute(flags, body, signals, env=env, out=out, err=err)


def _execute(flags: Flags, body: Body, signals: Signals, *, env: Mapping[str, str], out: TextIO, err: TextIO) -> int:
    clock, redactor = SystemClock(), Redactor()
    started, live = clock.now(), wants_live(tty=err.isatty(), env=env)
    shown, flags, wrong = _open(flags, out, err, clock, redactor, live=live, env=env)
    session = Session(
        flags=flags, env=env, clock=clock, redactor=redactor, signals=signals, shown=shown, err=err, started=started
    )
    with shown:
        result = _end(session, body, wrong, err)
        signals.finish()
        if result.report is not None:
            _finish(session, result.report)
            if result.report.outcome is Outcome.BUILD_FAILED and (live or flags.quiet):
                _show_tail(session, err)
    _print(session, result, out)
    return result.exit_code


def _open(
    flags: Flags, out: TextIO, err: TextIO, clock: Clock, redactor: Redactor, *, live: bool, env: Mapping[str, str]
) -> tuple[Renderer, Flags, ConfigError | None]:
    """The renderer, the flags without the files that cannot be written, and what is wrong with those: found before
    anything is done, shown like any error.
    """
    flags, wrong = make_way(flags)
    output = cast("Literal['human', 'json', 'jsonl']", flags.output)
    verbosity = flags.verbose - flags.quiet
    token = os.urandom(16).hex() if env.get("GITHUB_ACTIONS") == "true" else None

    def open_with(trace: Path | None) -> Renderer:
        return renderer(
            output, out=out, err=err, clock=clock, redactor=redactor, live=live, verbosity=verbosity, token=token,
            folding=_folding(env), trace=trace, more=_for_github(flags, env, err, redactor) if token else (),
        )  # fmt: skip

    try:
        return open_with(Path(flags.trace) if flags.trace else None), flags, wrong
    except OSError as error:
        return open_with(None), flags, wrong or unwritable("--trace", flags.trace or "", error.strerror or "")


def _for_github(flags: Flags, env: Mapping[str, str], err: TextIO, redactor: Redactor) -> list[Sink]:
    from kdeploy.report.github.sink import StepSink

    redactor.add(Secret(env.get(GITHUB_TOKEN, "")))
    return [StepSink(err, redact=redactor, env=env, report=flags.report or "")]


def _folding(env: Mapping[str, str]) -> Folding | None:
    """How the CI's log folds a part of it; None where it does not, or in none."""
    if env.get("GITHUB_ACTIONS") == "true":
        return GITHUB
    return GITLAB if env.get("GITLAB_CI") else None


def _end(session: Session, body: Body, wrong: ConfigError | None, err: TextIO) -> Result:
    """The result of `body`, whatever comes out of it."""
    try:
        if wrong:
            raise wrong
        return _with_signal(session.signals.interruptible(lambda: body(session)), session.signals)
    except KdeployError as error:
        report = _failure(error)
    except KeyboardInterrupt:
        report = _failure(InterruptedBySignalError(2))
    except Exception as error:  # a bug: it must end in a report and an exit code like everything else
        session.shown.close()
        if session.flags.verbose:
            err.write(_harmless(session, "".join(traceback.format_exception(error))))
        report = _bug(error)
    return reported(replace(report, timings=Timings(total=session.clock.now() - session.started)))


def _with_signal(result: Result, signals: Signals) -> Result:
    """An interrupted run ends with the code of its signal: 143 for SIGTERM."""
    report = result.report
    if report is None or report.outcome is not Outcome.INTERRUPTED or signals.received is None:
        return result
    return reported(report.with_exit_code(128 + signals.received))


def _failure(error: KdeployError) -> Report:
    code = 128 + error.signal if isinstance(error, InterruptedBySignalError) else error.outcome.exit_code
    return Report(
        outcome=error.outcome,
        exit_code=code,
        reason=error.reason,
        message=error.message,
        hint=error.hint,
        location=error.location,
    )


def _bug(error: Exception) -> Report:
    return Report(
        outcome=Outcome.INTERNAL,
        exit_code=Outcome.INTERNAL.exit_code,
        reason=Reason.INTERNAL,
        message=one_line(f"this is a bug in kdeploy: {type(error).__name__}: {error}"),
        hint="look at the workload; run again with -v, and report what that shows, with kdeploy --version",
    )


def _finish(session: Session, report: Report) -> None:
    """Writes the files before the summary, so that a failure can still be told. It changes no exit code."""
    if "INPUT_COMMAND" in session.env:  # the runner sets every input, also those that are not given
        from kdeploy.cli.inputs import as_inputs

        kubeconfig = session.flags.kubeconfig or ""
        report = as_inputs(report, kubeconfig if is_kept(kubeconfig) else "")
    problems = write_files(session.flags, report, session.redactor)
    session.shown.finish(replace(report, warnings=(*report.warnings, *problems)))


def _show_tail(session: Session, err: TextIO) -> None:
    """The end of a failed build's output, where it was not shown as it came."""
    sink = PlainSink(err, clock=session.clock, redact=session.redactor, shows=shows_at(0))
    for line in session.output:
        sink.emit(BuildOutput(line=line))
    sink.close()


def _print(session: Session, result: Result, out: TextIO) -> None:
    """The result on stdout, where the renderers have not put it there already. A closed pipe changes nothing."""
    text = ""
    if session.flags.output == "human":
        text = session.redactor(_harmless(session, result.text))
    elif result.document is not None:  # value by value: a mask in the place of a true would be no JSON
        document = session.redactor.scrub(result.document)
        text = dumps(document, indent=2 if session.flags.output == "json" else None) + "\n"
    try:
        out.write(text)
        out.flush()
    except OSError:
        return


def _harmless(session: Session, text: str) -> str:
    """`text` without secrets; on GitHub also without a line that its runner takes for a command: the log has stdout."""
    if session.env.get("GITHUB_ACTIONS") == "true":
        text = "".join(map(defused, text.splitlines(keepends=True)))
    return session.redactor(text)


def _flush() -> None:
    """Writes what is left. A reader that has gone away changes nothing."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
