"""Which of a repository's Dockerfiles builds the target, and from which folder. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from kdeploy.init.dockerfile import Dockerfile

SHOWN = 5
_APART = frozenset({"docker", "build", "deploy", "deployment", "ci", "container", "containers", "images", "ops"})
"""Folders that hold a Dockerfile for what lies beside them: the build context is the folder above."""

_AFFIX = re.compile(r"(?:Docker|Container)file\.?|\.(?:Docker|Container)file")


@dataclass(frozen=True, slots=True, kw_only=True)
class Build:
    """Where the Dockerfile is: the context from the repository's folder, the Dockerfile from the context."""

    context: str
    dockerfile: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """The Dockerfiles that may be meant: none where there is none, several where nothing tells which; and why."""

    fitting: tuple[Dockerfile, ...]
    why: str

    @property
    def only(self) -> Dockerfile | None:
        """The one, where there is one."""
        return self.fitting[0] if len(self.fitting) == 1 else None


def choose(found: Sequence[Dockerfile], names: Collection[str]) -> Chosen:
    """The one that builds what is called by one of `names`: the target's, the image's.

    That at the top goes before one whose folder is named so, that before the nearest. Of several that are equally near
    none is taken: to build another service's would deploy it in the place of this one.
    """
    if not found:
        return Chosen(fitting=(), why="add one, or give image a tag to deploy what is built elsewhere")
    if len(found) == 1:
        return Chosen(fitting=tuple(found), why="the only one")
    if top := [one for one in found if one.path == "Dockerfile"]:
        return Chosen(fitting=tuple(top), why=f"the one at the top; {_others(top[0], found)}")
    named = [one for one in found if _names_of(one) & {_plain(name) for name in names}]
    fitting = _nearest(named or found)
    if len(fitting) > 1:
        return Chosen(fitting=fitting, why=f"nothing tells which of {_listed(fitting)} builds it")
    why = "named like the target or the image" if named else "a guess, please check: the nearest"
    return Chosen(fitting=fitting, why=f"{why}; {_others(fitting[0], found)}")


def build_of(dockerfile: Dockerfile, why: str) -> Build:
    """The folder that it is for, and where it lies from there."""
    folder, _, name = dockerfile.path.rpartition("/")
    above, _, last = folder.rpartition("/")
    if last in _APART:
        return Build(
            context=above or ".", dockerfile=f"{last}/{name}", why=f"{why}; {last}/ lies beside what it builds"
        )
    return Build(context=folder or ".", dockerfile=name, why=why)


def _nearest(found: Sequence[Dockerfile]) -> tuple[Dockerfile, ...]:
    """Those whose folders lie least deep; in one folder a plain name goes before Dockerfile.dev."""
    best = {one: min(_place(other) for other in found if _context(other) == _context(one)) for one in found}
    least = min(map(_depth, found))
    return tuple(one for one in found if _depth(one) == least and _place(one) == best[one])


def _context(one: Dockerfile) -> str:
    return build_of(one, "").context


def _depth(one: Dockerfile) -> int:
    context = _context(one)
    return 0 if context == "." else context.count("/") + 1


def _place(one: Dockerfile) -> tuple[int, bool]:
    return one.path.count("/"), one.path.rpartition("/")[2] != "Dockerfile"


def _names_of(one: Dockerfile) -> set[str]:
    """The names that its folder and its own suffix give: "web" for web/Dockerfile, and for Dockerfile.web."""
    own = _AFFIX.sub("", one.path.rpartition("/")[2])
    return {_plain(_context(one).rpartition("/")[2]), _plain(own)} - {""}


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def _others(one: Dockerfile, found: Sequence[Dockerfile]) -> str:
    return f"the others are {_listed([other for other in found if other != one])}"


def _listed(found: Sequence[Dockerfile]) -> str:
    return ", ".join([one.path for one in found[:SHOWN]] + (["..."] if len(found) > SHOWN else []))
