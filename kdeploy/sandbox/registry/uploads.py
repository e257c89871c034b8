"""Blobs on their way in: each a file that grows, hashed as it grows, and a blob only when its digest is right."""

from __future__ import annotations

import hashlib
import os
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kdeploy.sandbox.registry.errors import Code, refusal
from kdeploy.sandbox.registry.names import check_name
from kdeploy.sandbox.registry.storage import Storage


@dataclass(slots=True, kw_only=True)
class Upload:
    """One blob's bytes so far. What `path` holds beyond `size` bytes does not count.

    `touched`: when somebody added to it last, by `clock`.
    """

    id: str
    repository: str
    path: Path
    size: int = 0
    is_busy: bool = False
    touched: float
    clock: Callable[[], float]
    _hash: Any = field(default_factory=hashlib.sha256)

    @property
    def digest(self) -> str:
        """Of the bytes so far."""
        return f"sha256:{self._hash.hexdigest()}"

    @property
    def range(self) -> str:
        """The bytes so far as the specification writes them: "0-1023"; "0-0" for none, as Docker's registry does."""
        return f"0-{max(0, self.size - 1)}"

    def append(self, piece: bytes | bytearray) -> None:
        """Adds bytes; where the disk takes them not, OSError, and the upload is as it was. May run in a thread."""
        descriptor = os.open(self.path, os.O_WRONLY | os.O_NOFOLLOW)
        try:
            os.lseek(descriptor, self.size, os.SEEK_SET)
            rest = memoryview(piece)
            while rest:
                rest = rest[os.write(descriptor, rest) :]
        finally:
            os.close(descriptor)
        self._hash.update(piece)
        self.size += len(piece)
        self.touched = self.clock()

    @contextmanager
    def all_or_nothing(self) -> Iterator[None]:
        """A request that is refused half-way leaves the upload as it was; a connection that ends keeps what came."""
        size, hashed = self.size, self._hash.copy()
        try:
            yield
        except ConnectionError:
            raise
        except FileNotFoundError as error:
            raise refusal(Code.BLOB_UPLOAD_UNKNOWN, self.id, message="the upload was cancelled meanwhile") from error
        except Exception:
            self.size, self._hash = size, hashed
            with suppress(FileNotFoundError):  # it was cancelled meanwhile
                os.truncate(self.path, size)
            raise


class Uploads:
    """The uploads of one registry. They do not outlive the process, nor `lifetime` seconds without a byte.

    `clock` gives seconds that never go back or jump.
    """

    def __init__(
        self, storage: Storage, *, lifetime: float = 3600.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._storage = storage
        self._lifetime = lifetime
        self._clock = clock
        self._open: dict[str, Upload] = {}

    def start(self, repository: str) -> Upload:
        """A new, empty one. Raises RegistryError with NAME_INVALID."""
        name = str(uuid.uuid4())
        path, now = self._storage.incoming / name, self._clock()
        upload = Upload(id=name, repository=check_name(repository), path=path, touched=now, clock=self._clock)
        os.close(os.open(upload.path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        self._open[name] = upload
        return upload

    def find(self, repository: str, name: str) -> Upload:
        """The upload of this id in this repository. Raises RegistryError with BLOB_UPLOAD_UNKNOWN."""
        upload = self._open.get(name)
        if upload is None or upload.repository != repository:
            raise refusal(Code.BLOB_UPLOAD_UNKNOWN, name)
        return upload

    @contextmanager
    def writing(self, upload: Upload) -> Iterator[Upload]:
        """Only one request at a time adds to an upload. Raises RegistryError with BLOB_UPLOAD_INVALID."""
        if upload.is_busy:
            raise refusal(Code.BLOB_UPLOAD_INVALID, upload.id, message="another request is writing to this upload")
        upload.is_busy = True
        try:
            with upload.all_or_nothing():
                yield upload
        finally:
            upload.is_busy = False

    def finish(self, upload: Upload, digest: str) -> None:
        """Makes it a blob. Raises RegistryError: DIGEST_INVALID; BLOB_UPLOAD_UNKNOWN where it was cancelled."""
        self.find(upload.repository, upload.id)
        if upload.digest != digest:
            raise refusal(Code.DIGEST_INVALID, f"what was sent has {upload.digest}")
        os.truncate(upload.path, upload.size)
        self._storage.take_in(upload.repository, digest, upload.path)
        del self._open[upload.id]

    def cancel(self, upload: Upload) -> None:
        """Forgets it and removes its file."""
        self._open.pop(upload.id, None)
        upload.path.unlink(missing_ok=True)

    def purge(self, now: float) -> None:
        """Removes what nobody has added to for a lifetime, also of processes before this one. `now`: Unix seconds."""
        for upload in tuple(self._open.values()):
            if upload.touched + self._lifetime <= self._clock():
                self.cancel(upload)
        for path in self._storage.incoming.iterdir():
            with suppress(FileNotFoundError):
                if path.name not in self._open and path.stat().st_mtime + self._lifetime <= now:
                    path.unlink()
