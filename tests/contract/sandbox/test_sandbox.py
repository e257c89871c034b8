"""`kdeploy sandbox`, and what it starts: a cluster and a registry that leave nothing behind."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kdeploy.errors import ClusterError
from kdeploy.rollout.objects import is_ready
from kdeploy.sandbox.addresses import can_have_addresses
from kdeploy.sandbox.demo.access import open_access
from kdeploy.sandbox.state import Folder
from kdeploy.secret import Secret
from tests.contract.sandbox.sandboxes import ENV, Sandbox, command_lines, is_there, kdeploy, push, sandbox

pytestmark = pytest.mark.skipif(not can_have_addresses(), reason="this machine has one loopback address only")

PODS = "/api/v1/namespaces/demo/pods"
SERVER = """
import os, socket
server = socket.create_server((os.environ["POD_IP"], 8080))
print("up", flush=True)
while True:
    connection, _ = server.accept()
    connection.recv(1000)
    connection.sendall(b"HTTP/1.0 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nhi")
    connection.close()
"""
PROCESS = {"Labels": {"dev.kdeploy.sandbox.run": "process"}, "WorkingDir": "/app", "Entrypoint": ["python3", "app.py"]}


def pod(name: str, image: str, **fields: Any) -> dict[str, Any]:
    env = [{"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}]
    container = {"name": "web", "image": image, "env": env, "ports": [{"containerPort": 8080}], **fields}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "demo", "labels": {"app": name}},
        "spec": {"containers": [container], "terminationGracePeriodSeconds": 1},
    }


def test_up_prints_what_a_shell_evaluates_and_nothing_else_on_stdout(up: Sandbox) -> None:
    again = kdeploy("sandbox", "up", "--state", str(up.folder.path))
    assert again.returncode == 0
    script = 'eval "$1"; echo "$KUBECONFIG $KDEPLOY_SANDBOX_REGISTRY"'
    shown = subprocess.run(
        ["sh", "-c", script, "sh", again.stdout], capture_output=True, text=True, check=True, env=ENV
    )
    assert shown.stdout.split() == [str(up.folder.kubeconfig), up.served.registry]
    assert "is up already" in again.stderr
    assert Folder(up.folder.path).read() == up.served


@pytest.mark.parametrize("other", [("--api-port", "1"), ("--registry-port", "1"), ("--simulated",)])
def test_up_with_other_wishes_than_what_runs_is_refused(up: Sandbox, other: tuple[str, ...]) -> None:
    refused = kdeploy("sandbox", "up", "--state", str(up.folder.path), *other)
    assert (refused.returncode, refused.stdout) == (4, "")
    assert "the sandbox is up already, without" in refused.stderr
    assert "sandbox down --state" in refused.stderr


def test_status_says_whether_it_runs(up: Sandbox, tmp_path: Path) -> None:
    found = kdeploy("sandbox", "status", "--state", str(up.folder.path))
    assert (found.returncode, found.stdout.count("export ")) == (0, 2)
    none = kdeploy("sandbox", "status", "--state", str(tmp_path))
    assert (none.returncode, none.stdout) == (1, "")


def test_its_files_are_its_owners_alone(up: Sandbox) -> None:
    modes = {name: stat.S_IMODE((up.folder.path / name).stat().st_mode) for name in ("kubeconfig", "state.json", ".")}
    assert modes == {"kubeconfig": 0o600, "state.json": 0o600, ".": 0o700}


def test_it_listens_on_loopback_only(up: Sandbox) -> None:
    opened = [str(path.readlink()) for path in Path(f"/proc/{up.served.pid}/fd").iterdir()]
    inodes = {name[8:-1] for name in opened if name.startswith("socket:[")}
    tables = [Path(f"/proc/net/{name}").read_text().splitlines()[1:] for name in ("tcp", "tcp6")]
    rows = [line.split() for table in tables for line in table]
    own = [fields[1] for fields in rows if fields[3] == "0A" and fields[9] in inodes]
    assert len(own) >= 2
    assert all(address.partition(":")[0].endswith("7F") for address in own)


def test_nobody_gets_in_without_the_token(up: Sandbox) -> None:
    with pytest.raises(ClusterError) as error:
        replace(up.access, token=Secret("wrong")).get(PODS)
    assert error.value.status == 401


@pytest.mark.skipif(not shutil.which("kubectl"), reason="kubectl is not on this machine")
def test_kubectl_reads_it(up: Sandbox) -> None:
    env = {**ENV, "KUBECONFIG": str(up.folder.kubeconfig), "HOME": str(up.folder.path / "home")}
    shown = subprocess.run(["kubectl", "get", "ns", "-o", "name"], capture_output=True, text=True, check=True, env=env)
    assert shown.stdout.split() == ["namespace/default", "namespace/demo"]
    shutil.rmtree(up.folder.path / "home", ignore_errors=True)


def test_a_pod_of_its_registry_is_a_process_behind_a_service(up: Sandbox) -> None:
    image = push(up.served.registry, "web", {"app/app.py": SERVER}, PROCESS)
    up.access.create(pod("real", image))
    service = {"metadata": {"name": "real", "namespace": "demo"}, "apiVersion": "v1", "kind": "Service"}
    up.access.create({**service, "spec": {"selector": {"app": "real"}, "ports": [{"port": 8080}]}})
    found = up.until(f"{PODS}/real", is_ready)
    assert found["metadata"]["annotations"]["sandbox.kdeploy.dev/kind"] == "process"
    assert len(up.processes()) == 1
    endpoints = up.until("/api/v1/namespaces/demo/endpoints/real", lambda obj: obj.get("subsets"))
    assert endpoints["subsets"][0]["addresses"][0]["ip"] == found["status"]["podIP"]
    address = up.until("/api/v1/namespaces/demo/services/real", lambda obj: obj["spec"].get("clusterIP"))
    assert answer(address["spec"]["clusterIP"]) == b"hi"
    assert up.access.ask("GET", f"{PODS}/real/log") == b"up\n"
    assert up.access.ask("GET", f"{PODS}/real:8080/proxy/") == b"hi"
    up.access.ask("DELETE", f"{PODS}/real")
    deadline = time.monotonic() + 20
    while up.processes():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def answer(host: str) -> bytes:
    deadline = time.monotonic() + 20
    while True:
        try:
            with socket.create_connection((host, 8080), timeout=5) as connection:
                connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
                return connection.recv(1000).partition(b"\r\n\r\n")[2]
        except ConnectionResetError:  # it runs, and does not listen yet
            assert time.monotonic() < deadline
            time.sleep(0.05)


def test_any_other_image_is_a_simulated_pod_and_says_so(up: Sandbox) -> None:
    image = push(up.served.registry, "other", {"x": ""}, {"Labels": {}})
    up.access.create(pod("simulated", image))
    found = up.until(f"{PODS}/simulated", is_ready)
    assert found["metadata"]["annotations"]["sandbox.kdeploy.dev/kind"] == "simulated"
    assert b"simulated pod" in up.access.ask("GET", f"{PODS}/simulated:8080/proxy/")
    up.access.ask("DELETE", f"{PODS}/simulated")
    up.until(PODS, lambda pods: not [one for one in pods["items"] if one["metadata"]["name"] == "simulated"])


def test_an_image_that_leads_out_of_its_root_is_not_run(up: Sandbox) -> None:
    image = push(up.served.registry, "evil", {"../../../evil": "x"}, PROCESS)
    up.access.create(pod("evil", image))

    def waits(obj: Any) -> bool:
        statuses = obj["status"].get("containerStatuses") or [{}]
        return "leads out of the root" in str(statuses[0].get("state"))

    up.until(f"{PODS}/evil", waits)
    assert {path.parent.name for path in up.folder.path.glob("**/evil")} == {"repositories"}
    up.access.ask("DELETE", f"{PODS}/evil")


def test_a_port_that_is_taken_is_said(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        for flag in ("--api-port", "--registry-port"):
            done = kdeploy("sandbox", "up", "--state", str(tmp_path / "state"), flag, port)
            assert done.returncode == 4
            assert f"port {port} of 127.0.0.1 cannot be listened on: Address already in use" in done.stderr
            assert flag in done.stderr
    assert not (tmp_path / "state").exists()


def test_a_folder_that_cannot_be_used_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = kdeploy("sandbox", "up", "--state", str(tmp_path / "file" / "state"))
    assert (done.returncode, done.stdout) == (4, "")
    assert "cannot be used: Not a directory" in done.stderr
    assert "--state" in done.stderr


def test_a_port_that_is_none_is_a_wrong_flag(tmp_path: Path) -> None:
    assert kdeploy("sandbox", "up", "--state", str(tmp_path), "--api-port", "70000").returncode == 2


def test_two_have_networks_and_ports_of_their_own_and_down_leaves_nothing_of_one(up: Sandbox, tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir()
    (state / "mine.txt").write_text("precious")
    with sandbox(state) as other:
        for name in ("network", "api", "registry", "pid"):
            assert getattr(other.served, name) != getattr(up.served, name)
        image = push(other.served.registry, "web", {"app/app.py": SERVER}, PROCESS)
        other.access.create(pod("web", image))
        other.until(f"{PODS}/web", is_ready)
        assert other.processes()
        done = kdeploy("sandbox", "down", "--state", str(state))
        assert done.returncode == 0
        assert not other.processes()
        assert not is_there(other.served.pid)
    assert [path.name for path in state.iterdir()] == ["mine.txt"]
    assert is_there(up.served.pid)
    again = kdeploy("sandbox", "down", "--state", str(state))
    assert (again.returncode, "no sandbox runs" in again.stderr) == (0, True)


def test_its_pods_end_with_it_even_where_it_is_killed_and_down_clears_up(tmp_path: Path) -> None:
    with sandbox(tmp_path / "state") as there:
        image = push(there.served.registry, "web", {"app/app.py": SERVER}, PROCESS)
        there.access.create(pod("web", image))
        there.until(f"{PODS}/web", is_ready)
        os.kill(there.served.pid, signal.SIGKILL)
        deadline = time.monotonic() + 10
        while there.processes():
            assert time.monotonic() < deadline
            time.sleep(0.02)
        assert kdeploy("sandbox", "status", "--state", str(there.folder.path)).returncode == 1
        assert kdeploy("sandbox", "down", "--state", str(there.folder.path)).returncode == 0
    assert not (tmp_path / "state").exists()


@pytest.mark.parametrize("how", ["stdin", "SIGTERM", "SIGINT"])
def test_it_ends_cleanly_in_the_foreground_too(tmp_path: Path, how: str) -> None:
    command = [sys.executable, "-m", "kdeploy.sandbox", "serve", "--state", str(tmp_path / "state"), "--bound"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=ENV, text=True) as process:
        assert process.stdin
        assert process.stdout
        assert "ready" in json.loads(process.stdout.readline())
        assert open_access(tmp_path / "state" / "kubeconfig").get(PODS)["items"] == []
        if how == "stdin":
            process.stdin.close()
        else:
            process.send_signal(getattr(signal, how))
        assert process.wait(20) == 0
    assert not (tmp_path / "state").exists()
    assert not [line for line in command_lines() if str(tmp_path) in line]
