"""The buildx plugin of Docker, from Debian: one file, kept in the cache, not installed on the machine."""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from tests.cluster.commands import run
from tests.cluster.errors import RigError

PACKAGE = "docker-buildx"
RELEASE = "trixie"  # the first Debian release that has it
PLUGIN = "usr/libexec/docker/cli-plugins/docker-buildx"


def ensure(say: Callable[[str], None]) -> Path | None:
    """The plugin's program, fetched the first time; None, and a word about it, where it cannot be had."""
    target = cache() / "bin" / "docker-buildx"
    if target.is_file():
        return target
    say(f"fetching {PACKAGE} into {target.parent}")
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
            _fetch(Path(scratch)).replace(target)
    except (RigError, OSError) as error:
        say(f"there is no buildx for this cluster: {error}")
        return None
    return target


def cache() -> Path:
    """The folder for what is worth keeping between clusters."""
    if own := os.environ.get("KDEPLOY_CACHE"):
        return Path(own)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "kdeploy"


def _fetch(scratch: Path) -> Path:
    """Downloads and unpacks the package, by lists of packages that apt keeps nowhere but here."""
    options = _private_apt(scratch)
    run("apt-get", *options, "update", "--quiet", timeout=300)
    address = run("apt-get", *options, "download", "--print-uris", PACKAGE).split()
    if not address:
        raise RigError(f"Debian {RELEASE} has no package {PACKAGE} for this machine")
    package = scratch / "buildx.deb"
    helper = ["/usr/lib/apt/apt-helper", *options, "download-file", address[0].strip("'"), str(package)]
    run(*helper, f"SHA256:{_sum(address)}", timeout=300)
    run("dpkg-deb", "--extract", package, scratch / "tree")
    return scratch / "tree" / PLUGIN


def _sum(address: list[str]) -> str:
    return next(word.partition(":")[2] for word in address if word.startswith("SHA256:"))


def _private_apt(scratch: Path) -> list[str]:
    """Options for a second, temporary configuration of apt: the machine's mirror, but another release."""
    sources, lists = scratch / "sources.list", scratch / "lists"
    (lists / "partial").mkdir(parents=True)
    keyring = "/usr/share/keyrings/debian-archive-keyring.gpg"
    sources.write_text(f"deb [signed-by={keyring}] {mirror()} {RELEASE} main\n")
    options = {
        "Dir::Etc::SourceList": sources,
        "Dir::Etc::SourceParts": "/dev/null",
        "Dir::Etc::PreferencesParts": "/dev/null",
        "Dir::State::Lists": lists,
        "Dir::Cache": scratch / "cache",
        "APT::Sandbox::User": "root",
    }
    (scratch / "cache" / "archives" / "partial").mkdir(parents=True)
    return [word for name, value in options.items() for word in ("-o", f"{name}={value}")]


def mirror() -> str:
    """Where this machine gets Debian's main archive from."""
    lines = run("apt-get", "indextargets", "--format", "$(SITE) $(REPO_URI) $(LABEL)", "Created-By: Packages")
    found = [line.split() for line in lines.splitlines() if line.endswith(" Debian")]
    if not found:
        raise RigError("apt knows no Debian archive: run apt-get update first")
    return found[0][1]
