"""What a rollback may put back: the rule on values, and on what real clusters showed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from kdeploy.model import CheckResult, Obj
from kdeploy.rollback.choose import Baseline, NoTarget, RollbackTarget, choose_rollback, observe_baseline
from kdeploy.rollout import marks
from kdeploy.rollout.revisions import Revision, revisions_of
from kdeploy.rollout.template import template_hash, template_of
from tests.unit.rollout.dumps import VERSIONS, load, with_workload, workload_of

PASSED = CheckResult(name="/health", passed=True, samples=20, failures=0, message="20 of 20")
FAILED = CheckResult(name="/health", passed=False, samples=3, failures=3, message="500")
VERIFIED_ITSELF = "itself"


def template(image: str) -> Obj:
    return {"metadata": {}, "spec": {"containers": [{"name": "web", "image": image}]}}


def named(image: str) -> str:
    return template_hash(template(image))


def revision(number: int, image: str, verified: str | None = None) -> Revision:
    """A stored revision; `verified` is the image whose hash its mark names, or VERIFIED_ITSELF."""
    own: Mapping[str, str] = {marks.DEPLOY_ID: f"deploy-{image}"}
    if verified:
        own = {**own, marks.VERIFIED: named(image if verified == VERIFIED_ITSELF else verified)}
    return Revision(
        name=f"web-{number}",
        uid=f"uid-{number}",
        number=number,
        template=template(image),
        hash=named(image),
        marks=own,
        created="",
        pods_key="",
    )


def live(
    image: str,
    *,
    available: bool = True,
    verified: bool = False,
    first: bool = False,
    checks: tuple[CheckResult, ...] = (),
) -> Baseline:
    own = {marks.VERIFIED: named(image)} if verified else {}
    return Baseline(
        template=template(image),
        hash=named(image),
        marks=own,
        revision="9",
        is_available=available,
        is_verified=verified,
        is_first=first,
        checks=checks,
    )


def image_of(choice: RollbackTarget | NoTarget) -> str:
    assert isinstance(choice, RollbackTarget), choice
    assert choice.hash == template_hash(choice.template)
    return str(choice.template["spec"]["containers"][0]["image"])


GOOD, BAD, BAD2 = revision(1, "good", VERIFIED_ITSELF), revision(2, "bad1"), revision(3, "bad2")


def test_after_good_bad_bad_the_good_one_comes_back_never_revision_minus_one() -> None:
    choice = choose_rollback(live("bad1", checks=(FAILED,)), (BAD2, BAD, GOOD), named("bad2"))
    assert image_of(choice) == "good"
    assert isinstance(choice, RollbackTarget)
    assert choice.revision == "1"
    assert choice.marks == GOOD.marks


@pytest.mark.parametrize(
    ("baseline", "why"),
    [
        (live("hotfix", verified=True), "was verified"),
        (live("hotfix", verified=True, checks=(FAILED,)), "was verified"),
        (live("hotfix", checks=(PASSED,)), "passed the same checks"),
        (live("hotfix"), "no check is there to fail"),
    ],
)
def test_what_was_live_available_and_good_goes_before_every_stored_revision(baseline: Baseline, why: str) -> None:
    choice = choose_rollback(baseline, (BAD, GOOD), named("bad1"))
    assert image_of(choice) == "hotfix"
    assert isinstance(choice, RollbackTarget)
    assert why in choice.why
    assert not choice.lenient


@pytest.mark.parametrize(
    "baseline",
    [
        live("broken", available=False),
        live("broken", available=False, verified=True),
        live("broken", available=False, checks=(PASSED,)),
        live("broken", checks=(FAILED,)),
        live("broken", checks=(PASSED, FAILED)),
    ],
)
def test_what_was_live_but_not_good_is_passed_over_for_the_newest_verified_revision(baseline: Baseline) -> None:
    newest = revision(4, "newest", VERIFIED_ITSELF)
    assert image_of(choose_rollback(baseline, (newest, BAD, GOOD), named("bad9"))) == "newest"


def test_an_inherited_mark_is_not_a_verified_revision() -> None:
    heir = revision(2, "foreign", verified="good")
    assert image_of(choose_rollback(live("x", available=False), (heir, GOOD), named("bad9"))) == "good"
    only_heirs = choose_rollback(live("x", available=False), (heir,), named("bad9"))
    assert isinstance(only_heirs, NoTarget)


def test_the_version_that_failed_is_never_put_back_however_well_it_is_marked() -> None:
    again = revision(5, "same", VERIFIED_ITSELF)
    assert image_of(choose_rollback(live("same", verified=True), (again, GOOD), named("same"))) == "good"
    assert isinstance(choose_rollback(live("same", verified=True), (again,), named("same")), NoTarget)


def test_on_the_first_deploy_the_available_version_counts_though_its_checks_fail_and_it_is_said() -> None:
    choice = choose_rollback(live("old", first=True, checks=(FAILED,)), (revision(1, "old"),), named("new"))
    assert image_of(choice) == "old"
    assert isinstance(choice, RollbackTarget)
    assert choice.lenient
    assert "did not pass" in choice.why
    assert isinstance(choose_rollback(live("old", checks=(FAILED,)), (), named("new")), NoTarget)
    assert isinstance(choose_rollback(live("old", first=True, available=False), (), named("new")), NoTarget)


@pytest.mark.parametrize(
    ("baseline", "why"),
    [
        (live("new"), "the same version was live before"),
        (live("old", available=False), "was not fully available"),
        (live("old", checks=(FAILED,)), "did not pass the checks"),
    ],
)
def test_where_nothing_was_proved_good_it_is_said_why(baseline: Baseline, why: str) -> None:
    choice = choose_rollback(baseline, (BAD,), named("new"))
    assert isinstance(choice, NoTarget)
    assert why in choice.why


@pytest.mark.parametrize("version", VERSIONS)
def test_a_verified_version_is_known_by_its_mark(version: str) -> None:
    baseline = observe_baseline(load(version, "verified"))
    assert (baseline.is_available, baseline.is_verified, baseline.is_first) == (True, True, False)


@pytest.mark.parametrize("version", VERSIONS)
def test_verified_then_a_foreign_set_env_then_a_bad_deploy_restores_the_live_healthy_template(version: str) -> None:
    snapshot = load(version, "foreign-env")
    baseline = observe_baseline(snapshot)
    assert (baseline.is_available, baseline.is_verified, baseline.is_first) == (True, False, False)
    healthy = choose_rollback(replace(baseline, checks=(PASSED,)), revisions_of(snapshot), "bad")
    assert isinstance(healthy, RollbackTarget)
    assert healthy.hash == template_hash(template_of(workload_of(snapshot)))
    assert not healthy.is_verified
    unhealthy = choose_rollback(replace(baseline, checks=(FAILED,)), revisions_of(snapshot), "bad")
    assert isinstance(unhealthy, RollbackTarget)
    assert (unhealthy.hash, unhealthy.is_verified) == (revisions_of(snapshot)[1].hash, True)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("moment", ["mid-rollout", "image-missing", "unready", "crash-1"])
def test_a_version_that_is_not_fully_available_is_no_baseline(version: str, moment: str) -> None:
    assert not observe_baseline(load(version, moment)).is_available


@pytest.mark.parametrize("version", VERSIONS)
def test_restarts_of_long_ago_do_not_make_the_live_version_unavailable(version: str) -> None:
    assert observe_baseline(load(version, "recovered")).is_available


@pytest.mark.parametrize("version", VERSIONS)
def test_a_workload_without_any_mark_is_a_first_deploy(version: str) -> None:
    assert observe_baseline(load(version, "complete")).is_first
    unmarked = with_workload(load(version, "verified"), lambda w: w["metadata"].pop("annotations"))
    assert not observe_baseline(unmarked).is_first, "its revisions still bear marks"
