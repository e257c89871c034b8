"""What must be so before a workload may be touched, and what a person should be warned of. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from kdeploy.errors import RefusedError
from kdeploy.model import Kind, Obj, Reason
from kdeploy.rollout import marks
from kdeploy.rollout.containers import strangers
from kdeploy.rollout.objects import all_containers, annotations_of, kind_of, labels_of
from kdeploy.rollout.revisions import Revision

IsAncestor = Callable[[str, str], bool | str]


def refuse_unfit(workload: Obj) -> None:
    """Raises RefusedError for a workload whose controller would not roll all its pods: paused, OnDelete, partition."""
    refuse_paused(workload, "a new version would not roll out")
    title, spec = _title(workload), workload["spec"]
    strategy = spec.get("updateStrategy") or {}
    if kind_of(workload) is not Kind.DEPLOYMENT and strategy.get("type") == "OnDelete":
        raise RefusedError(
            f"{title} has updateStrategy OnDelete: its pods change only when somebody deletes them",
            hint="set updateStrategy.type to RollingUpdate",
        )
    partition = (strategy.get("rollingUpdate") or {}).get("partition") or 0
    if partition:
        raise RefusedError(
            f"{title} has updateStrategy.rollingUpdate.partition {partition}: not every pod would get the new version",
            hint="set the partition to 0",
        )


def refuse_paused(workload: Obj, why: str) -> None:
    """Raises RefusedError for a paused Deployment: its rollout never ends."""
    if workload["spec"].get("paused"):
        raise RefusedError(
            f"{_title(workload)} is paused: {why}",
            hint=f"kubectl rollout resume {_title(workload)}, then run it again",
            reason=Reason.PAUSED,
        )


def _title(workload: Obj) -> str:
    return f"{str(workload['kind']).lower()}/{workload['metadata']['name']}"


def refuse_older(
    live: Revision | None,
    commit: str | None,
    run: str,
    is_ancestor: IsAncestor,
    newcomer: Mapping[str, str] | None = None,
) -> str | None:
    """Raises RefusedError (OlderCommit) where the verified live version is provably newer than `commit` or `run`.

    `run` is "PIPELINE#NUMBER" or empty. Returns a sentence where git could not tell, else None. A live version that was
    never verified, as a killed deploy leaves it, does not count as newer; unless it is a `newcomer`, the marks of a
    deploy that has patched the workload since this one began: that one is most likely alive, and rolling.
    """
    if newcomer is None and (live is None or not (live.is_verified or _was_verified(live))):
        return None
    theirs = newcomer if newcomer is not None else live.marks if live else {}
    live_commit = theirs.get(marks.COMMIT)
    if _is_lower_run(run, theirs.get(marks.RUN, "")):
        raise _older(f"this is run {run}, but run {theirs[marks.RUN]} of the same pipeline is live")
    if not commit and live_commit:
        unknown = f"nothing says of which commit this image is: it may be older than {live_commit[:12]}, which is live"
        return f"{unknown}; it is allowed (give --commit)"
    if not commit or not live_commit or commit == live_commit:
        return None
    older = is_ancestor(commit, live_commit)
    if older is True:
        raise _older(f"commit {commit[:12]} is an ancestor of {live_commit[:12]}, which is live")
    if isinstance(older, str):
        asked = f"git cannot tell whether {commit[:12]} is older than {live_commit[:12]}, which is live"
        return f"{asked}; it is allowed ({older})"
    return None


def blind(workload: Obj, containers: Sequence[str], *, has_checks: bool) -> tuple[str, ...]:
    """A warning where nothing would see a crash right after the start: the pod is ready as soon as it runs."""
    spec = workload["spec"]
    own = [c for c in spec["template"]["spec"]["containers"] if c["name"] in containers]
    probed = any(c.get("readinessProbe") or c.get("startupProbe") for c in own)
    if has_checks or probed or spec.get("minReadySeconds"):
        return ()
    warning = "no readiness probe, minReadySeconds or check: a crash right after the start would not be noticed"
    return (f"{warning}; add a readinessProbe, or a check with --verify-http",)


def changed_repository(workload: Obj, containers: Sequence[str], repository: str) -> tuple[str, ...]:
    """A warning for each of the containers that runs another program so far, as far as its image's name tells."""
    return tuple(
        f"container {name} runs {image.partition('@')[0]}, and gets an image of another repository, {repository}: is "
        "that meant?"
        for name, image in strangers(workload, containers, repository).items()
    )


def owners(workload: Obj, containers: Sequence[str]) -> tuple[str, ...]:
    """Warnings about tools that own the workload's image and would put their own back: Argo CD, Flux, Helm.

    By their labels and annotations, else by the manager that owns an image field in managedFields.
    """
    labels, annotations = labels_of(workload), annotations_of(workload)
    found: list[str] = []
    if "argocd.argoproj.io/instance" in labels or "argocd.argoproj.io/tracking-id" in annotations:
        found.append("Argo CD")
    if any(key.split("/")[0].endswith("toolkit.fluxcd.io") for key in labels):
        found.append("Flux")
    if labels.get("app.kubernetes.io/managed-by") == "Helm" or "meta.helm.sh/release-name" in annotations:
        found.append("Helm")
    found += [tool for tool in _image_managers(workload, containers) if tool not in found]
    return tuple(
        f"{tool} manages this workload and will put its own image back: change the image where {tool} takes it from"
        for tool in found
    )


_MANAGERS = {"argocd": "Argo CD", "kustomize-controller": "Flux", "helm-controller": "Flux", "helm": "Helm"}


def _image_managers(workload: Obj, containers: Sequence[str]) -> list[str]:
    tools: list[str] = []
    for entry in workload["metadata"].get("managedFields") or ():
        spec = (((entry.get("fieldsV1") or {}).get("f:spec") or {}).get("f:template") or {}).get("f:spec") or {}
        owned = {**(spec.get("f:containers") or {}), **(spec.get("f:initContainers") or {})}
        if any("f:image" in (owned.get(f'k:{{"name":"{name}"}}') or {}) for name in containers):
            tools += [t for prefix, t in _MANAGERS.items() if str(entry.get("manager", "")).lower().startswith(prefix)][
                :1
            ]
    return tools


def _was_verified(live: Revision) -> bool:
    """Whether it is a verified version that somebody restarted or configured anew: marks inherited, image the same."""
    digest = live.marks.get(marks.DIGEST)
    images = [str(container.get("image", "")) for _, container in all_containers(live.template)]
    return live.marks.get(marks.STATE) == marks.DEPLOYED and any(image.endswith(f"@{digest}") for image in images)


def _is_lower_run(run: str, live: str) -> bool:
    pipeline, _, number = run.rpartition("#")
    live_pipeline, _, live_number = live.rpartition("#")
    if not pipeline or pipeline != live_pipeline or not (number.isdigit() and live_number.isdigit()):
        return False
    return int(number) < int(live_number)


def _older(why: str) -> RefusedError:
    return RefusedError(
        f"refused: {why}",
        hint="give --force to deploy it all the same, or roll back with kdeploy rollback",
        reason=Reason.OLDER_COMMIT,
    )
