"""kdeploy's memory: annotations on the workload, which its controller copies to the revision that they describe.

They are written in the same patch as the image and describe the running deploy only. A foreign change of the template
makes a new revision that inherits them all, so they prove nothing by being there: `verified` counts only on the
revision whose own template hash it names.
"""

from __future__ import annotations

from collections.abc import Mapping

from kdeploy.model import Obj
from kdeploy.rollout.objects import annotations_of

PREFIX = "kdeploy.dev/"
DEPLOY_ID = PREFIX + "deploy-id"
STATE = PREFIX + "state"
COMMIT = PREFIX + "commit"
DIGEST = PREFIX + "digest"
RUN_URL = PREFIX + "run-url"
RUN = PREFIX + "run"
ACTOR = PREFIX + "actor"
VERIFIED = PREFIX + "verified"
ALL = (DEPLOY_ID, STATE, COMMIT, DIGEST, RUN_URL, RUN, ACTOR, VERIFIED)

DEPLOYING = "deploying"
DEPLOYED = "verified"


def marks_of(obj: Obj) -> Mapping[str, str]:
    """The annotations of kdeploy on a workload or revision, without those that are empty."""
    return {key: str(value) for key, value in annotations_of(obj).items() if key in ALL and value}


def deploy_marks(
    *, deploy_id: str, commit: str | None, digest: str, run_url: str, run: str, actor: str
) -> dict[str, str]:
    """The marks of a deploy that begins. What is not known is empty, and not left out: a revision that runs again would
    else keep what an earlier deploy of it has written, since its controller copies annotations and removes none.
    """
    return {
        DEPLOY_ID: deploy_id,
        STATE: DEPLOYING,
        COMMIT: commit or "",
        DIGEST: digest,
        RUN_URL: run_url,
        RUN: run,
        ACTOR: actor,
    }
