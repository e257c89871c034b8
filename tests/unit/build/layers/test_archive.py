"""The bytes of a layer."""

import hashlib
import io
import random
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdeploy.build.layers.archive import write_archive
from kdeploy.build.layers.entries import Entry
from kdeploy.errors import BuildError

GOLDEN = "sha256:89a52f85b1040a3749a70e7d0e0bb3d339378ed177a3e4d721c8a85d3e98ca35"
EMPTY = "sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef"


def entry(path: str, **more: object) -> Entry:
    fields: dict[str, object] = {"mode": 0o755, "uid": 0, "gid": 0, "mtime": 0, **more}
    return Entry(path=path, **fields)  # type: ignore[arg-type]


def archive(*entries: Entry) -> bytes:
    file = io.BytesIO()
    written = write_archive(entries, file)
    content = file.getvalue()
    assert (written.size, written.digest) == (len(content), f"sha256:{hashlib.sha256(content).hexdigest()}")
    return content


def read(content: bytes) -> list[tarfile.TarInfo]:
    with tarfile.open(fileobj=io.BytesIO(content), mode="r:") as found:
        return found.getmembers()


def test_an_empty_archive_is_the_one_that_every_tool_writes() -> None:
    assert write_archive((), io.BytesIO()).digest == EMPTY
    assert read(archive()) == []


def test_files_folders_and_links_are_read_back_as_they_were(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"x" * 1000)
    content = archive(
        entry("app", mode=0o1777, uid=5, gid=6, mtime=1_700_000_000),
        entry("app/file", mode=0o4755, source=source, size=1000),
        entry("app/link", mode=0o777, target="../etc/passwd"),
    )
    assert len(content) % 512 == 0
    folder, file, link = read(content)
    assert (folder.isdir(), folder.mode, folder.uid, folder.gid) == (True, 0o1777, 5, 6)
    assert folder.mtime == 1_700_000_000
    assert (file.isreg(), file.size, file.mode) == (True, 1000, 0o4755)
    assert (link.issym(), link.linkname) == (True, "../etc/passwd")
    with tarfile.open(fileobj=io.BytesIO(content)) as found:
        member = found.extractfile("app/file")
        assert member
        assert member.read() == b"x" * 1000


def test_the_bytes_are_known_by_heart(tmp_path: Path) -> None:
    """Another version of this writer must not give another digest for the same commit."""
    source = tmp_path / "source"
    source.write_bytes(b"print('hello')\n")
    written = write_archive(
        [
            entry("app", mtime=1_700_000_000),
            entry("app/main.py", mode=0o644, mtime=1_700_000_000, source=source, size=15),
            entry("app/" + "é" * 60, mode=0o777, mtime=1_700_000_000, target="main.py", uid=3_000_000),
        ],
        io.BytesIO(),
    )
    assert (written.size, written.digest) == (4096, GOLDEN)


NAMES = st.text(st.characters(blacklist_characters="\0/", blacklist_categories=["Cs"]), min_size=1, max_size=150)
TARGETS = st.text(st.characters(blacklist_characters="\0", blacklist_categories=["Cs"]), max_size=150)


@given(st.lists(st.tuples(NAMES, st.integers(0, 0o7777), st.integers(0, 2**32 - 2), TARGETS), max_size=5))
def test_any_name_number_and_target_is_read_back(entries: list[tuple[str, int, int, str]]) -> None:
    content = archive(
        *(
            entry(f"d/{name}", mode=mode, uid=number, gid=number, target=target)
            for name, mode, number, target in entries
        )
    )
    assert [(each.name, each.mode, each.uid, each.gid, each.linkname) for each in read(content)] == [
        (f"d/{name}", mode, number, number, target) for name, mode, number, target in entries
    ]


def test_names_that_are_no_text_keep_their_bytes() -> None:
    (found,) = read(archive(entry("d/\udcff\udcfe")))
    assert found.name.encode("utf-8", "surrogateescape") == b"d/\xff\xfe"


def test_attributes_beyond_ustar_are_kept() -> None:
    (found,) = read(archive(entry("d", xattrs={"SCHILY.xattr.user.note": "a\nb"})))
    assert found.pax_headers["SCHILY.xattr.user.note"] == "a\nb"


@pytest.mark.parametrize("said", [10, 1000])
def test_a_file_that_changes_meanwhile_is_an_error(tmp_path: Path, said: int) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"x" * 100)
    with pytest.raises(BuildError, match="was changed while it was read"):
        archive(entry("f", source=source, size=said))


def test_a_link_that_takes_a_files_place_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"s3cret")
    (tmp_path / "file").symlink_to("secret")
    with pytest.raises(BuildError, match="cannot be read"):
        archive(entry("f", source=tmp_path / "file", size=6))


def test_a_large_file_is_written_in_pieces(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(random.Random(1).randbytes(3_000_001))
    checks: list[int] = []
    file = io.BytesIO()
    write_archive([entry("f", source=source, size=3_000_001)], file, lambda: checks.append(1))
    assert len(checks) > 3
    with tarfile.open(fileobj=io.BytesIO(file.getvalue())) as found:
        member = found.extractfile("f")
        assert member
        assert member.read() == source.read_bytes()
