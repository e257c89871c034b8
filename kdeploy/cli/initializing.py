"""The work of `kdeploy init`: looks, guesses, asks before it overwrites, writes, and says what is to be done next."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from kdeploy.build import checkout_of
from kdeploy.cli.plain import program, say
from kdeploy.cli.seeing import Sight, look_at_cluster
from kdeploy.clock import Deadline, SystemClock
from kdeploy.config.file import NAMES, read_config
from kdeploy.errors import ConfigError
from kdeploy.init.files import PLACES, Places, Wanted, Written, make_files
from kdeploy.init.guess import Found, Guess, guess
from kdeploy.init.look import find_dockerfiles
from kdeploy.init.next_steps import next_steps
from kdeploy.init.write import refuse_taken, taken, write_all
from kdeploy.report.redact import Redactor
from kdeploy.report.wording import marks_for
from kdeploy.text import one_line

GIT_SECONDS = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the person gave."""

    target: str | None
    namespace: str | None
    context: str | None
    kubeconfig: str | None
    image: str | None
    wanted: tuple[Wanted, ...]
    force: bool
    dry_run: bool


def begin(asked: Asked) -> int:
    """Writes the files, or prints them. Raises ConfigError: a wrong TARGET or image, a file that may not be written."""
    folder, hide = Path.cwd(), Redactor()
    config = next((one for one in NAMES if (folder / one).exists()), NAMES[0])
    is_kept = _is_kept(folder / config, asked)
    if is_kept:
        asked = _as_written(folder / config, asked)
    checkout = checkout_of(str(folder), os.environ, Deadline(SystemClock().now, GIT_SECONDS))
    top = Path(checkout.top) if checkout.top else folder
    sight = look_at_cluster(asked.kubeconfig, asked.context, asked.namespace, os.environ, hide)
    name = checkout.remote.rpartition("/")[2] or top.name
    guessed = guess(
        Found(
            name=name,
            remote=checkout.remote,
            dockerfiles=find_dockerfiles(folder),
            workloads=sight.workloads,
            blind=sight.blind,
            namespace=sight.namespace,
            namespace_why=sight.why,
            target=asked.target,
            image=asked.image,
        )
    )
    files = make_files(guessed, asked.wanted, Places(config=config, below=checkout.below, branch=checkout.branch))
    branch = f"branch: {checkout.branch} ({checkout.branch_why})" if set(asked.wanted) & set(PLACES) else ""
    files = files[1:] if is_kept else files
    if asked.dry_run:
        _tell(guessed, sight, hide, branch)
        sys.stdout.write(hide("\n".join(map(_printed, files))))
        return 0
    _agree(files, top, asked.force)
    write_all(files, top)
    _tell(guessed, sight, hide, branch)
    if is_kept:
        say(f"{config} is there already, and was kept; --force makes it anew")
    _tell_written(files, guessed, asked.wanted)
    return 0


def _is_kept(config: Path, asked: Asked) -> bool:
    """Whether what a person has written stays, and only what was asked for beside it is made."""
    return config.exists() and bool(asked.wanted) and not asked.force


def _as_written(config: Path, asked: Asked) -> Asked:
    """With what its one service says in the place of guesses; one that cannot be read is `deploy`'s to complain of."""
    try:
        services = list(read_config(config).services.values())
    except ConfigError:
        return asked
    if len(services) != 1:
        return asked
    return replace(
        asked,
        target=asked.target or services[0].target,
        namespace=asked.namespace or services[0].namespace,
        image=asked.image or services[0].image,
    )


def _agree(files: tuple[Written, ...], top: Path, force: bool) -> None:
    """Asks about each file that is there already; raises ConfigError where one may not be overwritten."""
    there = () if force else taken(files, top)
    ask = _ask if sys.stdin.isatty() and sys.stderr.isatty() else _nobody
    refuse_taken(there, tuple(file for file in there if not ask(file)))


def _ask(file: Written) -> bool:
    sys.stderr.write(f"{file.path} is there already. Overwrite it? [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _nobody(_: Written) -> bool:
    return False


def _tell(guessed: Guess, sight: Sight, hide: Callable[[str], str], branch: str) -> None:
    if sight.blind:
        say(hide(f"no cluster was looked at: {sight.blind}"))
    say("guessed:")
    for line in guessed.lines():
        say(hide(f"  {line}"))
    if branch:
        say(hide(f"  {one_line(branch)}"))


def _tell_written(files: tuple[Written, ...], guessed: Guess, wanted: tuple[Wanted, ...]) -> None:
    good = marks_for(sys.stderr.encoding).good
    for file in files:
        say(f"{good} wrote {one_line(file.path)}")
    say("next:")
    for line in next_steps(guessed, wanted, program()):
        say(f"  {line}")


def _printed(file: Written) -> str:
    mark = "//" if file.text.startswith("//") else "#"
    return f"{mark} {one_line(file.path)}\n{file.text}"
