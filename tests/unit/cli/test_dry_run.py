"""What a dry run prints."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from jsonschema import Draft202012Validator

from kdeploy.cli.dry_run import patch_text
from kdeploy.model import Kind, Outcome, Reason, Target
from kdeploy.report.encode import encode_report
from kdeploy.report.schema import load_schema
from kdeploy.report.value import Report, TargetReport
from kdeploy.rollout.patch import changes_of, deploy_patch, image_changes

WEB = {"name": "web", "image": "a:1", "env": [{"name": "TOKEN", "value": "s3cret"}]}
TEMPLATE: dict[str, Any] = {
    "metadata": {},
    "spec": {"containers": [WEB], "initContainers": [{"name": "init", "image": "a:2"}]},
}
WORKLOAD = {"kind": "Deployment", "metadata": {"name": "web", "uid": "u"}, "spec": {"template": TEMPLATE}}


def test_a_patch_is_printed_as_kubectl_takes_it_without_its_tests() -> None:
    entry = TargetReport(
        outcome=Outcome.UNCHANGED,
        reason=Reason.NOTHING_TO_VERIFY,
        message="",
        target=Target(kind=Kind.DEPLOYMENT, name="web", namespace="shop"),
        cluster="c",
        patch=changes_of(deploy_patch(WORKLOAD, ["web"], "a:2", {"kdeploy.dev/deploy-id": "d"})),
    )
    report = Report(outcome=entry.outcome, exit_code=0, reason=entry.reason, message="", deploys=(entry,))
    printed = json.loads(patch_text(report))
    assert printed[0] == {"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": "a:2"}
    assert "s3cret" not in patch_text(report), "the tests hold the whole template"
    encoded = encode_report(report)
    assert encoded["deploys"][0]["patch"] == printed
    Draft202012Validator(json.loads(load_schema("report"))).validate(encoded)
    assert patch_text(replace(report, deploys=(replace(entry, patch=None),))) == ""


def test_each_container_is_told_by_itself() -> None:
    assert image_changes(TEMPLATE, ["init", "web"], "a:2") == "init stays on a:2; web goes from a:1 to a:2"
