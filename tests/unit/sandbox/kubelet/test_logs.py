"""A container's log on disk."""

from __future__ import annotations

from pathlib import Path

from kdeploy.sandbox.kubelet.logs import LONGEST, Log, read_lines, remove


def log(folder: Path, *, cap: int = 1000) -> Log:
    return Log(folder / "pod" / "0.log", lambda: 1_700_000_000.25, cap=cap)


def test_lines_are_kept_with_their_time_as_the_cri_writes_them(tmp_path: Path) -> None:
    kept = log(tmp_path)
    kept.write(b"one\ntw")
    kept.write(b"o\n\nthree")
    kept.close()
    time = b"2023-11-14T22:13:20.250000000Z"
    assert kept.path.read_bytes() == b"".join(
        time + b" stdout F " + text + b"\n" for text in (b"one", b"two", b"", b"three")
    )
    assert [(line.time, line.text) for line in kept.lines()][1] == (time.decode(), b"two")


def test_a_long_line_is_kept_in_parts(tmp_path: Path) -> None:
    kept = log(tmp_path, cap=1 << 20)
    kept.write(b"x" * (LONGEST + 1) + b"\n")
    kept.write(b"y" * (2 * LONGEST + 5))
    kept.close()
    assert [(len(line.text), line.whole) for line in kept.lines()] == [
        (LONGEST, False), (1, True), (LONGEST, False), (LONGEST, False), (5, True),
    ]  # fmt: skip


def test_the_newest_lines_stay_when_a_log_has_grown_to_its_cap(tmp_path: Path) -> None:
    kept = log(tmp_path)
    for number in range(1000):
        kept.write(b"line %d\n" % number)
    kept.close()
    texts = [line.text for line in kept.lines()]
    assert texts[-1] == b"line 999"
    assert texts == [b"line %d" % number for number in range(1000 - len(texts), 1000)]
    assert sum(path.stat().st_size for path in kept.path.parent.iterdir()) <= 2000


def test_who_watches_gets_what_comes_and_is_told_of_the_end(tmp_path: Path) -> None:
    kept, told = log(tmp_path), list[list[bytes]]()
    kept.write(b"before\n")
    end = kept.watch(lambda lines: told.append([line.text for line in lines]))
    kept.write(b"one\ntwo\nhalf")
    kept.close()
    end()
    assert told == [[b"one", b"two"], [b"half"], []]


def test_a_log_that_is_not_there_has_no_lines_and_is_removed_already(tmp_path: Path) -> None:
    assert list(read_lines(tmp_path / "none")) == []
    remove(tmp_path / "none")
