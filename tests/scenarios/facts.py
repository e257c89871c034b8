"""What a run told and what a fresh read shows, as plain facts in the words of a row; and what the row wants of them.

References, digests and ids are replaced by the row's names: facts are the same wherever the row is played. Pure.
"""

from collections.abc import Iterator, Mapping, Sequence

from tests.scenarios.live import Live
from tests.scenarios.names import Names
from tests.scenarios.program import Ran
from tests.scenarios.scenario import Ends, Fields, Prints, State
from tests.scenarios.story import story_of

_TIMED: Mapping[str, tuple[str, ...]] = {
    "deployed": ("rollout", "detect", "total"),
    "rolled-back": ("rollout", "detect", "rollback", "total"),
    "restored": ("rollback", "total"),
}
"""The steps whose seconds a report must have."""


def told(ran: Ran, ends: Ends | Prints, names: Names) -> Fields:
    """How a run ended; of status and history what they printed."""
    if isinstance(ends, Prints):
        return {"exit code": ran.code, "printed": ran.report}
    report = ran.report
    facts: dict[str, object] = {
        "exit code": (ran.code, report["exit_code"]),
        "ended": (report["outcome"], report["reason"]),
        "story": story_of(ran.events),
        "unsaid": _missing(names.fill(ends.says), " ".join([report["message"], report["hint"], *report["warnings"]])),
        "untimed": tuple(step for step in _TIMED.get(report["outcome"], ()) if report["timings"][step] is None),
        "too many requests": max(0, report["api_requests"] - (ends.requests or 10**6)),
        "rolled back to": "",
        "targets that ended otherwise": [
            (deploy["outcome"], deploy["reason"])
            for deploy in report["deploys"]
            if (deploy["outcome"], deploy["reason"]) != (report["outcome"], report["reason"])
        ],
    }
    culprit: Fields = {}
    for deploy in report["deploys"]:
        culprit = next(iter(deploy["culprits"]), {})
        facts |= {
            "image": deploy["image"],
            "previous": names.version_of((deploy["image"] or {}).get("previous")),
            "rolled back to": names.version_of(deploy["rolled_back_to"]),
            "checks": tuple(check["passed"] for check in deploy["checks"]),
        }
    facts["culprit"] = culprit
    facts["missing in the log"] = _missing([ends.log], culprit.get("log_tail") or "")
    return facts


def wanted_of_run(ends: Ends | Prints, names: Names) -> Fields:
    """What `told` must contain."""
    if isinstance(ends, Prints):
        return {"exit code": ends.code, "printed": names.fill(ends.fields)}
    wanted: dict[str, object] = {
        "exit code": (ends.code, ends.code),
        "ended": (ends.outcome, ends.reason),
        "unsaid": (),
        "untimed": (),
        "targets that ended otherwise": [],
        "rolled back to": ends.back_to,
        "missing in the log": (),
        "too many requests": 0,
    }
    optional = {
        "image": names.fill(ends.image),
        "previous": ends.previous,
        "checks": ends.checks,
        "culprit": ends.culprit,
        "story": ends.story,
    }
    return wanted | _given(optional)


def seen(live: Live | None, before: Live | None, names: Names) -> Fields:
    """What a fresh read shows, and what of it is as it was `before`."""
    if live is None:
        return {"image": "", "kept": {}}
    return {
        "image": names.version_of(live.image),
        "pods": [(names.version_of(image), "ready" if ready else "not ready") for image, ready in live.running],
        "replicas": live.workload["spec"].get("replicas"),
        "marks": names.deployed_by(live.marks.get("deploy-id")),
        "commit": live.marks.get("commit"),
        "verified": bool(live.marks.get("verified")),
        "env": live.template["spec"]["containers"][0].get("env", []),
        "kept": _kept(live, before) if before else {},
    }


def wanted_of_state(state: State, kind: str, names: Names) -> Fields:
    """What `seen` must contain."""
    wanted: dict[str, object] = {"image": state.runs}
    if state.pods is not None:
        wanted["pods"] = [(state.runs, "ready")] * state.pods
        wanted["replicas"] = None if kind == "DaemonSet" else state.pods
    if state.marks is not None:
        wanted |= {"marks": state.marks, "commit": names.known[f"{state.marks}.commit"] if state.marks else None}
    return wanted | {"kept": dict.fromkeys(state.keeps, True)} | _given({"verified": state.verified, "env": state.env})


def _kept(live: Live, before: Live) -> Mapping[str, bool]:
    stayed = {uid for uid, count in before.restarts.items() if live.restarts.get(uid) == count}
    return {
        "template": live.template == before.template,
        "spec": live.workload["spec"] == before.workload["spec"],
        "generation": live.generation == before.generation,
        "marks": live.marks == before.marks,
        "pods": live.restarts == before.restarts,
        "all pods but one": len(stayed) == len(before.restarts) - 1,
    }


def unlike(facts: object, wanted: object, where: str = "") -> Iterator[str]:
    """A sentence for each fact that is not as wanted. What is not wanted of a mapping may be anything."""
    match facts, wanted:
        case Mapping(), Mapping():
            for key, value in wanted.items():
                name = f"{where}, {key}" if where else str(key)
                yield from unlike(facts[key], value, name) if key in facts else [f"{name}: there is none"]
        case list() | tuple(), list() | tuple() if len(facts) == len(wanted):
            for number, (each, value) in enumerate(zip(facts, wanted, strict=True), 1):
                yield from unlike(each, value, f"{where} {number}")
        case _ if facts != wanted:
            yield f"{where}: {_short(facts)}, and not {_short(wanted)}"


def _given(optional: Fields) -> dict[str, object]:
    return {name: value for name, value in optional.items() if value is not None}


def _missing(words: Sequence[str], text: str) -> tuple[str, ...]:
    return tuple(word for word in words if word not in text)


def _short(value: object) -> str:
    return repr(value)[:600]
