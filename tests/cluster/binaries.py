"""The programs of a Kubernetes control plane and node, by version, for the tests that need a real cluster.

They come from two places, and end in one cache outside the tree, `kubernetes/<version>/` below $KDEPLOY_CACHE,
$XDG_CACHE_HOME/kdeploy or ~/.cache/kdeploy:
- the current Kubernetes is built from the Go module in kubernetes/ beside this file, with its etcd and pause;
- other versions are vendored, compressed, one folder a version, below $KDEPLOY_K8S_BINARIES. They bring no etcd.

`python -m tests.cluster.binaries` builds the current one, `--list` prints what can be run here.
"""

import argparse
import contextlib
import fcntl
import functools
import hashlib
import lzma
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

CURRENT = "v1.35.4"
MODULE = Path(__file__).parent / "kubernetes"
PROGRAMS = {
    "etcd": "go.etcd.io/etcd/server/v3",
    "kube-apiserver": "k8s.io/kubernetes/cmd/kube-apiserver",
    "kube-controller-manager": "k8s.io/kubernetes/cmd/kube-controller-manager",
    "kube-scheduler": "k8s.io/kubernetes/cmd/kube-scheduler",
    "kube-proxy": "k8s.io/kubernetes/cmd/kube-proxy",
    "kubelet": "k8s.io/kubernetes/cmd/kubelet",
    "pause": "./pause",
}
VERSIONED = ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
SOURCES = ("go.mod", "go.sum", "pause/main.go")
VERSION = re.compile(r"v(\d+)\.(\d+)\.(\d+)")
SUM = re.compile(r"([0-9a-f]{64}) [ *]([\w.-]+)\.xz")
MADE_FROM = "MADE_FROM"


class BinariesError(Exception):
    """The programs cannot be had here; its text is one line that says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Binaries:
    """The programs of one Kubernetes version, unpacked and executable in one folder."""

    version: str
    folder: Path

    def path(self, name: str) -> Path:
        """The program called `name`. Raises BinariesError if this version came without it."""
        program = self.folder / name
        if not program.is_file():
            raise BinariesError(f"Kubernetes {self.version} has no {name} in {self.folder}")
        return program


def cache_folder() -> Path:
    """Where all versions are kept; it need not exist yet."""
    if own := os.environ.get("KDEPLOY_CACHE"):
        return Path(own) / "kubernetes"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "kdeploy" / "kubernetes"


def cached(version: str) -> Binaries | None:
    """The programs of `version` if the cache has them, whatever they were made from; None if not."""
    folder = cache_folder() / version
    return Binaries(version=version, folder=folder) if (folder / MADE_FROM).is_file() else None


def available() -> list[Binaries]:
    """What can be run here, oldest version first: the vendored ones (unpacked now if need be) and the cached ones.

    Raises BinariesError if $KDEPLOY_K8S_BINARIES names no folder, or a vendored version is damaged.
    """
    found = {entry.name: have for entry in _versions_in(cache_folder()) if (have := cached(entry.name))}
    if vendor := os.environ.get("KDEPLOY_K8S_BINARIES"):
        if not Path(vendor).is_dir():
            raise BinariesError(f"KDEPLOY_K8S_BINARIES names no folder: {vendor}")
        found |= {entry.name: unpacked_vendor(entry, entry.name) for entry in _versions_in(Path(vendor))}
    return sorted(found.values(), key=lambda binaries: _numbers(binaries.version))


def unpacked_vendor(folder: Path, version: str) -> Binaries:
    """The programs of `version` out of `folder`, which holds NAME.xz for each and their SHA256SUMS.

    They are verified and unpacked into the cache once, and again only when SHA256SUMS changes.
    Raises BinariesError if a file is missing, damaged or not the one that was summed.
    """
    try:
        sums = (folder / "SHA256SUMS").read_text()
    except OSError as error:
        raise BinariesError(f"{folder} has no readable SHA256SUMS: {error.strerror}") from error
    lines = [SUM.fullmatch(line) for line in sums.splitlines()]
    if not lines or None in lines:
        raise BinariesError(f"{folder / 'SHA256SUMS'} has a line that is not the sum of a .xz file")
    wanted = {line[2]: line[1] for line in lines if line}
    return _made_once(version, hashlib.sha256(sums.encode()).hexdigest(), functools.partial(_unpack, folder, wanted))


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def build_current(say: Callable[[str], None] = _say) -> Binaries:
    """Kubernetes CURRENT, built into the cache if it is not there yet; `say` gets a line for each program built.

    It is built again when the module in MODULE changed. Raises BinariesError if go.mod pins another version, Go is
    missing or too old, or a module cannot be fetched.
    """
    if problems := disagreements((MODULE / "go.mod").read_text()):
        raise BinariesError(f"{MODULE / 'go.mod'} disagrees with {CURRENT}: {'; '.join(problems)}")
    made_from = hashlib.sha256(b"".join((MODULE / name).read_bytes() for name in SOURCES))
    made_from.update(repr([_go_build(Path(name), package) for name, package in PROGRAMS.items()]).encode())
    return _made_once(CURRENT, made_from.hexdigest(), functools.partial(_build, say))


def disagreements(go_mod: str, version: str = CURRENT) -> list[str]:
    """What in the text of a go.mod does not belong to Kubernetes `version`, a sentence each; empty if all does.

    v1.N.P goes with v0.N.P of every staging module that the file replaces.
    """
    pinned = re.findall(r"^(?:require)?\s+k8s\.io/kubernetes (\S+)", go_mod, re.MULTILINE)
    problems = [] if pinned == [version] else [f"it requires k8s.io/kubernetes {' and '.join(pinned) or 'not at all'}"]
    staging = version.replace("v1.", "v0.", 1)
    replaced = re.findall(r"^(?:replace)?\s+(k8s\.io/\S+) => \S+ (\S+)", go_mod, re.MULTILINE)
    problems += [f"it replaces {module} by {other}" for module, other in replaced if other != staging]
    return problems if replaced else [*problems, "it replaces no staging module"]


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version))


def _versions_in(folder: Path) -> list[Path]:
    entries = folder.iterdir() if folder.is_dir() else ()
    return [entry for entry in entries if VERSION.fullmatch(entry.name) and entry.is_dir()]


def _made_once(version: str, made_from: str, fill: Callable[[Path], None]) -> Binaries:
    """The cached `version` made from `made_from`; if there is none, `fill` makes it in a folder that then moves there.

    One process at a time does so for a version; the others wait for it, and find its work done.
    """
    target = cache_folder() / version
    with _lock(target.with_name(f"{version}.lock")):
        if not (target / MADE_FROM).is_file() or (target / MADE_FROM).read_text() != made_from:
            partial = target.with_name(f"{version}.partial")
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir()
            try:
                fill(partial)
                (partial / MADE_FROM).write_text(made_from)
                shutil.rmtree(target, ignore_errors=True)
                partial.rename(target)
            finally:
                shutil.rmtree(partial, ignore_errors=True)
    return Binaries(version=version, folder=target)


@contextlib.contextmanager
def _lock(path: Path) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _unpack(folder: Path, sums: dict[str, str], target: Path) -> None:
    for name, wanted in sums.items():
        packed = folder / f"{name}.xz"
        try:
            with packed.open("rb") as source:
                if hashlib.file_digest(source, "sha256").hexdigest() != wanted:
                    raise BinariesError(f"{packed} is not the file that SHA256SUMS names")
            with lzma.open(packed) as plain, (target / name).open("wb") as out:
                shutil.copyfileobj(plain, out, 1 << 20)
        except (OSError, EOFError, lzma.LZMAError) as error:
            raise BinariesError(f"{packed} cannot be unpacked: {error}") from error
        (target / name).chmod(0o755)


def _go_build(out: Path, package: str) -> list[str]:
    major, minor, _ = _numbers(CURRENT)
    stamps = {"gitVersion": CURRENT, "gitMajor": major, "gitMinor": minor, "gitTreeState": "clean"}
    stamped = [f"-X {module}.{name}={value}" for module in VERSIONED for name, value in stamps.items()]
    flags = ["-mod=readonly", "-buildvcs=false", "-trimpath", "-tags=notest,grpcnotrace"]
    return ["nice", "go", "build", *flags, f"-ldflags=-s -w {' '.join(stamped)}", "-o", str(out), package]


def _build(say: Callable[[str], None], target: Path) -> None:
    if not shutil.which("go"):
        raise BinariesError(f"go is not on PATH: install Go 1.25 or later to build Kubernetes {CURRENT}")
    environment = os.environ | {"CGO_ENABLED": "0", "GOFLAGS": "", "GOWORK": "off"}
    for name, package in PROGRAMS.items():
        start = time.monotonic()
        command = _go_build(target / name, package)
        done = subprocess.run(command, cwd=MODULE, env=environment, stderr=subprocess.PIPE, text=True, check=False)
        if done.returncode:
            told = [line.strip() for line in done.stderr.splitlines() if not line.startswith(("go: downloading", "#"))]
            raise BinariesError(f"{name} cannot be built: {next(filter(None, told), f'go exited {done.returncode}')}")
        megabytes = (target / name).stat().st_size / 1e6
        say(f"{CURRENT} {name:<24}{time.monotonic() - start:7.1f} s {megabytes:7.1f} MB")


def main(arguments: Sequence[str] | None = None) -> int:
    """Builds the current version, or lists what is available; the exit code, with one line on stderr if it fails."""
    parser = argparse.ArgumentParser(prog="python -m tests.cluster.binaries", description=f"Kubernetes {CURRENT}")
    parser.add_argument("--list", action="store_true", help="print what can be run here; build nothing")
    try:
        found = available() if parser.parse_args(arguments).list else [build_current()]
    except BinariesError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    for binaries in found:
        _say(f"{binaries.version} {binaries.folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
