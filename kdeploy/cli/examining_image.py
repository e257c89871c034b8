"""What `kdeploy doctor` asks about the image: the checkout, the builder, the registry."""

from __future__ import annotations

from kdeploy.build import (
    Source,
    choose_engine,
    inspect_source,
    is_shallow,
    login_name,
    open_registry,
    read_dockerfile,
    refuse_unbuildable,
)
from kdeploy.cli.files import files_of
from kdeploy.cli.login import docker_env
from kdeploy.cli.questions import Questions
from kdeploy.cli.run import Session
from kdeploy.clock import Deadline
from kdeploy.config.settings import BuildOptions, Settings
from kdeploy.doctor.check import Check, bad, good, not_asked
from kdeploy.doctor.machine import judge_builder, judge_git, judge_pull
from kdeploy.errors import RefusedError
from kdeploy.reference import Reference

_NO_CONFIG = "it is not known what to build, see config"


def examine_image(
    session: Session, settings: Settings | None, questions: Questions
) -> tuple[str | None, tuple[Check, ...]]:
    """The commit that would be deployed, as far as it is known, and the checks."""
    if settings is not None and not settings.builds:
        git = good("git", f"not needed: {settings.image} names a finished image")
        builder = good("builder", "not needed: nothing is built")
        return settings.commit, (git, builder, *_registry(session, settings, None, questions))
    build = settings.build if settings else BuildOptions()
    commit = settings.commit if settings else session.flags.commit or None
    own = files_of(session.flags)
    source = questions.ask("git", lambda deadline: inspect_source(build, commit, session.env, deadline, beside=own))
    known = None if isinstance(source, Check) else source
    git = source if isinstance(source, Check) else _git(session, settings, source, questions)
    found = (git, _builder(session, settings, questions))
    if settings is None:
        return None, (*found, not_asked("registry", _NO_CONFIG), not_asked("push", _NO_CONFIG))
    return known.commit if known else None, (*found, *_registry(session, settings, known, questions))


def _git(session: Session, settings: Settings | None, source: Source, questions: Questions) -> Check:
    """Where CI allows no changed files, and where there is no Dockerfile, a deploy ends before it builds."""

    def look(deadline: Deadline) -> Check:
        if settings is not None and settings.image is not None:
            read_dockerfile(settings.build, source, session.env)
        context = settings.build.context if settings else "."
        return judge_git(
            commit=source.commit,
            origin=source.origin,
            in_git=source.head is not None,
            shallow=is_shallow(context, session.env, deadline),
            dirty=source.dirty,
            notes=source.notes,
        )

    return questions.ask("git", look)


def _builder(session: Session, settings: Settings | None, questions: Questions) -> Check:
    name = (settings.build.builder if settings else session.flags.builder) or ""

    def look(deadline: Deadline) -> Check:
        choice = choose_engine(name, session.env, deadline)
        if settings is not None:
            refuse_unbuildable(settings.build, choice.engine, session.env, choice.no_engine)
        return judge_builder(choice.engine, choice.problems, followed=settings is not None)

    return questions.ask("builder", look)


def _registry(session: Session, settings: Settings, source: Source | None, questions: Questions) -> tuple[Check, Check]:
    """Is the image there, or may it be asked for; and may it be pushed to."""
    image = settings.image
    if image is None:
        hint = "give --image REPOSITORY, or image: in kdeploy.yaml"
        missing = Check(name="registry", passed=False, message=f"no image is named for {settings.workload}", hint=hint)
        return missing, not_asked("push", "no image is named")
    if not settings.builds:
        return _pull(session, settings, image, questions, builds=False), good("push", "not needed: nothing is built")
    tag = settings.tag or (source.commit if source else None)
    pushed = Reference(repository=settings.build.push_repository or image.repository, tag=tag)
    pull = _pull(session, settings, pushed, questions, builds=True)
    if pull.passed is False:
        return pull, not_asked("push", "see registry")
    return pull, _push(session, settings, pushed, questions)


def _pull(session: Session, settings: Settings, image: Reference, questions: Questions, *, builds: bool) -> Check:
    def look(deadline: Deadline) -> Check:
        env = docker_env(session.env, settings)
        login = login_name(image.domain, env, deadline)
        registry = open_registry(env)
        found: str | RefusedError | None
        try:
            found = registry.find(str(image), deadline.remaining())
        except RefusedError as error:
            found = error
        return judge_pull(image, found, login, builds=builds)

    return questions.ask("registry", look)


def _push(session: Session, settings: Settings, image: Reference, questions: Questions) -> Check:
    def look(deadline: Deadline) -> Check:
        try:
            open_registry(docker_env(session.env, settings)).check_push(image.repository, deadline.remaining())
        except RefusedError as error:
            return bad("push", error)
        return good("push", f"{image.domain} begins an upload to {image.repository} (it was cancelled again)")

    return questions.ask("push", look)
