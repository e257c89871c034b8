"""What a container runs, from the pod's spec and the image's config."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kdeploy.sandbox.kubelet.command import DEFAULT_PATH, Command, StartError, command_of, expand

INTERPRETER = "/usr/bin/python3-of-the-sandbox"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    for name in ("app/run", "usr/bin/tool"):
        place = root / name
        place.parent.mkdir(parents=True)
        place.write_text("#!/bin/sh\n")
        place.chmod(0o755)
    (root / "app/data").write_text("no program")
    return root


def command(root: Path, container: dict[str, Any], image: dict[str, Any], env: dict[str, str] | None = None) -> Command:
    return command_of(container, {"config": image}, env or {}, root, INTERPRETER)


@pytest.mark.parametrize(
    ("container", "argv"),
    [
        ({}, ["/app/run", "a"]),
        ({"args": ["b", "$(NAME)"]}, ["/app/run", "b", "web"]),
        ({"command": ["tool", "$$(NAME)"]}, ["tool", "$(NAME)"]),
        ({"command": ["tool"], "args": ["c"]}, ["tool", "c"]),
    ],
)
def test_command_replaces_entry_point_and_args_and_args_alone_the_images(
    root: Path, container: dict[str, Any], argv: list[str]
) -> None:
    image = {"Entrypoint": ["/app/run"], "Cmd": ["a"]}
    assert list(command(root, container, image, {"NAME": "web"}).argv) == argv


@pytest.mark.parametrize(
    ("name", "found"),
    [("/app/run", "app/run"), ("./run", "app/./run"), ("tool", "usr/bin/tool"), ("/app/../app/run", "app/run")],
)
def test_a_program_is_looked_up_in_the_root(root: Path, name: str, found: str) -> None:
    built = command(root, {}, {"Entrypoint": [name], "WorkingDir": "/app"})
    assert built.program == str(root / found)
    assert built.folder == str(root / "app")


@pytest.mark.parametrize("name", ["python", "python3"])
def test_python_is_the_sandboxs_own_where_the_image_has_none(root: Path, name: str) -> None:
    found = command(root, {}, {"Entrypoint": [name, "x.py"]})
    assert (found.program, found.argv) == (INTERPRETER, (INTERPRETER, "x.py"))
    mine = root / "usr/bin" / name
    mine.write_text("")
    mine.chmod(0o755)
    assert command(root, {}, {"Entrypoint": [name]}).program == str(mine)


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["sh", "-c", "true"], 'exec: "sh": executable file not found in $PATH'),
        (["/bin/sh"], 'exec: "/bin/sh": stat /bin/sh: no such file or directory'),
        (["/app/data"], 'exec: "/app/data": stat'),
        (["../../../../bin/sh"], "exec: "),
        ([], "no command specified"),
    ],
)
def test_programs_of_the_machine_are_not_found(root: Path, argv: list[str], words: str) -> None:
    with pytest.raises(StartError) as error:
        command(root, {}, {"Entrypoint": argv})
    assert str(error.value).startswith(words)


def test_a_link_does_not_lead_to_a_program_of_the_machine(root: Path) -> None:
    (root / "app/sh").symlink_to("/bin/sh")
    with pytest.raises(StartError):
        command(root, {}, {"Entrypoint": ["/app/sh"]})


def test_a_working_folder_that_is_not_there_cannot_be_started_in(root: Path) -> None:
    with pytest.raises(StartError, match="chdir to cwd"):
        command(root, {"workingDir": "/nope"}, {"Entrypoint": ["/app/run"]})


def test_the_environment_is_the_images_and_then_the_pods_and_nothing_else(root: Path) -> None:
    image = {"Entrypoint": ["/app/run"], "Env": ["A=image", "B=image=2"]}
    assert command(root, {}, image, {"A": "pod"}).env == {"PATH": DEFAULT_PATH, "A": "pod", "B": "image=2"}


@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        ("$(A)", "1"),
        ("$(A)$(B)", "1$(B)"),
        ("$$(A)", "$(A)"),
        ("$$$(A)", "$1"),
        ("$A ${A} $(A", "$A ${A} $(A"),
        ("$(my.var-1_x)", "dots"),
        ("100%$", "100%$"),
    ],
)
def test_references_expand_as_kubernetes_does_it(text: str, expanded: str) -> None:
    assert expand(text, {"A": "1", "my.var-1_x": "dots"}) == expanded
