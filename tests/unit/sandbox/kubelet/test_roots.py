"""Images are unpacked once, whole or not at all."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
from pathlib import Path

import pytest

from kdeploy.sandbox.core.images import ImageInfo, Layer
from kdeploy.sandbox.kubelet.roots import Roots
from kdeploy.sandbox.kubelet.unpack import UnpackError
from tests.unit.sandbox.kubelet.test_unpack import file, tar_of

GZIP = "application/vnd.oci.image.layer.v1.tar+gzip"


def image(folder: Path, *, media_type: str = GZIP, diff_ids: list[str] | None = None) -> tuple[ImageInfo, Roots]:
    tar = tar_of(file("a"))
    (folder / "blob").write_bytes(gzip.compress(tar))
    info = ImageInfo(
        digest="sha256:abc",
        labels={},
        config={"rootfs": {"diff_ids": diff_ids or [f"sha256:{hashlib.sha256(tar).hexdigest()}"]}},
        layers=(Layer(digest="sha256:blob", size=1, media_type=media_type),),
    )
    return info, Roots(folder / "roots", lambda digest: folder / "blob" if digest == "sha256:blob" else None)


def test_an_image_is_unpacked_once_however_many_pods_want_it(tmp_path: Path) -> None:
    info, roots = image(tmp_path)

    async def several() -> list[Path]:
        return await asyncio.gather(*(roots.get(info) for _ in range(5)))

    found = asyncio.run(several())
    assert set(found) == {tmp_path / "roots" / "sha256-abc"}
    assert (found[0] / "a").read_text() == "text"
    assert [path.name for path in (tmp_path / "roots").iterdir()] == ["sha256-abc"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"media_type": "application/vnd.oci.image.layer.v1.tar+zstd"}, "no layers of type"),
        ({"diff_ids": ["sha256:1", "sha256:2"]}, "has 1 layers, its config names 2"),
        ({"diff_ids": ["sha256:1"]}, "not the one"),
    ],
)
def test_what_cannot_be_unpacked_leaves_no_root(tmp_path: Path, changes: dict[str, object], words: str) -> None:
    info, roots = image(tmp_path, **changes)  # type: ignore[arg-type]
    with pytest.raises(UnpackError, match=words):
        asyncio.run(roots.get(info))
    assert not list((tmp_path / "roots").glob("*"))


def test_a_layer_that_is_gone_is_said(tmp_path: Path) -> None:
    info, _ = image(tmp_path)
    with pytest.raises(UnpackError, match="not in the registry"):
        asyncio.run(Roots(tmp_path / "roots", lambda _: None).get(info))
