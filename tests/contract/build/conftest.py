"""A shop to build, and a registry on loopback."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.contract.build.layers_shop import Registry, Shop, registry

DOCKERFILE = """
FROM scratch
ARG VERSION=none
ENV VERSION=$VERSION
WORKDIR /app
COPY main.py .
COPY src /src/
USER 1000
CMD ["/app/main.py"]
"""


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    made = Shop(folder=tmp_path / "context", env={"HOME": str(tmp_path)})
    made.write({"main.py": "", "src/a": "a", "src/b/c": "c"}, Dockerfile=DOCKERFILE)
    return made


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Registry]:
    with registry(tmp_path / "registry") as served:
        yield served


@contextmanager
def deep(folder: Path) -> Iterator[None]:
    """Folders in folders, more than Python's functions may call each other: not even shutil.rmtree can remove them."""
    here = os.open(folder, os.O_RDONLY)
    for _ in range(1200):
        os.mkdir("d", dir_fd=here)
        below = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)
    try:
        yield
    finally:
        subprocess.run(["rm", "-rf", str(folder / "d")], check=True)
