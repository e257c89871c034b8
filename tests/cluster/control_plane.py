"""etcd, API server, controller manager and scheduler."""

import json
import ssl
import urllib.request
from collections.abc import Mapping

from tests.cluster import pki
from tests.cluster.layout import Layout
from tests.cluster.namespace import Namespace
from tests.cluster.processes import Processes

ETCD, API, CONTROLLERS, SCHEDULER = "etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"
ETCD_URL = "http://127.0.0.1:2379"
OWN_AGENT = "kdeploy-test-cluster"
COMPONENTS = ("system:apiserver", "system:kube-controller-manager", "system:kube-scheduler", "system:kube-proxy")
COMPONENT_GROUPS = ("system:nodes", "system:serviceaccounts:kube-system")


def make_identities(layout: Layout) -> None:
    """Certificates and kubeconfigs for all parts of the cluster and its administrator."""
    folder, node = layout.pki, f"system:node:{layout.node}"
    pki.create_authority(folder)
    service = layout.service_range.replace("0/24", "1")
    names = [f"IP:{layout.node_address}", "IP:127.0.0.1", f"IP:{service}", "DNS:localhost", "DNS:kubernetes.default"]
    pki.issue(folder, "apiserver", "kube-apiserver", addresses=names)
    pki.issue(folder, "kubelet", layout.node, addresses=[f"IP:{layout.node_address}", f"DNS:{layout.node}"])
    users = {"admin": ("admin", ["system:masters"]), "node": (node, ["system:nodes"])}
    users |= {name: (f"system:{name}", []) for name in (CONTROLLERS, SCHEDULER, "kube-proxy")}
    for name, (user, groups) in users.items():
        pki.issue(folder, name, user, groups)
        target = layout.admin if name == "admin" else layout.config / f"{name}.kubeconfig"
        pki.write_kubeconfig(target, layout.server, folder, name=name)


def start_etcd(layout: Layout, inside: Namespace, processes: Processes) -> None:
    """Starts etcd, which forgets what it was told when the machine stops: nobody needs this cluster then."""
    flags = {
        "data-dir": layout.data / "etcd",
        "listen-client-urls": ETCD_URL,
        "advertise-client-urls": ETCD_URL,
        "listen-peer-urls": "http://127.0.0.1:2380",
        "unsafe-no-fsync": "true",
    }
    processes.start(ETCD, inside.enter(layout.etcd, *_words(flags)), nested=True)


def start_api(layout: Layout, inside: Namespace, processes: Processes) -> None:
    """Starts the API server; `wait_api` waits for it."""
    policy = layout.config / "audit.json"
    policy.write_text(json.dumps(_audit_policy(), indent=1))
    keys = layout.pki
    flags = {
        "etcd-servers": ETCD_URL,
        "advertise-address": layout.node_address,
        "service-cluster-ip-range": layout.service_range,
        "authorization-mode": "Node,RBAC",
        "enable-admission-plugins": "NodeRestriction",
        "allow-privileged": "true",
        "client-ca-file": keys / "ca.crt",
        "tls-cert-file": keys / "apiserver.crt",
        "tls-private-key-file": keys / "apiserver.key",
        "kubelet-certificate-authority": keys / "ca.crt",
        "kubelet-client-certificate": keys / "admin.crt",
        "kubelet-client-key": keys / "admin.key",
        "kubelet-preferred-address-types": "InternalIP",
        "service-account-issuer": "https://kubernetes.default.svc",
        "service-account-key-file": keys / "tokens.pub",
        "service-account-signing-key-file": keys / "tokens.key",
        "audit-policy-file": policy,
        "audit-log-path": layout.audit_log,
        "audit-log-mode": "blocking",
        "audit-log-maxsize": 2000,
    }
    processes.start(API, inside.enter(layout.binaries / API, *_words(flags)), nested=True)


def start_controllers(layout: Layout, inside: Namespace, processes: Processes) -> None:
    """Starts controller manager and scheduler; the usual limit on their requests would only slow the start."""
    keys = layout.pki
    special = {
        "service-account-private-key-file": keys / "tokens.key",
        "root-ca-file": keys / "ca.crt",
        "cluster-signing-cert-file": keys / "ca.crt",
        "cluster-signing-key-file": keys / "ca.key",
        "use-service-account-credentials": "true",
        "node-monitor-period": "1s",
    }
    for name, flags in ((CONTROLLERS, _client(layout, CONTROLLERS) | special), (SCHEDULER, _client(layout, SCHEDULER))):
        processes.start(name, inside.enter(layout.binaries / name, *_words(flags)), nested=True)


def wait_api(layout: Layout, processes: Processes, timeout: float = 60) -> None:
    """Waits until the API server says that it is ready."""
    processes.wait(API, lambda: get(layout, "/readyz") == b"ok", timeout)


def get(layout: Layout, path: str) -> bytes | None:
    """What the API server answers the administrator, None if it does not answer or says no."""
    context = ssl.create_default_context(cafile=str(layout.pki / "ca.crt"))
    context.load_cert_chain(layout.pki / "admin.crt", layout.pki / "admin.key")
    request = urllib.request.Request(layout.server + path, headers={"User-Agent": OWN_AGENT})
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))
    try:
        with direct.open(request, timeout=5) as answer:
            content: bytes = answer.read()
            return content
    except OSError:
        return None


def _client(layout: Layout, name: str) -> dict[str, object]:
    login = layout.config / f"{name}.kubeconfig"
    logins = {f"{purpose}kubeconfig": login for purpose in ("", "authentication-", "authorization-")}
    common = {"leader-elect": "false", "bind-address": "127.0.0.1", "kube-api-qps": 200, "kube-api-burst": 400}
    return {**logins, **common}


def _words(flags: Mapping[str, object]) -> list[str]:
    return [f"--{name}={value}" for name, value in flags.items()]


def _audit_policy() -> dict[str, object]:
    """Every request of every client, without the cluster's own parts."""
    return {
        "apiVersion": "audit.k8s.io/v1",
        "kind": "Policy",
        "omitStages": ["RequestReceived"],
        "rules": [
            {"level": "None", "users": list(COMPONENTS)},
            {"level": "None", "userGroups": list(COMPONENT_GROUPS)},
            {"level": "Metadata"},
        ],
    }
