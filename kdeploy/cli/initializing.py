"""The work of `kdeploy init`: looks, guesses, asks before it overwrites, writes, and says what is to be done next."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from kdeploy.build import checkout_of, needs_engine
from kdeploy.cli.keeping import Kept, read_kept
from kdeploy.cli.plain import program, say
from kdeploy.cli.seeing import Sight, look_at_cluster
from kdeploy.clock import Deadline, SystemClock
from kdeploy.config.file import NAMES
from kdeploy.config.settings import BuildOptions, Settings
from kdeploy.errors import ConfigError
from kdeploy.init.building import Build
from kdeploy.init.files import PLACES, Places, Wanted, Written, make_files
from kdeploy.init.guess import Found, Guess, guess
from kdeploy.init.look import find_dockerfiles
from kdeploy.init.next_steps import next_steps
from kdeploy.init.write import refuse_taken, taken, unchanged, write_all
from kdeploy.report.redact import Redactor
from kdeploy.report.wording import marks_for
from kdeploy.text import one_line

GIT_SECONDS = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the person gave."""

    target: str | None
    env: str | None
    namespace: str | None
    context: str | None
    kubeconfig: str | None
    image: str | None
    wanted: tuple[Wanted, ...]
    force: bool
    dry_run: bool


def begin(asked: Asked) -> int:
    """Writes the files, or prints them.

    Raises ConfigError: a wrong TARGET, --env or image; none, where kdeploy.yaml has several; a file that may not be
    written.
    """
    folder, hide = Path.cwd(), Redactor()
    config = next((one for one in NAMES if (folder / one).exists()), NAMES[0])
    is_kept = _is_kept(folder / config, asked)
    if not is_kept:
        _refuse_names(asked)
    kept = read_kept(Path(config), asked.target, asked.env) if is_kept else Kept()
    checkout = checkout_of(str(folder), os.environ, Deadline(SystemClock().now, GIT_SECONDS))
    top = Path(checkout.top) if checkout.top else folder
    own = kept.settings
    context = asked.context or (own.context if own else None)
    namespace = (own.namespace if own else None) or asked.namespace  # the pipeline deploys to what the file says
    sight = look_at_cluster(asked.kubeconfig, context, namespace, os.environ, hide)
    if own and own.namespace:
        sight = replace(sight, why=f"from {config}")
    found = _found(asked, sight, checkout.remote, folder, top)
    guessed = kept.correct(guess(kept.fill(found, config)), config) if is_kept else guess(found)
    if {Wanted.GITLAB, Wanted.JENKINS} & set(asked.wanted):
        guessed = replace(guessed, engine=_engine(guessed, own))
    files = make_files(guessed, asked.wanted, Places(config=config, below=checkout.below, branch=checkout.branch))
    branch = f"branch: {checkout.branch} ({checkout.branch_why})" if set(asked.wanted) & set(PLACES) else ""
    files = files[1:] if is_kept else files
    if asked.dry_run:
        _tell(guessed.lines(kept=is_kept), sight, hide, branch)
        sys.stdout.write(hide("\n".join(map(_printed, files))))
        return 0
    _agree(files, top, asked.force)
    same = unchanged(files, top)
    write_all([file for file in files if file not in same], top)
    _tell(guessed.lines(kept=is_kept), sight, hide, branch)
    if is_kept:
        say(f"{config} is there already, and was kept; --force makes it anew")
    steps = next_steps(guessed, asked.wanted, program(), hide(kept.problem) if is_kept else None)
    _tell_written(files, same, steps)
    return 0


def _found(asked: Asked, sight: Sight, remote: str, folder: Path, top: Path) -> Found:
    return Found(
        name=remote.rpartition("/")[2] or top.name,
        remote=remote,
        dockerfiles=find_dockerfiles(folder),
        workloads=sight.workloads,
        blind=sight.blind,
        namespace=sight.namespace,
        namespace_why=sight.why,
        target=asked.target,
        image=asked.image,
    )


def _is_kept(config: Path, asked: Asked) -> bool:
    """Whether what a person has written stays, and only what was asked for beside it is made."""
    return config.exists() and bool(asked.wanted) and not asked.force


def _refuse_names(asked: Asked) -> None:
    """A kdeploy.yaml that is to be made has no services or environments yet."""
    beside = "beside a kdeploy.yaml that is kept, with --github, --gitlab, --jenkins or --rbac, and without --force"
    if asked.target and "/" not in asked.target:
        name = one_line(asked.target, 80)
        hint = f"write deployment/{name}; a service's name is taken {beside}"
        raise ConfigError(f'"{name}" is no KIND/NAME', hint=hint)
    if asked.env:
        raise ConfigError("--env is for a kdeploy.yaml that has environments", hint=f"it is taken {beside}")


def _engine(guessed: Guess, own: Settings | None) -> str:
    """Why the pipeline needs a Docker engine, by all that kdeploy.yaml may have built; "" where it needs none."""
    made = ((guessed.build,) if guessed.build else guessed.choices) or (
        Build(context=".", dockerfile="Dockerfile", why=""),
    )
    builds = [BuildOptions(dockerfile=os.path.normpath(f"{one.context}/{one.dockerfile}")) for one in made]
    if own:
        builds = [own.build] if own.builds else []
    return next(filter(None, map(needs_engine, builds)), "")


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


def _tell(lines: tuple[str, ...], sight: Sight, hide: Callable[[str], str], branch: str) -> None:
    if sight.blind:
        say(hide(f"no cluster was looked at: {sight.blind}"))
    say("guessed:")
    for line in lines:
        say(hide(f"  {line}"))
    if branch:
        say(hide(f"  {one_line(branch)}"))


def _tell_written(files: tuple[Written, ...], same: tuple[Written, ...], steps: tuple[str, ...]) -> None:
    good = marks_for(sys.stderr.encoding).good
    for file in files:
        path = one_line(file.path)
        say(f"{good} {path} is there already, and says the same" if file in same else f"{good} wrote {path}")
    say("next:")
    for step in steps:
        say(f"  {step}")


def _printed(file: Written) -> str:
    mark = "//" if file.text.startswith("//") else "#"
    return f"{mark} {one_line(file.path)}\n{file.text}"
