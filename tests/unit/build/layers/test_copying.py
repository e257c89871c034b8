"""COPY beside Docker's documentation and BuildKit's copier: what goes where, and what it replaces."""

import io
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from kdeploy.build.dockerignore import parse_dockerignore
from kdeploy.build.layers.context import Context
from kdeploy.build.layers.copying import layer_of
from kdeploy.build.layers.draft import MakeFolder
from kdeploy.build.layers.entries import Entry
from kdeploy.build.layers.lines import Line
from kdeploy.build.layers.platforms import parse_platform
from kdeploy.build.layers.problems import DockerfileError, UnsupportedError
from kdeploy.build.layers.stages import choose, read_dockerfile
from kdeploy.build.layers.tree import Attributes, File, Folder, Link, Tree

AMD64 = parse_platform("linux/amd64")
EPOCH = 1_700_000_000
STICKY = Attributes(mode=0o1777, uid=3, gid=4, mtime=5, xattrs={"SCHILY.xattr.user.x": "y"})

FILES = {
    "a.txt": "a",
    "b.txt": "b",
    "run": "#!",
    "src/c.py": "c",
    "src/deep/d.py": "d",
    "src/out": "-> /etc/passwd",
    "link": "-> a.txt",
    "empty/": "",
}


@pytest.fixture
def context(tmp_path: Path) -> Context:
    for path, text in FILES.items():
        place = tmp_path / path
        place.parent.mkdir(parents=True, exist_ok=True)
        if path.endswith("/"):
            place.mkdir()
        elif text.startswith("-> "):
            place.symlink_to(text.removeprefix("-> "))
        else:
            place.write_text(text)
    (tmp_path / "run").chmod(0o700)
    return Context(folder=tmp_path)


@pytest.fixture
def tree() -> Tree:
    """A base image: /tmp, /bin as a link, /etc with accounts, /app with a file and a folder, /data as a link."""
    made = Tree()
    made.put("tmp", Folder(STICKY))
    made.put("usr/bin/sh", File())
    made.put("bin", Link("usr/bin"))
    made.put("etc/passwd", File(b"app:x:1000:50::/:\n"))
    made.put("app/old", File())
    made.put("app/deep", Folder(Attributes(mode=0o700)))
    made.put("data", Link("/srv/data"))
    made.put("file", File())
    made.put("to-file", Link("file"))
    return made


def copy(instruction: str, tree: Tree, context: Context, base: Mapping[str, str] | None = None) -> list[Entry]:
    dockerfile = read_dockerfile(f"FROM base\nWORKDIR /app\n{instruction}\n".encode())
    draft = choose(dockerfile, "", {}, platform=AMD64, machine=AMD64).draft(base or {}, (), {})
    step = draft.events[-1].step
    assert step
    return layer_of(step, tree, context, mtime=EPOCH)


def shown(entries: list[Entry]) -> list[str]:
    """A folder's path ends with a slash, a link shows its target, a file's source its name."""
    return [
        f"{entry.path}/"
        if entry.is_folder
        else f"{entry.path} -> {entry.target}"
        if entry.target
        else f"{entry.path} = {entry.source.name if entry.source else ''}"
        for entry in entries
    ]


@pytest.mark.parametrize(
    ("instruction", "entries"),
    [
        # a file: to a name, into a folder that a slash or the image says is one
        ("COPY a.txt /x", ["x = a.txt"]),
        ("COPY a.txt /x/", ["x/", "x/a.txt = a.txt"]),
        ("COPY a.txt /x/y", ["x/", "x/y = a.txt"]),
        ("COPY a.txt /app", ["app/", "app/a.txt = a.txt"]),
        ("COPY a.txt .", ["app/", "app/a.txt = a.txt"]),
        ("COPY a.txt ./", ["app/", "app/a.txt = a.txt"]),
        ("COPY a.txt name", ["app/", "app/name = a.txt"]),
        ("COPY a.txt ../b", ["b = a.txt"]),
        ("COPY a.txt /", ["a.txt = a.txt"]),
        ("COPY a.txt /app/old", ["app/", "app/old = a.txt"]),
        ("COPY link /x", ["x = a.txt"]),
        ("COPY link /x/", ["x/", "x/link = a.txt"]),
        # several: into a folder
        ("COPY a.txt b.txt /x/", ["x/", "x/a.txt = a.txt", "x/b.txt = b.txt"]),
        ("COPY *.txt /x/", ["x/", "x/a.txt = a.txt", "x/b.txt = b.txt"]),
        ("COPY *.txt .", ["app/", "app/a.txt = a.txt", "app/b.txt = b.txt"]),
        ("COPY *.txt /app", ["app/", "app/a.txt = a.txt", "app/b.txt = b.txt"]),
        ("COPY a.* /x", ["x = a.txt"]),
        ("COPY *.md /x/", []),
        # a folder: its contents
        ("COPY src /x", ["x/", "x/c.py = c.py", "x/deep/", "x/deep/d.py = d.py", "x/out -> /etc/passwd"]),
        ("COPY src/ /x/", ["x/", "x/c.py = c.py", "x/deep/", "x/deep/d.py = d.py", "x/out -> /etc/passwd"]),
        ("COPY src/deep /app", ["app/", "app/d.py = d.py"]),
        ("COPY s*/d* /x/", ["x/", "x/d.py = d.py"]),
        ("COPY empty /x", ["x/"]),
        ("COPY empty /app", []),
        # links of the image are followed on the way, and at the end
        ("COPY run /bin/", ["usr/", "usr/bin/", "usr/bin/run = run"]),
        ("COPY run /bin", ["usr/", "usr/bin/", "usr/bin/run = run"]),
        ("COPY run /bin/sh", ["usr/", "usr/bin/", "usr/bin/sh = run"]),
        ("COPY src/deep /data", ["srv/", "srv/data/", "srv/data/d.py = d.py"]),
        ("COPY a.txt /to-file", ["file = a.txt"]),
        # and a path is cleaned before that, as BuildKit does
        ("COPY run /bin/../up", ["up = run"]),
    ],
)
def test_what_is_copied_goes_where_docker_puts_it(
    instruction: str, entries: list[str], tree: Tree, context: Context
) -> None:
    assert shown(copy(instruction, tree, context)) == entries


def test_folders_above_keep_the_attributes_that_they_have_in_the_image(tree: Tree, context: Context) -> None:
    tmp, file = copy("COPY run /tmp/run", tree, context)
    assert (tmp.mode, tmp.uid, tmp.gid, tmp.mtime, tmp.xattrs) == (0o1777, 3, 4, 5, STICKY.xattrs)
    assert (file.mode, file.uid, file.gid, file.mtime) == (0o755, 0, 0, EPOCH)


def test_new_folders_on_the_way_have_the_owner_of_chown_and_a_mode_of_their_own(tree: Tree, context: Context) -> None:
    found = copy("COPY --chown=app:7 --chmod=640 a.txt /tmp/x/y/z", tree, context)
    assert [(each.path, each.mode, each.uid, each.gid) for each in found] == [
        ("tmp", 0o1777, 3, 4),
        ("tmp/x", 0o755, 1000, 7),
        ("tmp/x/y", 0o755, 1000, 7),
        ("tmp/x/y/z", 0o640, 1000, 7),
    ]


def test_a_folder_within_the_source_lends_its_attributes_and_the_source_itself_does_not(
    tree: Tree, context: Context
) -> None:
    found = {each.path: each for each in copy("COPY --chown=9 --chmod=750 src /app", tree, context)}
    assert (found["app"].mode, found["app"].uid) == (0o755, 0)
    assert (found["app/deep"].mode, found["app/deep"].uid) == (0o750, 9)
    assert (found["app/out"].mode, found["app/out"].uid) == (0o777, 9)
    node = tree.get("app/deep")
    assert isinstance(node, Folder)
    assert node.attributes.mode == 0o750


@pytest.mark.parametrize(
    ("instruction", "problem"),
    [
        ("COPY *.txt /x", "end the destination with a slash: /x/"),
        ("COPY a.txt /file/x", "/file is no folder in the image"),
        ("COPY src /file", "/file is no folder in the image"),
        ("COPY a.txt /to-file/", "/file is no folder in the image"),
        ("COPY absent /x", "absent is not in the build context"),
        ("COPY ../a.txt /x", "lies outside of the build context"),
        ("COPY --chown=nobody a.txt /x", 'the image has no user "nobody"'),
        ("COPY --chown=1:staff a.txt /x", 'the image has no group "staff"'),
        ("COPY wh /x", "means that a file is gone"),
        ("COPY folder /x", "means that a file is gone"),
        ("COPY bad /app", "/app/old is in the image already, and no folder"),
        ("COPY worse /app", "/app/deep is a folder in the image"),
    ],
)
def test_what_cannot_be_copied_is_refused_by_its_line(
    instruction: str, problem: str, tree: Tree, context: Context
) -> None:
    for name in ("wh/.wh.x", "folder/.wh.d/x", "bad/old/x", "worse/deep"):
        (context.folder / name).parent.mkdir(parents=True)
        (context.folder / name).write_text("")
    with pytest.raises(DockerfileError) as caught:
        copy(instruction, tree, context)
    assert problem in caught.value.message
    assert caught.value.line == 3


def test_a_later_layer_sees_what_an_earlier_one_did(tree: Tree, context: Context) -> None:
    assert shown(copy("COPY src /new", tree, context))[0] == "new/"
    assert shown(copy("COPY a.txt /new", tree, context)) == ["new/", "new/a.txt = a.txt"]
    (context.folder / "passwd").write_text("me:x:77:78::/:\n")
    copy("COPY passwd /etc/passwd", tree, context)
    assert copy("COPY --chown=me a.txt /mine", tree, context)[0].uid == 77


def test_the_accounts_that_a_link_leads_to_count(context: Context) -> None:
    (context.folder / "passwd").write_text("me:x:77:78::/:\n")
    tree = Tree()
    tree.put("etc", Link("/usr/etc"))
    assert shown(copy("COPY passwd /etc/passwd", tree, context))[-1] == "usr/etc/passwd = passwd"
    assert copy("COPY --chown=me a.txt /mine", tree, context)[0].uid == 77


def test_a_working_folder_is_made_where_it_is_missing_for_its_user(tree: Tree, context: Context) -> None:
    def make(path: str, owner: str = "") -> list[Entry]:
        step = MakeFolder(line=Line(number=1, keyword="WORKDIR", rest=path), path=path, owner=owner)
        return layer_of(step, tree, context, mtime=EPOCH)

    assert [(each.path, each.uid, each.gid) for each in make("/srv/a/b", "app")] == [
        ("srv", 1000, 50),
        ("srv/a", 1000, 50),
        ("srv/a/b", 1000, 50),
    ]
    assert make("/app") == []
    assert make("/bin") == []
    with pytest.raises(DockerfileError, match="/file is no folder"):
        make("/file")


def test_dockerignore_counts_for_copies(tree: Tree, context: Context) -> None:
    found = Context(folder=context.folder, rules=parse_dockerignore("src/*\n!src/c.py\n*.txt"))
    assert shown(copy("COPY src /x", tree, found)) == ["x/", "x/c.py = c.py"]
    with pytest.raises(DockerfileError, match=r"left out by [.]dockerignore") as caught:
        copy("COPY a.txt /x", tree, found)
    assert ".dockerignore" in caught.value.hint


@pytest.mark.parametrize("kind", ["w", "w:gz", "w:bz2", "w:xz"])
def test_add_of_an_archive_is_refused_and_copy_takes_it(kind: Any, tree: Tree, context: Context) -> None:
    with tarfile.open(context.folder / "odd.name", kind) as archive:
        archive.addfile(tarfile.TarInfo("x"), io.BytesIO())
    with pytest.raises(UnsupportedError, match=r"ADD unpacks the archive odd\.name") as caught:
        copy("ADD odd.name /x/", tree, context)
    assert "unpack it before" in caught.value.hint
    assert shown(copy("COPY odd.name /x/", tree, context)) == ["x/", "x/odd.name = odd.name"]


def test_add_of_other_files_is_a_copy(tree: Tree, context: Context) -> None:
    (context.folder / "a.tar.gz").write_bytes(b"not an archive")
    (context.folder / "zeros").write_bytes(bytes(20_480))
    (context.folder / "src" / "in.tar").write_bytes(b"")
    assert shown(copy("ADD a.tar.gz zeros /x/", tree, context)) == ["x/", "x/a.tar.gz = a.tar.gz", "x/zeros = zeros"]
    assert "y/c.py = c.py" in shown(copy("ADD src /y", tree, context))
