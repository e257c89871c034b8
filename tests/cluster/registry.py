"""Two image registries, one open and one that wants a password, by the same name on the host and in the cluster.

Each runs twice over one folder: once on the host's loopback and once on the cluster's, on the same port. So an image
has the same name, localhost:PORT/..., for a person, for Docker and for the kubelet, and no address is opened wider.
"""

import http.client
import json
import secrets
from functools import partial
from pathlib import Path

from tests.cluster.commands import run
from tests.cluster.layout import Layout
from tests.cluster.namespace import Namespace
from tests.cluster.processes import Processes

USER = "deployer"
OPEN, PRIVATE = "registry", "registry-private"
PROGRAM = "docker-registry"


def start(layout: Layout, inside: Namespace, processes: Processes) -> str:
    """Starts both registries; returns the password of the private one."""
    password = secrets.token_urlsafe(12)
    accounts = layout.config / "htpasswd"
    accounts.write_text(run("htpasswd", "-Bbn", USER, password))
    for name, port, auth in ((OPEN, layout.registry_port, None), (PRIVATE, layout.private_port, accounts)):
        config = _write_config(layout, name, port, auth)
        processes.start(name, [PROGRAM, "serve", str(config)])
        processes.start(f"{name}-inside", inside.enter(PROGRAM, "serve", config), nested=True)
    return password


def wait(layout: Layout, processes: Processes) -> None:
    """Waits until the host's ends answer; the others started with them."""
    for name, port in ((OPEN, layout.registry_port), (PRIVATE, layout.private_port)):
        processes.wait(name, partial(_answers, port), 10)


def _write_config(layout: Layout, name: str, port: int, accounts: Path | None) -> Path:
    folder = layout.data / name
    folder.mkdir(parents=True, exist_ok=True)
    config: dict[str, object] = {
        "version": "0.1",
        "log": {"level": "warn", "accesslog": {"disabled": False}},
        "storage": {
            "filesystem": {"rootdirectory": str(folder)},
            "delete": {"enabled": True},
            "maintenance": {"uploadpurging": {"enabled": False}},
        },
        "http": {"addr": f"127.0.0.1:{port}", "secret": secrets.token_hex(8)},
    }
    if accounts:
        config["auth"] = {"htpasswd": {"realm": "kdeploy", "path": str(accounts)}}
    path = layout.config / f"{name}.yaml"
    path.write_text(json.dumps(config, indent=1))
    return path


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/v2/")
        return connection.getresponse().status in (200, 401)
    except OSError:
        return False
    finally:
        connection.close()
