"""The work of `kdeploy status`: one verdict, of the cluster as it is or of a dump."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from kdeploy.cli.run import Result, Session
from kdeploy.config import document
from kdeploy.config.settings import Settings
from kdeploy.config.target import parse_workload
from kdeploy.errors import ConfigError
from kdeploy.events import Phase
from kdeploy.model import Culprit, Obj, Snapshot, State, Target, Verdict
from kdeploy.report.encode import encode_fields
from kdeploy.report.wording import counted
from kdeploy.rollout.containers import env_secrets
from kdeploy.rollout.pod_events import in_the_making, suspects
from kdeploy.rollout.revisions import live_revision, new_pods
from kdeploy.rollout.status import expectation, snapshot_from_dump, status_of
from kdeploy.text import one_line

READ_TIMEOUT = 30.0
_EXIT_CODES = {State.COMPLETE: 0, State.PROGRESSING: 1, State.PAUSED: 1, State.FAILED: 12, State.SUPERSEDED: 12}
_GET = "make it with: kubectl get deploy,rs,pods,events -o yaml"


def status_result(session: Session) -> Result:
    """The verdict as text and as JSON; exit 0 complete, 1 progressing or paused, 12 failed."""
    if session.flags.from_file:
        if session.flags.watch:
            raise ConfigError(
                "--watch and --from-file exclude each other", hint="a file does not change: leave one out"
            )
        return _result(*_judge_dump(session))
    from kdeploy.cli.wiring import load_settings

    return _result(*_judge_cluster(session, load_settings(session)))


def _judge_cluster(session: Session, settings: Settings) -> tuple[Target, Verdict, Snapshot]:
    from kdeploy.cli.wiring import edges, reach
    from kdeploy.story.evidence import with_evidence
    from kdeploy.story.run import Run
    from kdeploy.story.wait import wait

    there = reach(session, settings, settings.limits.timeout)
    run = Run(edges=edges(session, settings, there), target=there.target, started=session.clock.now())
    snapshot = there.cluster.open(there.target, run.now() + READ_TIMEOUT)
    budget = settings.limits.crash_budget
    if session.flags.watch:
        expected = expectation(snapshot, crash_budget=budget)
        with run.phase(Phase.ROLLOUT, str(there.target)):
            verdict = wait(run, Phase.ROLLOUT, expected, session.started + settings.limits.timeout)
    else:
        verdict = status_of(snapshot, crash_budget=budget)
        if pods := [*suspects(verdict.culprits), *in_the_making(new_pods(snapshot))]:
            events = there.cluster.pod_events(pods, run.now() + READ_TIMEOUT)
            verdict = status_of(replace(snapshot, events=events), crash_budget=budget)
    return there.target, replace(verdict, culprits=with_evidence(run, verdict)), there.cluster.snapshot()


def _judge_dump(session: Session) -> tuple[Target, Verdict, Snapshot]:
    file, given = session.flags.from_file or "", session.flags.target
    if len(given) > 1:
        raise ConfigError("one target a run", hint="run kdeploy once for each of them")
    items = _items(_read(file), file)
    for secret in {secret for item in items for secret in env_secrets(item)}:
        session.redactor.add(secret)
    wanted = parse_workload(given[0]) if given else None
    target = wanted.within(session.flags.namespace or _namespace_of(items, wanted.name, file)) if wanted else None
    found, snapshot = snapshot_from_dump(items, target)
    budget = session.flags.crash_budget
    verdict = status_of(snapshot) if budget is None else status_of(snapshot, crash_budget=budget)
    return found, verdict, snapshot


def _read(file: str) -> Any:
    caps = document.DUMP_CAPS
    try:
        with Path(file).open("rb") as stream:
            data = stream.read(caps.size + 1)
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read: {error.strerror}", hint=_GET) from None
    return document.load(data, file, caps)


def _items(dump: Any, file: str) -> list[Obj]:
    """The objects of a dump: a List, or one object."""
    is_list = isinstance(dump, dict) and str(dump.get("kind", "")).endswith("List")
    items = dump.get("items") if is_list else [dump]
    if not isinstance(items, list) or not all(_is_object(item) for item in items):
        raise ConfigError(f"{file}: this is no list of Kubernetes objects", hint=_GET)
    return items


def _is_object(item: Any) -> bool:
    return isinstance(item, dict) and isinstance(item.get("kind"), str) and isinstance(item.get("metadata"), dict)


def _namespace_of(items: list[Obj], name: str, file: str) -> str:
    found = {str(one["metadata"].get("namespace") or "default") for one in items if one["metadata"].get("name") == name}
    if len(found) > 1:
        hint = f"name one with -n: {one_line(', '.join(sorted(found)))}"
        raise ConfigError(f"{file} has {one_line(name)} in several namespaces", hint=hint)
    return next(iter(found), "default")


def _result(target: Target, verdict: Verdict, snapshot: Snapshot) -> Result:
    code, live = _EXIT_CODES[verdict.state], live_revision(snapshot)
    verified = live is not None and live.is_verified
    fields = {
        "schema": "kdeploy.status/v1",
        "exit_code": code,
        "target": encode_fields(target),
        "revision": str(live.number) if live else None,
        "verified": verified,
    }
    lines = [
        f"{target} in {target.namespace}: {verdict.state.value}: {verdict.reason.value}: {one_line(verdict.message)}",
        f"  pods: {counted(verdict.pods)}",
        f"  revision {live.number}, {'verified' if verified else 'not verified by kdeploy'}" if live else "",
        *(line for culprit in verdict.culprits for line in _culprit(culprit)),
    ]
    text = "".join(f"{line}\n" for line in lines if line)
    return Result(exit_code=code, text=text, document=fields | encode_fields(verdict))


def _culprit(culprit: Culprit) -> list[str]:
    who = f"pod {culprit.pod}" + (f", container {culprit.container}" if culprit.container else "")
    log = [f"    log: {one_line(line)}" for line in culprit.log_tail.splitlines()[-5:]]
    events = [f"    event: {one_line(event)}" for event in culprit.events[-3:]]
    return [f"  {one_line(who)}: {one_line(culprit.reason)}: {one_line(culprit.message)}", *events, *log]
