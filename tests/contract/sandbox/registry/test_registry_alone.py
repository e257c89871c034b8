"""`python -m kdeploy.sandbox.registry`: the registry as a process of its own."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from tests.contract.api_server import eventually


def listens(port: int) -> bool:
    with socket.socket() as asking:
        return asking.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.parametrize(
    ("variable", "status"), [("KDEPLOY_SANDBOX_REGISTRY_PASSWORD", 401), ("KDEPLOY_REGISTRY_PASSWORD", 200)]
)
def test_it_wants_a_password_of_its_own_and_not_the_one_that_kdeploy_pushes_with(
    tmp_path: Path, variable: str, status: int
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "kdeploy.sandbox.registry", str(tmp_path), "--port", str(port)]
    with subprocess.Popen(command, env=os.environ | {variable: "hunter2"}, stdout=subprocess.DEVNULL) as registry:
        try:
            eventually(lambda: listens(port) or registry.poll() is not None, within=10.0)
            assert requests.get(f"http://127.0.0.1:{port}/v2/", timeout=5).status_code == status
        finally:
            registry.terminate()
