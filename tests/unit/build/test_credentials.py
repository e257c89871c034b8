"""Logins from Docker's configuration."""

import base64
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from kdeploy.build.credentials import DockerLogins, Login, load_logins, with_login
from kdeploy.errors import RefusedError
from kdeploy.model import Reason
from kdeploy.process import NOT_FOUND, Finished
from kdeploy.secret import Secret

AUTH = base64.b64encode(b"ann:pa:ss").decode()
ANN = Login(username="ann", password=Secret("pa:ss"))


class Helper:
    """A credential helper that answers always the same, and remembers what it was asked."""

    def __init__(self, finished: Finished) -> None:
        self.finished = finished
        self.asked: list[tuple[list[str], bytes]] = []

    def __call__(
        self, command: Sequence[str], *, env: Mapping[str, str] | None = None, stdin: bytes = b"", timeout: float = 60.0
    ) -> Finished:
        self.asked.append((list(command), stdin))
        return self.finished


def gives(user: str, secret: str) -> Helper:
    return Helper(Finished(code=0, out=json.dumps({"Username": user, "Secret": secret}).encode()))


@pytest.mark.parametrize("key", ["reg.example:5000", "https://reg.example:5000", "http://reg.example:5000/v1/"])
def test_a_login_is_found_by_host_whatever_its_key_looks_like(key: str) -> None:
    assert DockerLogins(config={"auths": {key: {"auth": AUTH}}}).login("reg.example:5000") == ANN


def test_the_port_counts() -> None:
    assert DockerLogins(config={"auths": {"reg.example": {"auth": AUTH}}}).login("reg.example:5000") is None


def test_docker_hub_is_known_by_its_old_address() -> None:
    config = {"auths": {"https://index.docker.io/v1/": {"auth": AUTH}}}
    assert DockerLogins(config=config).login("docker.io") == ANN


def test_an_identity_token_is_not_a_password() -> None:
    login = DockerLogins(config={"auths": {"reg.example": {"auth": AUTH, "identitytoken": "t"}}}).login("reg.example")
    assert login == Login(username="<token>", password=Secret("t"), is_identity_token=True)


@pytest.mark.parametrize(
    "entry", [{}, {"auth": "%%%"}, {"auth": ""}, "text", {"auth": base64.b64encode(b"ann").decode()}]
)
def test_an_entry_that_holds_no_login_is_none(entry: Any) -> None:
    assert DockerLogins(config={"auths": {"reg.example": entry}}).login("reg.example") is None


def test_the_helper_of_a_registry_goes_before_the_general_store() -> None:
    helper = gives("ann", "pa:ss")
    config = {"credHelpers": {"reg.example": "own"}, "credsStore": "general", "auths": {}}
    assert DockerLogins(config=config, run=helper).login("reg.example") == ANN
    assert helper.asked == [(["docker-credential-own", "get"], b"reg.example")]


def test_the_general_store_is_asked_by_docker_hubs_old_address() -> None:
    helper = gives("<token>", "refresh")
    login = DockerLogins(config={"credsStore": "general"}, run=helper).login("docker.io")
    assert login == Login(username="<token>", password=Secret("refresh"), is_identity_token=True)
    assert helper.asked == [(["docker-credential-general", "get"], b"https://index.docker.io/v1/")]


def test_a_store_without_the_login_leaves_the_plain_entry() -> None:
    helper = Helper(Finished(code=1, out=b"credentials not found in native keychain\n"))
    config = {"credsStore": "general", "auths": {"reg.example": {"auth": AUTH}}}
    assert DockerLogins(config=config, run=helper).login("reg.example") == ANN


@pytest.mark.parametrize(
    "finished",
    [
        Finished(code=NOT_FOUND, err="docker-credential-general: No such file or directory"),
        Finished(code=1, out=b"the keychain is \x1b[31mlocked"),
        Finished(code=0, out=b"not json"),
        Finished(code=0, out=b"[]"),
    ],
)
def test_a_helper_that_fails_is_an_error_that_names_it(finished: Finished) -> None:
    with pytest.raises(RefusedError, match="docker-credential-general") as caught:
        DockerLogins(config={"credsStore": "general"}, run=Helper(finished)).login("reg.example")
    assert caught.value.reason is Reason.IMAGE_UNAUTHORIZED
    assert "\x1b" not in caught.value.message


def test_a_helpers_name_is_no_path() -> None:
    helper = gives("ann", "x")
    with pytest.raises(RefusedError):
        DockerLogins(config={"credsStore": "../../bin/sh"}, run=helper).login("reg.example")
    assert helper.asked == []


def test_the_configuration_lies_where_docker_looks(tmp_path: Path) -> None:
    text = json.dumps({"auths": {"reg.example": {"auth": AUTH}}})
    (tmp_path / ".docker").mkdir()
    (tmp_path / ".docker" / "config.json").write_text(text)
    (tmp_path / "config.json").write_text("{}")
    assert load_logins({"HOME": str(tmp_path)}).login("reg.example") == ANN
    assert load_logins({"HOME": str(tmp_path), "DOCKER_CONFIG": str(tmp_path)}).login("reg.example") is None


def test_no_configuration_means_no_login(tmp_path: Path) -> None:
    assert load_logins({"DOCKER_CONFIG": str(tmp_path)}).login("reg.example") is None


@pytest.mark.parametrize("text", ["{", "[]", "\udc80"])
def test_a_broken_configuration_is_refused_with_its_path(tmp_path: Path, text: str) -> None:
    (tmp_path / "config.json").write_text(text, errors="surrogateescape")
    with pytest.raises(RefusedError, match=r"config\.json"):
        load_logins({"DOCKER_CONFIG": str(tmp_path)})


def test_a_password_is_not_printed() -> None:
    assert "pa:ss" not in repr(ANN)


FROM_VARIABLES = with_login({"credsStore": "desktop", "auths": {"other": {"auth": AUTH}}}, "reg.example", ANN)


@pytest.mark.parametrize(
    ("config", "domain", "advice"),
    [
        (FROM_VARIABLES, "reg.example", "correct KDEPLOY_REGISTRY_PASSWORD"),
        (FROM_VARIABLES, "other", "docker-credential-desktop"),
        (with_login({}, "docker.io", ANN), "docker.io", "correct KDEPLOY_REGISTRY_PASSWORD"),
        ({"credHelpers": {"reg.example": "ecr-login"}}, "reg.example", "docker-credential-ecr-login"),
        ({"auths": {"reg.example": {"auth": AUTH}}}, "reg.example", "came from Docker's configuration"),
        ({"auths": {"reg.example": {"auth": AUTH}}}, "other", "there was no login"),
        ({}, "reg.example", "or set KDEPLOY_REGISTRY_PASSWORD"),
    ],
)
def test_where_a_login_is_refused_the_advice_is_by_where_it_came_from(
    config: Mapping[str, Any], domain: str, advice: str
) -> None:
    assert advice in DockerLogins(config=config).advice(domain)
