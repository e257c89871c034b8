"""The files of an image, and who owns them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdeploy.build.layers.owner import OwnerError, resolve_owner
from kdeploy.build.layers.tree import File, Folder, Link, Tree, TreeError


def tree(**nodes: str) -> Tree:
    """A text of "-> x" is a link, "/" a folder, all else a file with that content; "__" in a name is a slash."""
    made = Tree()
    for name, text in nodes.items():
        path = name.replace("__", "/")
        if text.startswith("-> "):
            made.put(path, Link(text.removeprefix("-> ")))
        else:
            made.put(path, Folder() if text == "/" else File(text.encode()))
    return made


@pytest.mark.parametrize(
    ("path", "real"),
    [
        ("usr/bin/x", "usr/bin/x"),
        ("bin/x", "usr/bin/x"),
        ("/bin", "usr/bin"),
        ("lib/../bin/x", "usr/bin/x"),
        ("deep/up/x", "usr/bin/x"),
        ("out/etc", "etc"),
        ("new/../../..", ""),
        ("new/x", "new/x"),
        ("dead/x", "nowhere/at/all/x"),
        ("", ""),
    ],
)
def test_links_are_followed_within_the_root(path: str, real: str) -> None:
    found = tree(usr__bin="/", bin="-> usr/bin", deep__up="-> ../bin", out="-> ../../../..", dead="-> /nowhere/at/all")
    assert found.resolve(path) == real


def test_a_circle_of_links_is_refused() -> None:
    with pytest.raises(TreeError, match="/a/x leads in circles"):
        tree(a="-> b", b="-> a").resolve("a/x")


def test_what_is_put_takes_the_place_of_what_was_there() -> None:
    found = tree(a__b="1", c="2")
    found.put("c/d", File())
    assert isinstance(found.get("c"), Folder)
    found.put("a", Link("c"))
    assert found.get("a/b") is None
    found.remove("c")
    found.remove("absent/x")
    assert found.get("c/d") is None
    assert found.get("") is found.root


NAMES = st.sampled_from(["a", "b", "c", "..", "."])
PATHS = st.lists(NAMES, max_size=5).map("/".join)
TARGETS = st.tuples(st.sampled_from(["", "/", "../"]), PATHS).map("".join).filter(bool)


@settings(max_examples=50)
@given(st.dictionaries(PATHS.filter(lambda path: "." not in path and bool(path)), TARGETS), PATHS)
def test_a_resolved_path_is_within_the_root_and_has_no_link_on_its_way(links: dict[str, str], path: str) -> None:
    found = Tree()
    for name, target in links.items():
        found.put(name, Link(target))
    try:
        real = found.resolve(path)
    except TreeError:
        return
    parts = real.split("/")
    assert ".." not in parts
    assert not any(isinstance(found.get("/".join(parts[: at + 1])), Link) for at in range(len(parts)))
    assert found.resolve(real) == real


PASSWD = "root:x:0:0:root:/root:/bin/sh\nbroken\napp:x:1000:50:App:/:/bin/sh\nodd:x:one:two::/:\n"
GROUP = "root:x:0:\nstaff:x:50:app\n"


@pytest.mark.parametrize(
    ("text", "owner"),
    [
        ("", (0, 0)),
        ("0", (0, 0)),
        ("1000", (1000, 1000)),
        ("1000:50", (1000, 50)),
        ("app", (1000, 50)),
        ("app:root", (1000, 0)),
        ("app:7", (1000, 7)),
        ("7:staff", (7, 50)),
        (":staff", (0, 50)),
        ("app:", (1000, 50)),
    ],
)
def test_an_owner_is_found_in_the_images_own_files(text: str, owner: tuple[int, int]) -> None:
    assert resolve_owner(text, tree(etc__passwd=PASSWD, etc__group=GROUP)) == owner


@pytest.mark.parametrize("text", ["nobody", "odd", "app:nobody", "broken", "4294967295", "99999999999", "-1"])
def test_an_owner_that_the_image_does_not_have_is_refused(text: str) -> None:
    with pytest.raises(OwnerError):
        resolve_owner(text, tree(etc__passwd=PASSWD, etc__group=GROUP))


def test_an_image_without_accounts_knows_numbers_only() -> None:
    assert resolve_owner("5:6", Tree()) == (5, 6)
    with pytest.raises(OwnerError, match='no user "app" in /etc/passwd'):
        resolve_owner("app", Tree())
    with pytest.raises(OwnerError):
        resolve_owner("app", tree(etc="-> etc"))
