"""COPY, ADD and WORKDIR: which files go where in the image.

The rules: https://docs.docker.com/reference/dockerfile/#copy. Where that is silent, BuildKit's own copier decides
(github.com/tonistiigi/fsutil, copy/copy.go): a link at the destination is followed; of a folder the contents are
copied; folders that are made on the way have mode 0755 and the owner of --chown; a folder within the source lends its
attributes to one that is there, the source itself does not.
"""

from __future__ import annotations

import posixpath
import tarfile
from dataclasses import dataclass
from pathlib import Path

from kdeploy.build.layers.context import Context, Item, Kind, SourceError
from kdeploy.build.layers.draft import CopyFiles, MakeFolder, Step
from kdeploy.build.layers.entries import Entry, Layer, PlaceError
from kdeploy.build.layers.owner import OwnerError, resolve_owner
from kdeploy.build.layers.problems import DockerfileError, UnsupportedError
from kdeploy.build.layers.tree import Folder, Tree, TreeError

_ZSTANDARD = b"\x28\xb5\x2f\xfd"


def layer_of(step: Step, tree: Tree, context: Context, *, mtime: int) -> list[Entry]:
    """What a step puts into the image with these files, which are changed along; empty where it changes nothing.

    `mtime` is the time of all that is made, in Unix seconds. Raises DockerfileError.
    """
    try:
        uid, gid = resolve_owner(step.owner, tree)
        layer = Layer(tree=tree, uid=uid, gid=gid, mtime=mtime)
        if isinstance(step, MakeFolder):
            layer.make_folders(tree.resolve(step.path))
        else:
            _Copying(step=step, layer=layer, context=context).run()
        return layer.entries()
    except OSError as error:
        raise DockerfileError(
            step.line.number,
            f"{step.line}: {error.filename} cannot be read: {error.strerror}",
            hint="mend its permissions",
        ) from error
    except (SourceError, PlaceError, TreeError, OwnerError) as error:
        raise DockerfileError(step.line.number, f"{step.line}: {error}", hint=_hint(error)) from None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Copying:
    step: CopyFiles
    layer: Layer
    context: Context

    def run(self) -> None:
        items = [item for source in self.step.sources for item in self.context.find(source)]
        target = self.layer.tree.resolve(self.step.dest)
        if len(items) > 1 and not self._means_folder(target):
            raise PlaceError(f"{len(items)} files match; end the destination with a slash: {self.step.dest}/")
        for item in items:
            self._copy_to(item, target)

    def _means_folder(self, target: str) -> bool:
        return self.step.dest.endswith("/") or isinstance(self.layer.tree.get(target), Folder)

    def _copy_to(self, item: Item, target: str) -> None:
        if item.kind is Kind.FOLDER:
            self.layer.make_folders(target)
            self._copy_children(item, target)
            return
        if self.step.is_add and item.kind is Kind.FILE and _is_archive(self.context.path(item)):
            raise UnsupportedError(
                self.step.line.number,
                f"{self.step.line}: ADD unpacks the archive {item.path}",
                instead="unpack it before, and COPY the files; COPY takes an archive as it is",
            )
        if self._means_folder(target):
            self.layer.make_folders(target)
            target = posixpath.join(target, item.name)
        else:
            self.layer.make_folders(posixpath.dirname(target))
        self._copy(item, target)

    def _copy_children(self, folder: Item, target: str) -> None:
        for item in self.context.children(folder):
            self._copy(item, posixpath.join(target, item.name))

    def _copy(self, item: Item, path: str) -> None:
        mode = item.mode if self.step.mode is None else self.step.mode
        if item.kind is Kind.LINK:
            self.layer.put_link(path, item.target)
        elif item.kind is Kind.FOLDER:
            self.layer.put_folder(path, mode)
            self._copy_children(item, path)
        else:
            source = self.context.path(item)
            self.layer.put_file(path, source, item.size, mode)


def _is_archive(path: Path) -> bool:
    """Whether ADD would unpack it: a tar archive by its content, whatever its name and compression."""
    with path.open("rb") as file:
        if file.read(len(_ZSTANDARD)) == _ZSTANDARD:  # Python reads it from 3.14 on
            return True
    try:
        with tarfile.open(path) as archive:
            return archive.next() is not None
    except (tarfile.TarError, EOFError):
        return False


def _hint(error: ValueError) -> str:
    if isinstance(error, SourceError):
        return "sources are paths of the build context; see .dockerignore, --build-context"
    if isinstance(error, OwnerError):
        return "give a number, such as --chown=1000:1000"
    return "look at what the base image has there"
