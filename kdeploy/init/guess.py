"""From what was found in a repository and a cluster to what kdeploy.yaml will say, each with its reason. Pure."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from kdeploy.config.target import Workload, parse_workload
from kdeploy.init.building import SHOWN, Build, Chosen, build_of, choose
from kdeploy.init.checks import CheckGuess, guess_check
from kdeploy.init.dockerfile import Dockerfile
from kdeploy.init.images import container_images, is_gitlabs, is_own, of_remote, placeholder, runs, runs_named
from kdeploy.model import Kind, Obj
from kdeploy.reference import derive_repository, parse
from kdeploy.rollout.objects import all_containers, kind_of, name_of
from kdeploy.rollout.template import template_of
from kdeploy.text import one_line

SAID = "as you said"


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What was looked at. `name` is the repository's or its folder's, `remote` its web address, "" for none.

    `workloads`: those of the namespace; empty with `blind`, which says why nobody could be asked. `namespace`: what the
    flag or the context names, `namespace_why` which of them. `target` and `image`: what is given, `target_why` and
    `image_why` by whom. `pushed`: where the image is pushed to, "" for its own name.
    """

    name: str
    remote: str = ""
    dockerfiles: tuple[Dockerfile, ...] = ()
    workloads: tuple[Obj, ...] = ()
    blind: str = ""
    namespace: str = "default"
    namespace_why: str = ""
    target: str | None = None
    target_why: str = SAID
    image: str | None = None
    image_why: str = SAID
    pushed: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """A guessed value. `sure` is false for what the person has to replace or look at."""

    text: str
    why: str
    sure: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Guess:
    """What kdeploy.yaml will say. `build`: None where the defaults do; `containers`: empty where the image tells.

    `choices`: the builds of which a person has to choose one, where nothing tells which is meant. `engine`: why a
    pipeline needs a Docker engine to build, "" where it needs none. `pushed`: the name that the image is pushed to.
    `remote`: the repository's web address, "" for none. `service` and `environment`: what a deploy is told beside a
    kdeploy.yaml that was there, None where that alone tells it.
    """

    target: Value
    kind: Kind
    name: str
    namespace: Value
    image: Value
    check: CheckGuess
    containers: tuple[str, ...] = ()
    build: Build | None = None
    choices: tuple[Build, ...] = ()
    dockerfile: Value
    engine: str = ""
    pushed: str
    remote: str = ""
    service: Value | None = None
    environment: Value | None = None

    @property
    def arguments(self) -> str:
        """TARGET and --env of a deploy, as a shell reads them, each after a space; "" where it needs none."""
        target = f" {shlex.quote(self.service.text)}" if self.service else ""
        return target + (f" --env {shlex.quote(self.environment.text)}" if self.environment else "")

    @property
    def on_ghcr(self) -> bool:
        """Whether the image is pushed to GitHub's own registry, which GitHub's token is for."""
        return self.pushed.startswith("ghcr.io/")

    @property
    def on_gitlab(self) -> bool:
        """The same of GitLab's."""
        return is_gitlabs(self.pushed, self.remote)

    @property
    def registry(self) -> str:
        """The one that is pushed to."""
        return parse(self.pushed).domain

    def lines(self, *, kept: bool = False) -> tuple[str, ...]:
        """What was guessed and why, a line each; where kdeploy.yaml is kept without what it alone would say."""
        told = [(key, one) for key, one in (("service", self.service), ("environment", self.environment)) if one]
        told += [("target", self.target), ("namespace", self.namespace), ("image", self.image)]
        told.append(("dockerfile", self.dockerfile))
        if self.engine:
            told.append(("engine", Value(text="the pipeline needs one to build", why=self.engine)))
        if self.containers and not kept:
            told.append(("containers", Value(text=", ".join(self.containers), why="none of them runs the image yet")))
        if not kept:
            told.append(("check", Value(text=self.check.shown, why=self.check.why, sure=self.check.path != "")))
        return tuple(one_line(f"{key}: {value.text} ({value.why})") for key, value in told)


def guess(found: Found) -> Guess:
    """The guesses. Raises ConfigError for a TARGET or an image that cannot be one."""
    given = parse(found.image, what="--image") if found.image else None
    derived = given.repository if given else of_remote(found.remote)
    names = tuple(dict.fromkeys(filter(None, (_plain(found.name), derived.rpartition("/")[2]))))
    workload, target, why, sure = _workload(found, derived, names)
    image = _image(found, str(given or ""), derived, workload if sure else None, names)
    chosen = choose(found.dockerfiles, (target.name, parse(image.text).path.rpartition("/")[2]))
    return Guess(
        target=Value(text=str(target), why=why, sure=sure),
        kind=target.kind,
        name=target.name,
        namespace=Value(text=found.namespace, why=found.namespace_why),
        image=image,
        pushed=found.pushed or image.text,
        remote=found.remote,
        containers=_containers(workload, image.text, names),
        build=_build(chosen),
        choices=tuple(build_of(one, chosen.why) for one in chosen.fitting) if chosen.only is None else (),
        dockerfile=_dockerfile(chosen),
        check=guess_check(workload, chosen.only, image.text),
    )


def _workload(found: Found, image: str, names: Sequence[str]) -> tuple[Obj | None, Workload, str, bool]:
    """The workload where it was seen, its kind and name, why, and whether that is more than a placeholder."""
    if found.target:
        wanted = parse_workload(found.target)
        seen = next((one for one in found.workloads if _as_target(one) == wanted), None)
        there = "" if seen or found.blind else f"; it is not in namespace {found.namespace} yet"
        return seen, wanted, f"{found.target_why}{there}", True
    rules = (
        ("it runs this repository's image", [one for one in found.workloads if image and runs(one, image)]),
        ("its image is named like the repository", [one for one in found.workloads if runs_named(one, names)]),
        ("it is named like the repository", [one for one in found.workloads if name_of(one) in names]),
        (f"a guess, please check: it is the only one in namespace {found.namespace}", list(found.workloads)),
    )
    for why, fitting in rules:
        if len(fitting) == 1:
            return fitting[0], _as_target(fitting[0]), why, True
    name = _plain(found.name) or "app"
    others = ", ".join(str(_as_target(one)) for one in found.workloads[:SHOWN])
    why = f"there are {others}" if others else f"namespace {found.namespace} has no workload"
    if found.blind:  # the cause is told, not written down: it may name what is nobody else's business
        why = "no cluster was looked at"
    return None, Workload(kind=Kind.DEPLOYMENT, name=name), f"a placeholder: {why}", False


def _image(found: Found, given: str, derived: str, workload: Obj | None, names: Sequence[str]) -> Value:
    if given:
        return Value(text=given, why=found.image_why)
    if derived:
        return Value(text=derived, why=f"the registry that belongs to {one_line(found.remote, 100)}")
    own = [image for _, image in container_images(workload) if is_own(image)] if workload else []
    named = [image for image in own if image.path.rpartition("/")[2] in names] or own
    if named:
        return Value(text=named[0].repository, why="what the workload runs now")
    return Value(text=placeholder(found.name), why="a placeholder: nothing tells your registry", sure=False)


def _containers(workload: Obj | None, image: str, names: Sequence[str]) -> tuple[str, ...]:
    """The container to name where the image tells none of several."""
    if workload is None or runs(workload, image):
        return ()
    template = template_of(workload)
    if len(all_containers(template)) < 2:
        return ()
    present = [str(one["name"]) for one in template["spec"]["containers"]]
    return (next((name for name in present if name in (*names, name_of(workload))), present[0]),)


def _build(chosen: Chosen) -> Build | None:
    """None for the default, and where there is nothing to say."""
    only = chosen.only
    return None if only is None or only.path == "Dockerfile" else build_of(only, chosen.why)


def _dockerfile(chosen: Chosen) -> Value:
    if chosen.only is not None:
        return Value(text=chosen.only.path, why=chosen.why)
    if chosen.fitting:
        return Value(text="none chosen", why=f"a placeholder: {chosen.why}", sure=False)
    return Value(text="none", why=chosen.why, sure=False)


def _as_target(workload: Obj) -> Workload:
    return Workload(kind=kind_of(workload), name=name_of(workload))


def _plain(name: str) -> str:
    """A repository's name as a workload may bear it: lower case, digits and dashes."""
    return re.sub(r"[^a-z0-9]+", "-", derive_repository(name.replace("/", "-"))).strip("-")[:63].strip("-")
