"""A container's log on disk, with a cap, in the format of the CRI: "TIME stdout F TEXT", "P" for part of a line.

pkg/kubelet/kuberuntime/logs/logs.go reads it so. A log that has grown to its cap is put aside as FILE.1, in place of
the one before, so that the newest lines are always there.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

CAP = 1 << 20
"""Bytes of one file; there are at most two of a container's run."""

LONGEST = 16_384
"""Bytes of one entry: a longer line is written in parts, as containerd does."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a log, or a part of it. `time` is RFC 3339 with nanoseconds, `text` without the line's end."""

    time: str
    text: bytes
    whole: bool = True


Watcher = Callable[[Sequence[Line]], None]
"""Gets the lines of a log as they come; none when it is closed."""


class Log:
    """The log of one run of a container. `now` gives Unix seconds."""

    def __init__(self, path: Path, now: Callable[[], float], *, cap: int = CAP) -> None:
        self.path = path
        self._now, self._cap, self._pending = now, cap, b""
        self._watchers: list[Watcher] = []
        self.closed = False
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("ab", buffering=0)
        self._size = self._file.tell()

    def write(self, data: bytes) -> None:
        """Takes output in pieces."""
        *lines, self._pending = (self._pending + data).split(b"\n")
        entries = [entry for line in lines for entry in _parts(line)]
        while len(self._pending) > LONGEST:
            entries.append((self._pending[:LONGEST], False))
            self._pending = self._pending[LONGEST:]
        self._append(entries)

    def close(self) -> None:
        """Writes what has no line's end yet."""
        if self.closed:
            return
        if self._pending:
            self._append([(self._pending, True)])
        self.closed = True
        self._file.close()
        self._tell(())

    def watch(self, watcher: Watcher) -> Callable[[], None]:
        """Has `watcher` called with what comes, and with nothing when the log is closed. Returns what ends that."""
        self._watchers.append(watcher)
        return lambda: self._watchers.remove(watcher)

    def lines(self) -> Iterator[Line]:
        """All that is kept, oldest first."""
        return read_lines(self.path)

    def _append(self, entries: list[tuple[bytes, bool]]) -> None:
        if not entries:
            return
        time = to_nano_text(self._now())
        lines = [Line(time, text, whole) for text, whole in entries]
        data = b"".join(_entry(line) for line in lines)
        if self._size and self._size + len(data) > self._cap:
            self._rotate()
        with contextlib.suppress(OSError):  # a full disk costs the log, not the pod
            self._size += self._file.write(data)
        self._tell(lines)

    def _rotate(self) -> None:
        self._file.close()
        self.path.replace(_aside(self.path))
        self._file = self.path.open("ab", buffering=0)
        self._size = 0

    def _tell(self, lines: Sequence[Line]) -> None:
        for watcher in tuple(self._watchers):
            watcher(lines)


def read_lines(path: Path) -> Iterator[Line]:
    """The lines of a log and of what was put aside of it, oldest first; none where there is none."""
    for place in (_aside(path), path):
        with contextlib.suppress(FileNotFoundError), place.open("rb") as file:
            for line in file:
                time, _, rest = line.rstrip(b"\n").partition(b" ")
                _, _, rest = rest.partition(b" ")
                tag, _, text = rest.partition(b" ")
                yield Line(time.decode("ascii", "replace"), text, tag == b"F")


def remove(path: Path) -> None:
    """Removes a log with what was put aside of it. One that is not there is no error."""
    for place in (path, _aside(path)):
        place.unlink(missing_ok=True)


def to_nano_text(seconds: float) -> str:
    """RFC 3339 with nine digits, as a container runtime writes it."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S.%f}000Z"


def _entry(line: Line) -> bytes:
    return b"%b stdout %b %b\n" % (line.time.encode(), b"F" if line.whole else b"P", line.text)


def _parts(line: bytes) -> Iterator[tuple[bytes, bool]]:
    while len(line) > LONGEST:
        yield line[:LONGEST], False
        line = line[LONGEST:]
    yield line, True


def _aside(path: Path) -> Path:
    return path.with_name(f"{path.name}.1")
