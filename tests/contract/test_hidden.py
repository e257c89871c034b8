"""What a run learns of secrets on its way is hidden in all that it writes from there on."""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kdeploy.cli.run import Result, Session, execute, reported
from kdeploy.cli.wiring import There, load_settings, reach
from kdeploy.config.flags import Flags
from kdeploy.events import Noted
from kdeploy.model import Outcome, Reason
from kdeploy.report.value import Report
from tests.contract.api_server import ApiServer, running
from tests.contract.cluster.conftest import fill, kubeconfig

FILE = """\
version: 1
services:
  web:
    target: deployment/web
    build: {args: {NPM_TOKEN: canary-of-an-argument}, secrets: ["id=npm,env=NPM"]}
    verify:
      - http: {url: "https://ann:canary-of-an-address@shop.example/", headers: {X-Key: canary-of-a-header}}
"""
OF_THE_FILE = ("canary-of-an-argument", "canary-of-an-address", "canary-of-a-header", "canary-of-a-build-secret")
ENV = {"NPM": "canary-of-a-build-secret", "KDEPLOY_REGISTRY_PASSWORD": "canary-of-the-registry"}


@pytest.fixture
def server() -> Iterator[ApiServer]:
    with running() as server:
        fill(server)
        workload = server.get("deployments", "web")
        env = [{"name": "DB_PASSWORD", "value": "canary-of-the-template"}]
        workload["spec"]["template"]["spec"]["containers"][0]["env"] = env
        server.put("deployments", workload)
        yield server


def said(folder: Path, server: ApiServer, learn: Callable[[There], object], *secrets: str) -> str:
    """What a command writes that says the secrets after it has learnt."""
    (folder / "kdeploy.yaml").write_text(FILE)
    flags = Flags(config=str(folder / "kdeploy.yaml"), kubeconfig=kubeconfig(folder, server.url), verbose=True)

    def body(session: Session) -> Result:
        settings = load_settings(session)
        there = reach(session, settings, 30)
        learn(there)
        session.emit(Noted(message=" ".join(secrets)))
        there.cluster.close()
        message = f"it runs: {' '.join(secrets)}"
        return reported(Report(outcome=Outcome.DEPLOYED, exit_code=0, reason=Reason.COMPLETE, message=message))

    out, err = io.StringIO(), io.StringIO()
    assert execute(flags, body, env=ENV, out=out, err=err) == 0, err.getvalue()
    assert "it runs" in err.getvalue()
    return out.getvalue() + err.getvalue()


def test_those_of_kdeploy_yaml_and_of_the_environment_are_hidden(server: ApiServer, tmp_path: Path) -> None:
    assert "canary" not in said(tmp_path, server, lambda _: None, *OF_THE_FILE, "canary-of-the-registry")


@pytest.mark.parametrize("learn", ["preflight", "open"])
def test_those_of_the_live_pod_template_are_hidden(server: ApiServer, tmp_path: Path, learn: str) -> None:
    def look(there: There) -> None:
        getattr(there.cluster, learn)(there.target, time.monotonic() + 10)

    assert "canary" not in said(tmp_path, server, look, "canary-of-the-template")
