"""The Debian packages that the cluster is made of, installed where they are missing."""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from tests.cluster.commands import run
from tests.cluster.errors import RigError

PROGRAMS = {  # what must be there, and the package that brings it
    "dockerd": "docker.io",
    "docker": "docker.io",
    "containerd": "containerd",
    "ctr": "containerd",
    "runc": "runc",
    "docker-registry": "docker-registry",
    "etcd": "etcd-server",
    "iptables": "iptables",
    "ip": "iproute2",
    "conntrack": "conntrack",
    "busybox": "busybox-static",
    "openssl": "openssl",
    "htpasswd": "apache2-utils",
    "nsenter": "util-linux",
    "unshare": "util-linux",
    "mount": "mount",
    "sysctl": "procps",
    "debootstrap": "debootstrap",
}
FILES = {("/usr/lib/cni/bridge", "/opt/cni/bin/bridge"): "containernetworking-plugins"}
OWN = "Or use a cluster of your own: KDEPLOY_E2E_KUBECONFIG names its kubeconfig."
INHIBITOR = Path("/usr/sbin/policy-rc.d")


def missing() -> list[str]:
    """The packages whose programs are not on this machine, in order."""
    absent = {package for program, package in PROGRAMS.items() if not shutil.which(program)}
    absent |= {package for places, package in FILES.items() if not any(Path(place).exists() for place in places)}
    return sorted(absent)


def ensure(say: Callable[[str], None]) -> None:
    """Installs what is missing. RigError says what is missing where that cannot be done."""
    if not shutil.which("kubectl"):
        raise RigError(f"kubectl is not on PATH: install it first. {OWN}")
    if os.geteuid() != 0:
        raise RigError(f"a cluster needs root, for namespaces and mounts. {OWN}")
    packages = missing()
    if not packages:
        return
    if not shutil.which("apt-get"):
        raise RigError(f"this is not Debian; these packages are missing: {' '.join(packages)}. {OWN}")
    say(f"installing {' '.join(packages)}")
    run("apt-get", "update", "--quiet", timeout=300)
    _install(packages)
    if still := missing():
        raise RigError(f"these packages were installed, but bring not what they should: {' '.join(still)}. {OWN}")


def _install(packages: list[str]) -> None:
    """Installs without starting any service: the cluster starts its own, apart from the machine's."""
    made = not INHIBITOR.exists()
    if made:
        INHIBITOR.write_text("#!/bin/sh\nexit 101\n")
        INHIBITOR.chmod(0o755)
    try:
        quiet = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
        run("apt-get", "install", "--yes", "--no-install-recommends", *packages, environment=quiet, timeout=600)
    except subprocess.SubprocessError as error:
        raise RigError(f"apt-get cannot install {' '.join(packages)}: {error}. {OWN}") from error
    finally:
        if made:
            INHIBITOR.unlink()
