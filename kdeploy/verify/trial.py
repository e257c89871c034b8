"""One health check as it runs: which pods are asked, when, and what they answered so far. Pure: values in, values out.

Times are seconds on `Clock.now`. The story owns the loop:

    trial = begin(check, started=now)
    probes, trial = probes_due(trial, pods, now)    # send them
    trial = take(trial, sample)                     # for each `Sample` notice
    judge(trial, now)                               # kdeploy.verify.judge
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from kdeploy.model import HttpCheck
from kdeploy.ports import Probe, Sample

LOST_MARGIN = 5.0
"""Seconds that a probe may be late, queueing included, before it counts as one that never answers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PodAddress:
    """A ready pod and the port to ask it at. `uid` tells a StatefulSet's pod from the next one of the same name."""

    name: str
    port: int
    uid: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """What one pod (or the URL) answered. It counts from the first success on; what failed before is warm-up.

    `since` is when it was chosen, `asked` when the latest probe was sent, `in_flight` whether that one is still out,
    `silent_since` when answers that are no samples began to follow one another. `failure` and `silence` say what came
    last of their kind; the first success forgets the warm-up's.
    """

    address: PodAddress | None
    since: float
    passes: int = 0
    failures: int = 0
    warm_up: int = 0
    asked: float | None = None
    in_flight: bool = False
    silent_since: float | None = None
    failure: str = ""
    silence: str = ""

    @property
    def counted(self) -> int:
        """The samples from the first success on."""
        return self.passes + self.failures

    def is_done(self, check: HttpCheck) -> bool:
        """True where every sample that the check wants is in."""
        return self.counted >= check.samples

    def deadline(self, check: HttpCheck) -> float | None:
        """When patience ends: `within` from the start to a first success, then `within` from the start of a silence.

        None where nothing is overdue. No probe is sent from then on; one that is still out is waited for.
        """
        beginning = self.silent_since if self.counted else self.since
        return None if beginning is None else beginning + check.within

    def next_at(self, check: HttpCheck) -> float:
        """When the next probe may be sent, or when the one that is out counts as lost.

        A probe may take its timeout twice: through the pod proxy, then by port-forward.
        """
        if self.asked is None:
            return self.since
        return self.asked + (2 * check.timeout + LOST_MARGIN if self.in_flight else check.interval)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """A running check. `tallies` by pod name (None for a URL); `empty_since`: since when there is no pod to ask."""

    check: HttpCheck
    started: float
    tallies: Mapping[str | None, Tally] = field(default_factory=dict)
    empty_since: float | None = None


def begin(check: HttpCheck, started: float) -> Trial:
    """A trial of `check` with nothing asked yet."""
    return Trial(check=check, started=started)


def take(trial: Trial, sample: Sample) -> Trial:
    """Counts one answer. Another check's, a vanished pod's and one that nobody waits for change nothing: that of a
    probe given up as lost, or of the same check on the version before.
    """
    tally = trial.tallies.get(sample.pod)
    if sample.check != trial.check.name or tally is None or not tally.in_flight or tally.asked != sample.asked:
        return trial
    return replace(trial, tallies={**trial.tallies, sample.pod: _count(tally, sample)})


def probes_due(trial: Trial, pods: Sequence[PodAddress], now: float) -> tuple[tuple[Probe, ...], Trial]:
    """The probes to send at `now`, and the trial that knows them sent.

    `pods` are the ready pods of the revision; at most `check.pods` of them are asked, by name. A chosen pod keeps its
    place for as long as it is among them; one that vanished takes its samples along and another has its place.
    Each pod has one probe out at a time, the next one `interval` after it was sent.
    """
    check = trial.check
    tallies = {key: _give_up_lost(tally, check, now) for key, tally in _choose(trial, pods, now).items()}
    due = {key: tally for key, tally in tallies.items() if _is_due(tally, check, now)}
    tallies |= {key: replace(tally, asked=now, in_flight=True) for key, tally in due.items()}
    empty_since = None if tallies else now if trial.empty_since is None else trial.empty_since
    probes = tuple(_probe(check, tally.address, now) for tally in due.values())
    return probes, replace(trial, tallies=tallies, empty_since=empty_since)


def _choose(trial: Trial, pods: Sequence[PodAddress], now: float) -> dict[str | None, Tally]:
    if trial.check.url is not None:
        return dict(trial.tallies) or {None: Tally(address=None, since=now)}
    kept: dict[str | None, Tally] = {
        pod.name: trial.tallies[pod.name] for pod in pods if _is_same(trial.tallies.get(pod.name), pod)
    }
    fresh = [pod for pod in sorted(pods, key=lambda pod: pod.name) if pod.name not in kept]
    fresh = fresh[: max(0, trial.check.pods - len(kept))]
    return kept | {pod.name: Tally(address=pod, since=now) for pod in fresh}


def _is_same(tally: Tally | None, pod: PodAddress) -> bool:
    return tally is not None and tally.address == pod


def _give_up_lost(tally: Tally, check: HttpCheck, now: float) -> Tally:
    if not tally.in_flight or now < tally.next_at(check):
        return tally
    return _count_silence(tally, "the probe never came back", now)


def _is_due(tally: Tally, check: HttpCheck, now: float) -> bool:
    if tally.in_flight or tally.is_done(check) or now < tally.next_at(check):
        return False
    deadline = tally.deadline(check)
    return tally.asked is None or deadline is None or now < deadline


def _probe(check: HttpCheck, address: PodAddress | None, now: float) -> Probe:
    if address is None:
        return Probe(check=check, asked=now)
    return Probe(check=check, pod=address.name, port=address.port, asked=now)


def _count(tally: Tally, sample: Sample) -> Tally:
    if sample.ok is None:
        return _count_silence(tally, sample.message, sample.at)
    tally = replace(tally, in_flight=False, silent_since=None)
    if sample.ok:
        return replace(tally, passes=tally.passes + 1, failure=tally.failure if tally.counted else "")
    if tally.counted:
        return replace(tally, failures=tally.failures + 1, failure=sample.message)
    return replace(tally, warm_up=tally.warm_up + 1, failure=sample.message)


def _count_silence(tally: Tally, message: str, at: float) -> Tally:
    since = at if tally.silent_since is None else tally.silent_since
    return replace(tally, in_flight=False, silent_since=since, silence=message)
