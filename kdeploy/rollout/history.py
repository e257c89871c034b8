"""The workload's revisions as a person wants to read them: what, when, who, and whether it was proved good."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kdeploy.model import Obj, Snapshot
from kdeploy.rollout import marks
from kdeploy.rollout.objects import all_containers, is_ready
from kdeploy.rollout.revisions import Revision, live_revision, pods_of, revisions_of


@dataclass(frozen=True, slots=True, kw_only=True)
class RevisionRow:
    """One revision. What its marks say of commit, who and run is left out where they are inherited from another image.

    `created` is RFC 3339. `images` are all containers' images, in the template's order. `pods` run it now, and
    `ready` of those are ready.
    """

    revision: int
    commit: str | None
    digest: str | None
    actor: str | None
    run_url: str | None
    verified: bool
    live: bool
    created: str
    images: tuple[str, ...]
    pods: int = 0
    ready: int = 0


def history_of(snapshot: Snapshot) -> tuple[RevisionRow, ...]:
    """All stored revisions, newest first."""
    live = live_revision(snapshot)
    return tuple(_row(revision, live, pods_of(snapshot, revision)[0]) for revision in revisions_of(snapshot))


def _row(revision: Revision, live: Revision | None, pods: Sequence[Obj]) -> RevisionRow:
    images = _images(revision.template)
    digest = revision.marks.get(marks.DIGEST)
    # A foreign change of the template makes a revision that inherits every mark; the image tells whether they fit.
    own = revision.marks if digest and any(image.endswith(f"@{digest}") for image in images) else {}
    shown = digest if own else next((i.rpartition("@")[2] for i in images if "@" in i), None)
    return RevisionRow(
        revision=revision.number,
        commit=own.get(marks.COMMIT),
        digest=shown,
        actor=own.get(marks.ACTOR),
        run_url=own.get(marks.RUN_URL),
        verified=revision.is_verified,
        live=live is not None and live.name == revision.name,
        created=revision.created,
        images=images,
        pods=len(pods),
        ready=sum(is_ready(pod) for pod in pods),
    )


def _images(template: Obj) -> tuple[str, ...]:
    return tuple(str(container.get("image", "")) for _, container in all_containers(template))
