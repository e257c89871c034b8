"""Sandboxes as people have them: by the command line, in a folder of their own, asked over HTTPS."""

from __future__ import annotations

import gzip
import hashlib
import http.client
import io
import json
import os
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kdeploy.model import Obj
from kdeploy.sandbox.demo.access import Access, open_access
from kdeploy.sandbox.state import Folder, Served

ROOT = Path(__file__).parents[3]
ENV = {
    "PATH": os.environ["PATH"],
    "PYTHONPATH": str(ROOT),
    "HOME": "/nonexistent",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_NOSYSTEM": "1",
}


def kdeploy(*arguments: str, env: Mapping[str, str] = ENV, timeout: float = 60) -> subprocess.CompletedProcess[str]:
    """Runs kdeploy to its end."""
    return subprocess.run(
        [sys.executable, "-m", "kdeploy", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=env,
        timeout=timeout,
    )


@dataclass(frozen=True, kw_only=True)
class Sandbox:
    """One that is up."""

    folder: Folder
    served: Served
    access: Access

    def until(self, path: str, condition: Callable[[Obj], object], timeout: float = 40) -> Obj:
        """Reads a path until what is there is as wanted."""
        deadline = time.monotonic() + timeout
        while True:
            found = self.access.get(path)
            if condition(found):
                return found
            assert time.monotonic() < deadline, found
            time.sleep(0.05)

    def processes(self) -> list[int]:
        """The pods' processes: those whose folder is an unpacked image of this sandbox."""
        return [pid for pid in pids() if _link(pid, "cwd").startswith(str(self.folder.path / "roots"))]


@contextmanager
def sandbox(folder: Path) -> Iterator[Sandbox]:
    """Brings one up by the command, and takes it down at the end."""
    done = kdeploy("sandbox", "up", "--state", str(folder))
    assert done.returncode == 0, done.stderr
    served = Folder(folder).read()
    assert served
    try:
        yield Sandbox(folder=Folder(folder), served=served, access=open_access(folder / "kubeconfig"))
    finally:
        kdeploy("sandbox", "down", "--state", str(folder))


def push(registry: str, name: str, files: Mapping[str, str], config: Mapping[str, Any]) -> str:
    """Pushes an image with one layer that holds these files. Returns its reference by digest."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for path, text in files.items():
            info = tarfile.TarInfo(path)
            info.size = len(text.encode())
            archive.addfile(info, io.BytesIO(text.encode()))
    layer = gzip.compress(out.getvalue())
    whole = {
        "os": "linux",
        "config": config,
        "rootfs": {"type": "layers", "diff_ids": [digest(out.getvalue())]},
    }
    blobs = [layer, json.dumps(whole).encode()]
    for blob in blobs:
        ask(registry, "POST", f"/v2/{name}/blobs/uploads/?digest={digest(blob)}", blob)
    kinds = ["application/vnd.oci.image.layer.v1.tar+gzip", "application/vnd.oci.image.config.v1+json"]
    parts = [
        {"mediaType": kind, "digest": digest(blob), "size": len(blob)} for kind, blob in zip(kinds, blobs, strict=True)
    ]
    media_type = "application/vnd.oci.image.manifest.v1+json"
    manifest = json.dumps({"schemaVersion": 2, "mediaType": media_type, "config": parts[1], "layers": parts[:1]})
    ask(registry, "PUT", f"/v2/{name}/manifests/latest", manifest.encode(), media_type)
    return f"{registry}/{name}@{digest(manifest.encode())}"


def digest(data: bytes) -> str:
    """As registries name contents."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def ask(registry: str, method: str, path: str, body: bytes = b"", kind: str = "application/octet-stream") -> None:
    """One request that has to succeed."""
    connection = http.client.HTTPConnection(registry, timeout=20)
    connection.request(method, path, body, {"Content-Type": kind})
    answer = connection.getresponse()
    assert answer.status < 300, answer.read()
    connection.close()


def pids() -> list[int]:
    """All processes that are not ended."""
    found = [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]
    return [pid for pid in found if is_there(pid)]


def is_there(pid: int) -> bool:
    """Whether the process runs."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(") ")[2][0] != "Z"
    except OSError:
        return False


def command_lines() -> list[str]:
    """Of all processes."""
    return [_content(pid, "cmdline").replace("\0", " ") for pid in pids()]


def _link(pid: int, name: str) -> str:
    try:
        return str(Path(f"/proc/{pid}/{name}").readlink())
    except OSError:
        return ""


def _content(pid: int, name: str) -> str:
    try:
        return Path(f"/proc/{pid}/{name}").read_text(errors="replace")
    except OSError:
        return ""
