"""The kinds of events that matter in a run, in their order, as one line for a row to say."""

from collections.abc import Iterable, Iterator

from tests.scenarios.live import Obj

PATCH, RESTORE = "patch", "restore"


def story_of(events: Iterable[Obj]) -> str:
    """For instance "build push baseline rollout patch CrashLoop rollback restore Complete verify ok".

    Phases by their names; "patch" and "restore" for a patch; a verdict by its reason; "ok" and "bad" for a check.
    """
    return " ".join(_words(events))


def _words(events: Iterable[Obj]) -> Iterator[str]:
    for event in events:
        match event["type"]:
            case "phase-started":
                yield event["phase"]
            case "patched":
                yield RESTORE if event["restore"] else PATCH
            case "verdict":
                yield event["verdict"]["reason"]
            case "check":
                yield "ok" if event["result"]["passed"] else "bad"
