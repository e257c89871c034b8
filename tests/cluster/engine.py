"""One containerd for the kubelet and for a Docker Engine of the cluster's own."""

import json
from pathlib import Path

from tests.cluster.commands import succeeds
from tests.cluster.layout import Layout
from tests.cluster.namespace import Namespace
from tests.cluster.processes import Processes

CONTAINERD, DOCKERD = "containerd", "dockerd"
CNI_PLUGINS = ("/usr/lib/cni", "/opt/cni/bin")


def start_containerd(layout: Layout, inside: Namespace, processes: Processes, pause: str) -> None:
    """Starts containerd, which takes images of both registries over plain http."""
    for registry in (layout.registry, layout.private_registry):
        _trust(layout, registry)
    network = layout.config / "cni" / "10-kdeploy.conflist"
    network.parent.mkdir(parents=True, exist_ok=True)
    network.write_text(json.dumps(_network(layout), indent=1))
    config = layout.config / "containerd.toml"
    config.write_text(_containerd_config(layout, pause))
    processes.start(CONTAINERD, inside.enter("containerd", "--config", config), nested=True)


def wait_containerd(layout: Layout, processes: Processes) -> None:
    """Waits until containerd answers."""
    processes.wait(CONTAINERD, lambda: succeeds(*_ctr(layout), "version"), 20)


def pull(layout: Layout, inside: Namespace, reference: str) -> None:
    """Gives the kubelet's containerd an image before anybody asks for it."""
    inside.run(*_ctr(layout), "--namespace", "k8s.io", "images", "pull", "--plain-http", reference)


def start_dockerd(layout: Layout, inside: Namespace, processes: Processes) -> None:
    """Starts a Docker Engine that shares nothing with one that the machine may have."""
    config = layout.config / "daemon.json"
    config.write_text("{}")
    flags = {
        "config-file": config,
        "data-root": layout.data / "docker",
        "exec-root": layout.data / "run/docker",
        "pidfile": layout.data / "run/docker.pid",
        "host": f"unix://{layout.docker_socket}",
        "containerd": layout.containerd_socket,
        "bip": layout.docker_gateway,
        "cgroup-parent": f"{layout.cgroup}/docker",
        "storage-driver": "overlay2",
    }
    command = inside.enter("dockerd", *(f"--{name}={value}" for name, value in flags.items()))
    processes.start(DOCKERD, command, nested=True)


def wait_dockerd(layout: Layout, processes: Processes) -> None:
    """Waits until Docker answers."""
    ping = ("docker", "--host", f"unix://{layout.docker_socket}", "version", "--format", "{{.Server.Version}}")
    processes.wait(DOCKERD, lambda: succeeds(*ping), 30)


def write_docker_configs(layout: Layout, buildx: Path | None) -> tuple[Path, Path]:
    """Two folders for DOCKER_CONFIG: one with the buildx plugin, and one without it."""
    modern, classic = layout.state / "docker-buildx", layout.state / "docker-classic"
    for folder in (modern, classic):
        (folder / "cli-plugins").mkdir(parents=True, exist_ok=True)
        (folder / "config.json").write_text("{}\n")
    if buildx:
        (modern / "cli-plugins" / "docker-buildx").symlink_to(buildx)
    return modern, classic


def _ctr(layout: Layout) -> tuple[str, ...]:
    return ("ctr", "--address", str(layout.containerd_socket))


def _trust(layout: Layout, registry: str) -> None:
    folder = layout.config / "registries" / registry
    folder.mkdir(parents=True, exist_ok=True)
    server = f"http://{registry}"
    capabilities = 'capabilities = ["pull", "resolve"]'
    (folder / "hosts.toml").write_text(f'server = "{server}"\n\n[host."{server}"]\n  {capabilities}\n')


def _containerd_config(layout: Layout, pause: str) -> str:
    """`restrict_oom_score_adj`: root without CAP_SYS_RESOURCE may not lower the score, and no pod would start."""
    plugins = next((place for place in CNI_PLUGINS if Path(place, "bridge").exists()), CNI_PLUGINS[0])
    return f"""version = 2
root = "{layout.data}/containerd"
state = "{layout.data}/run/containerd"

[grpc]
  address = "{layout.containerd_socket}"

[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{pause}"
  restrict_oom_score_adj = true
  disable_tcp_service = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{plugins}"
    conf_dir = "{layout.config}/cni"
  [plugins."io.containerd.grpc.v1.cri".registry]
    config_path = "{layout.config}/registries"
"""


def _network(layout: Layout) -> dict[str, object]:
    address = {
        "type": "host-local",
        "ranges": [[{"subnet": layout.pod_range}]],
        "routes": [{"dst": "0.0.0.0/0"}],
        "dataDir": "/var/lib/cni/networks",
    }
    bridge = {"type": "bridge", "bridge": "cni0", "isGateway": True, "ipMasq": True, "hairpinMode": True}
    return {
        "cniVersion": "0.4.0",
        "name": "kdeploy",
        "plugins": [bridge | {"ipam": address}, {"type": "portmap", "capabilities": {"portMappings": True}}],
    }
