from __future__ import annotations

import time

import pytest

from kdeploy.model import Obj
from kdeploy.rollout.containers import env_secrets
from kdeploy.secret import is_secret, passwords_in

VALUE = "s3cr3t-value"


@pytest.mark.parametrize(
    "name",
    [
        *("DB_PASSWORD", "DB_PASS", "PGPASS", "PASSPHRASE", "PRIVATE_KEY", "PRIVATEKEY", "ACCESSTOKEN", "GITHUB_PAT"),
        *("spring.datasource.password", "dbPassword", "db-password", "apiKey", "API_KEY", "PUBLIC_API_TOKEN", "AUTH"),
        *("CACHE_AUTH", "CACHE_API_KEY"),
        *("NPM_TOKEN", "CLIENT_SECRETS", "credentials", "REGISTRY_CREDS", "CREDS", "JWT", "SERVICE_JWT", "BEARER"),
        *("SECRETKEY", "MINIO_SECRETKEY", "JWTSECRETKEYS"),
        *("ENCRYPTIONKEY", "SESSIONKEY", "encryptionKey", "MYSQLPWD", "DB_PWD", "dbpass", "SMTPPASS", "TRUSTSTOREPASS"),
    ],
)
def test_a_secret_is_known_by_its_name(name: str) -> None:
    assert is_secret(name, VALUE)


@pytest.mark.parametrize(
    "name",
    [
        *("TLS_SECRET_NAME", "TOKEN_URL", "AUTH_METHOD", "SECRET_PATH", "KEY_FILE", "PUBLIC_KEY", "REGION", ""),
        *("KEYBOARD", "COMPASS", "PATH", "AUTHOR", "MONKEY", "BYPASS", "ALLOW_BYPASS", "PWD", "OLDPWD", "CACHE_KEY"),
        *(
            "JWT_ISSUER",
            "JWT_AUDIENCE",
            "BEARER_METHODS",
            "CREDS_FILE",
            "SESSION_KEYBOARD",
            "SSH_AUTH_SOCK",
            "ENCOMPASS",
        ),
    ],
)
def test_what_only_tells_of_one_is_none(name: str) -> None:
    assert not is_secret(name, VALUE)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(
            ("AUTH0_DOMAIN", "shop.eu.auth0.com"),
            ("AUTH0_AUDIENCE", "https://shop.example.com"),
            ("MAX_TOKENS", "128000"),
        ),
        *(("PASSWORDLESS_LOGIN", "enabled"), ("API_KEYWORDS", VALUE), ("BYPASS_WORDLIST", VALUE)),
        *(("TOKENIZERS_PARALLELISM", "disabled"), ("SECRETS_PROVIDER", "kubernetes"), ("AUTH_STRATEGY", "container")),
        *(("PASSWORD_ENCRYPTION", "scram-sha-256"), ("TOKEN", "required"), ("TOKEN_ISSUER", VALUE)),
    ],
)
def test_a_setting_about_secrets_is_none(name: str, value: str) -> None:
    assert not is_secret(name, value)


def test_a_number_may_be_a_password() -> None:
    assert is_secret("PASSWORD", "128000")


def test_a_short_value_is_no_secret_by_its_name_alone() -> None:
    assert not is_secret("AUTH", "basic")
    assert not is_secret("PASSWORD", "none")
    assert is_secret("DB_PASSWORD", "s3cr3t!")


def test_a_folder_is_no_password() -> None:
    assert not is_secret("INIT_PWD", "/home/runner/work")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("postgres://app:pw%40x@db:5432/shop", ["pw%40x"]),
        ("redis://:pw@cache", ["pw"]),
        ("http://a:firstpw@x http://b:secondpw@y", ["firstpw", "secondpw"]),
        ("k://a:firstpw@x,k://b:secondpw@y", ["firstpw", "secondpw"]),
        ("postgres://u:p@ssword@db/shop", ["p@ssword"]),
        ("postgres://u:p@ss/w0rd@db/shop", ["p", "p@ss/w0rd"]),
        ("postgres://u:p#ss/w0rd@db/shop", ["p#ss/w0rd"]),
        ("https://ghp_0123456789abcdef@github.com/acme/web", ["ghp_0123456789abcdef"]),
        ("https://glpat-a1-b2_c3@gitlab.com/acme/web", ["glpat-a1-b2_c3"]),
        ("https://0123456789abcdef0123456789abcdef01234567:x-oauth-basic@github.com", [
            "0123456789abcdef0123456789abcdef01234567", "x-oauth-basic"
        ]),
        ("Server=db;User Id=app;Password=pw word;Encrypt=true", ["pw word"]),
        ('Data Source=db;Pwd="pw;word"', ["pw;word"]),
        ("AccountName=shop;AccountKey=c2VjcmV0a2V5==;EndpointSuffix=x", ["c2VjcmV0a2V5=="]),
        ("Endpoint=sb://shop/;SharedAccessKeyName=Root;SharedAccessKey=c2VjcmV0=", ["c2VjcmV0="]),
        ("host=db user=app password=s3cret-pw sslmode=require", ["s3cret-pw"]),
        ("jdbc:mysql://db/shop?user=app&password=s3cret-pw&ssl=true", ["s3cret-pw"]),
    ],
)  # fmt: skip
def test_passwords_in_addresses_and_connection_strings_are_secrets(text: str, found: list[str]) -> None:
    assert list(passwords_in(text)) == found


@pytest.mark.parametrize(
    "text",
    [
        *("", "https://shop.example:443/a@b", "https://shop.example/a:b@c", "git@github.com:acme/web", "a:b@c"),
        *("https://git@github.com/acme/web", "amqp://deployment-user@queue", "https://user.name@shop.example/"),
        *("Server=db;User Id=app;Trusted_Connection=true", "cache_key=production;region=eu", "a=b", "password="),
        *("--password-file=/run/secrets/pw", "Library, PublicKeyToken=b77a5c561934e089", "tokens=none"),
    ],
)
def test_an_address_without_a_password_has_none(text: str) -> None:
    assert list(passwords_in(text)) == []


def test_a_long_text_is_searched_in_no_time() -> None:
    began = time.monotonic()
    for text in ("a" * 300_000, "a:/" * 100_000, "a://" * 75_000, "a=" * 150_000, "a b " * 75_000, "x://a:b" * 40_000):
        list(passwords_in(text))
    assert time.monotonic() - began < 5


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
