"""Both engines against a real Docker and real registries: the image is there, by its digest, and errors say why."""

import base64
import json
import os
import signal
import subprocess
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from kdeploy.build import inspect_source, open_builder, open_registry, request_build
from kdeploy.build.plan import INPUTS_LABEL, REVISION_LABEL
from kdeploy.clock import Deadline
from kdeploy.config.settings import BuildOptions
from kdeploy.errors import BuildError, InterruptedBySignalError, RefusedError
from kdeploy.model import Image, Reason
from tests.cluster.cluster import Cluster

pytestmark = pytest.mark.e2e

ENGINES = ("buildx", "classic")
GIT = ("git", "-c", "user.name=Ann", "-c", "user.email=ann@example.com", "-c", "init.defaultBranch=main")


def soon() -> Deadline:
    return Deadline(time.monotonic, 60)


@dataclass
class Workshop:
    """A checkout, and the environment that points at the engine and the registries."""

    folder: Path
    env: Mapping[str, str]
    cluster: Cluster
    lines: list[str] = field(default_factory=list)

    def commit(self, **files: str) -> str:
        for name, text in files.items():
            (self.folder / name).write_text(text)
        subprocess.run([*GIT, "add", "--all"], cwd=self.folder, check=True)
        subprocess.run([*GIT, "commit", "--quiet", "--allow-empty", "--message", "work"], cwd=self.folder, check=True)
        done = subprocess.run([*GIT, "rev-parse", "HEAD"], cwd=self.folder, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    def options(self, **more: object) -> BuildOptions:
        paths = {"context": str(self.folder), "dockerfile": str(self.folder / "Dockerfile")}
        return BuildOptions(**{**paths, **more})  # type: ignore[arg-type]

    def build(
        self, engine: str, repository: str, *, timeout: float = 60, tag: str | None = None, **more: object
    ) -> Image:
        options = self.options(**more)
        source = inspect_source(options, None, self.env, soon())
        request = request_build(options, source, self.env, soon(), repository=repository, tag=tag)
        return open_builder(engine, self.env, soon()).build_and_push(request, self.lines.append, timeout)


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def shop(cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, engine: str) -> Workshop:
    """The docker SDK reads DOCKER_CONFIG of this process, and so the variables are set for real."""
    config = tmp_path / "docker"
    config.mkdir()
    login = base64.b64encode(f"{cluster.private_user}:{cluster.private_password}".encode()).decode()
    (config / "config.json").write_text(json.dumps({"auths": {cluster.private_registry: {"auth": login}}}))
    if engine == "buildx":
        (config / "cli-plugins").symlink_to(cluster.docker_config / "cli-plugins")
    for name in ("CI", "GITHUB_SHA", "CI_COMMIT_SHA", "GIT_COMMIT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DOCKER_HOST", cluster.docker_host)
    monkeypatch.setenv("DOCKER_CONFIG", str(config))
    folder = tmp_path / "web"
    folder.mkdir()
    subprocess.run([*GIT, "init", "--quiet"], cwd=folder, check=True)
    shop = Workshop(folder=folder, env=dict(os.environ), cluster=cluster)
    shop.commit(
        Dockerfile=f"FROM {cluster.base_image}\nARG GREETING=none\nRUN echo greet $GREETING\nCOPY f /f\n", f="1"
    )
    return shop


@pytest.fixture
def repository(cluster: Cluster) -> str:
    return f"{cluster.registry}/build/{uuid.uuid4().hex[:10]}"


@pytest.fixture
def private(cluster: Cluster) -> str:
    return f"{cluster.private_registry}/build/{uuid.uuid4().hex[:10]}"


def test_an_image_is_pushed_under_the_commit_and_known_by_its_digest(
    shop: Workshop, engine: str, repository: str
) -> None:
    commit, greeting = shop.commit(), uuid.uuid4().hex  # a new one each time, past the engine's cache
    image = shop.build(engine, repository, args=(("GREETING", greeting),))
    assert (image.tag, image.reused) == (commit, False)
    registry = open_registry(shop.env)
    assert registry.resolve(f"{repository}:{commit}").digest == image.digest
    assert registry.resolve(image.reference).digest == image.digest
    labels = registry.labels(repository, image.digest)
    assert labels[REVISION_LABEL] == commit
    assert len(labels[INPUTS_LABEL]) == 64
    assert any(line.endswith(f"greet {greeting}") for line in shop.lines)


def test_the_engine_asked_for_is_the_one_that_builds(shop: Workshop, engine: str) -> None:
    titles = {"buildx": "docker buildx", "classic": "Docker's classic builder"}
    assert open_builder("auto", shop.env, soon()).title == titles[engine]


def test_the_same_commit_is_reused_and_other_inputs_are_not(shop: Workshop, engine: str, repository: str) -> None:
    first = shop.build(engine, repository)
    again = shop.build(engine, repository)
    assert (again.digest, again.reused) == (first.digest, True)
    assert not shop.build(engine, repository, args=(("GREETING", "other"),)).reused
    assert not shop.build(engine, repository, tag=first.tag).reused
    (shop.folder / "f").write_text("changed")
    dirty = shop.build(engine, repository)
    assert not dirty.reused
    assert dirty.tag
    assert dirty.tag.startswith(f"{first.tag}-dirty-")


def test_a_login_from_dockers_configuration_reaches_the_registry(shop: Workshop, engine: str, private: str) -> None:
    image = shop.build(engine, private)
    assert shop.build(engine, private) == Image(repository=private, tag=image.tag, digest=image.digest, reused=True)


def test_the_name_pushed_to_may_differ_from_the_name_pulled_from(shop: Workshop, engine: str, repository: str) -> None:
    image = shop.build(engine, "pulled.example/web", push_repository=repository)
    assert image.repository == "pulled.example/web"
    assert open_registry(shop.env).resolve(f"{repository}@{image.digest}").digest == image.digest


def test_a_failing_dockerfile_shows_its_last_lines(shop: Workshop, engine: str, repository: str) -> None:
    shop.commit(Dockerfile=f"FROM {shop.cluster.base_image}\nRUN echo it is broken; exit 3\n")
    with pytest.raises(BuildError) as caught:
        shop.build(engine, repository)
    assert caught.value.reason is Reason.BUILD_FAILED
    assert any("it is broken" in line for line in caught.value.tail)
    assert "3" in caught.value.message
    assert open_registry(shop.env).find(f"{repository}:{shop.commit()}") is None


def test_a_push_without_a_login_is_denied(shop: Workshop, engine: str, private: str) -> None:
    (Path(shop.env["DOCKER_CONFIG"]) / "config.json").write_text("{}")
    with pytest.raises(BuildError) as caught:
        shop.build(engine, private)
    assert caught.value.reason is Reason.PUSH_DENIED
    assert "docker login" in caught.value.hint
    with pytest.raises(RefusedError) as refused:
        open_registry(shop.env).resolve(f"{private}:v1")
    assert refused.value.reason is Reason.IMAGE_UNAUTHORIZED


def test_a_registry_that_is_not_there_is_named(shop: Workshop, engine: str) -> None:
    with pytest.raises(BuildError, match="localhost:1/web") as caught:
        shop.build(engine, "localhost:1/web")
    assert caught.value.reason is Reason.BUILD_FAILED
    assert "engine reaches it" in caught.value.hint


def test_an_absent_image_is_not_found(shop: Workshop, repository: str) -> None:
    with pytest.raises(RefusedError) as caught:
        open_registry(shop.env).resolve(f"{repository}:v1")
    assert caught.value.reason is Reason.IMAGE_NOT_FOUND


def test_what_dockerignore_leaves_out_is_not_sent(shop: Workshop, engine: str, repository: str) -> None:
    shop.commit(**{".dockerignore": "left\n", "left": "x", "Dockerfile": "FROM scratch\nCOPY left /\n"})
    with pytest.raises(BuildError, match="left"):
        shop.build(engine, repository)


def test_a_secret_reaches_the_build_of_buildx_and_is_refused_by_the_classic_builder(
    shop: Workshop, engine: str, repository: str
) -> None:
    secret = shop.folder.parent / "token"
    secret.write_text("s3cret")
    run = 'RUN --mount=type=secret,id=t test "$(cat /run/secrets/t)" = s3cret'
    shop.commit(Dockerfile=f"FROM {shop.cluster.base_image}\n{run}\n")
    if engine == "buildx":
        image = shop.build(engine, repository, secrets=(f"id=t,src={secret}",))
        assert open_registry(shop.env).find(f"{repository}:{image.tag}") == image.digest
        assert not any("id=t,src" in line for line in shop.lines)
        return
    with pytest.raises(BuildError, match="build secrets"):
        shop.build(engine, repository, secrets=(f"id=t,src={secret}",))


def test_a_build_ends_at_its_timeout(shop: Workshop, engine: str, repository: str) -> None:
    shop.commit(Dockerfile=f"FROM {shop.cluster.base_image}\nRUN echo busy; sleep 30\n")
    start = time.monotonic()
    with pytest.raises(BuildError, match=r"did not finish within \d s"):
        shop.build(engine, repository, timeout=3)
    assert time.monotonic() - start < 8


def test_a_signal_ends_the_build_at_once(
    shop: Workshop, engine: str, repository: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.commit(Dockerfile=f"FROM {shop.cluster.base_image}\nRUN echo busy; sleep 30\n")

    def interrupted(number: int, frame: object) -> None:
        raise InterruptedBySignalError(number)

    before: Callable[[int, object], object] | int | None = signal.signal(signal.SIGALRM, interrupted)  # type: ignore[assignment]
    signal.setitimer(signal.ITIMER_REAL, 3)
    start = time.monotonic()
    try:
        with pytest.raises(InterruptedBySignalError):
            shop.build(engine, repository)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert time.monotonic() - start < 6


def test_two_tags_of_one_build_are_the_same_image(shop: Workshop, engine: str, repository: str) -> None:
    one = shop.build(engine, repository, tag="one")
    two = shop.build(engine, repository, tag="two")
    shop.commit(f="2")
    other = shop.build(engine, repository, tag="other")
    registry = open_registry(shop.env)
    assert registry.same_config(repository, one.digest, two.digest, 5.0) is True
    assert registry.same_config(repository, one.digest, other.digest, 5.0) is False
    assert registry.same_config(repository, one.digest, "sha256:" + "0" * 64, 5.0) is None
