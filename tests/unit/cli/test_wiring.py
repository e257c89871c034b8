"""How the edges of a command are chosen and joined."""

from __future__ import annotations

import io
from pathlib import Path

from kdeploy.cli.run import Result, Session, execute
from kdeploy.cli.wiring import load_settings
from kdeploy.config.flags import Flags

KUBECONFIG = """
current-context: cluster-eu
contexts: [{name: cluster-eu, context: {cluster: c, namespace: production}}]
clusters: [{name: c, cluster: {server: "https://api.example"}}]
"""


def shown(text: str, flags: Flags) -> str:
    def body(session: Session) -> Result:
        load_settings(session)
        return Result(exit_code=0, text=text)

    out = io.StringIO()
    execute(flags, body, env={}, out=out, err=io.StringIO())
    return out.getvalue()


def test_the_kubeconfigs_context_and_namespace_are_shown_whatever_a_build_argument_says(tmp_path: Path) -> None:
    kubeconfig = tmp_path / "config"
    kubeconfig.write_text(KUBECONFIG)
    arguments = ("CACHE_KEY=cluster-eu", "AUTH=production", "NPM_TOKEN=t0ken-of-npm")
    flags = Flags(target=("deployment/web",), build_arg=arguments, kubeconfig=str(kubeconfig))
    assert shown("cluster-eu/production: t0ken-of-npm", flags) == "cluster-eu/production: ***"
