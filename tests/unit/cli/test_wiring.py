"""How the edges of a command are chosen and joined."""

from __future__ import annotations

import io
from pathlib import Path

from kdeploy.cli.run import Result, Session, execute
from kdeploy.cli.wiring import load_settings
from kdeploy.config.flags import Flags

TARGET = Flags(target=("deployment/web",))
KUBECONFIG = """
current-context: cluster-eu
contexts: [{name: cluster-eu, context: {cluster: c, namespace: production}}]
clusters: [{name: c, cluster: {server: "https://api.example"}}]
"""


class Ran:
    """A command that reads its settings and then shows `text`."""

    def __init__(self, text: str, flags: Flags = TARGET, **env: str) -> None:
        def body(session: Session) -> Result:
            load_settings(session)
            return Result(exit_code=0, text=text)

        out, err = io.StringIO(), io.StringIO()
        self.code = execute(flags, body, env=env, out=out, err=err)
        self.out, self.err = out.getvalue(), err.getvalue()


def test_the_kubeconfigs_context_and_namespace_are_shown_whatever_a_build_argument_says(tmp_path: Path) -> None:
    kubeconfig = tmp_path / "config"
    kubeconfig.write_text(KUBECONFIG)
    arguments = ("API_KEY=cluster-eu", "AUTH=production", "NPM_TOKEN=t0ken-of-npm")
    flags = Flags(target=("deployment/web",), build_arg=arguments, kubeconfig=str(kubeconfig))
    assert Ran("cluster-eu/production: t0ken-of-npm", flags).out == "cluster-eu/production: ***"


def test_a_proxy_whose_address_cannot_be_read_is_exit_2_and_not_shown() -> None:
    ran = Ran("", HTTPS_PROXY="http://user:canary#pw@proxy:3128")
    assert ran.code == 2
    assert "HTTPS_PROXY" in ran.err
    assert "canary" not in ran.err


def test_the_password_of_a_proxy_is_masked() -> None:
    ran = Ran("dial http://u:p%23ss@proxy: p#ss", https_proxy="http://u:p%23ss@proxy:3128")
    assert ran.out == "dial http://u:***@proxy: ***"
