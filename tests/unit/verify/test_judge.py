"""The judge on virtual time: a small simulator plays the story's loop and the pods' answers."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdeploy.model import HttpCheck, Reason
from kdeploy.ports import Probe, Sample
from kdeploy.verify.judge import UNREACHABLE_HINT, Judgement, Standing, failures_allowed, judge
from kdeploy.verify.trial import PodAddress, Trial, begin, probes_due, take

Answer = bool | None | str
"""True, False, None (no answer of the app's own) or "lost" (the probe never comes back)."""

WEB_A, WEB_B, WEB_C = (PodAddress(name=f"web-{letter}", port=8080) for letter in "abc")
CHECK = HttpCheck(name="health", path="/health", interval=1.0, timeout=2.0, samples=5, within=10.0)


@dataclass(kw_only=True)
class Simulator:
    """Plays one check from time 0 on. `answers(pod, nth, now)` says what the nth probe of a pod finds."""

    check: HttpCheck
    answers: Callable[[str | None, int, float], Answer]
    pods: Callable[[float], Sequence[PodAddress]] = lambda now: [WEB_A]
    wakes: Sequence[float] = ()
    latency: float = 0.01
    sent: list[tuple[float, str | None]] = field(default_factory=list)
    now: float = 0.0

    def run(self, until: float = 1000.0) -> Judgement:
        order = itertools.count()
        notices: list[tuple[float, int, Sample | None]] = [(at, next(order), None) for at in self.wakes]
        trial = begin(self.check, 0.0)
        while True:
            probes, trial = probes_due(trial, self.pods(self.now), self.now)
            for sample in filter(None, map(self.sample, probes)):
                heapq.heappush(notices, (sample.at, next(order), sample))
            judgement = judge(trial, self.now)
            if judgement.is_final or self.now >= until:
                return judgement
            assert judgement.due is not None
            self.now, trial = self.wait(trial, judgement.due, notices)

    def wait(self, trial: Trial, due: float, notices: list[tuple[float, int, Sample | None]]) -> tuple[float, Trial]:
        if not notices or notices[0][0] > due:
            assert due > self.now, "the loop would spin"
            return due, trial
        at, _, sample = heapq.heappop(notices)
        return at, trial if sample is None else take(trial, sample)

    def sample(self, probe: Probe) -> Sample | None:
        nth = sum(pod == probe.pod for _, pod in self.sent)
        self.sent.append((self.now, probe.pod))
        found = self.answers(probe.pod, nth, self.now)
        if isinstance(found, str):
            return None
        messages = {True: "answered 200", False: "GET /health answered 500 instead of 200", None: "403 Forbidden"}
        return Sample(
            check=self.check.name,
            pod=probe.pod,
            asked=probe.asked,
            at=self.now + self.latency,
            ok=found,
            message=messages[found],
        )


def in_turn(*found: Answer, then: Answer = True) -> Callable[[str | None, int, float], Answer]:
    return lambda pod, nth, now: found[nth] if nth < len(found) else then


def test_a_check_passes_with_the_last_sample_of_the_last_pod() -> None:
    run = Simulator(check=CHECK, answers=in_turn(), pods=lambda now: [WEB_B, WEB_A])
    verdict = run.run()
    assert (verdict.standing, verdict.reason, verdict.due) == (Standing.PASSED, Reason.COMPLETE, None)
    assert (verdict.result.passed, verdict.result.samples, verdict.result.failures) == (True, 10, 0)
    assert verdict.result.message == "10 of 10 samples of 2 pods passed"
    assert run.now == pytest.approx(4.01)


def test_at_most_the_wanted_number_of_pods_is_asked_chosen_by_name() -> None:
    run = Simulator(check=replace(CHECK, pods=2), answers=in_turn(), pods=lambda now: [WEB_C, WEB_B, WEB_A])
    assert run.run().result.samples == 10
    assert {pod for _, pod in run.sent} == {"web-a", "web-b"}


def test_a_url_is_asked_without_any_pod() -> None:
    check = replace(CHECK, path=None, url="https://shop.example/health")
    run = Simulator(check=check, answers=in_turn(), pods=lambda now: [])
    assert run.run().result.message == "5 of 5 samples passed"
    assert {pod for _, pod in run.sent} == {None}


def test_each_probe_goes_out_one_interval_after_the_one_before() -> None:
    run = Simulator(check=CHECK, answers=in_turn())
    run.run()
    assert [at for at, _ in run.sent] == [0.0, 1.0, 2.0, 3.0, 4.0]


def test_a_slow_answer_is_waited_for_before_the_next_probe() -> None:
    run = Simulator(check=CHECK, answers=in_turn(), latency=1.5)
    run.run()
    assert [at for at, _ in run.sent] == [0.0, 1.5, 3.0, 4.5, 6.0]


def test_nothing_more_is_asked_of_a_pod_that_has_all_its_samples() -> None:
    run = Simulator(
        check=CHECK, answers=lambda pod, nth, now: pod == "web-a" or nth >= 3, pods=lambda now: [WEB_A, WEB_B]
    )
    assert run.run().standing is Standing.PASSED
    assert sum(pod == "web-a" for _, pod in run.sent) == CHECK.samples


def test_failures_before_the_first_success_are_warm_up() -> None:
    run = Simulator(check=CHECK, answers=in_turn(False, False, False))
    verdict = run.run()
    assert verdict.result.message == "5 of 5 samples of 1 pod passed"
    assert (verdict.result.samples, verdict.result.failures) == (5, 0)
    assert run.now == pytest.approx(7.01)


def test_a_pod_that_never_succeeds_fails_the_check_when_the_warm_up_ends() -> None:
    run = Simulator(check=CHECK, answers=in_turn(then=False))
    verdict = run.run()
    assert (verdict.standing, verdict.reason) == (Standing.FAILED, Reason.UNHEALTHY)
    assert verdict.result.message == "web-a: no success within 10s: GET /health answered 500 instead of 200"
    assert (verdict.result.samples, verdict.result.failures) == (10, 10)
    assert run.now == 10.0


def test_a_success_of_a_probe_sent_before_the_warm_up_ended_still_counts() -> None:
    run = Simulator(check=CHECK, answers=lambda pod, nth, now: nth >= 9, latency=1.0)
    assert run.run().standing is Standing.PASSED


def test_without_a_warm_up_the_first_failure_fails_the_check() -> None:
    run = Simulator(check=replace(CHECK, within=0.0), answers=in_turn(then=False))
    assert run.run().reason is Reason.UNHEALTHY
    assert run.now == pytest.approx(0.01)


def test_one_failure_after_the_first_success_fails_a_rate_of_one_at_once() -> None:
    run = Simulator(check=CHECK, answers=in_turn(False, True, True, False))
    verdict = run.run()
    assert verdict.result.message == (
        "web-a: 2 of 3 samples passed (none of 5 may fail): GET /health answered 500 instead of 200"
    )
    assert run.now == pytest.approx(3.01)


def test_a_check_fails_at_the_earliest_sample_that_makes_the_rate_impossible() -> None:
    check = replace(CHECK, samples=20, success_rate=0.95)
    run = Simulator(check=check, answers=in_turn(True, False, True, True, False))
    verdict = run.run()
    assert verdict.result.message.startswith("web-a: 3 of 5 samples passed (at most 1 of 20 may fail)")
    assert run.now == pytest.approx(4.01)


def test_samples_count_per_pod_so_one_bad_pod_fails_the_check() -> None:
    check = replace(CHECK, success_rate=0.8)
    verdict = Simulator(
        check=check, answers=lambda pod, nth, now: pod == "web-a" or nth not in (1, 2), pods=lambda now: [WEB_A, WEB_B]
    ).run()
    assert verdict.result.message.startswith("web-b: 1 of 3 samples passed")


def test_a_pending_check_says_how_far_it_is_and_what_is_wrong() -> None:
    check = replace(CHECK, success_rate=0.8)
    verdict = Simulator(check=check, answers=in_turn(True, False)).run(until=2.5)
    assert (verdict.standing, verdict.reason) == (Standing.PENDING, Reason.PROGRESSING)
    assert verdict.result.message == (
        "2 of 5 samples of 1 pod passed so far; web-a: GET /health answered 500 instead of 200"
    )


@pytest.mark.parametrize(
    ("rate", "samples", "allowed"),
    [
        (0.95, 20, 1),
        (1.0, 20, 0),
        (0.9, 10, 1),
        (0.7, 10, 3),
        (0.29, 100, 71),
        (0.55, 100, 45),
        (0.07, 100, 93),
        (0.999, 20, 0),
        (0.0, 5, 5),
    ],
)
def test_the_allowed_failures_are_exact(rate: float, samples: int, allowed: int) -> None:
    assert failures_allowed(replace(CHECK, samples=samples, success_rate=rate)) == allowed


def test_a_vanished_pod_is_replaced_and_its_samples_dropped() -> None:
    run = Simulator(
        check=replace(CHECK, pods=2),
        answers=in_turn(),
        pods=lambda now: [WEB_A, WEB_B, WEB_C] if now < 2.5 else [WEB_A, WEB_C],
        wakes=[2.5],
    )
    verdict = run.run()
    assert (verdict.standing, verdict.result.samples) == (Standing.PASSED, 10)
    assert run.now == pytest.approx(6.51)
    assert min(at for at, pod in run.sent if pod == "web-c") == 2.5


def test_a_new_pod_with_an_earlier_name_displaces_none() -> None:
    run = Simulator(
        check=replace(CHECK, pods=1),
        answers=in_turn(),
        pods=lambda now: [WEB_B] if now < 2.5 else [WEB_A, WEB_B],
        wakes=[2.5],
    )
    run.run()
    assert {pod for _, pod in run.sent} == {"web-b"}


def test_a_pod_of_the_same_name_and_another_uid_starts_anew() -> None:
    run = Simulator(
        check=CHECK, answers=in_turn(), pods=lambda now: [replace(WEB_A, uid="1" if now < 2.5 else "2")], wakes=[2.5]
    )
    run.run()
    assert run.now == pytest.approx(6.51)


def test_a_replacement_has_a_warm_up_of_its_own() -> None:
    check = replace(CHECK, samples=30)
    run = Simulator(
        check=check,
        answers=lambda pod, nth, now: pod == "web-a" or nth >= 3,
        pods=lambda now: [WEB_A] if now < 20 else [WEB_B],
        wakes=[20.0],
    )
    assert run.run().standing is Standing.PASSED


def test_no_answer_at_all_is_unreachable_not_unhealthy() -> None:
    run = Simulator(check=CHECK, answers=in_turn(then=None))
    verdict = run.run()
    assert (verdict.reason, verdict.hint) == (Reason.VERIFY_UNREACHABLE, UNREACHABLE_HINT)
    assert verdict.result.message == "web-a: no answer of its own for 10s: 403 Forbidden"
    assert (verdict.result.samples, run.now) == (0, 10.0)


def test_an_unreachable_url_gets_no_advice_about_pods() -> None:
    check = replace(CHECK, path=None, url="https://shop.example/health")
    verdict = Simulator(check=check, answers=in_turn(then=None)).run()
    assert (verdict.reason, verdict.hint) == (Reason.VERIFY_UNREACHABLE, "")


def test_patience_ends_in_time_though_the_next_probe_would_be_later() -> None:
    run = Simulator(check=replace(CHECK, interval=60.0), answers=in_turn(then=False))
    assert run.run().reason is Reason.UNHEALTHY
    assert run.now == 10.0


def test_answers_that_are_no_samples_change_no_count() -> None:
    run = Simulator(check=CHECK, answers=in_turn(None, False, None, True, None, None, True))
    verdict = run.run()
    assert (verdict.standing, verdict.result.samples, verdict.result.failures) == (Standing.PASSED, 5, 0)


def test_answers_that_stop_coming_make_the_check_unreachable() -> None:
    run = Simulator(check=CHECK, answers=in_turn(True, True, then=None))
    verdict = run.run()
    assert (verdict.reason, verdict.result.samples) == (Reason.VERIFY_UNREACHABLE, 2)
    assert run.now == pytest.approx(12.01)


def test_a_silence_that_ends_in_time_is_forgiven() -> None:
    run = Simulator(check=CHECK, answers=lambda pod, nth, now: True if now < 2 or now > 10 else None)
    assert run.run().standing is Standing.PASSED


def test_a_long_interval_is_no_silence() -> None:
    run = Simulator(check=replace(CHECK, interval=60.0), answers=in_turn())
    assert run.run().standing is Standing.PASSED


def test_unhealthy_goes_before_unreachable() -> None:
    check = replace(CHECK, within=3.0)
    verdict = Simulator(
        check=check, answers=lambda pod, nth, now: None if pod == "web-a" else False, pods=lambda now: [WEB_A, WEB_B]
    ).run()
    assert (verdict.reason, verdict.result.message[:5]) == (Reason.UNHEALTHY, "web-b")


def test_a_lost_probe_does_not_block_the_check() -> None:
    run = Simulator(check=CHECK, answers=in_turn(True, "lost"))
    assert run.run().standing is Standing.PASSED
    assert [at for at, _ in run.sent][1:3] == [1.0, 10.0]


def test_probes_that_never_come_back_end_as_unreachable() -> None:
    verdict = Simulator(check=CHECK, answers=in_turn(then="lost")).run()
    assert verdict.reason is Reason.VERIFY_UNREACHABLE
    assert verdict.result.message.endswith("the probe never came back")


def test_no_pod_to_ask_is_unreachable_after_within() -> None:
    run = Simulator(check=CHECK, answers=in_turn(), pods=lambda now: [])
    assert run.run().result.message == "no ready pod to ask for 10s"
    assert run.now == 10.0


def test_a_pod_that_appears_in_time_is_asked() -> None:
    run = Simulator(check=CHECK, answers=in_turn(), pods=lambda now: [WEB_A] if now >= 8 else [], wakes=[8.0])
    assert run.run().standing is Standing.PASSED


def test_a_check_that_is_not_yet_asked_is_due_at_once() -> None:
    verdict = judge(begin(replace(CHECK, within=0.0), 7.0), 7.0)
    assert (verdict.standing, verdict.due) == (Standing.PENDING, 7.0)


@pytest.mark.parametrize(("answer", "standing"), [(True, Standing.PASSED), (False, Standing.FAILED)])
def test_a_glance_is_a_check_with_one_sample_and_no_warm_up(answer: bool, standing: Standing) -> None:
    run = Simulator(check=replace(CHECK, samples=1, within=0.0), answers=in_turn(then=answer))
    assert run.run().standing is standing
    assert len(run.sent) == 1


def test_samples_that_nobody_waits_for_change_nothing() -> None:
    probes, trial = probes_due(begin(CHECK, 0.0), [WEB_A], 0.0)
    assert [probe.key for probe in probes] == [("health", "web-a")]
    stray = Sample(check="health", pod="web-a", asked=0.0, at=0.1, ok=True, message="")
    counted = take(trial, stray)
    assert take(counted, stray) == counted
    assert take(trial, replace(stray, pod="web-z")) == trial
    assert take(trial, replace(stray, check="other")) == trial
    assert take(trial, replace(stray, asked=-3.0)) == trial


@given(
    answers=st.lists(st.sampled_from([True, False, None]), max_size=30),
    samples=st.integers(1, 8),
    percent=st.integers(0, 100),
)
def test_the_outcome_equals_brute_force_over_the_answers(
    answers: list[bool | None], samples: int, percent: int
) -> None:
    """One pod, answers at 0, 1, 2... seconds, True for ever after them; a `within` beyond them all."""
    check = replace(CHECK, samples=samples, success_rate=percent / 100, within=100.0)
    run = Simulator(check=check, answers=in_turn(*answers))
    verdict = run.run()
    passed, last = brute_force(answers, samples, Fraction(percent, 100))
    assert verdict.standing is (Standing.PASSED if passed else Standing.FAILED)
    assert run.now == pytest.approx(last + run.latency)


def brute_force(answers: list[bool | None], samples: int, rate: Fraction) -> tuple[bool, int]:
    """Whether the check passes, and the index of the answer that settles it: no continuation could end otherwise."""
    counted: list[bool] = []
    for index, answer in enumerate(itertools.chain(answers, itertools.repeat(True))):
        if answer is not None and (counted or answer):
            counted.append(answer)
        left = samples - len(counted)
        if sum(counted) + left < rate * samples:
            return False, index
        if left == 0:
            return True, index
    raise AssertionError("endless")
