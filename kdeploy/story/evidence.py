"""What a person needs to see why: the culprits' events and last log lines, and what the nodes say they run."""

from __future__ import annotations

from dataclasses import replace

from kdeploy.model import Culprit, Reason, Verdict
from kdeploy.rollout.objects import container_statuses, images_of
from kdeploy.rollout.revisions import new_pods
from kdeploy.story.run import Run
from kdeploy.text import one_line

SECONDS = 1.0
"""For each of the two together: putting the old version back is more urgent than telling why."""

MOST = 3
LINES = 20
_NO_LOGS = (Reason.IMAGE_NOT_FOUND, Reason.IMAGE_UNAUTHORIZED, Reason.IMAGE_PULL_FAILED, Reason.INVALID_IMAGE)


def with_evidence(run: Run, verdict: Verdict) -> tuple[Culprit, ...]:
    """The verdict's culprits, the first few with their events and log tails. Best effort, within a second."""
    until = run.now() + SECONDS
    try:
        first = tuple(_look_at(run, culprit, until) for culprit in verdict.culprits[:MOST])
    except Exception as error:  # the rollback that follows matters more
        run.warn(one_line(f"the evidence could not be collected: {type(error).__name__}: {error}"))
        return verdict.culprits
    return first + verdict.culprits[MOST:]


def image_evidence(run: Run) -> None:
    """Warns where a node reports another image than the one pushed, and the registry cannot say that they are one.

    `status.imageID` is evidence only: containerd may report another manifest of the same config.
    """
    if run.image is None:
        return
    until = run.now() + SECONDS
    for digest in sorted(_reported(run) - {run.image.digest}):
        try:
            left = until - run.now()
            same = run.edges.registry.same_config(run.image.repository, run.image.digest, digest, left)
        except Exception:  # evidence is no reason to take a verified version back
            same = None
        if same is not True:
            known = (
                "which is another image" if same is False else "and the registry cannot say whether that is the same"
            )
            run.warn(f"a node reports {digest} for {run.image.digest}, {known}")


def _look_at(run: Run, culprit: Culprit, until: float) -> Culprit:
    cluster = run.edges.cluster
    if run.now() >= until:
        return culprit
    events = tuple(
        one_line(f"{event.get('reason')}: {event.get('message')}") for event in cluster.pod_events([culprit.pod], until)
    )
    log = ""
    if culprit.container and culprit.reason not in _NO_LOGS and run.now() < until:
        crashed = bool(culprit.restarts)
        log = cluster.log_tail(culprit.pod, culprit.container, previous=crashed, lines=LINES, until=until)
        if not log and run.now() < until:
            log = cluster.log_tail(culprit.pod, culprit.container, previous=not crashed, lines=LINES, until=until)
    return replace(culprit, events=events, log_tail=log)


def _reported(run: Run) -> set[str]:
    """The digests in the new pods' imageIDs of the service's containers; a bare config id says nothing here."""
    return {
        str(status.get("imageID", "")).rpartition("@")[2]
        for pod in new_pods(run.edges.cluster.snapshot())
        for status, _ in container_statuses(pod)
        if status.get("name") in run.containers
        and "@sha256:" in str(status.get("imageID", ""))
        and images_of(pod, [str(status["name"])])
    }
