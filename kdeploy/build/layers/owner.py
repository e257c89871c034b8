"""Who a file belongs to: "1000", "1000:50", "app", "app:staff", by the image's own /etc/passwd and /etc/group. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator

from kdeploy.build.layers.tree import File, Tree, TreeError

_ID = re.compile(r"[0-9]{1,10}")
_LAST_ID = 2**32 - 2
PASSWD, GROUP = "etc/passwd", "etc/group"
CONTENT_LIMIT = 1 << 20
"""The most bytes of one of them that are read."""


def holds_accounts(path: str) -> bool:
    """Whether a file's content belongs into the tree: /etc may be a link, so that a name counts in any etc."""
    return f"/{path}".endswith((f"/{PASSWD}", f"/{GROUP}"))


class OwnerError(ValueError):
    """A user or a group that the image does not have; the text is half a sentence."""


def resolve_owner(text: str, tree: Tree) -> tuple[int, int]:
    """User and group id; "" is root. A number without a group has the group of the same number. Raises OwnerError."""
    if not text:
        return 0, 0
    user, colon, group = text.partition(":")
    uid, gid = (0, 0) if colon and not user else _user(user, tree)
    return uid, _group(group, tree) if group else gid


def _user(name: str, tree: Tree) -> tuple[int, int]:
    if _ID.fullmatch(name):
        return _number(name), _number(name)
    for fields in _entries(tree, PASSWD):
        if fields[0] == name and len(fields) > 3 and _ID.fullmatch(fields[2]) and _ID.fullmatch(fields[3]):
            return _number(fields[2]), _number(fields[3])
    raise OwnerError(f'the image has no user "{name}" in /{PASSWD}')


def _group(name: str, tree: Tree) -> int:
    if _ID.fullmatch(name):
        return _number(name)
    for fields in _entries(tree, GROUP):
        if fields[0] == name and len(fields) > 2 and _ID.fullmatch(fields[2]):
            return _number(fields[2])
    raise OwnerError(f'the image has no group "{name}" in /{GROUP}')


def _number(text: str) -> int:
    if int(text) > _LAST_ID:
        raise OwnerError(f"{text} is too large for an id")
    return int(text)


def _entries(tree: Tree, path: str) -> Iterator[list[str]]:
    try:
        node = tree.get(tree.resolve(path))
    except TreeError:
        return
    if isinstance(node, File) and node.content is not None:
        for line in node.content.decode("utf-8", "replace").splitlines():
            yield line.split(":")
