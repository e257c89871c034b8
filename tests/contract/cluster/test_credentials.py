from __future__ import annotations

import base64
import io
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kdeploy.clock import Deadline, SystemClock
from kdeploy.cluster.auth import Session, open_session
from kdeploy.cluster.connect import connect
from kdeploy.cluster.kubeconfig import Context, choose_context
from kdeploy.cluster.plugin import Plugin, secrets_of
from kdeploy.errors import ClusterError, ConfigError, UnreachableError
from kdeploy.model import Kind, Outcome, Reason, Target
from kdeploy.secret import Secret
from tests.contract.api_server import ApiServer, eventually, running
from tests.contract.cluster.conftest import Connect, fill, kubeconfig

# A certificate for 127.0.0.1 signed by itself, with its key; it protects nothing.
CERTIFICATE = Path(__file__).with_name("loopback.pem")
AUTHORITY = Path(__file__).with_name("loopback.crt")


def in_time() -> Deadline:
    return Deadline(time.monotonic, 20)


def soon(seconds: float = 5.0) -> float:
    return time.monotonic() + seconds


@pytest.fixture
def secure() -> Iterator[ApiServer]:
    with running(CERTIFICATE) as server:
        fill(server)
        yield server


def plugin(folder: Path, body: str) -> dict[str, Any]:
    """A kubeconfig user whose exec plugin is that Python program."""
    program = folder / "plugin.py"
    program.write_text(body)
    api = "client.authentication.k8s.io/v1"
    return {"exec": {"apiVersion": api, "command": sys.executable, "args": [str(program)], "interactiveMode": "Never"}}


def giving_token_in(folder: Path, file: str) -> dict[str, Any]:
    """A user whose plugin gives the token that stands in a file, and counts its calls in another."""
    said = {"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": {"token": "TOKEN"}}
    return plugin(
        folder,
        f"open('{folder}/calls', 'a').write('x')\n"
        f"print({json.dumps(said)!r}.replace('TOKEN', open('{folder}/{file}').read()))",
    )


def test_a_token_goes_into_the_header(connected: Connect, server: ApiServer, target: Target) -> None:
    server.token = "s3cret"
    connected({"token": "s3cret"}).preflight(target, soon())
    assert server.seen[0].headers["authorization"] == "Bearer s3cret"


def test_an_expired_token_is_read_again_once_from_its_file(
    connected: Connect, server: ApiServer, target: Target, tmp_path: Path
) -> None:
    server.token = "first"
    file = tmp_path / "token"
    file.write_text("first\n")
    cluster = connected({"tokenFile": str(file)})
    cluster.open(target, soon())
    eventually(lambda: server.watching() == 3)
    server.token = "second"
    file.write_text("second\n")
    server.seen.clear()
    assert cluster.refresh(soon()).workload is not None
    assert cluster.patch([], soon())
    refused = [one for one in server.seen if one.headers["authorization"] == "Bearer first"]
    assert 1 <= len(refused) <= 3
    assert len(server.of("PATCH deployments")) == 1


def test_watches_go_on_with_the_new_token(
    connected: Connect, server: ApiServer, target: Target, tmp_path: Path
) -> None:
    server.token = "first"
    user = giving_token_in(tmp_path, "token")
    (tmp_path / "token").write_text("first")
    cluster = connected(user)
    cluster.open(target, soon())
    eventually(lambda: server.watching() == 3)
    (tmp_path / "token").write_text("second")
    server.token = "second"
    server.end_watches()
    eventually(lambda: server.watching() == 3)
    assert (tmp_path / "calls").read_text() == "xx"
    assert len(server.of("LIST pods")) == 1


def test_a_token_that_has_expired_for_good_is_an_error_that_says_so(
    connected: Connect, server: ApiServer, target: Target
) -> None:
    server.token = "new"
    with pytest.raises(ClusterError) as caught:
        connected({"token": "old-and-secret"}).preflight(target, soon())
    error = caught.value
    assert (error.outcome, error.reason, error.status) == (Outcome.REFUSED, Reason.FORBIDDEN, 401)
    assert "log in" in error.hint
    assert "old-and-secret" not in error.message + error.hint
    assert len(server.of("GET deployments")) <= 2


def test_the_users_impersonation_is_kept(connected: Connect, server: ApiServer, target: Target) -> None:
    connected({"token": "t", "as": "jane"}).preflight(target, soon())
    assert server.seen[0].headers["impersonate-user"] == "jane"


def open_as(user: dict[str, Any], server: ApiServer, folder: Path, **cluster: Any) -> Session:
    path = kubeconfig(folder, server.url, user=user, **cluster)
    return open_session(choose_context(kubeconfig=path, context=None, environ={}), in_time())


def test_a_login_plugin_that_fails_is_an_error_with_its_own_words(server: ApiServer, tmp_path: Path) -> None:
    with pytest.raises(ClusterError) as caught:
        open_as(plugin(tmp_path, "import sys; sys.exit('your session has ended\\x1b[31m')"), server, tmp_path)
    assert (caught.value.outcome, caught.value.reason) == (Outcome.REFUSED, Reason.FORBIDDEN)
    assert "your session has ended" in caught.value.message
    assert "\x1b" not in caught.value.message


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_at_a_terminal_a_login_plugin_talks_to_the_person_if_it_wants_to(
    server: ApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal())
    asks = (
        "import json, os, sys\nprint(json.loads(os.environ['KUBERNETES_EXEC_INFO'])['spec'], file=sys.stderr)\nexit(3)"
    )
    user = plugin(tmp_path, asks)
    for mode, at_terminal in (("IfAvailable", True), ("Always", True), ("Never", False)):
        user["exec"]["interactiveMode"] = mode
        with pytest.raises(ClusterError, match="see above" if at_terminal else "'interactive': False"):
            open_as(user, server, tmp_path)
        assert ("'interactive': True" in capfd.readouterr().err) is at_terminal
    monkeypatch.setattr(sys, "stdin", None)
    user["exec"]["interactiveMode"] = "Always"
    with pytest.raises(ClusterError, match="it wants a terminal"):
        open_as(user, server, tmp_path)


def test_a_login_plugin_is_told_of_the_cluster_where_the_kubeconfig_says_so(server: ApiServer, tmp_path: Path) -> None:
    (tmp_path / "ca.crt").write_bytes(AUTHORITY.read_bytes())
    told = tmp_path / "told"
    user = plugin(tmp_path, f"import os\nopen({str(told)!r}, 'w').write(os.environ['KUBERNETES_EXEC_INFO'])\nexit(3)")
    user["exec"]["provideClusterInfo"] = True
    extension = {"name": "client.authentication.k8s.io/exec", "extension": {"audience": "a"}}
    with pytest.raises(ClusterError, match="it ended with code 3"):
        open_as(user, server, tmp_path, **{"certificate-authority": "ca.crt", "extensions": [extension]})
    data = base64.b64encode(AUTHORITY.read_bytes()).decode()
    assert json.loads(told.read_text())["spec"]["cluster"] == {
        "server": server.url,
        "certificate-authority-data": data,
        "config": {"audience": "a"},
    }


def test_a_login_plugin_may_lie_beside_the_kubeconfig(
    connected: Connect, server: ApiServer, target: Target, tmp_path: Path
) -> None:
    said = {"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": {"token": "near"}}
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "login"
    program.write_text(f"#!/bin/sh\necho '{json.dumps(said)}'\n")
    program.chmod(0o755)
    connected({"exec": {"apiVersion": said["apiVersion"], "command": "bin/login"}}).preflight(target, soon())
    assert server.seen[0].headers["authorization"] == "Bearer near"


def test_a_login_plugin_may_give_a_client_certificate(server: ApiServer, tmp_path: Path) -> None:
    pem = CERTIFICATE.read_text()
    status = {"clientCertificateData": pem, "clientKeyData": pem}
    said = {"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": status}
    user = plugin(tmp_path, f"print({json.dumps(said)!r})")
    path = kubeconfig(tmp_path, "https://127.0.0.1:1", user=user)
    session = open_session(choose_context(kubeconfig=path, context=None, environ={}), in_time())
    assert session.tls is not None
    assert session.authorization is None
    del status["clientKeyData"]
    user = plugin(tmp_path, f"print({json.dumps(said)!r})")
    with pytest.raises(ClusterError, match="certificate with its key"):
        open_as(user, server, tmp_path)


def test_a_token_goes_before_a_login_plugin(connected: Connect, server: ApiServer, target: Target) -> None:
    connected({"token": "mine", "exec": {"apiVersion": "v1", "command": "no-such"}}).preflight(target, soon())
    assert server.seen[0].headers["authorization"] == "Bearer mine"


@pytest.mark.parametrize(
    "said",
    [
        "",
        "no json",
        json.dumps({"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": {}}),
        json.dumps({"apiVersion": "other/v1", "kind": "ExecCredential", "status": {"token": "t"}}),
    ],
    ids=["nothing", "no JSON", "no token", "another version"],
)
def test_a_login_plugin_that_gives_nothing_useful_is_an_error(server: ApiServer, tmp_path: Path, said: str) -> None:
    user = plugin(tmp_path, f"print({said!r})")
    context = choose_context(kubeconfig=kubeconfig(tmp_path, server.url, user=user), context=None, environ={})
    with pytest.raises(ClusterError, match="login plugin"):
        open_session(context, in_time())


def test_a_login_plugin_that_is_not_installed_comes_with_its_authors_hint(server: ApiServer, tmp_path: Path) -> None:
    user = plugin(tmp_path, "")
    user["exec"] |= {"command": "no-such-login-plugin", "installHint": "install it with x"}
    context = choose_context(kubeconfig=kubeconfig(tmp_path, server.url, user=user), context=None, environ={})
    with pytest.raises(ClusterError, match="no-such-login-plugin") as caught:
        open_session(context, in_time())
    assert caught.value.hint == "install it with x"


def test_a_certificate_that_does_not_verify_is_final(connected: Connect, secure: ApiServer, target: Target) -> None:
    began = time.monotonic()
    with pytest.raises(ClusterError, match="does not verify") as caught:
        connected({"token": "s3cret"}, url=secure.url).preflight(target, soon())
    assert not isinstance(caught.value, UnreachableError)
    assert caught.value.outcome is Outcome.REFUSED
    assert "certificate-authority" in caught.value.hint
    assert time.monotonic() - began < 2
    assert secure.seen == []


def test_a_certificate_for_another_name_does_not_verify(connected: Connect, secure: ApiServer, target: Target) -> None:
    url = secure.url.replace("127.0.0.1", "localhost")
    authority = {"certificate-authority": str(AUTHORITY)}
    with pytest.raises(ClusterError, match="does not verify"):
        connected(url=url, **authority).preflight(target, soon())


def test_the_kubeconfigs_authority_is_trusted(connected: Connect, secure: ApiServer, target: Target) -> None:
    data = {"certificate-authority-data": base64.b64encode(AUTHORITY.read_bytes()).decode()}
    cluster = connected(url=secure.url, **data)
    cluster.open(target, soon())
    eventually(lambda: secure.watching() == 3)
    secure.put("pods", {"metadata": {"name": "web-1-c"}})
    eventually(lambda: len(cluster.snapshot().pods) == 3)
    cluster.close()


def test_a_relative_authority_is_relative_to_the_kubeconfig(
    connected: Connect, secure: ApiServer, target: Target, tmp_path: Path
) -> None:
    (tmp_path / "ca.crt").write_bytes(AUTHORITY.read_bytes())
    assert connected(url=secure.url, **{"certificate-authority": "ca.crt"}).preflight(target, soon()).workload


def test_skipping_verification_is_the_kubeconfigs_choice(connected: Connect, secure: ApiServer, target: Target) -> None:
    insecure = {"insecure-skip-tls-verify": True}
    assert connected(url=secure.url, **insecure).preflight(target, soon()).workload is not None


def test_inline_keys_do_not_stay_on_the_disk(
    server: ApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "scratch"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    pem = base64.b64encode(CERTIFICATE.read_bytes()).decode()
    user = {"client-certificate-data": pem, "client-key-data": pem}
    path = kubeconfig(tmp_path, "https://127.0.0.1:1", user=user)
    assert open_session(choose_context(kubeconfig=path, context=None, environ={}), in_time()).tls is not None
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("data", ["AAAA", "not base64!"])
def test_a_certificate_that_is_none_is_the_kubeconfigs_fault(tmp_path: Path, data: str) -> None:
    authority: dict[str, Any] = {"certificate-authority-data": data}
    path = kubeconfig(tmp_path, "https://127.0.0.1:1", **authority)
    with pytest.raises(ConfigError) as caught:
        open_session(choose_context(kubeconfig=path, context=None, environ={}), in_time())
    assert caught.value.hint


def test_plain_http_where_tls_is_expected_is_said(connected: Connect, server: ApiServer, target: Target) -> None:
    with pytest.raises(ClusterError, match="does not speak TLS"):
        connected(url=server.url.replace("http:", "https:")).preflight(target, soon())


def test_a_server_that_is_not_there_is_said_with_what_to_check(
    connected: Connect, server: ApiServer, target: Target
) -> None:
    cluster = connected()
    server.stop()
    began = time.monotonic()
    with pytest.raises(UnreachableError, match="Connection refused") as caught:
        cluster.preflight(target, soon(60))
    assert time.monotonic() - began < 2
    assert caught.value.outcome is Outcome.REFUSED
    assert caught.value.reason is Reason.CLUSTER_UNREACHABLE
    assert "server" in caught.value.hint


def test_the_environments_proxy_is_used_but_not_for_loopback(
    server: ApiServer, target: Target, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    near, far = (Context(name="x", server=f"https://{host}:6443", namespace=None) for host in ("127.0.0.1", "k8s.acme"))
    for context, proxied in ((near, False), (far, True)):
        (tmp_path / context.server[8:11]).mkdir()
        path = kubeconfig(tmp_path / context.server[8:11], context.server)
        session = open_session(choose_context(kubeconfig=path, context=None, environ={}), in_time())
        assert (session.pool.proxy is not None) is proxied
    monkeypatch.setenv("NO_PROXY", "acme")
    path = kubeconfig(tmp_path, far.server)
    assert open_session(choose_context(kubeconfig=path, context=None, environ={}), in_time()).pool.proxy is None


@pytest.mark.filterwarnings("ignore:SOCKS support")
@pytest.mark.parametrize("proxy", ["socks9://user:canary@proxy", "socks5://proxy:1080", "proxy.example:3128"])
@pytest.mark.parametrize("is_own", [True, False])
def test_a_proxy_that_cannot_be_used_is_told_and_not_shown(
    proxy: str, is_own: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not is_own:
        monkeypatch.setenv("HTTPS_PROXY", proxy)
    more: dict[str, Any] = {"proxy-url": proxy} if is_own else {}
    path = kubeconfig(tmp_path, "https://k8s.acme:6443", **more)
    with pytest.raises(ConfigError, match="proxy-url" if is_own else "HTTPS_PROXY") as caught:
        open_session(choose_context(kubeconfig=path, context=None, environ={}), in_time())
    assert "canary" not in caught.value.message + caught.value.hint


def test_a_password_in_the_servers_address_is_not_shown(tmp_path: Path) -> None:
    path, hidden = kubeconfig(tmp_path, "http://admin:canary@127.0.0.1:9"), list[str]()
    context = choose_context(kubeconfig=path, context=None, environ={})
    cluster = connect(context, SystemClock(), hide=lambda secret: hidden.append(secret.reveal()))
    with pytest.raises(UnreachableError, match=r"nothing answers at http://127\.0\.0\.1:9 ") as caught:
        cluster.preflight(Target(kind=Kind.DEPLOYMENT, name="web", namespace="shop"), soon(1))
    cluster.close()
    assert "admin" not in caught.value.message
    assert "canary" in hidden


def test_a_service_account_is_read_in_a_pod(
    secure: ApiServer, target: Target, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "token").write_text("mounted\n")
    (tmp_path / "namespace").write_text("shop")
    monkeypatch.setattr("kubernetes.config.incluster_config.SERVICE_TOKEN_FILENAME", str(tmp_path / "token"))
    monkeypatch.setattr("kubernetes.config.incluster_config.SERVICE_CERT_FILENAME", str(AUTHORITY))
    environ = {"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": str(secure.port), "HOME": "/none"}
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    context = choose_context(kubeconfig=None, context=None, environ=environ, service_account=tmp_path)
    cluster = connect(context, SystemClock())
    cluster.preflight(target, soon())
    cluster.close()
    assert cluster.name == "in-cluster"
    assert secure.seen[0].headers["authorization"].lower() == "bearer mounted"


def test_every_token_is_told_as_a_secret_that_of_a_later_login_too(
    server: ApiServer, target: Target, tmp_path: Path
) -> None:
    (tmp_path / "token").write_text("first-token")
    path = kubeconfig(tmp_path, server.url, user=giving_token_in(tmp_path, "token"))
    context = choose_context(kubeconfig=path, context=None, environ={})
    hidden: list[Secret] = []
    cluster = connect(context, SystemClock(), hide=hidden.append)
    assert hidden == [Secret("first-token")]
    (tmp_path / "token").write_text("second-token")
    server.token = "second-token"
    assert cluster.preflight(target, soon()).workload is not None
    assert hidden == [Secret("first-token"), Secret("second-token")]
    cluster.close()


def test_a_password_is_a_secret_and_so_is_the_form_in_which_it_is_sent(server: ApiServer, tmp_path: Path) -> None:
    session = open_as({"username": "ann", "password": "pa:ss"}, server, tmp_path)
    sent = base64.b64encode(b"ann:pa:ss").decode()
    assert session.secrets() == (Secret(sent), Secret("pa:ss"))


def test_what_a_login_plugin_is_given_is_hidden_where_its_name_says_that_it_is_a_secret() -> None:
    plugin = Plugin(
        command="x",
        api_version="v1",
        args=("--region", "north", "--client-secret", "hush-hush", "--token=quiet", "login"),
        env=(("API_KEY", "supersecret"), ("AWS_PROFILE", "prod")),
    )
    assert {secret.reveal() for secret in secrets_of(plugin)} == {"hush-hush", "quiet", "supersecret"}
