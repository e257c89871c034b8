"""Which stages of a Dockerfile an image is made of, and what it is based on."""

import pytest

from kdeploy.build.layers.platforms import candidates, machine_platform, parse_platform
from kdeploy.build.layers.problems import DockerfileError, UnsupportedError
from kdeploy.build.layers.stages import Recipe, choose, read_dockerfile
from kdeploy.errors import BuildError

AMD64, ARM64 = parse_platform("linux/amd64"), parse_platform("linux/arm64")

SEVERAL = """
ARG VERSION=1
FROM golang AS build
RUN make
FROM base:$VERSION AS Common
ENV A=1
ARG B=2
FROM common AS web
ENV C=$A$B
CMD ["web"]
FROM common
CMD ["other"]
"""


def recipe(text: str, target: str = "", **given: str) -> Recipe:
    return choose(read_dockerfile(text.encode()), target, given, platform=ARM64, machine=AMD64)


def test_the_last_stage_is_built_unless_another_is_asked_for() -> None:
    assert recipe(SEVERAL).draft({}, (), {}).config["Cmd"] == ["other"]
    for target in ("web", "WEB", "2"):
        found = recipe(SEVERAL, target)
        assert found.base == "base:1"
        assert found.draft({}, (), {}).config["Env"][1:] == ["A=1", "C=12"]


def test_a_stage_that_is_not_needed_may_do_what_takes_an_engine() -> None:
    assert recipe(SEVERAL).stages[0].name == "common"
    with pytest.raises(UnsupportedError, match=r"line 4: .* RUN make"):
        recipe(SEVERAL, "build").draft({}, (), {})


def test_a_stage_that_is_not_there_is_named() -> None:
    with pytest.raises(BuildError, match='no stage "wep"') as caught:
        recipe(SEVERAL, "wep")
    assert 'did you mean "web"' in caught.value.hint
    with pytest.raises(BuildError, match='no stage "4"'):
        recipe(SEVERAL, "4")


@pytest.mark.parametrize(
    ("text", "base"),
    [
        ("FROM a", "a"),
        ("ARG I=a\nFROM $I", "a"),
        ("ARG I=a\nFROM ${I}:${T:-1}", "a:1"),
        ("ARG I=a\nARG J=$I-b\nFROM $J", "a-b"),
        ("ARG I\nFROM ${I:-c}", "c"),
        ("FROM reg.example/a:$TARGETARCH", "reg.example/a:arm64"),
        ("FROM a AS a", "a"),
        ("FROM a AS b\nFROM b AS c\nFROM c", "a"),
        ("FROM b\nFROM a AS b\nFROM scratch", "scratch"),
    ],
)
def test_the_base_is_named_with_global_arguments(text: str, base: str) -> None:
    assert recipe(text).base == base


def test_build_arguments_go_before_global_defaults_and_reach_a_stage_that_declares_them() -> None:
    text = "ARG V=1\nFROM a:$V\nARG V\nLABEL v=$V"
    assert recipe(text).draft({}, (), {}).config["Labels"] == {"v": "1"}
    given = recipe(text, V="2")
    assert given.base == "a:2"
    assert given.draft({}, (), {"V": "2"}).config["Labels"] == {"v": "2"}
    assert recipe("ARG V=1\nFROM a\nLABEL v=$V").draft({}, (), {}).config["Labels"] == {"v": ""}


@pytest.mark.parametrize(
    ("text", "platform"),
    [
        ("FROM a", ARM64),
        ("FROM --platform=linux/s390x a", "linux/s390x"),
        ("FROM --platform=$BUILDPLATFORM a", "linux/amd64"),
        ("FROM --platform=linux/386 a AS b\nFROM b", "linux/386"),
    ],
)
def test_a_base_may_be_asked_for_another_platform(text: str, platform: object) -> None:
    assert recipe(text).platform == platform


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("CMD a", 1),
        ("ARG A=1\nENV B=1\nFROM a", 2),
        ("ARG A=1", 1),
        ("FROM a b", 1),
        ("FROM a as", 1),
        ("FROM a AS 1x", 1),
        ("FROM a AS b c", 1),
        ("FROM --nope=1 a", 1),
        ("FROM a\nFROM $NOTHING", 2),
        ("FROM ${A", 1),
        ("ARG A=${\nFROM a", 1),
    ],
)
def test_a_dockerfile_without_right_stages_is_refused_by_its_line(text: str, line: int) -> None:
    with pytest.raises(DockerfileError) as caught:
        recipe(text)
    assert caught.value.line == line


@pytest.mark.parametrize(
    ("text", "platform"),
    [
        ("linux/amd64", "linux/amd64"),
        ("Linux/X86_64", "linux/amd64"),
        ("linux/arm64/v8", "linux/arm64"),
        ("linux/aarch64", "linux/arm64"),
        ("linux/arm", "linux/arm/v7"),
        ("linux/armhf", "linux/arm/v7"),
        ("linux/arm/v6", "linux/arm/v6"),
        ("linux/i386", "linux/386"),
    ],
)
def test_a_platform_has_one_name(text: str, platform: str) -> None:
    assert str(parse_platform(text)) == platform


@pytest.mark.parametrize("text", ["", "linux", "linux/", "/amd64", "linux/a/b/c", "li nux/amd64"])
def test_what_is_no_platform_is_refused(text: str) -> None:
    with pytest.raises(BuildError, match="no platform"):
        parse_platform(text)


@pytest.mark.parametrize(
    ("machine", "platform"), [("x86_64", "linux/amd64"), ("arm64", "linux/arm64"), ("ppc64le", "linux/ppc64le")]
)
def test_the_machines_own_platform_is_linux_of_its_architecture(machine: str, platform: str) -> None:
    assert str(machine_platform(machine)) == platform


def test_an_older_arm_runs_on_a_newer_one() -> None:
    assert list(map(str, candidates(parse_platform("linux/arm/v7")))) == [
        "linux/arm/v7",
        "linux/arm/v6",
        "linux/arm/v5",
    ]
    assert list(candidates(ARM64)) == [ARM64]
