"""What a base image's layer holds, and how layers lie upon each other; hostile ones among them."""

import bz2
import gzip
import io
import tarfile
import tracemalloc
from collections.abc import Callable, Sequence

import pytest

from kdeploy.build.layers import scan as scanning
from kdeploy.build.layers.scan import Gone, Record, ScanError, put_on, scan
from kdeploy.build.layers.tree import Attributes, File, Folder, Link, Tree


class Trickle:
    """A stream that gives its bytes in small pieces, as a network does."""

    def __init__(self, content: bytes, piece: int = 1000) -> None:
        self._content = io.BytesIO(content)
        self._piece = piece

    def read(self, size: int, /) -> bytes:
        return self._content.read(min(size, self._piece))


def member(name: str, kind: bytes = tarfile.REGTYPE, **more: object) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type = kind
    for key, value in more.items():
        setattr(info, key, value)
    return info


def layer(*members: tarfile.TarInfo, contents: Sequence[bytes] = (), kind: int = tarfile.PAX_FORMAT) -> bytes:
    buffer, left = io.BytesIO(), list(contents)
    with tarfile.open(fileobj=buffer, mode="w", format=kind) as archive:
        for info in members:
            content = left.pop(0) if info.isreg() and left else b""
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


EVERYTHING = (
    member("./tmp/", tarfile.DIRTYPE, mode=0o1777, uid=1, gid=2, mtime=3.7),
    member("bin", tarfile.SYMTYPE, linkname="usr/bin"),
    member("etc/passwd"),
    member("big"),
    member("dev/null", tarfile.CHRTYPE),
    member("hard", tarfile.LNKTYPE, linkname="big"),
    member("gone/.wh.file"),
    member("gone/.wh..wh..opq"),
)
RECORDS = [
    Record("tmp", Attributes(mode=0o1777, uid=1, gid=2, mtime=3)),
    Record("bin", Link("usr/bin")),
    Record("etc/passwd", File(b"root:x:0:0\n")),
    Record("big", File()),
    Record("dev/null", File()),
    Record("hard", File()),
    Record("gone/file", Gone.PATH),
    Record("gone", Gone.CONTENT),
]


def in_two_members(plain: bytes) -> bytes:
    return gzip.compress(plain[:700]) + gzip.compress(plain[700:])


CONTENTS = (b"root:x:0:0\n", bytes(300_000))


@pytest.mark.parametrize("kind", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
@pytest.mark.parametrize("compress", [bytes, gzip.compress, in_two_members])
def test_a_layer_is_read_whichever_way_it_is_written(kind: int, compress: Callable[[bytes], bytes]) -> None:
    plain = layer(*EVERYTHING, contents=CONTENTS, kind=kind)
    assert scan(Trickle(compress(plain))) == RECORDS


def test_long_names_and_attributes_are_read() -> None:
    info = member("d/" + "é" * 200, tarfile.DIRTYPE, uid=3_000_000, pax_headers={"SCHILY.xattr.user.x": "y"})
    (record,) = scan(Trickle(layer(info)))
    assert record == Record(
        "d/" + "é" * 200, Attributes(uid=3_000_000, gid=0, mode=0o644, xattrs={"SCHILY.xattr.user.x": "y"})
    )


@pytest.mark.parametrize(
    ("name", "path"),
    [("/etc/x", "etc/x"), ("../../etc/x", "etc/x"), ("a/../../x", "x"), ("./", ""), ("a//b/.", "a/b")],
)
def test_a_name_never_leads_out_of_the_root(name: str, path: str) -> None:
    assert scan(Trickle(layer(member(name)))) == [Record(path, File())]


def test_a_layer_of_nothing_is_empty() -> None:
    assert scan(Trickle(layer())) == []


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no archive at all",
        gzip.compress(layer(*EVERYTHING, contents=CONTENTS))[:-20],
        b"\x1f\x8b" + bytes(100),
        layer(*EVERYTHING, contents=CONTENTS)[:-12_000],
        bz2.compress(layer(member("x"))),
        layer(member("n" * 5000)),
    ],
    ids=["empty", "text", "cut gzip", "broken gzip", "cut", "bzip2", "long name"],
)
def test_what_is_no_layer_is_refused(content: bytes) -> None:
    with pytest.raises(ScanError):
        scan(Trickle(content))


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME])
@pytest.mark.parametrize("size", [5 << 20, 5 << 30])
def test_a_header_that_would_fill_the_memory_is_refused(kind: bytes, size: int) -> None:
    class Endless:
        left = member("x", kind, size=size).tobuf(tarfile.GNU_FORMAT)

        def read(self, wanted: int, /) -> bytes:
            found, self.left = self.left[:wanted], self.left[wanted:]
            return found or b"1" * min(wanted, 1 << 16)

    with pytest.raises(ScanError, match="headers are larger"):
        scan(Endless())


def test_a_chain_of_headers_without_an_entry_is_refused() -> None:
    header = member("x", tarfile.XHDTYPE).tobuf(tarfile.USTAR_FORMAT)
    with pytest.raises(ScanError):
        scan(Trickle(header * 5000, 1 << 20))


def test_too_many_entries_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scanning, "_MAX_ENTRIES", 3)
    with pytest.raises(ScanError, match="more and longer names"):
        scan(Trickle(layer(*(member(f"f{number}") for number in range(4)))))


def test_attributes_and_accounts_that_would_fill_the_memory_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scanning, "_MAX_TEXT", 1 << 20)
    attributes = {"SCHILY.xattr.user.x": "a" * (1 << 19)}
    folders = [member(f"d{number}", tarfile.DIRTYPE, pax_headers=attributes) for number in range(3)]
    accounts = [member("etc/passwd") for _ in range(3)]
    for entries, contents in ((folders, []), (accounts, [bytes(1 << 19)] * 3)):
        assert len(scan(Trickle(layer(*entries[:1], contents=contents), 1 << 16))) == 1
        with pytest.raises(ScanError, match="more and longer names"):
            scan(Trickle(layer(*entries, contents=contents), 1 << 16))


def test_headers_for_all_entries_that_add_up_are_refused() -> None:
    def headers(number: int) -> bytes:
        (name, text), buffer = (f"comment{number}", "a" * (1 << 20)), io.BytesIO()
        tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT, pax_headers={name: text})  # noqa: SIM115
        return buffer.getvalue() + member(f"f{number}").tobuf()

    def content(count: int) -> bytes:
        return b"".join(map(headers, range(count))) + bytes(1024)

    assert len(scan(Trickle(content(3), 1 << 16))) == 3
    with pytest.raises(ScanError, match="headers are larger"):
        scan(Trickle(content(5), 1 << 16))


def test_a_bomb_is_passed_over_and_never_held() -> None:
    """50 MB of zeros in 50 kB: the file's content is skipped piece by piece."""
    bomb = gzip.compress(layer(member("zeros"), contents=[bytes(50 << 20)]))
    tracemalloc.start()
    try:
        assert scan(Trickle(bomb)) == [Record("zeros", File())]
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 8 << 20


def test_accounts_that_are_too_large_are_not_kept() -> None:
    (record,) = scan(Trickle(layer(member("etc/passwd"), contents=[bytes(2 << 20)]), 1 << 20))
    assert record == Record("etc/passwd", File())


def test_what_stops_the_stream_stops_the_scan() -> None:
    class Stopped(Trickle):
        def read(self, size: int, /) -> bytes:
            raise TimeoutError

    with pytest.raises(TimeoutError):
        scan(Stopped(b""))


def paths(tree: Tree) -> list[str]:
    def below(prefix: str, folder: Folder) -> list[str]:
        found = []
        for name, node in sorted(folder.children.items()):
            found.append(prefix + name + (f" -> {node.target}" if isinstance(node, Link) else ""))
            if isinstance(node, Folder):
                found += below(f"{prefix}{name}/", node)
        return found

    return below("", tree.root)


def laid(*layers: Sequence[Record]) -> Tree:
    tree = Tree()
    for each in layers:
        put_on(tree, each)
    return tree


FOLDER = Attributes()
LOWER = [
    Record("a", FOLDER),
    Record("a/x", File()),
    Record("a/y", File()),
    Record("b", Link("a")),
    Record("c/deep", File()),
]


@pytest.mark.parametrize(
    ("upper", "left"),
    [
        ([], ["a", "a/x", "a/y", "b -> a", "c", "c/deep"]),
        ([Record("a/x", Gone.PATH)], ["a", "a/y", "b -> a", "c", "c/deep"]),
        ([Record("a", Gone.PATH), Record("absent/x", Gone.PATH)], ["b -> a", "c", "c/deep"]),
        ([Record("a", Gone.CONTENT)], ["a", "b -> a", "c", "c/deep"]),
        ([Record("a/z", File()), Record("a", Gone.CONTENT)], ["a", "a/z", "b -> a", "c", "c/deep"]),
        ([Record("a/x", File()), Record("a/x", Gone.PATH)], ["a", "a/x", "a/y", "b -> a", "c", "c/deep"]),
        ([Record("b", Gone.PATH)], ["a", "a/x", "a/y", "c", "c/deep"]),
        ([Record("a", File())], ["a", "b -> a", "c", "c/deep"]),
        ([Record("b", FOLDER), Record("b/z", File())], ["a", "a/x", "a/y", "b", "b/z", "c", "c/deep"]),
        ([Record("b/z", File())], ["a", "a/x", "a/y", "a/z", "b -> a", "c", "c/deep"]),
        ([Record("c", Link("a"))], ["a", "a/x", "a/y", "b -> a", "c -> a"]),
        ([Record("", FOLDER)], ["a", "a/x", "a/y", "b -> a", "c", "c/deep"]),
    ],
)
def test_a_layer_lies_upon_those_below_it(upper: list[Record], left: list[str]) -> None:
    assert paths(laid(LOWER, upper)) == left


def test_a_folder_that_is_named_again_keeps_what_is_in_it() -> None:
    tree = laid(LOWER, [Record("a", Attributes(mode=0o700))])
    node = tree.get("a")
    assert isinstance(node, Folder)
    assert (node.attributes.mode, sorted(node.children)) == (0o700, ["x", "y"])
