"""Small images made without Docker: the same bytes every time, pushed over the registry's own protocol."""

import base64
import contextlib
import gzip
import hashlib
import http.client
import io
import json
import stat
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from tests.cluster.commands import run
from tests.cluster.errors import RigError

BASE, PAUSE = "base/busybox", "base/pause"
TAG = "1"
BUSYBOX = ("/bin/busybox", "/usr/bin/busybox")
MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
CONFIG = "application/vnd.docker.container.image.v1+json"
BLOB = "application/octet-stream"
LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"
ACCOUNTS = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n",
    "etc/group": "root:x:0:\nnobody:x:65534:\n",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """One image of one layer: manifest and blobs, by their digests."""

    manifest: bytes
    blobs: Mapping[str, bytes]

    @property
    def digest(self) -> str:
        """The digest that a reference names."""
        return _digest(self.manifest)


def busybox() -> Image:
    """A shell, httpd, wget, nc and all the rest: busybox and a link for each thing that it can be."""
    program = next((Path(place) for place in BUSYBOX if Path(place).is_file()), None)
    if program is None:
        raise RigError("busybox is missing: install Debian's package busybox-static")
    names = sorted(set(run(program, "--list").split()) - {"busybox"})
    files = {"bin/busybox": program.read_bytes()} | {name: text.encode() for name, text in ACCOUNTS.items()}
    return make(files, links={f"bin/{name}": "busybox" for name in names}, command=["/bin/sh"])


def pause(program: Path) -> Image:
    """The image that keeps a pod's namespaces."""
    return make({"pause": program.read_bytes()}, command=["/pause"])


def make(files: Mapping[str, bytes], *, links: Mapping[str, str] | None = None, command: Sequence[str] = ()) -> Image:
    """An image of these files and links, with no date in it: equal contents give an equal digest."""
    layer = _layer(files, links or {})
    packed = gzip.compress(layer, mtime=0)
    config = _json(
        {
            "architecture": _architecture(),
            "os": "linux",
            "created": "1970-01-01T00:00:00Z",
            "config": {"Cmd": list(command), "Env": ["PATH=/bin:/sbin:/usr/bin:/usr/sbin"], "WorkingDir": "/"},
            "rootfs": {"type": "layers", "diff_ids": [_digest(layer)]},
            "history": [{"created": "1970-01-01T00:00:00Z", "created_by": "kdeploy tests"}],
        }
    )
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": _descriptor(CONFIG, config),
        "layers": [_descriptor(LAYER, packed)],
    }
    return Image(manifest=_json(manifest), blobs={_digest(blob): blob for blob in (config, packed)})


def push(image: Image, registry: str, repository: str, tag: str = TAG, login: tuple[str, str] | None = None) -> str:
    """Puts an image into a registry that speaks plain http; returns its reference by tag."""
    session = _Session(connection=http.client.HTTPConnection(registry, timeout=30), login=login)
    with contextlib.closing(session.connection):
        for digest, blob in image.blobs.items():
            place = urlsplit(session.ask("POST", f"/v2/{repository}/blobs/uploads/", b"", BLOB, 202))
            session.ask("PUT", f"{place.path}?{place.query}&digest={digest}", blob, BLOB, 201)
        session.ask("PUT", f"/v2/{repository}/manifests/{tag}", image.manifest, MANIFEST, 201)
    return f"{registry}/{repository}:{tag}"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Session:
    connection: http.client.HTTPConnection
    login: tuple[str, str] | None

    def ask(self, method: str, path: str, body: bytes, kind: str, wanted: int) -> str:
        """Makes one request; returns the place that the answer names."""
        headers = {"Content-Type": kind}
        if self.login:
            headers["Authorization"] = f"Basic {base64.b64encode(':'.join(self.login).encode()).decode()}"
        self.connection.request(method, path, body, headers)
        answer = self.connection.getresponse()
        text = answer.read()
        if answer.status != wanted:
            raise RigError(f"the registry answered {method} {path} with {answer.status}: {text[:200]!r}")
        return answer.headers.get("Location") or ""


def _layer(files: Mapping[str, bytes], links: Mapping[str, str]) -> bytes:
    folders = {"tmp", *(str(parent) for name in (*files, *links) for parent in Path(name).parents)} - {"."}
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name in sorted(folders):
            archive.addfile(_entry(name, tarfile.DIRTYPE, 0o1777 if name == "tmp" else 0o755))
        for name, content in sorted(files.items()):
            entry = _entry(name, tarfile.REGTYPE, 0o644 if name.startswith("etc/") else 0o755)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
        for name, target in sorted(links.items()):
            entry = _entry(name, tarfile.SYMTYPE, 0o777)
            entry.linkname = target
            archive.addfile(entry)
    return buffer.getvalue()


def _entry(name: str, kind: bytes, mode: int) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.type, entry.mode = kind, stat.S_IMODE(mode)
    return entry


def _architecture() -> str:
    machine = run("uname", "-m").strip()
    return {"x86_64": "amd64", "aarch64": "arm64"}.get(machine, machine)


def _descriptor(kind: str, content: bytes) -> dict[str, object]:
    return {"mediaType": kind, "size": len(content), "digest": _digest(content)}


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":"), sort_keys=True).encode()
