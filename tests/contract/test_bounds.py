"""Whatever is dead before the patch, it ends in time, and leaves no program of its own behind.

Each part by itself, with little time; then the whole program, by its build timeout and five seconds.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from kdeploy.build import inspect_source, open_builder, open_history, open_registry
from kdeploy.clock import Deadline
from kdeploy.cluster.plugin import Plugin, log_in
from kdeploy.config.settings import BuildOptions
from kdeploy.errors import BuildError, ClusterError, ConfigError, RefusedError
from tests.contract.api_server import ApiServer, Reply, running
from tests.contract.cluster.conftest import fill, kubeconfig
from tests.contract.test_process import until_gone

ROOT = Path(__file__).parents[2]
ALLOWED = 8.0
GRACE = 10.0  # five are promised; a busy machine is given as many again
STARTING = 15.0
SHORT = 2.0
"""Seconds."""

_DIGESTS = ("sha256:" + "1" * 64, "sha256:" + "2" * 64)
_CREDENTIAL = {"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential"}
EXEC = {"apiVersion": "client.authentication.k8s.io/v1", "command": "log-me-in", "interactiveMode": "Never"}


@dataclass(frozen=True, kw_only=True)
class Ended:
    code: int
    seconds: float
    report: Mapping[str, Any]

    def says(self, code: int, *words: str) -> None:
        assert self.code == code, self.report
        assert [word for word in words if word not in self.report["message"]] == [], self.report["message"]
        total = self.report["timings"]["total"]
        assert ALLOWED <= total < ALLOWED + GRACE
        assert self.seconds - total < STARTING


@dataclass(frozen=True, kw_only=True)
class Place:
    """A checkout, programs before all others on the PATH, and an API server that is well."""

    folder: Path
    server: ApiServer

    def program(self, name: str, body: str = "exec sleep 300") -> Path:
        """A program of that name that hangs, after it has written down who it is; the file it writes to."""
        file, pids = self.folder / "bin" / name, self.folder / f"{name}.pids"
        file.write_text(f"#!/bin/sh\necho $$ >> {pids}\n{body}\n")
        file.chmod(0o755)
        return pids

    def deploy(self, image: str, *words: str, user: dict[str, Any] | None = None) -> Ended:
        config = kubeconfig(self.folder, self.server.url, user=user)
        command = [sys.executable, "-m", "kdeploy", "deploy", "deployment/web", "-n", "shop", "--image", image]
        command += ["--kubeconfig", config, "--build-timeout", f"{ALLOWED:g}s", "-o", "json", *words]
        environment = {
            "PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "HOME": str(self.folder),
            "DOCKER_CONFIG": str(self.folder),
            "DOCKER_HOST": "unix:///nowhere/docker.sock",
        }
        began = time.monotonic()
        done = subprocess.run(
            command, cwd=self.folder / "checkout", env=environment, capture_output=True, text=True, timeout=60
        )
        assert "Traceback" not in done.stderr, done.stderr
        return Ended(code=done.returncode, seconds=time.monotonic() - began, report=json.loads(done.stdout))


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    (tmp_path / "bin").mkdir()
    (tmp_path / "checkout").mkdir()
    (tmp_path / "checkout" / "Dockerfile").write_text("FROM scratch\n")
    with running() as server:
        fill(server)
        yield Place(folder=tmp_path, server=server)


@contextmanager
def silent() -> Iterator[str]:
    """A server that takes connections and never says a word; its address."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"127.0.0.1:{listening.getsockname()[1]}"


@contextmanager
def trickling() -> Iterator[str]:
    """A server that sends its headers one byte each 100 ms, for ever; its address."""
    ended = threading.Event()

    def trickle(client: socket.socket) -> None:
        with client:
            client.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
            while not ended.wait(0.1):
                client.sendall(b"x")

    def serve(listening: socket.socket) -> None:
        while not ended.is_set():
            try:
                client, _ = listening.accept()
            except OSError:
                return
            client.settimeout(5)
            threading.Thread(target=lambda client=client: _quiet(trickle, client), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=serve, args=(listening,), daemon=True).start()
        yield f"127.0.0.1:{listening.getsockname()[1]}"
        ended.set()


def _quiet(serve: Any, client: socket.socket) -> None:
    try:
        serve(client)
    except OSError:
        return


class _WantsLogin(BaseHTTPRequestHandler):
    def do_HEAD(self) -> None:
        self.send_response(401)
        self.send_header("WWW-Authenticate", 'Basic realm="r"')
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def wanting_login() -> Iterator[str]:
    """A registry that lets nobody in without a login; its address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _WantsLogin)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield f"127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def is_gone(pids: Path) -> bool:
    return not pids.exists() or all(until_gone(int(pid)) for pid in pids.read_text().split())


@pytest.fixture(autouse=True)
def _in_time() -> Iterator[None]:
    began = time.monotonic()
    yield
    assert time.monotonic() - began < ALLOWED + GRACE + STARTING


def path_of(place: Place) -> dict[str, str]:
    return {"PATH": f"{place.folder / 'bin'}:{os.environ['PATH']}", "DOCKER_CONFIG": str(place.folder)}


def soon() -> Deadline:
    return Deadline(time.monotonic, SHORT)


def test_a_git_that_hangs(place: Place) -> None:
    pids = place.program("git")
    with pytest.raises(ConfigError, match=r"git rev-parse did not answer in time: git did not end within \d\.\d s"):
        inspect_source(BuildOptions(context=str(place.folder)), None, path_of(place), soon())
    with pytest.raises(ConfigError, match="git rev-parse did not answer in time"):
        open_history(str(place.folder), path_of(place), soon()).is_ancestor("a" * 40, "b" * 40)
    assert is_gone(pids)


def test_many_programs_have_one_deadline_together(place: Place) -> None:
    place.program("git", "sleep 0.5; echo /")
    began = time.monotonic()
    with pytest.raises(ConfigError, match=r"no time is left|did not end within"):
        inspect_source(BuildOptions(context=str(place.folder)), "a" * 40, path_of(place), soon())
    assert time.monotonic() - began < SHORT + 2


def test_no_time_at_all_is_told_as_any_lack_of_it(place: Place) -> None:
    with pytest.raises(ConfigError, match="no time is left"):
        inspect_source(BuildOptions(context=str(place.folder)), None, path_of(place), Deadline(time.monotonic, -1.0))


def test_a_docker_program_that_hangs(place: Place) -> None:
    pids = place.program("docker")
    env = path_of(place) | {"DOCKER_HOST": "unix:///nowhere/docker.sock"}
    with pytest.raises(BuildError, match=r"docker buildx cannot be used: .*(did not end within|no time is left)"):
        _ = open_builder("buildx", env, soon()).title
    assert open_builder("auto", env, soon()).title, "the builder that needs no engine is left"
    assert is_gone(pids)


def test_a_docker_engine_that_is_silent(place: Place) -> None:
    with silent() as address:
        env = path_of(place) | {"DOCKER_HOST": f"tcp://{address}"}
        with pytest.raises(BuildError, match="no Docker engine"):
            _ = open_builder("classic", env, soon()).title


def test_a_credential_helper_that_hangs(place: Place) -> None:
    pids = place.program("docker-credential-stuck")
    with wanting_login() as address:
        (place.folder / "config.json").write_text(json.dumps({"credHelpers": {address: "stuck"}}))
        registry = open_registry(path_of(place))
        with pytest.raises(RefusedError, match=r"docker-credential-stuck did not end within"):
            registry.resolve(f"{address}/acme/web:v1", SHORT)
        assert registry.same_config(f"{address}/acme/web", *_DIGESTS, SHORT) is None
    assert is_gone(pids)


# What is left behind holds its socket until the process ends.
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("server", [silent, trickling], ids=["silent", "trickling"])
def test_a_registry_that_does_not_come_to_an_end(place: Place, server: Callable[[], Any]) -> None:
    with server() as address:
        registry = open_registry(path_of(place))
        with pytest.raises(RefusedError, match=f"the registry {address} does not answer"):
            registry.resolve(f"{address}/acme/web:v1", SHORT)
        assert registry.same_config(f"{address}/acme/web", *_DIGESTS, SHORT) is None


def test_a_login_plugin_that_hangs(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    pids = place.program("log-me-in", "echo 'open https://login.example, type 42' >&2; exec sleep 300")
    monkeypatch.setenv("PATH", path_of(place)["PATH"])
    plugin = Plugin(command="log-me-in", api_version="client.authentication.k8s.io/v1", mode="Never")
    with pytest.raises(ClusterError, match=r"'log-me-in' failed: .* did not end within"):
        log_in(plugin, SHORT)
    assert is_gone(pids)


def test_the_whole_program_with_a_login_plugin_that_hangs(place: Place) -> None:
    pids = place.program("log-me-in")
    ended = place.deploy("reg.example/acme/web:v1", user={"exec": EXEC})
    ended.says(4)
    assert (
        "login plugin" in ended.report["message"] or "in time" in ended.report["message"]
    )  # a busy machine imports long
    assert is_gone(pids)


def test_the_whole_program_with_a_token_that_expired_and_a_login_plugin_that_then_hangs(place: Place) -> None:
    place.server.always("GET deployments", Reply(status=401, body={}))
    said = json.dumps({**_CREDENTIAL, "status": {"token": "t"}})
    once = place.folder / "once"
    pids = place.program("log-me-in", f"test -e {once} && exec sleep 300; touch {once}; echo '{said}'")
    place.deploy("reg.example/acme/web:v1", user={"exec": EXEC}).says(4)
    assert is_gone(pids)


def test_the_whole_program_with_a_registry_that_is_silent(place: Place) -> None:
    with silent() as address:
        ended = place.deploy(f"{address}/acme/web:v1")
        ended.says(4)
        assert "does not answer" in ended.report["message"] or "time" in ended.report["message"]
