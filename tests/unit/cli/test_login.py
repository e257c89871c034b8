"""The registry's login from the environment."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from kdeploy.build.credentials import DockerLogins, Login, load_logins, with_login
from kdeploy.cli.login import docker_env
from kdeploy.cli.private import remove_all
from kdeploy.config.settings import BuildOptions, Settings
from kdeploy.config.target import Workload
from kdeploy.errors import ConfigError
from kdeploy.model import Kind
from kdeploy.reference import parse
from kdeploy.secret import Secret

ANN = Login(username="ann", password=Secret("pa:ss"))
CI = {"KDEPLOY_REGISTRY_USERNAME": "ann", "KDEPLOY_REGISTRY_PASSWORD": "pa:ss\n"}


@pytest.fixture(autouse=True)
def removed() -> Iterator[None]:
    yield
    remove_all()


def settings(image: str = "reg.example:5000/acme/web", push: str | None = None) -> Settings:
    workload = Workload(kind=Kind.DEPLOYMENT, name="web")
    return Settings(workload=workload, image=parse(image), build=BuildOptions(push_repository=push))


def own(folder: Path, config: object) -> dict[str, str]:
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "contexts").mkdir()
    (folder / "contexts" / "meta.json").write_text("{}")
    return {"DOCKER_CONFIG": str(folder), **CI}


def test_the_login_is_that_of_the_registry_that_is_pushed_to_beside_all_that_was_there(tmp_path: Path) -> None:
    env = docker_env(own(tmp_path / "docker", {"auths": {"other": {"auth": "Ym9iOngK"}}, "proxies": {}}), settings())
    made = Path(env["DOCKER_CONFIG"])
    assert load_logins(env).login("reg.example:5000") == ANN
    assert load_logins(env).login("other") is not None
    assert (made / "contexts" / "meta.json").read_text() == "{}"
    assert "proxies" in json.loads((made / "config.json").read_text())
    assert not set(env) & set(CI)
    assert (made / "config.json").stat().st_mode & 0o777 == 0o600
    assert made.stat().st_mode & 0o777 == 0o700
    remove_all()
    assert not made.exists()
    assert (tmp_path / "docker" / "contexts" / "meta.json").exists()


def test_it_goes_before_helpers_and_an_older_login() -> None:
    config = {
        "auths": {"https://reg.example/v1/": {"auth": "Ym9iOngK"}},
        "credHelpers": {"reg.example": "own", "else": "own"},
        "credsStore": "general",
    }
    made = with_login(config, "reg.example", ANN)
    assert DockerLogins(config=made).login("reg.example") == ANN
    assert made["credHelpers"]["else"] == "own"
    assert made["credsStore"] == "general"
    assert DockerLogins(config=with_login({}, "docker.io", ANN)).login("docker.io") == ANN


@pytest.mark.parametrize(
    ("given", "domain"),
    [
        (settings("web"), "docker.io"),
        (settings("reg.example/web@sha256:" + "a" * 64), "reg.example"),
        (settings("reg.example/web", push="localhost:5000/web"), "localhost:5000"),
    ],
)
def test_the_registry_is_read_off_the_image(given: Settings, domain: str, tmp_path: Path) -> None:
    env = docker_env({"HOME": str(tmp_path), **CI}, given)
    assert load_logins(env).login(domain) == ANN


@pytest.mark.parametrize("name", ["GITHUB_ACTOR", "CI_REGISTRY_USER"])
def test_the_ci_tells_the_user(name: str, tmp_path: Path) -> None:
    env = docker_env({"HOME": str(tmp_path), name: "ann", "KDEPLOY_REGISTRY_PASSWORD": "pa:ss"}, settings())
    assert load_logins(env).login("reg.example:5000") == ANN


def test_without_a_password_all_stays_as_it_is(tmp_path: Path) -> None:
    env = {"HOME": str(tmp_path), "GITHUB_ACTOR": "ann", "KDEPLOY_REGISTRY_PASSWORD": ""}
    assert docker_env(env, settings()) is env


@pytest.mark.parametrize("name", CI)
def test_a_half_of_a_login_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match=r"registry's (user name|password)"):
        docker_env({name: CI[name]}, settings())
