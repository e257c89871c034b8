"""The cluster's only node: kubelet and kube-proxy."""

import json
from datetime import datetime

from tests.cluster.control_plane import get
from tests.cluster.layout import Layout
from tests.cluster.namespace import Namespace
from tests.cluster.processes import Processes, wait_until

KUBELET, PROXY = "kubelet", "kube-proxy"
ENDPOINT_IN_CONFIG = 27  # from v1.27 on the kubelet's file says where containerd is, before that a flag
REMOTE_FLAG_UNTIL = 26  # and up to here another flag says that it is containerd and not Docker
CGROUP_V1_REFUSED = 35  # from here on the kubelet must be told to run on cgroups of version 1


def start(layout: Layout, inside: Namespace, processes: Processes) -> None:
    """Starts kubelet and kube-proxy; containerd must be running."""
    kubelet = layout.config / "kubelet.json"
    kubelet.write_text(json.dumps(_kubelet_config(layout), indent=1))
    proxy = layout.config / "kube-proxy.json"
    proxy.write_text(json.dumps(_proxy_config(layout), indent=1))
    words = [f"--kubeconfig={layout.config / 'node.kubeconfig'}", f"--config={kubelet}"]
    words += [f"--hostname-override={layout.node}", f"--node-ip={layout.node_address}"]
    if layout.minor < ENDPOINT_IN_CONFIG:
        words += [f"--container-runtime-endpoint={_endpoint(layout)}"]
    if layout.minor <= REMOTE_FLAG_UNTIL:
        words += ["--container-runtime=remote"]
    processes.start(KUBELET, inside.enter(layout.binaries / KUBELET, *words), nested=True)
    processes.start(PROXY, inside.enter(layout.binaries / PROXY, f"--config={proxy}"), nested=True)


def wait(layout: Layout, processes: Processes, timeout: float = 60, since: float = 0.0) -> None:
    """Waits until the node is ready, by a report younger than `since`, and pods have an account to run under.

    A kubelet's first report may come 10 s after its node is ready, so that a new node is not asked for one.
    """
    processes.wait(KUBELET, lambda: is_ready(layout) and (not since or _last_report(layout) > since), timeout)
    account = "/api/v1/namespaces/default/serviceaccounts/default"
    wait_until(lambda: get(layout, account) is not None, timeout, "the default service account")


def is_ready(layout: Layout) -> bool:
    """Whether the node's last word was that it is ready, and no taint keeps pods away."""
    answer = get(layout, f"/api/v1/nodes/{layout.node}")
    if answer is None:
        return False
    node = json.loads(answer)
    conditions = {each["type"]: each["status"] for each in node["status"].get("conditions", [])}
    return conditions.get("Ready") == "True" and not node["spec"].get("taints")


def _last_report(layout: Layout) -> float:
    """When the kubelet renewed its lease, which it does as it starts and every 10 s."""
    answer = get(layout, f"/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/{layout.node}")
    if answer is None:
        return 0.0
    stamp: str = json.loads(answer)["spec"]["renewTime"]
    return datetime.fromisoformat(stamp).timestamp()


def _endpoint(layout: Layout) -> str:
    return f"unix://{layout.containerd_socket}"


def _kubelet_config(layout: Layout) -> dict[str, object]:
    """The defaults, but for what the machine forces, and for a status by the second, which makes a new node ready
    sooner. A full disk must not evict pods nor remove images."""
    authority = str(layout.pki / "ca.crt")
    config: dict[str, object] = {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": layout.node_address,
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": authority},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": str(layout.pki / "kubelet.crt"),
        "tlsPrivateKeyFile": str(layout.pki / "kubelet.key"),
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": layout.cgroup,
        "clusterDNS": [layout.service_range.replace("0/24", "10")],
        "clusterDomain": "cluster.local",
        "failSwapOn": False,
        "nodeStatusUpdateFrequency": "1s",
        "volumePluginDir": str(layout.data / "volume-plugins"),
        "evictionHard": {"memory.available": "0%", "nodefs.available": "0%", "imagefs.available": "0%"},
        "imageGCHighThresholdPercent": 100,
    }
    if layout.minor >= ENDPOINT_IN_CONFIG:
        config["containerRuntimeEndpoint"] = _endpoint(layout)
    if layout.minor >= CGROUP_V1_REFUSED:
        config["failCgroupV1"] = False
    return config


def _proxy_config(layout: Layout) -> dict[str, object]:
    """No limits for connection tracking: they belong to the machine."""
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "iptables",
        "clientConnection": {"kubeconfig": str(layout.config / "kube-proxy.kubeconfig")},
        "clusterCIDR": layout.pod_range,
        "hostnameOverride": layout.node,
        "healthzBindAddress": "127.0.0.1:10256",
        "metricsBindAddress": "127.0.0.1:10249",
        "conntrack": {"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
    }
