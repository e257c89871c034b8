"""From a build request to an image on this machine's disk: the new layers, the configuration, the manifest."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from kdeploy.build.dockerfile import NAME_IT
from kdeploy.build.layers.archive import write_archive
from kdeploy.build.layers.cache import Cache
from kdeploy.build.layers.context import Context, open_context
from kdeploy.build.layers.copying import layer_of
from kdeploy.build.layers.draft import Draft, Step
from kdeploy.build.layers.lines import LIMIT
from kdeploy.build.layers.oci import (
    CONFIG_TYPE,
    LAYER_TYPE,
    Base,
    Change,
    Descriptor,
    make_config,
    make_manifest,
    scratch,
)
from kdeploy.build.layers.platforms import Platform, parse_platform
from kdeploy.build.layers.problems import DockerfileError
from kdeploy.build.layers.pull import Puller
from kdeploy.build.layers.push import Blob, BytesBody, FileBody, Package
from kdeploy.build.layers.stages import SCRATCH, Recipe, choose, read_dockerfile
from kdeploy.build.layers.tree import Tree
from kdeploy.build.transport import Transport
from kdeploy.errors import BuildError, ConfigError, RefusedError
from kdeploy.ports import BuildRequest
from kdeploy.reference import parse
from kdeploy.text import file_size, one_line


@dataclass(frozen=True, slots=True, kw_only=True)
class Workshop:
    """Where an image is made. `folder` takes the new layers, `cache` what is known of base images.

    `machine` is what this machine is; `line` takes progress; `check` is called now and then, and may raise.
    """

    transport: Transport
    folder: Path
    cache: Cache
    machine: Platform
    line: Callable[[str], None]
    check: Callable[[], None]

    def make(self, request: BuildRequest, *, epoch: int) -> Package:
        """The image, all but the base's layers on disk. `epoch`: the time of all that is new, in Unix seconds.

        Raises BuildError, DockerfileError among it; what the registry of the base image refuses, by the line of FROM.
        """
        recipe = read_recipe(
            request.dockerfile,
            target=request.target,
            args=request.args,
            secrets=request.secrets,
            platforms=request.platforms,
            machine=self.machine,
        )
        context = open_context(request.context, request.dockerfile)
        puller = self._puller(recipe)
        try:
            base = self._base(recipe, puller, is_asked=bool(request.platforms))
            draft = recipe.draft(base.config, base.triggers, request.args)
            steps = sum(event.step is not None for event in draft.events)
            self.line(f"[1/{steps + 1}] FROM {_shown(base, puller)}")
            tree = puller.tree(base, self.cache, self._say_reading) if puller and steps else Tree()
        except RefusedError as error:
            raise DockerfileError(recipe.line.number, error.message, hint=error.hint) from error
        changes = self._changes(draft, tree, context, epoch)
        config = make_config(base, draft, changes, request.labels, epoch=epoch)
        return self._package(base, puller, changes, config)

    def _puller(self, recipe: Recipe) -> Puller | None:
        """None for an image FROM scratch."""
        if recipe.base == SCRATCH:
            return None
        try:
            image = parse(recipe.base, what="FROM")
        except ConfigError as error:
            raise DockerfileError(recipe.line.number, error.message, hint=error.hint) from None
        return Puller(transport=self.transport, image=image, check=self.check)

    def _base(self, recipe: Recipe, puller: Puller | None, *, is_asked: bool) -> Base:
        """The base image; one for another platform than what was asked for is refused."""
        asked = recipe.platform
        platform = parse_platform(asked) if isinstance(asked, str) else asked
        if puller is None:
            return scratch(platform)
        base = puller.base(platform)
        if base.platform != platform:
            if is_asked or isinstance(asked, str) or base.platform.os != platform.os:
                raise DockerfileError(
                    recipe.line.number,
                    f"the image {puller.image} is for {base.platform}, and {platform} is asked for",
                    hint="take another base image, or leave out the platform",
                )
            self.line(f"note: the image {puller.image} is for {base.platform}; this machine is {platform}")
        return base

    def _changes(self, draft: Draft, tree: Tree, context: Context, epoch: int) -> list[Change]:
        """The new layers, written to the folder, in the order of the instructions."""
        total = 1 + sum(event.step is not None for event in draft.events)
        changes: list[Change] = []
        number = 1
        for event in draft.events:
            layer = None
            if event.step:
                number += 1
                self.line(f"[{number}/{total}] {event.step.line}")
                layer = self._layer(event.step, tree, context, epoch)
            changes.append(Change(text=event.text, layer=layer))
        return changes

    def _layer(self, step: Step, tree: Tree, context: Context, epoch: int) -> Descriptor | None:
        entries = layer_of(step, tree, context, mtime=epoch)
        if not entries:
            self.line("nothing to do: it is all there already")
            return None
        new = self.folder / "new"
        with new.open("wb") as file:
            written = write_archive(entries, file, self.check)
        new.replace(self._file(written.digest))
        self.line(f"layer {short(written.digest)} {file_size(written.size)}")
        return Descriptor(media_type=LAYER_TYPE, digest=written.digest, size=written.size)

    def _package(self, base: Base, puller: Puller | None, changes: Sequence[Change], config: bytes) -> Package:
        described = Descriptor(media_type=CONFIG_TYPE, digest=_sha256(config), size=len(config))
        manifest = make_manifest(base, changes, described)
        blobs = [
            Blob(descriptor=layer, open=partial(puller.open, layer), source=puller.image)
            for layer in base.layers
            if puller
        ]
        for change in changes:
            if layer := change.layer:
                body = FileBody(path=self._file(layer.digest), size=layer.size, check=self.check)
                blobs.append(Blob(descriptor=layer, open=body.opened))
        blobs.append(Blob(descriptor=described, open=BytesBody(content=config).opened))
        return Package(manifest=manifest, digest=_sha256(manifest), blobs=tuple(blobs))

    def _file(self, digest: str) -> Path:
        return self.folder / digest.replace(":", "-")

    def _say_reading(self, layer: Descriptor) -> None:
        self.line(f"reading the base image's layer {short(layer.digest)} {file_size(layer.size)}")


def short(digest: str) -> str:
    """A digest as a person reads it."""
    return digest[: len("sha256:") + 12]


def _shown(base: Base, puller: Puller | None) -> str:
    if puller is None:
        return f"{SCRATCH} ({base.platform})"
    return f"{puller.image} ({base.platform}, {short(base.digest)})"


def read_recipe(
    dockerfile: str,
    *,
    target: str,
    args: Mapping[str, str],
    secrets: Sequence[str],
    platforms: Sequence[str],
    machine: Platform,
) -> Recipe:
    """The instructions of the image that is asked for. Asks no registry. Raises BuildError for what takes an engine."""
    what = "build secrets" if secrets else "more than one platform" if len(platforms) > 1 else None
    if what:
        raise BuildError(f"the layers builder knows no {what}", hint="build with --builder buildx, and a Docker engine")
    wanted = parse_platform(platforms[0]) if platforms else machine
    return choose(read_dockerfile(_read(dockerfile)), target, args, platform=wanted, machine=machine)


def _read(dockerfile: str) -> bytes:
    try:
        with Path(dockerfile).open("rb") as file:
            return file.read(LIMIT + 1)
    except OSError as error:
        raise BuildError(
            f"the Dockerfile {one_line(dockerfile)} cannot be read: {error.strerror}", hint=NAME_IT
        ) from error


def _sha256(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"
