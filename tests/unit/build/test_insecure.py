"""Plain HTTP by Docker's rule."""

import pytest

from kdeploy.build.insecure import allows_plain_http, insecure_registries


@pytest.mark.parametrize("domain", ["localhost", "localhost:5000", "127.0.0.1:5000", "127.3.2.1", "[::1]:5000"])
def test_loopback_registries_may_be_plain(domain: str) -> None:
    assert allows_plain_http(domain)


@pytest.mark.parametrize("domain", ["ghcr.io", "10.0.0.1:5000", "localhost.example", "127.example:5000", "[::2]:5000"])
def test_others_may_not(domain: str) -> None:
    assert not allows_plain_http(domain)


@pytest.mark.parametrize(
    ("domain", "allowed"),
    [
        ("reg.example:5000", True),
        ("reg.example", False),
        ("reg.example:5001", False),
        ("10.1.2.3:5000", True),
        ("10.2.0.1", False),
    ],
)
def test_the_engines_list_counts_by_name_with_port_and_by_network(domain: str, allowed: bool) -> None:
    assert allows_plain_http(domain, ["reg.example:5000", "10.1.0.0/16", "nonsense/99"]) is allowed


def test_the_list_is_read_from_what_the_engine_tells() -> None:
    info = {
        "RegistryConfig": {
            "InsecureRegistryCIDRs": ["127.0.0.0/8"],
            "IndexConfigs": {"docker.io": {"Secure": True}, "reg.example:5000": {"Secure": False}},
        }
    }
    assert insecure_registries(info) == ("127.0.0.0/8", "reg.example:5000")
    assert insecure_registries({}) == ()
