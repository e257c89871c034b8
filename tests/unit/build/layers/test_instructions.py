"""What each instruction does to an image's configuration, beside Docker's documentation."""

from collections.abc import Mapping
from typing import Any

import pytest

from kdeploy.build.layers.draft import DEFAULT_PATH, CopyFiles, Draft, MakeFolder
from kdeploy.build.layers.platforms import parse_platform
from kdeploy.build.layers.problems import DockerfileError, UnsupportedError
from kdeploy.build.layers.stages import choose, read_dockerfile

AMD64 = parse_platform("linux/amd64")


def draft(text: str, base: Mapping[str, Any] | None = None, *, triggers: tuple[str, ...] = (), **given: str) -> Draft:
    """What a Dockerfile's instructions make of a base image's configuration."""
    dockerfile = read_dockerfile(f"FROM base\n{text}\n".encode())
    return choose(dockerfile, "", given, platform=AMD64, machine=AMD64).draft(base or {}, triggers, given)


def config(text: str, base: Mapping[str, Any] | None = None, **given: str) -> dict[str, Any]:
    found = draft(text, base, triggers=(), **given).config
    if found["Env"] == [f"PATH={DEFAULT_PATH}"]:
        del found["Env"]
    return found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('CMD ["a", "b c"]', {"Cmd": ["a", "b c"]}),
        ("CMD a  $B", {"Cmd": ["/bin/sh", "-c", "a  $B"]}),
        ("CMD [a, b]", {"Cmd": ["/bin/sh", "-c", "[a, b]"]}),
        ("CMD []", {"Cmd": []}),
        ('ENTRYPOINT ["a"]', {"Entrypoint": ["a"], "Cmd": None}),
        ('CMD ["b"]\nENTRYPOINT ["a"]', {"Entrypoint": ["a"], "Cmd": ["b"]}),
        ('SHELL ["/bin/bash", "-c"]\nCMD a', {"Shell": ["/bin/bash", "-c"], "Cmd": ["/bin/bash", "-c", "a"]}),
        ("USER 1000:1000", {"User": "1000:1000"}),
        ("ARG U=app\nUSER ${U}", {"User": "app"}),
        ("WORKDIR /a\nWORKDIR b\nWORKDIR ../c", {"WorkingDir": "/a/c"}),
        ("WORKDIR a", {"WorkingDir": "/a"}),
        ("WORKDIR /../..", {"WorkingDir": "/"}),
        ('WORKDIR "/a b"', {"WorkingDir": "/a b"}),
        ("EXPOSE 80", {"ExposedPorts": {"80/tcp": {}}}),
        ("EXPOSE 53/UDP 80-82", {"ExposedPorts": {port: {} for port in ("53/udp", "80/tcp", "81/tcp", "82/tcp")}}),
        ('ARG P="80 90"\nEXPOSE $P', {"ExposedPorts": {"80/tcp": {}, "90/tcp": {}}}),
        ("VOLUME /a /b", {"Volumes": {"/a": {}, "/b": {}}}),
        ('VOLUME ["/a b"]', {"Volumes": {"/a b": {}}}),
        ("STOPSIGNAL SIGQUIT", {"StopSignal": "SIGQUIT"}),
        ("STOPSIGNAL rtmin+3", {"StopSignal": "rtmin+3"}),
        ("STOPSIGNAL 9", {"StopSignal": "9"}),
        ("LABEL a=1 b='2 3' \"c d\"=4", {"Labels": {"a": "1", "b": "2 3", "c d": "4"}}),
        ("LABEL a 1 2", {"Labels": {"a": "1 2"}}),
        ("LABEL a=1\nLABEL a=2", {"Labels": {"a": "2"}}),
        ('ARG V=1\nLABEL v="$V-$V"', {"Labels": {"v": "1-1"}}),
        ("HEALTHCHECK NONE", {"Healthcheck": {"Test": ["NONE"]}}),
        ("HEALTHCHECK CMD a b", {"Healthcheck": {"Test": ["CMD-SHELL", "a b"]}}),
        (
            'HEALTHCHECK --interval=1m30s --timeout=1.5s --start-period=100ms --retries=3 CMD ["a"]',
            {
                "Healthcheck": {
                    "Test": ["CMD", "a"],
                    "Interval": 90 * 10**9,
                    "Timeout": 15 * 10**8,
                    "StartPeriod": 10**8,
                    "Retries": 3,
                }
            },
        ),
    ],
)
def test_an_instruction_sets_what_docker_sets(text: str, expected: dict[str, Any]) -> None:
    assert config(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ENV A=1", ["A=1"]),
        ("ENV A=1 B=$A C='$A'", ["A=1", "B=", "C=$A"]),
        ("ENV A=1\nENV A=2 B=$A", ["A=2", "B=1"]),
        (r'ENV A="a b" B=c\ d E=', ["A=a b", "B=c d", "E="]),
        ("ENV A b  c", ["A=b  c"]),
        ("ENV A b=c", ["A=b=c"]),
        ("ENV A=$PATH", [f"A={DEFAULT_PATH}"]),
        ("ENV PATH=/x:$PATH", []),
        ("ARG A=1\nENV B=$A", ["B=1"]),
        ("ARG A\nENV B=${A:-none}", ["B=none"]),
        ("ENV A=1\nARG A=2\nENV B=$A", ["A=1", "B=1"]),
        ("ARG A=1\nARG A=2\nENV B=$A", ["B=2"]),
        ("ARG A=1 B=$A\nENV C=$B", ["C=1"]),
        ("ENV B=$A\nARG A=1", ["B="]),
        ("ARG TARGETARCH\nENV A=$TARGETARCH B=$TARGETOS", ["A=amd64", "B="]),
    ],
)
def test_variables_are_those_of_the_moment_and_env_goes_before_arg(text: str, expected: list[str]) -> None:
    env = draft(text).config["Env"]
    assert env[1:] == expected


def test_a_build_argument_replaces_a_default_and_no_env() -> None:
    assert draft("ARG A=1\nENV B=$A C=$X", A="given", X="not declared").config["Env"][1:] == ["B=given", "C="]
    assert draft("ENV A=1\nARG A\nENV B=$A", A="given").config["Env"][1:] == ["A=1", "B=1"]


def test_the_base_images_settings_stay_unless_they_are_replaced() -> None:
    base = {
        "Env": ["PATH=/bin", "A=1"],
        "Cmd": ["old"],
        "Entrypoint": ["entry"],
        "Labels": {"a": "1"},
        "ExposedPorts": {"1/tcp": {}},
        "WorkingDir": "/srv",
        "User": "app",
        "Shell": ["/bin/ash", "-c"],
    }
    found = config("ENV A=2\nLABEL b=$A\nEXPOSE 2\nWORKDIR x\nCMD run", base)
    assert found == {
        **base,
        "Env": ["PATH=/bin", "A=2"],
        "Cmd": ["/bin/ash", "-c", "run"],
        "Labels": {"a": "1", "b": "2"},
        "ExposedPorts": {"1/tcp": {}, "2/tcp": {}},
        "WorkingDir": "/srv/x",
    }
    assert config('ENTRYPOINT ["new"]', base)["Cmd"] is None
    assert base["Labels"] == {"a": "1"}


@pytest.mark.parametrize(
    ("text", "sources", "dest"),
    [
        ("COPY a /b", ("a",), "/b"),
        ("COPY a b /c/", ("a", "b"), "/c/"),
        ("COPY a .", ("a",), "/w/"),
        ("COPY a ..", ("a",), "/"),
        ("COPY a ./x/.", ("a",), "/w/x/"),
        ("COPY a x", ("a",), "/w/x"),
        ("COPY a /", ("a",), "/"),
        ("COPY a ../../../x", ("a",), "/x"),
        ('COPY ["a b", "/c d/"]', ("a b",), "/c d/"),
        ("ARG V=1\nCOPY app-$V.py /${V}/", ("app-1.py",), "/1/"),
        ("COPY a //x", ("a",), "/x"),
    ],
)
def test_a_destination_is_taken_from_the_working_folder(text: str, sources: tuple[str, ...], dest: str) -> None:
    step = draft(f"WORKDIR /w\n{text}").events[-1].step
    assert isinstance(step, CopyFiles)
    assert (step.sources, step.dest) == (sources, dest)


def test_copy_takes_an_owner_and_a_mode() -> None:
    step = draft("ARG U=7\nCOPY --chown=$U:8 --chmod=4755 --link a /b").events[-1].step
    assert isinstance(step, CopyFiles)
    assert (step.owner, step.mode) == ("7:8", 0o4755)


def test_a_working_folder_belongs_to_the_user_of_the_moment() -> None:
    steps = [event.step for event in draft("WORKDIR /a\nUSER app\nWORKDIR /b\nWORKDIR /").events]
    assert [(step.path, step.owner) for step in steps if isinstance(step, MakeFolder)] == [("/a", ""), ("/b", "app")]


def test_the_history_shows_the_dockerfile_and_no_value_of_an_argument() -> None:
    events = draft("ARG TOKEN\nENV A=1 \\\n  B=2\nCOPY --chown=1 $TOKEN /x", TOKEN="s3cret").events
    assert [event.text for event in events] == ["ARG TOKEN", "ENV A=1 B=2", "COPY --chown=1 $TOKEN /x"]


@pytest.mark.parametrize(
    ("text", "way_out"),
    [
        ("RUN make", "COPY what it makes"),
        ("RUN --mount=type=cache,target=/x make", "COPY what it makes"),
        ("RUN <<EOF\nmake\nEOF", "COPY what it makes"),
        ("ONBUILD COPY a /b", "where it is to happen"),
        ("COPY --from=build /a /b", "into the build context"),
        ("COPY --from=busybox:1 /a /b", "into the build context"),
        ("COPY --parents a /b", "list the files"),
        ("COPY --exclude=*.md a /b", "list the files"),
        ("COPY --chmod=u+x a /b", "octal"),
        ("COPY <<EOF /b\nx\nEOF", "into a file"),
        ("ADD https://a.example/x /b", "fetch it first"),
        ("ADD git@git.example:a/b.git /b", "fetch it first"),
        ("ADD --checksum=sha256:1 a /b", "list the files"),
        ("ARG H=https\nADD $H://a.example/x /b", "fetch it first"),
    ],
)
def test_what_takes_an_engine_is_refused_with_its_line_and_the_way_out(text: str, way_out: str) -> None:
    with pytest.raises(UnsupportedError) as caught:
        draft(f"\n# two lines down\n{text}")
    assert caught.value.line == (5 if text.startswith("ARG H") else 4)
    assert "--builder buildx" in caught.value.hint
    assert way_out in caught.value.hint


BROKEN = """\
RUM make
CMD
CMD [1]
ENV A
ENV A=1 B
ENV =1
ENV --x A=1
ENV A=${}
LABEL a
ARG =1
COPY a
COPY ["a"]
COPY a b /c
COPY --chown a /b
COPY --chown= a /b
COPY --nope a /b
EXPOSE x
EXPOSE 70000
EXPOSE 80/xyz
EXPOSE 9-8
EXPOSE 1:2
EXPOSE -
EXPOSE ${X
VOLUME [""]
STOPSIGNAL SIGNOPE
STOPSIGNAL 0
SHELL bash
SHELL []
HEALTHCHECK
HEALTHCHECK NONE x
HEALTHCHECK CMD
HEALTHCHECK PING x
HEALTHCHECK --interval=1 CMD a
HEALTHCHECK --timeout=1ns CMD a
HEALTHCHECK --retries=-1 CMD a
USER ${X
WORKDIR ${X:?why}
"""


@pytest.mark.parametrize("text", BROKEN.splitlines())
def test_what_no_builder_takes_is_refused_by_its_line(text: str) -> None:
    with pytest.raises(DockerfileError) as caught:
        draft(f"# a comment\n{text}")
    assert not isinstance(caught.value, UnsupportedError)
    assert caught.value.line == 3
    assert caught.value.hint


def test_the_nearest_instruction_is_named() -> None:
    with pytest.raises(DockerfileError, match='no instruction "COPPY"') as caught:
        draft("COPPY a /b")
    assert 'did you mean "copy"' in caught.value.hint


def test_what_a_base_image_asks_of_its_children_happens_first() -> None:
    found = draft("CMD b", triggers=("COPY a /src", "LABEL built=on")).events
    assert [event.text for event in found] == ["COPY a /src", "LABEL built=on", "CMD b"]
    with pytest.raises(UnsupportedError, match=r"line 1: .* RUN make"):
        draft("CMD b", triggers=("RUN make",))
