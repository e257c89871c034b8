"""Layers from anybody: what is unpacked, and what is refused before it touches anything outside the root."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import tarfile
from pathlib import Path

import pytest

from kdeploy.sandbox.kubelet.unpack import Layer, Limits, UnpackError, freeze, remove_tree, unpack

Entry = tuple[tarfile.TarInfo, bytes]


def file(name: str, content: bytes = b"text", mode: int = 0o644) -> Entry:
    info = tarfile.TarInfo(name)
    info.size, info.mode = len(content), mode
    return info, content


def folder(name: str) -> Entry:
    info = tarfile.TarInfo(name)
    info.type, info.mode = tarfile.DIRTYPE, 0o755
    return info, b""


def link(name: str, target: str, type_: bytes = tarfile.SYMTYPE) -> Entry:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = type_, target
    return info, b""


def special(name: str, type_: bytes) -> Entry:
    info = tarfile.TarInfo(name)
    info.type = type_
    return info, b""


def tar_of(*entries: Entry) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for info, content in entries:
            archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


class Scene:
    """A root inside a folder whose other files must stay as they are."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.root = folder, folder / "root"
        self.root.mkdir()
        self.count = 0
        (folder / "outside").write_text("untouched")

    def layer(self, tar: bytes, *, compressed: bool = True, diff_id: str | None = None) -> Layer:
        self.count += 1
        blob = self.folder / f"blob{self.count}"
        blob.write_bytes(gzip.compress(tar) if compressed else tar)
        return Layer(blob=blob, compressed=compressed, diff_id=diff_id or f"sha256:{hashlib.sha256(tar).hexdigest()}")

    def unpack(self, *layers: tuple[Entry, ...], limits: Limits | None = None) -> set[str]:
        unpack([self.layer(tar_of(*entries)) for entries in layers], self.root, limits)
        return {str(path.relative_to(self.root)) for path in self.root.rglob("*")}

    def outside(self) -> dict[str, str]:
        mine = {"root", *(f"blob{i}" for i in range(1, self.count + 1))}
        return {path.name: path.read_text() for path in self.folder.iterdir() if path.name not in mine}


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


def test_layers_lie_one_upon_the_other(scene: Scene) -> None:
    lower = (folder("app"), file("app/a", b"old"), file("app/b"), link("app/c", "../app/b"))
    found = scene.unpack(lower, (file("app/a", b"new", 0o755),))
    assert found == {"app", "app/a", "app/b", "app/c"}
    assert (scene.root / "app/a").read_bytes() == b"new"
    assert os.access(scene.root / "app/a", os.X_OK)
    assert (scene.root / "app/c").read_bytes() == b"text"


def test_a_layer_may_be_a_plain_tar_too(scene: Scene) -> None:
    unpack([scene.layer(tar_of(file("a")), compressed=False)], scene.root)
    assert (scene.root / "a").exists()


def test_a_whiteout_removes_what_a_lower_layer_brought(scene: Scene) -> None:
    lower = (folder("app"), file("app/a"), file("app/b"), folder("lib"), file("lib/x"))
    assert scene.unpack(lower, (file("app/.wh.a", b""), file(".wh.lib", b""))) == {"app", "app/b"}


def test_an_opaque_folder_keeps_only_its_own_layers_entries(scene: Scene) -> None:
    lower = (file("app/a"), file("app/deep/b"), file("app/deep/c"))
    upper = (file("app/deep/new"), file("app/.wh..wh..opq", b""), file("app/z"))
    assert scene.unpack(lower, upper) == {"app", "app/deep", "app/deep/new", "app/z"}


def test_a_file_takes_the_place_of_a_folder_and_a_folder_that_of_a_file(scene: Scene) -> None:
    assert scene.unpack((file("a/x"), file("b")), (file("a"),)) == {"a", "b"}
    assert scene.unpack((folder("b"), file("b/y"))) == {"a", "b", "b/y"}


def test_a_file_does_not_write_through_the_link_that_it_replaces(scene: Scene) -> None:
    scene.unpack((file("a", b"old"), link("b", "a"), link("c", "a", tarfile.LNKTYPE)), (file("b"), file("c")))
    assert (scene.root / "a").read_bytes() == b"old"


@pytest.mark.parametrize(
    "entry",
    [
        file("../evil"),
        file("app/../../evil"),
        file("/evil"),
        file("//evil"),
        link("a", "/etc/passwd"),
        link("a", ".."),
        link("app/a", "../../outside"),
        link("app/a", "b/../../outside"),
        link("a", "outside", tarfile.LNKTYPE),
        link("a", "../outside", tarfile.LNKTYPE),
        link("a", "/etc/passwd", tarfile.LNKTYPE),
        special("a", tarfile.CHRTYPE),
        special("a", tarfile.BLKTYPE),
        special("a", tarfile.FIFOTYPE),
        special("a", b"Z"),
        file(".wh...", b""),
        file("app/.wh..", b""),
        file("a/" * 65 + "b"),
    ],
    ids=lambda entry: f"{entry[0].name[:20]} {entry[0].type.decode()} {entry[0].linkname}",
)
def test_what_leads_out_of_the_root_or_is_no_file_is_refused(scene: Scene, entry: Entry) -> None:
    with pytest.raises(UnpackError):
        scene.unpack((entry,))
    assert scene.outside() == {"outside": "untouched"}


@pytest.mark.parametrize(
    "entries",
    [
        (link("a", "."), file("a/x")),
        (folder("d"), link("a", "d"), file("a/x")),
        (link("y", "."), link("x", "y/.."), file("x/evil")),
        (folder("d"), link("d/up", ".."), link("d/a", "up/.."), file("d/a/evil")),
        (folder("d"), link("l", "d"), file("l/.wh.x", b"")),
        (link("a", "b"), link("h", "a", tarfile.LNKTYPE)),
    ],
)
def test_no_entry_passes_through_a_link(scene: Scene, entries: tuple[Entry, ...]) -> None:
    with pytest.raises(UnpackError):
        scene.unpack(entries)
    assert scene.outside() == {"outside": "untouched"}


def test_a_link_of_one_layer_does_not_carry_the_next_one_out(scene: Scene) -> None:
    with pytest.raises(UnpackError):
        scene.unpack((folder("d"), link("a", "d")), (file("a/x"),))


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        (Limits(size=10_000), "more than 10000 bytes"),
        (Limits(entries=2), "more than 2 entries"),
        (Limits(free=10_000), "times its size"),
    ],
)
def test_a_bomb_is_stopped_while_it_unpacks(scene: Scene, limits: Limits, words: str) -> None:
    big = tuple(file(name, b"\0" * 2_000_000) for name in "abc")
    with pytest.raises(UnpackError, match=words):
        scene.unpack(big, limits=limits)
    assert sum(path.stat().st_size for path in scene.root.iterdir()) < 5_000_000


def test_folders_that_a_layer_does_not_name_are_entries_too(scene: Scene) -> None:
    deep = tuple(file("/".join((name, *["d"] * 9, "f"))) for name in "abc")
    assert len(scene.unpack(deep[:1], limits=Limits(entries=11))) == 11
    with pytest.raises(UnpackError, match="more than 20 entries"):
        scene.unpack(deep[1:], limits=Limits(entries=20))
    assert sum(1 for _ in scene.root.rglob("*")) <= 11 + 20


def test_a_header_that_would_fill_the_memory_is_refused(scene: Scene) -> None:
    info = tarfile.TarInfo("x")
    info.type, info.size = tarfile.XHDTYPE, 2 << 20
    with pytest.raises(UnpackError, match="a header of"):
        scene.unpack(((info, b"\0" * info.size), file("x")))


def test_a_tar_of_headers_alone_ends_in_words(scene: Scene) -> None:
    info = tarfile.TarInfo("x")
    info.type = tarfile.XHDTYPE
    with pytest.raises(UnpackError):
        scene.unpack(tuple((info, b"") for _ in range(5_000)))


@pytest.mark.parametrize("cut", [100, 700, 1500])
def test_half_a_layer_is_refused(scene: Scene, cut: int) -> None:
    tar = tar_of(file("a", b"x" * 1000))
    whole = scene.layer(tar)
    whole.blob.write_bytes(gzip.compress(tar[:cut]))
    with pytest.raises(UnpackError):
        unpack([whole], scene.root)


def test_what_is_no_gzip_is_refused(scene: Scene) -> None:
    layer = scene.layer(tar_of(file("a")))
    layer.blob.write_bytes(b"no gzip at all")
    with pytest.raises(UnpackError, match="cannot be unpacked"):
        unpack([layer], scene.root)


def test_another_layer_than_the_config_names_is_refused(scene: Scene) -> None:
    with pytest.raises(UnpackError, match="not the one"):
        unpack([scene.layer(tar_of(file("a")), diff_id="sha256:" + "0" * 64)], scene.root)


def test_a_frozen_root_is_read_only_and_can_be_removed(scene: Scene) -> None:
    scene.unpack((folder("app"), file("app/a", mode=0o777), link("l", "app/a")))
    freeze(scene.root)
    assert [oct(path.stat().st_mode & 0o777) for path in (scene.root / "app", scene.root / "app/a")] == ["0o555"] * 2
    remove_tree(scene.root)
    assert not scene.root.exists()
    remove_tree(scene.root)
