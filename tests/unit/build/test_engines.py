"""The engines: what they are told to do, and what becomes of what they say."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import docker
import pytest

from kdeploy.build.buildx import BuildxBuilder, buildx_command, hidden_args
from kdeploy.build.classic import ClassicBuilder
from kdeploy.build.credentials import DockerLogins, Login, with_login
from kdeploy.build.failure import build_failure
from kdeploy.build.plan import INPUTS_LABEL, REVISION_LABEL
from kdeploy.build.reuse import ReusingBuilder
from kdeploy.build.select import select
from kdeploy.errors import BuildError, ConfigError, RefusedError
from kdeploy.model import Image, Location, Reason
from kdeploy.ports import Builder, BuildRequest
from kdeploy.process import NOT_FOUND, Finished
from kdeploy.reference import Reference
from kdeploy.secret import Secret

COMMIT = "a" * 40
DIGEST = "sha256:" + "1" * 64
OTHER = "sha256:" + "2" * 64
REQUEST = BuildRequest(
    context="/src",
    dockerfile="/src/Dockerfile",
    repository="reg.example/acme/web",
    tag=COMMIT,
    commit=COMMIT,
    labels={REVISION_LABEL: COMMIT, INPUTS_LABEL: "inputs"},
    reusable=True,
    args={"TOKEN": "s3cret value"},
)
IMAGE = Image(repository="reg.example/acme/web", tag=COMMIT, digest=DIGEST)


def absent(reference: str, timeout: float) -> str | None:
    return None


def ignore(line: str) -> None:
    pass


@dataclass
class Buildx:
    """Stands for the docker program: prints lines, writes the metadata file, ends with a code."""

    code: int = 0
    lines: Sequence[str] = ()
    metadata: object = None
    is_slow: bool = False
    commands: list[list[str]] = field(default_factory=list)
    env: Mapping[str, str] | None = None

    def __call__(
        self,
        command: Sequence[str],
        *,
        line: Callable[[str], None],
        timeout: float,
        env: Mapping[str, str] | None = None,
    ) -> int:
        self.commands.append(list(command))
        self.env = env
        for each in self.lines:
            line(each)
        if self.is_slow:
            raise TimeoutError
        if self.metadata is not None:
            file = Path(command[command.index("--metadata-file") + 1])
            file.write_text(self.metadata if isinstance(self.metadata, str) else json.dumps(self.metadata))
        return self.code


def build_by(program: Buildx, request: BuildRequest = REQUEST, **more: Any) -> Image:
    options: dict[str, Any] = {"find": absent, **more}
    return BuildxBuilder(stream=program, **options).build_and_push(request, ignore, 60)


def test_the_command_line_of_buildx_says_everything_as_arguments_of_their_own() -> None:
    request = replace(
        REQUEST, target="app", secrets=("id=npm,env=NPM",), platforms=("linux/amd64", "linux/arm64"), context="/s; rm x"
    )
    assert buildx_command(request, "/tmp/m", hidden_args(request.args, request.secrets, {})) == [
        *("docker", "buildx", "build", "--push", "--progress", "plain", "--metadata-file", "/tmp/m"),
        *("--tag", f"reg.example/acme/web:{COMMIT}", "--file", "/src/Dockerfile"),
        *("--label", f"{REVISION_LABEL}={COMMIT}", "--label", f"{INPUTS_LABEL}=inputs"),
        *("--build-arg", "TOKEN", "--secret", "id=npm,env=NPM"),
        *("--platform", "linux/amd64,linux/arm64", "--target", "app", "/s; rm x"),
    ]


@pytest.mark.parametrize(
    ("name", "env"),
    [
        ("NPM_TOKEN", {}),
        ("NPM_TOKEN", {"NPM_TOKEN": "another"}),
        ("SSH_PRIVATE_KEY", {}),
        ("AWS_SECRET_ACCESS_KEY", {"AWS_SECRET_ACCESS_KEY": "canary-value"}),
    ],
)
def test_a_secret_argument_is_in_the_environment_of_buildx_alone(name: str, env: dict[str, str]) -> None:
    program = Buildx(metadata={"containerimage.digest": DIGEST})
    build_by(program, replace(REQUEST, args={name: "canary-value"}, secrets=("id=npm,env=MY_NPM_TOKEN",)), env=env)
    assert "canary-value" not in " ".join(program.commands[0])
    assert name in program.commands[0]
    assert program.env == {**env, name: "canary-value"}


def test_an_argument_with_a_password_in_it_is_not_on_the_command_line_either() -> None:
    args = {"DATABASE_URL": "postgres://app:hunter2@db/shop", "MIRROR": "https://pypi.example/simple"}
    assert hidden_args(args, (), {}) == {"DATABASE_URL": args["DATABASE_URL"]}


@pytest.mark.parametrize(
    ("name", "secret", "env"),
    [
        ("AWS_SECRET_ACCESS_KEY", "", {}),
        ("AWS_SECRET_ACCESS_KEY", "", {"AWS_SECRET_ACCESS_KEY": "another"}),
        ("DOCKER_AUTH_CONFIG", "", {}),
        ("BUILDX_BAKE_GIT_AUTH_TOKEN", "", {}),
        ("KDEPLOY_GITHUB_TOKEN", "", {"KDEPLOY_GITHUB_TOKEN": "canary-value"}),
        ("NPM_TOKEN", "id=npm,env=NPM_TOKEN", {"NPM_TOKEN": "another"}),
        ("NPM_TOKEN", "id=NPM_TOKEN", {}),
    ],
)
def test_a_secret_argument_that_cannot_be_hidden_is_refused_before_a_build(
    name: str, secret: str, env: dict[str, str]
) -> None:
    program = Buildx(metadata={"containerimage.digest": DIGEST})
    with pytest.raises(ConfigError, match=name) as caught:
        build_by(program, replace(REQUEST, args={name: "canary-value"}, secrets=(secret,)), env=env)
    assert program.commands == []
    assert "build secret" in caught.value.hint
    assert "canary" not in caught.value.message + caught.value.hint


def test_the_digest_is_the_pushed_one_of_the_metadata_file() -> None:
    metadata = {"containerimage.digest": DIGEST, "containerimage.config.digest": OTHER}
    assert build_by(Buildx(metadata=metadata)) == IMAGE


@pytest.mark.parametrize("metadata", [None, {}, [], "no json", {"containerimage.digest": "sha256:short"}])
def test_without_a_digest_in_the_metadata_the_registry_is_asked(metadata: object) -> None:
    asked: list[str] = []

    def find(reference: str, timeout: float) -> str:
        asked.append(reference)
        return DIGEST

    assert build_by(Buildx(metadata=metadata), find=find) == IMAGE
    assert asked == [f"reg.example/acme/web:{COMMIT}"]


def test_a_push_that_left_nothing_in_the_registry_is_an_error() -> None:
    with pytest.raises(BuildError, match="is not in the registry"):
        build_by(Buildx())


def test_the_name_pushed_to_may_differ_from_the_name_pulled_from() -> None:
    program = Buildx(metadata={"containerimage.digest": DIGEST})
    image = build_by(program, replace(REQUEST, push_repository="localhost:5000/web"))
    assert f"localhost:5000/web:{COMMIT}" in program.commands[0]
    assert image == IMAGE


def test_output_streams_line_by_line_without_the_secrets() -> None:
    seen: list[str] = []
    program = Buildx(code=1, lines=["one s3cret", "ERROR: two s3cret"])
    builder = BuildxBuilder(find=absent, hide=lambda line: line.replace("s3cret", "***"), stream=program)
    with pytest.raises(BuildError) as caught:
        builder.build_and_push(REQUEST, seen.append, 60)
    assert seen == ["one ***", "ERROR: two ***"]
    assert caught.value.tail == ("one ***", "ERROR: two ***")
    assert "s3cret" not in f"{caught.value.message} {caught.value.hint}"


def test_a_build_that_takes_too_long_shows_what_it_was_busy_with() -> None:
    with pytest.raises(BuildError, match="did not finish within 60 s") as caught:
        build_by(Buildx(lines=["#5 RUN sleep"], is_slow=True))
    assert caught.value.tail == ("#5 RUN sleep",)


def test_a_failure_shows_the_last_twenty_lines_without_control_characters() -> None:
    lines = [*(f"line {n}" for n in range(30)), "\x1b[31mERROR: failed to solve: exit code: 1\x1b[0m"]
    error = build_failure(lines, Reference(repository="web"), "docker buildx")
    assert len(error.tail) == 20
    assert error.tail[-1] == "ERROR: failed to solve: exit code: 1"
    assert error.message == "docker buildx could not build the image: exit code: 1"


TEXT = "FROM a\nRUN twice\nRUN make\nRUN twice\n"
QUOTED = """\
#5 0.123 app.py:3
#5 0.123 --------
------
 > [2/2] RUN false:
------
Dockerfile:7
--------------------
   5 |     FROM scratch
   7 | >>> RUN false
--------------------
ERROR: failed to solve: process "/bin/sh -c false" did not complete successfully: exit code: 1"""


@pytest.mark.parametrize(
    ("output", "line"),
    [
        (QUOTED, 7),
        ("ERROR: failed to solve: dockerfile parse error on line 3: unknown instruction: FORM", 3),
        ("ERROR: dockerfile parse error line 4: unknown instruction: FORM", 4),
        ("ERROR: failed to solve: no such host", None),
        ("------\n > [build 2/2] RUN make:\n------\nERROR: failed to solve: exit code: 1", 3),
        ("Step 2/2 : RUN make\n ---> Running in 1\nERROR: The command returned a non-zero code: 1", 3),
        ("Step 2/2 : RUN twice\nERROR: The command returned a non-zero code: 1", None),
        ("", None),
    ],
)
def test_a_failure_has_the_line_of_the_dockerfile_where_the_engine_names_it(output: str, line: int | None) -> None:
    error = build_failure(output.splitlines(), Reference(repository="web"), "docker buildx", "docker/Dockerfile", TEXT)
    assert error.location == (Location(file="docker/Dockerfile", line=line) if line else None)


@pytest.mark.parametrize(
    ("lines", "reason", "hint"),
    [
        (["ERROR: failed to solve: failed to push reg/x: 403 Forbidden"], Reason.PUSH_DENIED, "docker login"),
        (["------", " > pushing reg/x with docker:", "ERROR: no basic auth credentials"], Reason.PUSH_DENIED, "login"),
        (["ERROR: failed to push reg/x: connection refused"], Reason.BUILD_FAILED, "engine reaches it"),
        (["ERROR: failed to push reg/x: disk is full"], Reason.BUILD_FAILED, "registry's own log"),
        (["ERROR: failed to solve: nosuch: pull access denied"], Reason.BUILD_FAILED, "FROM"),
        (["ERROR: lookup reg on 1.2.3.4:53: no such host"], Reason.BUILD_FAILED, "network"),
        (["ERROR: Cannot connect to the Docker daemon at x"], Reason.BUILD_FAILED, "DOCKER_HOST"),
        (["ERROR: Multi-platform build is not supported for the docker driver."], Reason.BUILD_FAILED, "create --use"),
        (["ERROR: unknown instruction: FORM"], Reason.BUILD_FAILED, "Dockerfile"),
        ([], Reason.BUILD_FAILED, "Dockerfile"),
    ],
)
def test_a_failure_is_told_by_what_the_engine_said(lines: list[str], reason: Reason, hint: str) -> None:
    error = build_failure(lines, Reference(repository="reg/x", tag="v1"), "docker buildx")
    assert error.reason is reason
    assert hint in error.hint


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> docker.APIClient:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    return docker.APIClient(base_url="tcp://engine.example:2375", version="1.41")


@pytest.mark.parametrize(
    ("limits", "what"),
    [({"secrets": ("id=npm",)}, "build secrets"), ({"platforms": ("a", "b")}, "more than one platform")],
)
def test_what_only_buildx_can_do_is_said_before_anything_is_built(
    client: docker.APIClient, limits: dict[str, tuple[str, ...]], what: str
) -> None:
    with pytest.raises(BuildError, match=what) as caught:
        ClassicBuilder(client=client, find=absent).build_and_push(replace(REQUEST, **limits), ignore, 10)  # type: ignore[arg-type]
    assert "buildx" in caught.value.hint


NO_LOGINS = DockerLogins(config={})


@dataclass
class Shelf:
    """A registry with at most one image."""

    digest: str | None = None
    found: Mapping[str, str] = field(default_factory=dict)
    refuses: bool = False
    asked: list[str] = field(default_factory=list)

    def find(self, reference: str, timeout: float) -> str | None:
        self.asked.append(reference)
        if self.refuses:
            raise RefusedError("the registry is down")
        return self.digest

    def labels(self, repository: str, digest: str, timeout: float) -> Mapping[str, str]:
        return self.found


def reuse(shelf: Shelf, request: BuildRequest = REQUEST) -> Image:
    program = Buildx(metadata={"containerimage.digest": DIGEST})
    return reuser(shelf, program).build_and_push(request, ignore, 60)


def reuser(shelf: Shelf, program: Buildx, logins: DockerLogins = NO_LOGINS) -> ReusingBuilder:
    builder = BuildxBuilder(find=absent, stream=program)
    return ReusingBuilder(builder=lambda: builder, registry=shelf, logins=logins)


def test_a_push_whose_login_is_refused_says_where_that_came_from() -> None:
    program = Buildx(code=1, lines=["ERROR: failed to push reg.example/acme/web: 401 Unauthorized"])
    login = Login(username="ann", password=Secret("wrong"))
    for config, advice in (
        (with_login({}, "reg.example", login), "correct KDEPLOY_REGISTRY_PASSWORD"),
        ({}, "docker login reg.example, or set KDEPLOY_REGISTRY_PASSWORD"),
    ):
        with pytest.raises(BuildError) as caught:
            reuser(Shelf(), program, DockerLogins(config=config)).build_and_push(REQUEST, ignore, 60)
        assert caught.value.reason is Reason.PUSH_DENIED
        assert caught.value.hint.startswith(advice)
        assert caught.value.hint.endswith("check that this user may push to reg.example/acme/web")


def test_a_tag_with_the_same_revision_and_inputs_is_reused() -> None:
    assert reuse(Shelf(OTHER, REQUEST.labels)) == replace(IMAGE, digest=OTHER, reused=True)


def test_reuse_looks_where_the_image_would_be_pushed_and_names_where_it_is_pulled() -> None:
    shelf = Shelf(OTHER, REQUEST.labels)
    image = reuse(shelf, replace(REQUEST, push_repository="localhost:5000/web"))
    assert shelf.asked == [f"localhost:5000/web:{COMMIT}"]
    assert image.repository == "reg.example/acme/web"


@pytest.mark.parametrize(
    "labels", [{}, {REVISION_LABEL: COMMIT}, {INPUTS_LABEL: "inputs"}, {**REQUEST.labels, INPUTS_LABEL: "other"}]
)
def test_a_tag_from_elsewhere_is_built_anew(labels: dict[str, str]) -> None:
    assert reuse(Shelf(OTHER, labels)) == IMAGE


def test_a_tag_that_is_absent_is_built() -> None:
    assert reuse(Shelf(None)) == IMAGE


def test_a_registry_that_cannot_be_asked_does_not_stop_the_build() -> None:
    assert reuse(Shelf(refuses=True)) == IMAGE


def test_what_may_not_be_reused_is_not_even_looked_for() -> None:
    shelf = Shelf(OTHER, REQUEST.labels)
    assert reuse(shelf, replace(REQUEST, reusable=False)) == IMAGE
    assert shelf.asked == []


def machine(**codes: int) -> Callable[..., Finished]:
    """A machine on which `docker version`, `docker buildx version` and `docker buildx inspect` end with these codes."""

    def run(command: Sequence[str], **_: object) -> Finished:
        name = "_".join(word for word in command[1:3] if word.isalpha())
        return Finished(code=codes.get(name, NOT_FOUND), out=b"Name: x\nDriver: kubernetes\n")

    return run


@dataclass(frozen=True)
class Engineless:
    """Stands for the builder that needs no engine."""

    no_engine: str

    @property
    def title(self) -> str:
        return f"none needed: {self.no_engine}"

    def build_and_push(self, request: BuildRequest, output: Callable[[str], None], timeout: float) -> Image:
        raise AssertionError


def choose(name: str, client: docker.APIClient | None = None, **codes: int) -> Builder:
    return select(name, connect=lambda: client, find=absent, layers=Engineless, run=machine(**codes))


def test_buildx_is_taken_where_it_works_and_an_engine_answers() -> None:
    assert choose("auto", buildx_version=0, version=0).title == "docker buildx"
    assert choose("", buildx_version=0, version=0).title == "docker buildx"


def test_buildx_needs_no_engine_where_its_builder_runs_elsewhere() -> None:
    assert choose("auto", buildx_version=0, version=1, buildx_inspect=0).title == "docker buildx"


def test_without_buildx_the_engine_builds_by_itself(client: docker.APIClient) -> None:
    assert choose("auto", client, version=0).title == "Docker's classic builder"
    assert choose("classic", client, buildx_version=0, version=0).title == "Docker's classic builder"


def test_without_any_engine_the_builder_that_needs_none_is_taken_and_told_why() -> None:
    assert choose("auto").title == "none needed: there is no docker command; no Docker engine answers"
    assert (
        choose("auto", buildx_version=1).title == "none needed: docker has no buildx plugin; no Docker engine answers"
    )
    assert choose("", buildx_version=0).title == "none needed: no Docker engine answers"


def test_the_address_at_which_no_engine_answers_is_told_without_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://ada:s3cr3t@docker:2376")
    for title in (choose("").title, choose("", buildx_version=0).title):
        assert "no Docker engine answers at tcp://docker:2376, as DOCKER_HOST says" in title


@pytest.mark.parametrize("name", ["classic", "buildx"])
def test_an_engine_that_is_asked_for_and_not_there_is_an_error_with_the_ways_out(name: str) -> None:
    with pytest.raises(BuildError) as caught:
        choose(name, buildx_version=0)
    assert caught.value.reason is Reason.BUILD_FAILED
    assert "DOCKER_HOST" in caught.value.hint
    assert "--image" in caught.value.hint
    assert "--builder layers" in caught.value.hint


def test_an_unknown_builder_is_a_usage_error_that_lists_the_known() -> None:
    with pytest.raises(ConfigError, match="podman") as caught:
        choose("podman")
    assert "auto, buildx, classic, layers" in caught.value.hint
