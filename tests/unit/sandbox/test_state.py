"""The sandbox's folder: found, locked, told, and left as it was."""

from __future__ import annotations

import base64
import json
import os
import stat
from pathlib import Path

import pytest

from kdeploy.errors import RefusedError
from kdeploy.sandbox.state import Folder, Served, default_folder, kubeconfig, process_start, write_private
from kdeploy.secret import Secret


@pytest.mark.parametrize(
    ("env", "expected"),
    [
        ({"HOME": "/home/ann"}, "/home/ann/.local/state/kdeploy/sandbox"),
        ({"HOME": "/home/ann", "XDG_STATE_HOME": "/state"}, "/state/kdeploy/sandbox"),
        ({"HOME": "/home/ann", "XDG_STATE_HOME": "relative"}, "/home/ann/.local/state/kdeploy/sandbox"),
    ],
)
def test_the_default_folder_follows_the_base_directory_specification(env: dict[str, str], expected: str) -> None:
    assert str(default_folder(env)) == expected


def served(**fields: object) -> Served:
    own = {"pid": os.getpid(), "started": process_start(os.getpid()), "api": "a", "registry": "r", "network": "n"}
    return Served(**(own | fields))  # type: ignore[arg-type]


def test_who_serves_is_found_while_that_very_process_is_there(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    assert folder.read() is None
    folder.write(served())
    assert folder.read() == served()
    folder.write(served(started="1"))  # the number is another process's now
    assert folder.read() is None
    folder.write(served(pid=2**22 + 1))
    assert folder.read() is None
    (tmp_path / "state.json").write_text('{"pid": "half')
    assert folder.read() is None


def test_only_one_can_hold_a_folder(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    lock = folder.hold()
    with pytest.raises(RefusedError, match="already"):
        folder.hold()
    os.close(lock)
    os.close(folder.hold())


def test_a_lock_that_was_cleared_away_is_made_anew(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "state")
    folder.make()
    lock = folder.hold()
    folder.clear()
    folder.make()
    other = folder.hold()
    assert folder.lock.exists()
    os.close(lock)
    os.close(other)


def test_what_the_user_put_there_stays(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "state")
    folder.make()
    for name in ("state.json", "kubeconfig", "mine.txt"):
        (folder.path / name).write_text("x")
    root = folder.path / "roots" / "sha256-1" / "app"
    root.mkdir(parents=True)
    (root / "file").write_text("x")
    root.chmod(0o555)
    folder.clear()
    assert [path.name for path in folder.path.iterdir()] == ["mine.txt"]
    (folder.path / "mine.txt").unlink()
    folder.clear()
    assert not folder.path.exists()


def test_a_link_in_the_place_of_a_folder_is_removed_and_not_what_it_leads_to(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "file").write_text("x")
    folder = Folder(tmp_path / "state")
    folder.make()
    (folder.path / "pods").symlink_to(precious)
    folder.clear()
    assert (precious / "file").exists()


def test_a_folder_that_cannot_be_made_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RefusedError, match="cannot be used: Not a directory"):
        Folder(tmp_path / "file" / "state").make()


def test_private_files_are_their_owners_alone(tmp_path: Path) -> None:
    write_private(tmp_path / "kubeconfig", "text")
    assert stat.S_IMODE((tmp_path / "kubeconfig").stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["kubeconfig"]


def test_a_kubeconfig_has_the_server_its_certificate_and_the_token() -> None:
    config = json.loads(kubeconfig("https://127.0.0.1:1", Secret("t0ken"), "PEM"))
    cluster = config["clusters"][0]["cluster"]
    assert cluster["server"] == "https://127.0.0.1:1"
    assert base64.b64decode(cluster["certificate-authority-data"]) == b"PEM"
    assert config["users"][0]["user"] == {"token": "t0ken"}
    assert config["contexts"][0]["name"] == config["current-context"]
