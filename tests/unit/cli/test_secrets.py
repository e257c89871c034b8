from __future__ import annotations

from pathlib import Path

import pytest

from kdeploy.cli.secrets import given_secrets, known_secrets
from kdeploy.config.flags import Flags
from kdeploy.config.settings import BuildOptions, Settings
from kdeploy.config.target import Workload
from kdeploy.model import HttpCheck, Kind
from kdeploy.reference import Reference


def found(
    *,
    checks: tuple[HttpCheck, ...] = (),
    secrets: tuple[str, ...] = (),
    args: tuple[tuple[str, str], ...] = (),
    **env: str,
) -> set[str]:
    workload = Workload(kind=Kind.DEPLOYMENT, name="web")
    settings = Settings(workload=workload, checks=checks, build=BuildOptions(secrets=secrets, args=args))
    return {secret.reveal() for secret in known_secrets(settings, env)}


def test_the_values_of_headers_are_secrets_with_and_without_their_scheme() -> None:
    check = HttpCheck(name="a", path="/", headers={"Authorization": "Bearer t0ken", "X-Key": "k3y"})
    assert found(checks=(check,)) == {"Bearer t0ken", "t0ken", "k3y"}


def test_a_password_in_a_url_is_a_secret() -> None:
    assert found(checks=(HttpCheck(name="a", url="https://u:p%40ss@x/"),)) == {"p%40ss", "p@ss"}


def test_of_a_query_only_what_may_be_a_token_is_a_secret() -> None:
    query = "full=true&level=available&pages=12345678&key=s3cr3t-key&sig=a1b2c3d4e5"
    assert found(checks=(HttpCheck(name="a", path=f"/?{query}"),)) == {"s3cr3t-key", "a1b2c3d4e5"}


def test_a_build_argument_is_a_secret_by_its_name() -> None:
    args = (("NPM_TOKEN", "t0ken-of-npm"), ("PUBLIC_KEY", "ssh-rsa AAAA"), ("AUTH", "basic"), ("REGION", "eu-west-1"))
    assert found(args=args) == {"t0ken-of-npm"}


@pytest.mark.parametrize(
    "value", ["acme/shop-web", "ghcr.io", "cluster-eu", "production", "shop-web", "deployment", "0a1b2c3d", "eu-west"]
)
def test_a_build_argument_that_outputs_must_go_on_naming_is_none(value: str) -> None:
    settings = Settings(
        workload=Workload(kind=Kind.DEPLOYMENT, name="shop-web"),
        namespace="production",
        context="cluster-eu",
        image=Reference(repository="ghcr.io/acme/shop-web"),
        build=BuildOptions(args=(("BUILD_KEY", value),)),
    )
    assert not list(known_secrets(settings, {"GITHUB_SHA": "0a1b2c3d" * 5}, ["eu-west-1"]))


def test_a_build_argument_in_which_a_name_stands_is_a_secret_all_the_same() -> None:
    assert found(args=(("BUILD_KEY", "web-t0ken"),)) == {"web-t0ken"}


def test_a_password_in_a_build_argument_is_a_secret() -> None:
    assert found(args=(("INDEX_URL", "https://ci:t0ken@pypi.example/simple"),)) == {"t0ken"}


def test_the_logins_of_the_environment_are_secrets() -> None:
    assert found(KDEPLOY_REGISTRY_PASSWORD="pa:ss", KDEPLOY_GITHUB_TOKEN="ghs_1") == {"pa:ss", "ghs_1"}


def test_build_secrets_are_read_as_buildx_reads_them(tmp_path: Path) -> None:
    file = tmp_path / "npmrc"
    file.write_text("//registry/:_authToken=abc")
    specifications = ("id=a,env=TOKEN", f"id=b,src={file}", "id=BARE", "id=none,env=UNSET", "id=c,src=/nonexistent")
    expected = {"from-env", "//registry/:_authToken=abc", "from-id"}
    assert found(secrets=specifications, TOKEN="from-env", BARE="from-id") == expected


@pytest.mark.parametrize(
    ("specification", "secret"),
    [
        ("type=env,id=tok,src=TOKEN", "from-env"),
        ('ID=tok,"SRC=npmrc"', "//registry/:_authToken=abc"),
        ("id=npmrc", "//registry/:_authToken=abc"),
    ],
)
def test_a_build_secret_is_found_in_each_way_to_name_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, specification: str, secret: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("npmrc").write_text("//registry/:_authToken=abc")
    assert found(secrets=(specification,), TOKEN="from-env") == {secret}


def test_the_password_of_a_basic_login_is_a_secret() -> None:
    header = {"Authorization": "Basic dTpodW50ZXIyLXBhc3M="}
    assert "hunter2-pass" in found(checks=(HttpCheck(name="a", url="https://x/", headers=header),))


def test_flags_that_make_no_settings_have_secrets_too() -> None:
    arguments = ("NPM_TOKEN=t0ken-of-npm", "b3BlbnNzaC1r", "REGION=eu-west-1")
    flags = Flags(build_arg=arguments, verify_http=("/health", "https://ann:pa/ss@x/"))
    secrets = {secret.reveal() for secret in given_secrets(flags, {"KDEPLOY_REGISTRY_PASSWORD": "hunter2"})}
    assert {"t0ken-of-npm", "b3BlbnNzaC1r", "pa/ss", "hunter2"} <= secrets
    assert not secrets & {"eu-west-1", "/health"}
