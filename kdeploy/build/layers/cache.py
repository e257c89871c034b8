"""What base images' layers hold, kept from one build to the next: each is read once on a machine.

One file a layer, below $XDG_CACHE_HOME (else ~/.cache), named by its digest. Nothing is lost where it is lost.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kdeploy.build.layers.scan import Gone, Record
from kdeploy.build.layers.tree import Attributes, File, Link

_FORMAT = "kdeploy.layer/v1"
_MAX_AGE = 90 * 24 * 3600.0
_LIMIT = 512 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Cache:
    """Records by a layer's digest, in `folder`; None keeps nothing."""

    folder: Path | None

    def get(self, digest: str) -> list[Record] | None:
        """What is known of a layer; None where nothing is, or where it cannot be read."""
        if self.folder is None:
            return None
        file = self._file(self.folder, digest)
        try:
            if file.stat().st_size > _LIMIT:
                return None
            document = json.loads(file.read_bytes())
            if document["format"] != _FORMAT:
                return None
            records = [_decode(row) for row in document["records"]]
            os.utime(file)
        except (OSError, ValueError, KeyError, TypeError, IndexError, RecursionError):
            return None
        return records

    def put(self, digest: str, records: Sequence[Record]) -> None:
        """Keeps it, readable for this user alone; where that fails, nothing is kept."""
        if self.folder is None:
            return
        document = {"format": _FORMAT, "records": [_encode(record) for record in records]}
        with contextlib.suppress(OSError):
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._drop_old(self.folder)
            descriptor, name = tempfile.mkstemp(dir=self.folder, prefix=".new-")
            try:
                with os.fdopen(descriptor, "w", encoding="ascii") as file:
                    json.dump(document, file, separators=(",", ":"))
                Path(name).replace(self._file(self.folder, digest))
            finally:
                Path(name).unlink(missing_ok=True)

    @staticmethod
    def _file(folder: Path, digest: str) -> Path:
        return folder / f"{digest.replace(':', '-')}.json"

    @staticmethod
    def _drop_old(folder: Path) -> None:
        """What was not used for three months is no longer of use."""
        oldest = time.time() - _MAX_AGE
        for file in folder.iterdir():
            if file.stat().st_mtime < oldest:
                file.unlink(missing_ok=True)


def cache_folder(env: Mapping[str, str]) -> Path | None:
    """Where the cache is for this user; None where there is no home."""
    base = env.get("XDG_CACHE_HOME") or (f"{env['HOME']}/.cache" if env.get("HOME") else "")
    return Path(base, "kdeploy", "layers") if base.startswith("/") else None


def _encode(record: Record) -> list[Any]:
    what = record.what
    if isinstance(what, Attributes):
        return [record.path, "folder", what.mode, what.uid, what.gid, what.mtime, dict(what.xattrs)]
    if isinstance(what, Link):
        return [record.path, "link", what.target]
    if isinstance(what, File):
        return [record.path, "file", None if what.content is None else what.content.decode("latin-1")]
    return [record.path, what.value]


def _decode(row: list[Any]) -> Record:
    path, kind, *rest = row
    if not isinstance(path, str):
        raise TypeError
    if kind == "folder":
        mode, uid, gid, mtime, xattrs = rest
        return Record(path, Attributes(mode=int(mode), uid=int(uid), gid=int(gid), mtime=int(mtime), xattrs=xattrs))
    if kind == "link":
        return Record(path, Link(str(rest[0])))
    if kind == "file":
        return Record(path, File(None if rest[0] is None else str(rest[0]).encode("latin-1")))
    return Record(path, Gone(kind))
