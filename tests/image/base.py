"""What python:slim is to the Dockerfile, where no image can be pulled: a slim Debian with Debian's own Python.

It is debootstrap's tree without what debian:slim leaves out as well: manual pages, documentation, translations. The
archive is kept in the cache, named by what it was made from.
"""

import fcntl
import hashlib
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from tests.cluster.buildx import cache, mirror
from tests.cluster.commands import run

SUITE = "bookworm"
PACKAGES = ("python3", "ca-certificates")
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
UNWANTED = ("doc", "info", "lintian", "locale", "man")
"""Folders below /usr/share; licenses are kept (debuerreotype's slimify leaves out the same)."""
LEFT_OVER = ("var/cache/apt", "var/lib/apt/lists", "var/log/apt", "var/log/bootstrap.log", "var/log/dpkg.log")
_EXCLUDES = "".join(f"path-exclude=/usr/share/{name}/*\n" for name in UNWANTED)
_EXCLUDES += "path-include=/usr/share/doc/*/copyright\n"


def ensure(say: Callable[[str], None]) -> Path:
    """The archive of the base's files, made the first time (40 s). RigError says why it cannot be."""
    target = cache() / "image" / f"base-{_key()}.tar"
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.with_suffix(".lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        if not target.is_file():
            say(f"making a base image of Debian {SUITE} into {target.parent}")
            _make(target)
    return target


def _key() -> str:
    """Names what the base is made from: this file, the mirror, and the authorities that the machine trusts."""
    made_from = [Path(__file__).read_bytes(), mirror().encode(), CERTIFICATES.read_bytes()]
    return hashlib.sha256(b"\0".join(hashlib.sha256(part).digest() for part in made_from)).hexdigest()[:16]


def _make(target: Path) -> None:
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        tree, archive = Path(scratch, "tree"), Path(scratch, "base.tar")
        include = f"--include={','.join(PACKAGES)}"
        run("debootstrap", "--variant=minbase", include, SUITE, tree, mirror(), timeout=600)
        _slim(tree)
        # A network that inspects TLS has an authority of its own, and a build in there must know it too.
        shutil.copyfile(CERTIFICATES, tree / CERTIFICATES.relative_to("/"))
        run("tar", "--directory", tree, "--sort=name", "--create", "--file", archive, ".")
        archive.replace(target)


def _slim(tree: Path) -> None:
    """Removes what a container reads never, and tells dpkg to leave it out from now on."""
    (tree / "etc/dpkg/dpkg.cfg.d/slim").write_text(_EXCLUDES)
    for name in UNWANTED:
        for path in (tree / "usr/share" / name).rglob("*"):
            if path.is_symlink() or (path.is_file() and path.name != "copyright"):
                path.unlink()
    for name in LEFT_OVER:
        path = tree / name
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
