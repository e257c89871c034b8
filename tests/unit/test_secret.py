from __future__ import annotations

import pytest

from kdeploy.model import Obj
from kdeploy.rollout.containers import env_secrets
from kdeploy.secret import is_secret, password_in

VALUE = "s3cr3t-value"


@pytest.mark.parametrize(
    "name",
    [
        *("DB_PASSWORD", "DB_PASS", "PGPASS", "PASSPHRASE", "PRIVATE_KEY", "PRIVATEKEY", "ACCESSTOKEN", "GITHUB_PAT"),
        *("spring.datasource.password", "dbPassword", "db-password", "apiKey", "API_KEY", "PUBLIC_API_TOKEN", "AUTH"),
        *("NPM_TOKEN", "CLIENT_SECRETS", "credentials"),
    ],
)
def test_a_secret_is_known_by_its_name(name: str) -> None:
    assert is_secret(name, VALUE)


@pytest.mark.parametrize(
    "name",
    [
        *("TLS_SECRET_NAME", "TOKEN_URL", "AUTH_METHOD", "SECRET_PATH", "KEY_FILE", "PUBLIC_KEY", "REGION", ""),
        *("KEYBOARD", "COMPASS", "PATH", "AUTHOR", "MONKEY"),
    ],
)
def test_what_only_tells_of_one_is_none(name: str) -> None:
    assert not is_secret(name, VALUE)


def test_a_short_value_is_no_secret_by_its_name_alone() -> None:
    assert not is_secret("AUTH", "basic")
    assert not is_secret("PASSWORD", "none")
    assert is_secret("DB_PASSWORD", "s3cr3t!")


def test_the_password_of_an_address_is_a_secret() -> None:
    assert password_in("postgres://app:pw%40x@db:5432/shop") == "pw%40x"
    assert password_in("redis://:pw@cache") == "pw"
    assert password_in("https://shop.example:443/a@b") == ""


def containers(value: str, name: str = "DB_PASSWORD") -> Obj:
    return {
        "containers": [{"name": "web", "image": "ghcr.io/acme/shop-web:1", "env": [{"name": name, "value": value}]}]
    }


@pytest.mark.parametrize(
    "obj",
    [
        {"kind": "Deployment", "metadata": {"name": "w"}, "spec": {"template": {"spec": containers(VALUE)}}},
        {"metadata": {"name": "w"}, "data": {"spec": {"template": {"spec": containers(VALUE)}}}, "revision": 1},
        {"kind": "Pod", "metadata": {"name": "w"}, "spec": containers(VALUE)},
        {"kind": "Pod", "metadata": {"name": "w"}, "spec": containers(f"postgres://u:{VALUE}@db", "DATABASE_URL")},
    ],
)
def test_the_variables_of_workloads_revisions_and_pods_are_looked_at(obj: Obj) -> None:
    assert {secret.reveal() for secret in env_secrets(obj)} == {VALUE}


@pytest.mark.parametrize("obj", [{}, {"spec": {}}, {"data": {"a": "b"}}, {"spec": {"template": {"spec": {}}}}])
def test_what_has_no_pods_has_none(obj: Obj) -> None:
    assert list(env_secrets(obj)) == []


def test_a_part_of_the_image_or_name_is_none() -> None:
    pod: Obj = {"metadata": {"name": "shop-token-7"}, "spec": containers("shop-web")}
    assert list(env_secrets(pod)) == []
