"""The work of `kdeploy init`: looks, guesses, asks before it overwrites, writes, and says what is to be done next."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from kdeploy.build import checkout_of, needs_engine
from kdeploy.cli.plain import program, say
from kdeploy.cli.seeing import Sight, look_at_cluster
from kdeploy.clock import Deadline, SystemClock
from kdeploy.config.file import NAMES, read_config
from kdeploy.config.flags import Flags
from kdeploy.config.settings import BuildOptions, Settings, resolve
from kdeploy.errors import ConfigError
from kdeploy.init.building import Build
from kdeploy.init.files import PLACES, Places, Wanted, Written, make_files
from kdeploy.init.guess import Found, Guess, Value, guess
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
    kept, problem = _read(Path(config)) if is_kept else ((), "")
    if len(kept) == 1:
        asked = _as_written(kept[0], asked)
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
            pushed=(kept[0].build.push_repository or "") if len(kept) == 1 else "",
        )
    )
    if {Wanted.GITLAB, Wanted.JENKINS} & set(asked.wanted):
        guessed = replace(guessed, engine=_engine(guessed, kept))
    if kept:
        built = Value(text=", ".join(one.build.dockerfile for one in kept if one.builds), why=f"as {config} says")
        guessed = replace(guessed, dockerfile=built)
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
    _tell_written(files, next_steps(guessed, asked.wanted, program(), hide(problem) if is_kept else None))
    return 0


def _is_kept(config: Path, asked: Asked) -> bool:
    """Whether what a person has written stays, and only what was asked for beside it is made."""
    return config.exists() and bool(asked.wanted) and not asked.force


def _read(config: Path) -> tuple[tuple[Settings, ...], str]:
    """What each of its services says; or none, and why it cannot be read."""
    try:
        read = read_config(config)
        return tuple(resolve(read, Flags(target=(name,))) for name in read.services), ""
    except ConfigError as error:
        return (), error.message


def _as_written(kept: Settings, asked: Asked) -> Asked:
    """With what kdeploy.yaml's one service says in the place of guesses."""
    return replace(
        asked,
        target=asked.target or str(kept.workload),
        namespace=asked.namespace or kept.namespace,
        image=asked.image or (str(kept.image) if kept.image else None),
    )


def _engine(guessed: Guess, kept: tuple[Settings, ...]) -> str:
    """Why the pipeline needs a Docker engine, by all that kdeploy.yaml may have built; "" where it needs none."""
    made = ((guessed.build,) if guessed.build else guessed.choices) or (
        Build(context=".", dockerfile="Dockerfile", why=""),
    )
    builds = [BuildOptions(dockerfile=os.path.normpath(f"{one.context}/{one.dockerfile}")) for one in made]
    if kept:
        builds = [one.build for one in kept if one.builds]
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


def _tell(guessed: Guess, sight: Sight, hide: Callable[[str], str], branch: str) -> None:
    if sight.blind:
        say(hide(f"no cluster was looked at: {sight.blind}"))
    say("guessed:")
    for line in guessed.lines():
        say(hide(f"  {line}"))
    if branch:
        say(hide(f"  {one_line(branch)}"))


def _tell_written(files: tuple[Written, ...], steps: tuple[str, ...]) -> None:
    good = marks_for(sys.stderr.encoding).good
    for file in files:
        say(f"{good} wrote {one_line(file.path)}")
    say("next:")
    for step in steps:
        say(f"  {step}")


def _printed(file: Written) -> str:
    mark = "//" if file.text.startswith("//") else "#"
    return f"{mark} {one_line(file.path)}\n{file.text}"
