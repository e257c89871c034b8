"""The words for an image that cannot be pulled are those that the rollout's rules read on a real cluster."""

from __future__ import annotations

from typing import Any

import pytest

from kdeploy.model import Reason
from kdeploy.rollout.classify import findings
from kdeploy.sandbox.core.images import PullError, failed, invalid_name, no_platform, not_found, unresolved

REFERENCE = "localhost:5102/base/busybox:absent"


def test_a_missing_image_is_told_as_containerd_tells_it() -> None:
    error = not_found(REFERENCE)
    assert error.reason == "ErrImagePull"
    assert error.message == (
        "rpc error: code = NotFound desc = "
        'failed to pull and unpack image "localhost:5102/base/busybox:absent": '
        'failed to resolve reference "localhost:5102/base/busybox:absent": '
        "localhost:5102/base/busybox:absent: not found"
    )


@pytest.mark.parametrize(
    ("error", "reason", "permanent"),
    [
        (not_found(REFERENCE), Reason.IMAGE_NOT_FOUND, True),
        (invalid_name("Web:", "invalid reference format"), Reason.INVALID_IMAGE, True),
        (unresolved(REFERENCE, "failed to do request: connection refused"), Reason.IMAGE_PULL_FAILED, False),
        (no_platform(REFERENCE), Reason.IMAGE_NOT_FOUND, True),
        (failed(REFERENCE, "unexpected end of JSON input"), Reason.IMAGE_PULL_FAILED, False),
    ],
)
def test_each_is_classified_by_the_rules_for_a_real_cluster(error: PullError, reason: Reason, permanent: bool) -> None:
    (finding,) = findings([waiting(error)], [], crash_budget=3, restarts_before={}, none_allowed=False)
    assert (finding.reason, finding.permanent) == (reason, permanent)
    assert finding.culprit.message == error.message


def waiting(error: PullError) -> dict[str, Any]:
    status = {"name": "web", "state": {"waiting": {"reason": error.reason, "message": error.message}}}
    return {"metadata": {"name": "web-1", "uid": "u"}, "status": {"containerStatuses": [status]}}
