"""What the layers builder pushes is what a kubelet reads from the registry's folder: the demo's way of an image."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest

from kdeploy.sandbox.core.images import ImageInfo
from kdeploy.sandbox.registry.names import digest_of
from kdeploy.sandbox.registry.pull import image_info
from tests.contract.build.layers_shop import Shop
from tests.contract.sandbox.registry.conftest import Served, serve

DOCKERFILE = """
FROM scratch
LABEL dev.kdeploy.sandbox.run=process
ENV GREETING=hello
WORKDIR /app
COPY main.py .
CMD ["/app/main.py"]
"""


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    made = Shop(folder=tmp_path / "context", env={"HOME": str(tmp_path)})
    made.write({"main.py": "print('hello')\n"}, Dockerfile=DOCKERFILE)
    return made


def pulled(served: Served, reference: str) -> ImageInfo:
    found = image_info(served.storage, reference, registries=(served.name,), architecture="amd64")
    assert isinstance(found, ImageInfo), found
    return found


def test_a_kubelet_reads_what_the_layers_builder_pushed(registry: Served, shop: Shop) -> None:
    image = shop.build(f"{registry.name}/demo/web")
    found = pulled(registry, image.reference)
    assert found.digest == image.digest
    assert found.labels["dev.kdeploy.sandbox.run"] == "process"
    assert found.config["config"]["Cmd"] == ["/app/main.py"]
    assert "GREETING=hello" in found.config["config"]["Env"]
    names: list[str] = []
    for layer in found.layers:
        path = registry.storage.blob_path(layer.digest)
        assert path
        assert (digest_of(path.read_bytes()), path.stat().st_size) == (layer.digest, layer.size)
        with tarfile.open(path) as archive:
            names += archive.getnames()
    assert "app/main.py" in names


def test_two_registries_get_the_same_digest(registry: Served, shop: Shop, tmp_path: Path) -> None:
    image = shop.build(f"{registry.name}/demo/web")
    for other in serve(tmp_path / "other"):
        assert shop.build(f"{other.name}/another/name").digest == image.digest
        assert pulled(other, f"{other.name}/another/name@{image.digest}").digest == image.digest
