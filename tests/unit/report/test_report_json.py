from __future__ import annotations

import json
import typing
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from kdeploy.events import BuildOutput, Event, Heartbeat, Phase
from kdeploy.model import CheckResult, Culprit, Kind, Location, Outcome, PodCounts, Reason, State, Target, Verdict
from kdeploy.report.encode import LOG_LIMIT, dumps, encode_report
from kdeploy.report.jsonl import line, report_line
from kdeploy.report.schema import NAMES, load_schema, with_enums
from kdeploy.report.value import ImageReport, Report, TargetReport, Timings, restored_report

REPORT = Draft202012Validator(json.loads(load_schema("report")))
EVENTS = Draft202012Validator(json.loads(load_schema("events")))
NOON = datetime(2025, 1, 31, 12, 0, 0, 5_678, tzinfo=UTC)

ANY_TEXT = st.text(st.characters(), max_size=20)  # lone surrogates too
MAYBE_TEXT = st.none() | ANY_TEXT
SECONDS = st.none() | st.floats(0, 1e6)
COUNT = st.integers(0, 10**6)
TARGETS = st.builds(Target, kind=st.sampled_from(Kind), name=ANY_TEXT, namespace=ANY_TEXT)
IMAGES = st.builds(
    ImageReport, reference=ANY_TEXT, repository=ANY_TEXT, tag=MAYBE_TEXT, digest=MAYBE_TEXT, previous=MAYBE_TEXT
)
CULPRITS = st.builds(
    Culprit,
    pod=ANY_TEXT,
    container=MAYBE_TEXT,
    reason=ANY_TEXT,
    message=ANY_TEXT,
    exit_code=st.none() | st.integers(-1, 255),
    restarts=st.none() | COUNT,
    log_tail=ANY_TEXT,
    events=st.lists(ANY_TEXT, max_size=2).map(tuple),
)
CHECKS = st.builds(CheckResult, name=ANY_TEXT, passed=st.booleans(), samples=COUNT, failures=COUNT, message=ANY_TEXT)
ENTRIES = st.builds(
    TargetReport,
    outcome=st.sampled_from(Outcome),
    reason=st.sampled_from(Reason),
    message=ANY_TEXT,
    target=TARGETS,
    cluster=ANY_TEXT,
    containers=st.lists(ANY_TEXT, max_size=2).map(tuple),
    image=st.none() | IMAGES,
    revision=MAYBE_TEXT,
    rolled_back_to=MAYBE_TEXT,
    url=MAYBE_TEXT,
    culprits=st.lists(CULPRITS, max_size=2).map(tuple),
    checks=st.lists(CHECKS, max_size=2).map(tuple),
)
REPORTS = st.builds(
    Report,
    outcome=st.sampled_from(Outcome),
    exit_code=st.integers(0, 255),
    reason=st.sampled_from(Reason),
    message=ANY_TEXT,
    hint=ANY_TEXT,
    location=st.none() | st.builds(Location, file=ANY_TEXT, line=st.none() | st.integers(1, 10**6)),
    warnings=st.lists(ANY_TEXT, max_size=2).map(tuple),
    deploy_id=MAYBE_TEXT,
    commit=MAYBE_TEXT,
    api_requests=COUNT,
    timings=st.builds(
        Timings,
        build=SECONDS,
        push=SECONDS,
        rollout=SECONDS,
        detect=SECONDS,
        verify=SECONDS,
        rollback=SECONDS,
        total=st.floats(0, 1e6),
    ),
    deploys=st.lists(ENTRIES, max_size=2).map(tuple),
)


PODS = st.builds(PodCounts, desired=COUNT, new=COUNT, ready=COUNT, available=COUNT, old=COUNT)
FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "seconds": st.floats(0, 1e6),
    "generation": COUNT,
    "detail": ANY_TEXT,
    "message": ANY_TEXT,
    "line": ANY_TEXT,
    "pods": PODS,
    "result": CHECKS,
    "verdict": st.builds(
        Verdict,
        state=st.sampled_from(State),
        reason=st.sampled_from(Reason),
        message=ANY_TEXT,
        culprits=st.lists(CULPRITS, max_size=1).map(tuple),
        pods=PODS,
    ),
}


def an_event(kind: type[Event]) -> st.SearchStrategy[Event]:
    known = {part.name: FIELDS[part.name] for part in fields(kind) if part.name in FIELDS}
    return st.builds(kind, **known)


FEW = settings(max_examples=20, deadline=None)


@FEW
@given(REPORTS)
def test_every_report_is_as_its_schema_says(report: Report) -> None:
    REPORT.validate(json.loads(dumps(encode_report(report))))


@pytest.mark.parametrize("kind", typing.get_args(Event), ids=lambda kind: kind.type)
@FEW
@given(data=st.data())
def test_every_event_is_as_its_schema_says(kind: type[Event], data: st.DataObject) -> None:
    text = line(data.draw(an_event(kind)), NOON)
    assert "\n" not in text
    EVENTS.validate(json.loads(text))
    assert json.loads(text)["type"] == kind.type


def test_the_events_schema_knows_each_type_of_event() -> None:
    known = {rule["if"]["properties"]["type"]["const"] for rule in json.loads(load_schema("events"))["allOf"]}
    assert known == {kind.type for kind in typing.get_args(Event)} | {"report"}


@pytest.mark.parametrize("name", NAMES)
def test_the_schemas_follow_the_enums_of_the_code(name: str) -> None:
    schema = json.loads(load_schema(name))
    Draft202012Validator.check_schema(schema)
    assert with_enums(schema) == schema, "run: python -m kdeploy.report.schema"


def test_another_schema_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="no schema 'x'; there are report, events"):
        load_schema("x")


@pytest.mark.parametrize(
    "change",
    [
        {"exit_code": "0"},
        {"outcome": "fine"},
        {"reason": "Because"},
        {"warnings": None},
        {"api_requests": 1.5},
        {"schema": "kdeploy.report/v2"},
    ],
    ids=str,
)
def test_the_schema_refuses_wrong_types_and_unknown_words(good_report: Report, change: dict[str, Any]) -> None:
    assert not REPORT.is_valid(encode_report(good_report) | change)


def test_the_schema_wants_each_field_and_leaves_room_for_more(good_report: Report) -> None:
    encoded = encode_report(good_report)
    assert REPORT.is_valid(encoded | {"later": 1})
    for name in encoded:
        assert not REPORT.is_valid({key: value for key, value in encoded.items() if key != name})


def test_a_report_has_the_fields_of_the_contract(failed_report: Report) -> None:
    encoded = encode_report(failed_report)
    assert list(encoded) == [
        "schema", "outcome", "exit_code", "reason", "message", "hint", "location", "warnings", "deploy_id",
        "commit", "api_requests", "timings", "deploys",
    ]  # fmt: skip
    entry = encoded["deploys"][0]
    assert set(entry) == {
        "outcome", "reason", "message", "target", "image", "revision", "rolled_back_to", "url", "culprits", "checks",
        "patch",
    }  # fmt: skip
    assert entry["target"] == {
        "cluster": "prod",
        "kind": "Deployment",
        "name": "web",
        "namespace": "shop",
        "containers": ["web"],
    }
    assert entry["checks"] == [{"name": "health", "passed": False, "samples": 20, "failures": 3, "message": "HTTP 500"}]
    assert entry["culprits"][0]["exit_code"] == 1


def test_seconds_are_rounded_to_milliseconds(good_report: Report) -> None:
    assert encode_report(good_report)["timings"]["total"] == 81.568


def test_hostile_text_is_clean_in_the_report(failed_report: Report) -> None:
    hostile = "\x1b[31mred\x1b[0m\r\u202eevil\x00 ##[add-mask]x ##vso[task.complete]"
    culprit = Culprit(pod=hostile, reason=hostile, message=hostile, log_tail=hostile, events=(hostile,))
    entry = replace(failed_report.deploys[0], message=hostile, culprits=(culprit,))
    text = dumps(encode_report(replace(failed_report, message=hostile, warnings=(hostile,), deploys=(entry,))))
    assert text.isascii()
    assert "evil" in text
    for raw in ("\\u001b", "\\r", "\\u202e", "\\u0000", "##[", "##vso["):
        assert raw not in text
    assert "##[add-mask]" in json.loads(text)["message"]


def test_of_a_long_log_the_end_is_kept(failed_report: Report) -> None:
    culprit = Culprit(pod="p", reason="Error", log_tail="x" * 10**6 + "the cause")
    entry = replace(failed_report.deploys[0], culprits=(culprit,))
    tail = encode_report(replace(failed_report, deploys=(entry,)))["deploys"][0]["culprits"][0]["log_tail"]
    assert tail.endswith("the cause")
    assert len(tail) == LOG_LIMIT


def test_a_line_of_jsonl_reads_like_this() -> None:
    beat = Heartbeat(phase=Phase.ROLLOUT, message="2 of 3", seconds=30.00049)
    assert line(beat, NOON) == (
        '{"v": 1, "at": "2025-01-31T12:00:00.005Z", "type": "heartbeat", '
        '"phase": "rollout", "message": "2 of 3", "seconds": 30.0}'
    )


def test_times_are_told_in_utc() -> None:
    elsewhere = NOON.astimezone(timezone(timedelta(hours=5, minutes=30)))
    assert json.loads(line(BuildOutput(line=""), elsewhere))["at"] == "2025-01-31T12:00:00.005Z"


def test_a_stream_ends_with_the_whole_report(good_report: Report) -> None:
    last = json.loads(report_line(good_report, NOON))
    EVENTS.validate(last)
    REPORT.validate(last["report"])


@pytest.mark.parametrize(
    ("reference", "parts"),
    [
        ("ghcr.io/acme/web:1@sha256:" + "a" * 64, ("ghcr.io/acme/web", "1", "sha256:" + "a" * 64)),
        ("nginx", ("nginx", None, None)),
        ("No Name", ("No Name", None, None)),
    ],
)
def test_a_restored_image_is_told_by_its_parts_as_far_as_it_is_a_name(
    reference: str, parts: tuple[str, str | None, str | None]
) -> None:
    found = restored_report(reference, "before")
    assert (found.repository, found.tag, found.digest) == parts
    assert (found.reference, found.previous) == (reference, "before")
