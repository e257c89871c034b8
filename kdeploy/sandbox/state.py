"""The folder that a sandbox has: who serves it, where it is reached, and everything that it keeps.

    lock          held by the process that serves, for as long as it lives
    state.json    `Served`, while it is served
    kubeconfig    0600: it holds the token
    sandbox.log   what the process says, where it runs in the background
    registry/     images as they were pushed
    roots/        images unpacked, by digest
    pods/         each pod's logs and its scratch folder
    demo/         `kdeploy demo --keep`: its git repository

Nothing else in the folder belongs to the sandbox, and `clear` leaves it alone.
"""

from __future__ import annotations

import base64
import contextlib
import fcntl
import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from kdeploy.errors import RefusedError
from kdeploy.model import Reason
from kdeploy.sandbox.kubelet.unpack import remove_tree
from kdeploy.secret import Secret
from kdeploy.text import one_line

_OWN = ("lock", "state.json", "kubeconfig", "sandbox.log", "registry", "roots", "pods", "demo", "tls.pem")


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """A sandbox that is up. `started` names the process beside its pid, which another one may have had before.

    `api` is a URL, `registry` "localhost:PORT", `network` "127.N.0.0/16", "" where pods are simulated only.
    """

    pid: int
    started: str
    api: str
    registry: str
    network: str

    @property
    def runs(self) -> bool:
        """Whether that process is there."""
        return self.started != "" and process_start(self.pid) == self.started


@dataclass(frozen=True, slots=True)
class Folder:
    """The folder of one sandbox."""

    path: Path

    @property
    def lock(self) -> Path:
        """See the module."""
        return self.path / "lock"

    @property
    def kubeconfig(self) -> Path:
        """See the module."""
        return self.path / "kubeconfig"

    @property
    def log(self) -> Path:
        """See the module."""
        return self.path / "sandbox.log"

    @property
    def demo(self) -> Path:
        """See the module."""
        return self.path / "demo"

    def make(self) -> None:
        """Makes the folder, for its owner only. Raises RefusedError where it cannot be written."""
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise _unwritable(self.path, error.strerror or str(error)) from error
        if not os.access(self.path, os.W_OK | os.X_OK):
            raise _unwritable(self.path, "it is not writable")

    def hold(self) -> int:
        """Takes the lock, for as long as the returned descriptor is open. Raises RefusedError where somebody has it."""
        while True:
            try:
                descriptor = os.open(self.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            except OSError as error:
                raise _unwritable(self.path, error.strerror or str(error)) from error
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                os.close(descriptor)
                raise self._locked(error) from error
            if _is_file(self.lock, descriptor):
                return descriptor
            os.close(descriptor)  # who had it before has just cleared the folder, and the lock with it

    def _locked(self, error: OSError) -> RefusedError:
        if not isinstance(error, BlockingIOError):
            return _unwritable(self.path, f"it cannot be locked: {error.strerror}")
        return RefusedError(
            f"a sandbox runs in {self.path} already",
            hint="stop it with kdeploy sandbox down, or name another folder with --state",
            reason=Reason.CONFLICT,
        )

    def read(self) -> Served | None:
        """The sandbox that is up; None where none is, whatever a killed one left behind."""
        try:
            served = Served(**json.loads((self.path / "state.json").read_text()))
        except (OSError, ValueError, TypeError):
            return None
        return served if served.runs else None

    def write(self, served: Served) -> None:
        """Says that the sandbox is up."""
        write_private(self.path / "state.json", json.dumps(asdict(served), indent=2) + "\n")

    def clear(self, *, keep: tuple[str, ...] = ()) -> None:
        """Removes what belongs to a sandbox but `keep`, and the folder where nothing is left in it."""
        for name in _OWN:
            place = self.path / name
            if name in keep:
                continue
            if place.is_dir() and not place.is_symlink():
                remove_tree(place)
            else:
                place.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            self.path.rmdir()


def _is_file(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def default_folder(env: Mapping[str, str]) -> Path:
    """Where a sandbox lives that was given no folder: https://specifications.freedesktop.org/basedir-spec."""
    base = env.get("XDG_STATE_HOME") or ""
    home = Path(base) if base.startswith("/") else Path(env.get("HOME") or Path.home()) / ".local" / "state"
    return home / "kdeploy" / "sandbox"


def process_start(pid: int) -> str:
    """When the process with that number began, in whatever unit; "" where there is none, or only its remains."""
    if Path("/proc/self/stat").exists():
        try:
            # "PID (NAME) STATE ...", the start in clock ticks as field 22: proc_pid_stat(5)
            fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(") ")[2].split()
        except OSError:
            return ""
        return "" if fields[0] == "Z" else fields[19]
    asked = subprocess.run(["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return asked.stdout.strip()


def kubeconfig(api: str, token: Secret, authority: str) -> str:
    """The text of a kubeconfig for the sandbox; JSON is YAML too. `authority` is its server's certificate, in PEM."""
    name, data = "kdeploy-sandbox", base64.b64encode(authority.encode()).decode()
    config: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": name,
        "clusters": [{"name": name, "cluster": {"server": api, "certificate-authority-data": data}}],
        "users": [{"name": name, "user": {"token": token.reveal()}}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name, "namespace": "default"}}],
    }
    return json.dumps(config, indent=2) + "\n"


def write_private(path: Path, text: str) -> None:
    """Writes a file that only its owner may read (0600), whole or not at all."""
    unfinished = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.write(text)
    unfinished.replace(path)


def _unwritable(folder: Path, why: str) -> RefusedError:
    return RefusedError(
        f"the sandbox's folder {one_line(str(folder), 200)} cannot be used: {one_line(why)}",
        hint="name another one: with --state, or by XDG_STATE_HOME",
        reason=Reason.FORBIDDEN,
    )
