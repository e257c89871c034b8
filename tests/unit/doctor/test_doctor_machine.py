from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from kdeploy.cluster.survey import skew
from kdeploy.doctor.check import Check, bad, document, good, not_asked, passed, text, warning
from kdeploy.doctor.machine import judge_builder, judge_git, judge_pull, judge_skew
from kdeploy.errors import RefusedError
from kdeploy.model import Reason
from kdeploy.reference import parse
from kdeploy.report.wording import ASCII, UNICODE

IMAGE = parse("ghcr.io/acme/web:3f2c1a9b8c7d6e5f4a3b")
NOON = datetime(2026, 1, 31, 12, 0, 0, tzinfo=UTC)
HTTP_NOON = "Sat, 31 Jan 2026 12:00:00 GMT"


def git(**more: Any) -> Check:
    given: dict[str, Any] = {
        "commit": "a" * 40,
        "origin": "HEAD",
        "in_git": True,
        "shallow": False,
        "dirty": (),
        "notes": (),
    }
    return judge_git(**given | more)


def test_a_whole_and_clean_checkout_is_good() -> None:
    assert git() == good("git", f"commit {'a' * 12} (HEAD)")


@pytest.mark.parametrize(
    ("odd", "says", "hint"),
    [
        ({"shallow": True}, "a shallow clone", "fetch-depth: 0"),
        ({"in_git": False}, "no checkout", ""),
        (
            {"in_git": False, "notes": ("the git program is not on PATH",)},
            "git program is not on PATH: kdeploy can",
            "",
        ),
        ({"dirty": ("a\nb",)}, "in no commit: a b", "commit or ignore"),
        ({"notes": ("HEAD differs",)}, "HEAD differs", ""),
    ],
)
def test_what_is_odd_about_a_checkout_is_a_warning(odd: dict[str, Any], says: str, hint: str) -> None:
    check = git(**odd)
    assert check.passed is None
    assert says in check.message
    assert hint in check.hint


def test_the_builder_says_which_it_is_and_why_no_other() -> None:
    assert judge_builder("buildx", {}) == good("builder", "docker buildx")
    classic = judge_builder("classic", {"buildx": "docker has no buildx plugin"})
    assert (classic.passed, classic.message) == (
        True,
        "Docker's classic builder (not buildx: docker has no buildx plugin)",
    )
    layers = judge_builder("layers", {"buildx": "a", "classic": "b"})
    assert (layers.passed, layers.hint) == (None, "it does for this Dockerfile; one with RUN needs Docker")
    assert "this Dockerfile" not in judge_builder("layers", {"buildx": "a"}, followed=False).hint
    assert judge_builder("layers", {}).passed is True


def refused(reason: Reason) -> RefusedError:
    return RefusedError("the registry ghcr.io says no", hint="docker login ghcr.io", reason=reason)


@pytest.mark.parametrize(
    ("found", "builds", "verdict"),
    [
        ("sha256:1", True, True),
        ("sha256:1", False, True),
        (None, True, True),
        (None, False, False),
        (refused(Reason.IMAGE_UNAUTHORIZED), True, None),
        (refused(Reason.IMAGE_UNAUTHORIZED), False, False),
        (refused(Reason.IMAGE_PULL_FAILED), True, False),
    ],
)
def test_what_a_read_of_the_registry_means(found: Any, builds: bool, verdict: bool | None) -> None:
    check = judge_pull(IMAGE, found, "robot", builds=builds)
    assert check.passed is verdict
    is_denied = isinstance(found, RefusedError) and found.reason is Reason.IMAGE_UNAUTHORIZED
    assert ("asked as robot" if is_denied else "logged in as robot") in check.message
    assert "no login" in judge_pull(IMAGE, found, "", builds=builds).message


@pytest.mark.parametrize("ahead", [-40, 0, 40])
def test_the_skew_is_measured_between_sending_and_receiving(ahead: float) -> None:
    sent = NOON + timedelta(seconds=ahead)
    measured = skew(HTTP_NOON, sent, sent + timedelta(seconds=1))
    assert measured == pytest.approx(ahead)


def test_a_date_that_is_none_gives_no_skew() -> None:
    assert skew("", NOON, NOON) is None
    assert skew("yesterday", NOON, NOON) is None


@pytest.mark.parametrize(("seconds", "verdict"), [(0.3, True), (-4.9, True), (5.1, None), (-60.0, None), (None, None)])
def test_a_clock_that_is_off_is_a_warning(seconds: float | None, verdict: bool | None) -> None:
    assert judge_skew(seconds).passed is verdict


def test_a_clock_that_is_off_says_in_which_direction() -> None:
    assert "3600 s ahead of the API server" in judge_skew(3600.0).message
    assert "3600 s behind the API server" in judge_skew(-3600.0).message


CHECKS = (
    good("git", "fine"),
    warning("clock", "off"),
    bad("target", RefusedError("it is\x1b[31m paused\n", hint="resume it\n  - {a: b}")),
    not_asked("checks", "no target"),
)


def test_a_line_a_check_and_below_it_what_to_do() -> None:
    assert text(CHECKS, UNICODE).splitlines() == [
        "✓ git     fine",
        "! clock   off",
        "✗ target  it is paused",
        "          resume it",
        "          - {a: b}",
        "! checks  not asked: no target",
        "✗ a deploy would be refused: target",
    ]
    assert text(CHECKS, ASCII).isascii()
    assert text(CHECKS, UNICODE, only_problems=True).splitlines()[0] == "! clock   off"


def test_warnings_refuse_nothing() -> None:
    fine = [check for check in CHECKS if check.passed is not False]
    assert passed(fine)
    assert not passed(CHECKS)
    assert text(fine, UNICODE).splitlines()[-1] == "✓ a deploy can go ahead, with 2 of 3 to look at"


def test_the_document_has_every_check() -> None:
    found = document(CHECKS)
    assert (found["schema"], found["passed"]) == ("kdeploy.doctor/v1", False)
    assert [(one["name"], one["passed"]) for one in found["checks"]] == [
        ("git", True),
        ("clock", None),
        ("target", False),
        ("checks", None),
    ]
    assert found["checks"][2]["hint"].splitlines()[0] == "resume it"
