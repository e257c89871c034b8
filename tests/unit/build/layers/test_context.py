"""What a builder gets of the build context."""

import os
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdeploy.build.dockerignore import is_ignored, parse_dockerignore
from kdeploy.build.layers.context import Context, Item, Kind, SourceError, open_context
from kdeploy.errors import BuildError


def make(folder: Path, files: Mapping[str, str]) -> None:
    """Files by their paths; a text of "-> x" makes a link, a path with a slash at its end a folder."""
    for path, text in files.items():
        place = folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        if path.endswith("/"):
            place.mkdir()
        elif text.startswith("-> "):
            place.symlink_to(text.removeprefix("-> "))
        else:
            place.write_text(text)


def context(folder: Path, files: Mapping[str, str], ignored: str = "") -> Context:
    make(folder, files)
    return Context(folder=folder, rules=parse_dockerignore(ignored))


def walk(found: Context, item: Item) -> list[str]:
    """The paths of all that is sent of an item, itself included."""
    below = found.children(item) if item.kind is Kind.FOLDER else ()
    return [item.path, *(path for child in below for path in walk(found, child))]


TREE = {"a.py": "", "b.py": "", "c.txt": "", "src/d.py": "", "src/deep/e.py": "", "lib/d.py": "", "lib/f[1].py": ""}


@pytest.mark.parametrize(
    ("source", "paths"),
    [
        ("a.py", ["a.py"]),
        ("/a.py", ["a.py"]),
        ("./src/../a.py", ["a.py"]),
        ("src/", ["src"]),
        (".", [""]),
        ("/", [""]),
        ("*.py", ["a.py", "b.py"]),
        ("?.txt", ["c.txt"]),
        ("[ab].py", ["a.py", "b.py"]),
        ("[^a].py", ["b.py"]),
        ("*", ["a.py", "b.py", "c.txt", "lib", "src"]),
        ("*/d.py", ["lib/d.py", "src/d.py"]),
        ("src/*/e.py", ["src/deep/e.py"]),
        ("**/e.py", []),
        ("lib/f[[]1].py", ["lib/f[1].py"]),
        ("*.md", []),
        ("[a.py", []),
        ("a.py/*", []),
    ],
)
def test_a_source_is_found_as_docker_does(tmp_path: Path, source: str, paths: list[str]) -> None:
    assert [item.path for item in context(tmp_path, TREE).find(source)] == paths


@pytest.mark.parametrize("source", ["../x", "src/../../x", "/..", "src/../..", "../*"])
def test_a_source_outside_of_the_context_is_refused(tmp_path: Path, source: str) -> None:
    inside = tmp_path / "inside"
    make(tmp_path, {"x": "secret", "inside/src/a": ""})
    with pytest.raises(SourceError, match="outside of the build context"):
        Context(folder=inside).find(source)


@pytest.mark.parametrize("source", ["absent", "src/absent", "a.py/b", "absent/*"])
def test_a_source_that_is_not_there_is_said(tmp_path: Path, source: str) -> None:
    found = context(tmp_path, TREE)
    if source.endswith("*"):
        assert found.find(source) == []
        return
    with pytest.raises(SourceError, match=f"{source} is not in the build context"):
        found.find(source)


def test_a_link_that_is_named_is_followed_and_keeps_its_name(tmp_path: Path) -> None:
    found = context(
        tmp_path, {"real": "text", "link": "-> real", "sub/up": "-> ../real", "folder": "-> sub", "chain": "-> link"}
    )
    for source, name in (("link", "link"), ("sub/up", "up"), ("folder/up", "up"), ("chain", "chain")):
        (item,) = found.find(source)
        assert (item.path, item.name, item.kind) == ("real", name, Kind.FILE)
    assert [(item.path, item.name) for item in found.find("l*")] == [("real", "link")]


def test_a_link_within_a_folder_stays_a_link(tmp_path: Path) -> None:
    found = context(tmp_path, {"src/out": "-> /etc/passwd", "src/loop": "-> .", "src/dead": "-> ./nothing//x/"})
    (folder,) = found.find("src")
    assert [(item.name, item.kind, item.target) for item in found.children(folder)] == [
        ("dead", Kind.LINK, "./nothing//x/"),
        ("loop", Kind.LINK, "."),
        ("out", Kind.LINK, "/etc/passwd"),
    ]


@pytest.mark.parametrize("target", ["/etc/passwd", "../secret", "sub/../../secret", "/"])
def test_a_link_that_leads_out_of_the_context_is_never_followed(tmp_path: Path, target: str) -> None:
    make(tmp_path, {"secret": "s3cret"})
    found = context(tmp_path / "inside", {"link": f"-> {target}", "via": "-> link", "sub/a": "", "dir": "-> .."})
    for source in ("link", "via", "link/x", "l*", "dir/secret", "dir/*"):
        with pytest.raises(SourceError, match="leads out of the build context"):
            found.find(source)


def test_a_circle_of_links_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="in circles"):
        context(tmp_path, {"a": "-> b", "b": "-> a"}).find("a")


@pytest.mark.parametrize(
    ("ignored", "paths"),
    [
        ("", ["", "a", "docs", "docs/deep", "docs/deep/c", "docs/kept", "logs", "logs/x"]),
        ("docs", ["", "a", "logs", "logs/x"]),
        ("logs/*", ["", "a", "docs", "docs/deep", "docs/deep/c", "docs/kept", "logs"]),
        ("docs\n!docs/kept", ["", "a", "docs", "docs/kept", "logs", "logs/x"]),
        ("*\n!docs/deep", ["", "docs", "docs/deep", "docs/deep/c"]),
        ("*\n!**/c", ["", "docs", "docs/deep", "docs/deep/c"]),
        ("*", [""]),
        ("**/c\ndocs/kept\n!a", ["", "a", "docs", "docs/deep", "logs", "logs/x"]),
    ],
)
def test_what_dockerignore_leaves_is_sent_with_the_folders_above(
    tmp_path: Path, ignored: str, paths: list[str]
) -> None:
    found = context(tmp_path, {"a": "", "docs/kept": "", "docs/deep/c": "", "logs/x": ""}, ignored)
    assert walk(found, found.find(".")[0]) == paths


def test_what_dockerignore_leaves_out_is_not_to_be_had_by_its_name_either(tmp_path: Path) -> None:
    found = context(tmp_path, {"secret": "", "link": "-> secret", "src/a": "", "src/b": ""}, "secret\nsrc\n!src/b")
    for source in ("secret", "link", "src/a"):
        with pytest.raises(SourceError, match=r"left out by [.]dockerignore"):
            found.find(source)
    assert [item.path for item in found.find("s*")] == ["src"]
    assert [item.path for item in found.find("src/*")] == ["src/b"]


def test_git_itself_is_never_sent(tmp_path: Path) -> None:
    found = context(tmp_path, {".git/config": "token", "sub/.git": "gitdir: x", "sub/a": "", ".gitignore": ""}, "!.git")
    assert walk(found, found.find(".")[0]) == ["", ".gitignore", "sub", "sub/a"]
    for source in (".git", ".git/config", "sub/.git"):
        with pytest.raises(SourceError, match="clone"):
            found.find(source)
    assert found.find(".g*t") == []


def test_modes_are_those_that_git_knows(tmp_path: Path) -> None:
    found = context(tmp_path, dict.fromkeys("abcd", "") | {"e/": ""})
    for name, mode in (("a", 0o600), ("b", 0o666), ("c", 0o700), ("d", 0o4655), ("e", 0o700)):
        (tmp_path / name).chmod(mode)
    (folder,) = found.find(".")
    assert [item.mode for item in found.children(folder)] == [0o644, 0o644, 0o755, 0o644, 0o755]


def test_what_is_no_file_folder_or_link_is_left_out(tmp_path: Path) -> None:
    found = context(tmp_path, {"a": ""})
    os.mkfifo(tmp_path / "pipe")
    (folder,) = found.find(".")
    assert [item.name for item in found.children(folder)] == ["a"]
    with pytest.raises(SourceError, match="pipe is not in"):
        found.find("pipe")


def test_a_dockerfile_may_have_an_ignore_file_of_its_own(tmp_path: Path) -> None:
    make(tmp_path, {".dockerignore": "a", "web.Dockerfile.dockerignore": "b", "a": "", "b": ""})
    for dockerfile, left_out in (("Dockerfile", "a"), ("web.Dockerfile", "b")):
        found = open_context(str(tmp_path), str(tmp_path / dockerfile))
        assert is_ignored(left_out, found.rules)
        assert not is_ignored("ab".replace(left_out, ""), found.rules)
    assert open_context(str(tmp_path / "absent"), "x").rules == ()


def test_a_broken_ignore_file_is_an_error(tmp_path: Path) -> None:
    make(tmp_path, {".dockerignore": "a\n[b"})
    with pytest.raises(BuildError, match=r"\.dockerignore, line 2: \[b is no pattern"):
        open_context(str(tmp_path), "Dockerfile")
    (tmp_path / ".dockerignore").write_bytes(b"#" * (2 << 20))
    with pytest.raises(BuildError, match="larger"):
        open_context(str(tmp_path), "Dockerfile")


NAMES = st.sampled_from(["a", "b", "c.py", "[d]", "e f"])
PATHS = st.lists(NAMES, min_size=1, max_size=3).map("/".join)


@settings(max_examples=30)
@given(st.sets(PATHS, max_size=8), st.lists(st.sampled_from(["*", "**/c.py", "!a/b", "!**/a", "b", "a/*", "!c.py"])))
def test_a_walk_sends_just_the_files_that_are_not_ignored(
    tmp_path_factory: pytest.TempPathFactory, paths: set[str], rules: list[str]
) -> None:
    files = {path for path in paths if not any(other.startswith(f"{path}/") for other in paths)}
    found = context(tmp_path_factory.mktemp("context"), dict.fromkeys(files, ""), "\n".join(rules))
    sent = {path for path in walk(found, found.find(".")[0]) if path in files}
    assert sent == {path for path in files if not is_ignored(path, found.rules)}
