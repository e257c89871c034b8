"""What `kdeploy build` reports."""

from __future__ import annotations

import json

from jsonschema import Draft202012Validator

from kdeploy.cli.building import build_report
from kdeploy.config.flags import Flags
from kdeploy.config.settings import resolve
from kdeploy.model import Image
from kdeploy.report.encode import encode_report
from kdeploy.report.schema import load_schema
from kdeploy.report.summary import summary

IMAGE = Image(repository="reg.example/acme/web", tag="a" * 40, digest="sha256:" + "1" * 64)


def test_scripts_find_the_image_where_a_deploy_has_it() -> None:
    settings = resolve(None, Flags(target=("deployment/web",), image="reg.example/acme/web"))
    report = build_report(settings, IMAGE, "a" * 40, 2.5)
    encoded = encode_report(report)
    Draft202012Validator(json.loads(load_schema("report"))).validate(encoded)
    (entry,) = encoded["deploys"]
    assert entry["image"] == {
        "reference": IMAGE.reference,
        "repository": "reg.example/acme/web",
        "tag": "a" * 40,
        "digest": "sha256:" + "1" * 64,
        "previous": None,
    }
    assert entry["target"] == {"cluster": "", "namespace": "", "kind": "Deployment", "name": "web", "containers": []}
    assert summary(report).splitlines()[0] == f"✓ built: {IMAGE.reference}"
