"""`make release VERSION=v1.2.3 IMAGE=REGISTRY/OWNER/kdeploy@sha256:...`: a release's tags, made here, pushed by you.

On main action.yml builds the Dockerfile; in a release it names the published image by its digest, so that a workflow
waits for a pull and not for a build. That one line is the whole commit; no branch has it.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from kdeploy.errors import KdeployError
from kdeploy.reference import parse

ON_MAIN = "  image: Dockerfile\n"
_VERSION = re.compile(r"v(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?")
"""https://semver.org, without build metadata: git takes no + in a tag that GitHub's `uses` could name."""


class ReleaseError(Exception):
    """Why there is no release. Nothing was changed."""


def main(arguments: Sequence[str]) -> int:
    """Makes the tags and prints how to publish them; the exit code."""
    parser = argparse.ArgumentParser(prog="make release", description="The tags of a release.")
    parser.add_argument("--version", required=True)
    parser.add_argument("--image", required=True)
    given = parser.parse_args(arguments)
    try:
        tags = release(Path(), given.version, given.image)
    except ReleaseError as error:
        print(f"release: {error}; nothing was changed", file=sys.stderr)
        return 1
    print(published(tags, given.image))
    return 0


def release(repository: Path, version: str, image: str) -> list[str]:
    """Makes the release's tag and moves that of its major version; both. Pushes nothing.

    The branch, the index and the files of the working tree stay as they are. Raises ReleaseError.
    """
    check(version, image, (repository / "kdeploy/__init__.py").read_text(encoding="utf-8"))
    if git(repository, "status", "--porcelain"):
        raise ReleaseError("the working tree has changes that are in no commit")
    known = git(repository, "tag", "--list").split()
    if version in known:
        raise ReleaseError(f"the tag {version} is there already")
    refuse_stale(version, known, tags_of_origin(repository))
    text = action((repository / "action.yml").read_text(encoding="utf-8"), image)
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder, "tree")
        git(repository, "worktree", "add", "--quiet", "--detach", str(tree), "HEAD")
        try:
            (tree / "action.yml").write_text(text, encoding="utf-8")
            git(tree, "commit", "--quiet", "--all", "--no-verify", f"--message=Release {version}")
            tags = [version, *moving_tags(version, known)]  # its own first: where it cannot be, none is moved
            make_tags(tree, version, tags)
        finally:
            git(repository, "worktree", "remove", "--force", str(tree))
    return tags


def tags_of_origin(repository: Path) -> list[str]:
    """The tags that origin has; none, and a warning on stderr, where it cannot be asked."""
    try:
        lines = git(repository, "ls-remote", "--tags", "--refs", "origin").splitlines()
    except ReleaseError as error:
        said = str(error).partition("\n")[0]
        print(f"release: warning: origin could not be asked for newer releases ({said})", file=sys.stderr)
        print("release: look at its tags before you push a tag that moves", file=sys.stderr)
        return []
    return [line.rpartition("refs/tags/")[2] for line in lines]


def refuse_stale(version: str, known: Sequence[str], there: Sequence[str]) -> None:
    """Raises ReleaseError where origin has, and this clone has not, the version itself or a newer one: v1, which
    everybody runs, would move back.
    """
    moves = moving_tags(version, [])
    unknown = [tag for tag in there if tag not in known]
    missing = [tag for tag in unknown if tag == version or (moves and not moving_tags(version, [tag]))]
    if missing:
        raise ReleaseError(f"origin has {', '.join(missing)}, which this clone has not: git fetch --tags origin")


def make_tags(tree: Path, version: str, tags: Sequence[str]) -> None:
    """All of `tags` at the commit of `tree`, its own first, or none. Raises ReleaseError."""
    for tag in tags:
        try:
            git(tree, "tag", "--annotate", "--force", f"--message=kdeploy {version}", tag)
        except ReleaseError:
            if tag != tags[0]:  # git has no v1 where there is a v1/old
                git(tree, "tag", "--delete", tags[0])
            raise


def check(version: str, image: str, package: str) -> None:
    """Raises ReleaseError for a version or an image that no release can have. `package`: kdeploy/__init__.py."""
    if not _VERSION.fullmatch(version):
        raise ReleaseError(f"VERSION is {version!r}, and has to be vX.Y.Z")
    if f'__version__ = "{version[1:]}"' not in package:
        raise ReleaseError(f"{version} is not the version in kdeploy/__init__.py: set that first, and commit it")
    try:
        named = parse(image, what="IMAGE")
    except KdeployError as error:
        raise ReleaseError(str(error)) from error
    if not named.digest:
        raise ReleaseError(f"IMAGE is {image!r}, and has to end in the digest of the published image: @sha256:...")


def action(text: str, image: str) -> str:
    """action.yml of the release. Raises ReleaseError where it is not that of main."""
    if text.count(ON_MAIN) != 1:
        raise ReleaseError("action.yml does not say `image: Dockerfile`: a release is made from main")
    return text.replace(ON_MAIN, f"  image: docker://{image}\n")


def moving_tags(version: str, known: Sequence[str]) -> list[str]:
    """The tag that follows the newest release of a major version: "v1", or none for a pre-release or an older one."""
    this = _VERSION.fullmatch(version)
    assert this
    same = [match for tag in known if (match := _VERSION.fullmatch(tag)) and match[1] == this[1] and not match[4]]
    newer = [match for match in same if _numbers(match) > _numbers(this)]
    return [] if this[4] or newer else [f"v{this[1]}"]


def _numbers(version: re.Match[str]) -> tuple[int, ...]:
    return tuple(int(version[group]) for group in (1, 2, 3))


def published(tags: Sequence[str], image: str) -> str:
    """What to do next."""
    moved = "".join(f"  git push --force origin refs/tags/{tag}\n" for tag in tags[1:])
    stays = f"{tags[0].partition('.')[0]} stays where it is: a newer release is there.\n"
    early = "Mind: README, docs and examples name @v1, which a release of major version 0 does not make or move.\n"
    return (
        f"{early if tags[0].startswith('v0.') else ''}"
        f"{'' if moved or '-' in tags[0] else stays}"
        f"{' and '.join(tags)} made here, with action.yml at docker://{image}. To publish:\n"
        f"  docker buildx imagetools inspect {image}    # it is there, for every platform\n"
        f"  git push origin refs/tags/{tags[0]}\n{moved}"
        f"To undo instead (a tag that moved has its old commit in git reflog or on the remote):\n"
        f"  git tag --delete {' '.join(tags)}"
    )


def git(folder: Path, *words: str) -> str:
    """A git command; what it prints. Raises ReleaseError with its own words."""
    command = ["git", "-C", str(folder), *words]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    except subprocess.TimeoutExpired as error:
        raise ReleaseError(f"git {words[0]} did not end within 60 s") from error
    if done.returncode:
        raise ReleaseError(f"git {words[0]}: {done.stderr.strip() or done.returncode}")
    return done.stdout


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
