"""Image names: what is taken, what is refused and with which words."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdeploy.errors import ConfigError
from kdeploy.reference import (
    Reference,
    check_repository,
    check_tag,
    derive_repository,
    parse,
    same_repository,
)

DIGEST = "sha256:" + "ab" * 32

COMPONENT = st.from_regex(r"[a-z0-9]{1,6}(?:(?:\.|_|__|-{1,3})[a-z0-9]{1,4}){0,2}", fullmatch=True)
DOMAIN = st.from_regex(r"(?:[a-z0-9]{1,5}(?:\.[a-z0-9]{1,5}){1,2}|localhost)(?::[0-9]{1,5})?", fullmatch=True)
TAG = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}", fullmatch=True)


@st.composite
def references(draw: st.DrawFn) -> Reference:
    domain = draw(st.none() | DOMAIN)
    first = draw(st.from_regex(r"[a-km-z0-9][a-z0-9]{0,5}", fullmatch=True))  # "localhost" would be a host
    path = "/".join([first, *draw(st.lists(COMPONENT, max_size=3))])
    return Reference(
        repository=f"{domain}/{path}" if domain else path,
        tag=draw(st.none() | TAG),
        digest=draw(st.none() | st.just(DIGEST)),
    )


@given(references())
def test_a_reference_survives_being_written_and_read(reference: Reference) -> None:
    assert parse(str(reference)) == reference


@given(st.text(max_size=60))
def test_any_text_is_parsed_or_refused(text: str) -> None:
    with contextlib.suppress(ConfigError):
        assert str(parse(text)) == text.strip()


@given(st.text(max_size=60).filter(lambda text: "/" not in text))
def test_a_derived_name_is_valid_or_empty(text: str) -> None:
    if derived := derive_repository(text):
        assert check_repository(f"ghcr.io/acme/{derived}") == f"ghcr.io/acme/{derived}"


@pytest.mark.parametrize(
    ("text", "repository", "tag", "digest"),
    [
        ("nginx", "nginx", None, None),
        ("nginx:1.27", "nginx", "1.27", None),
        ("localhost:5000/app", "localhost:5000/app", None, None),
        ("localhost:5000/app:v1", "localhost:5000/app", "v1", None),
        ("[::1]:5000/app:v1", "[::1]:5000/app", "v1", None),
        ("ghcr.io/acme/web@" + DIGEST, "ghcr.io/acme/web", None, DIGEST),
        ("ghcr.io/acme/web:v1@" + DIGEST, "ghcr.io/acme/web", "v1", DIGEST),
        ("GHCR.io/acme/web", "GHCR.io/acme/web", None, None),
    ],
)
def test_a_reference_is_taken_apart(text: str, repository: str, tag: str | None, digest: str | None) -> None:
    assert parse(text) == Reference(repository=repository, tag=tag, digest=digest)


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("ghcr.io/Acme/Web", "must be lower case", "ghcr.io/acme/web"),
        ("Web", "must be lower case", "web"),
        ("ghcr.io/acme/we b", "may have only letters and digits", "ghcr.io/acme/we-b"),
        ("ghcr.io/acme/-web", "may have only letters and digits", "ghcr.io/acme/web"),
        ("https://ghcr.io/acme/web", "no scheme", "registry.example/team/app"),
        ("", "it is empty", "registry.example/team/app"),
        ("a/" * 130 + "b", "longer than 255", "registry.example/team/app"),
        ("ab" * 32, "image id", "registry.example/team/app"),
        ("web:-v1", "may not begin with '-'", "v1"),
        ("web:v 1", "only letters, digits", "v-1"),
        ("web:" + "v" * 129, "longer than 128", "v" * 128),
        ("web@sha256:abc", "64 lower-case hex digits", "registry shows"),
        ("web@", "is not valid", "registry shows"),
    ],
)
def test_a_bad_reference_is_refused_with_the_nearest_good_one(text: str, message: str, hint: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(text, what="--image")
    assert message in caught.value.message
    assert hint in caught.value.hint


@pytest.mark.parametrize("tag", ["ünï", "v1\n", ".hidden", ""])
def test_a_bad_tag_is_refused(tag: str) -> None:
    with pytest.raises(ConfigError, match="not a valid image tag"):
        check_tag(tag)


def test_a_derived_name_is_lower_cased_and_mended() -> None:
    assert derive_repository("GHCR.io/ACME Corp/My__App..x") == "ghcr.io/acme-corp/my__app.x"


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("nginx", "docker.io/library/nginx:1.27", True),
        ("nginx", "index.docker.io/library/nginx", True),
        ("acme/web", "docker.io/acme/web@" + DIGEST, True),
        ("nginx", "ghcr.io/library/nginx", False),
        ("localhost:5000/a", "localhost:5001/a", False),
        ("localhost/a", "localhost/b", False),
        ("UPPER", "UPPER", False),
    ],
)
def test_names_of_one_repository_are_recognized(one: str, other: str, same: bool) -> None:
    assert same_repository(one, other) is same
