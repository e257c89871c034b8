from __future__ import annotations

import pytest
from urllib3.util import parse_url

from kdeploy.address import is_readable, refuse_unreadable, without_login
from kdeploy.errors import ConfigError

READABLE = [
    *("http://proxy:3128", "http://proxy.example:3128/", "https://u:p%23w@proxy:3128", "http://u:p@ss@proxy:3128"),
    *(
        "proxy.example:3128",
        "squid_proxy",
        "http://[::1]:3128",
        "http://[fe80::1%25eth0]:1",
        "socks5h://127.0.0.1:1080",
    ),
    *("http://u:p%zzw@127.0.0.1:1", "https://rancher.example/k8s/clusters/c-1"),
    "https://gw.example.com/v1/users/jo@example.com/clusters/a",
]
UNREADABLE = [
    *("http://u:canary@pw123/x@proxy.example:3128", "http://pw123canary/x@proxy.example"),
    *("http://user:canary#pw@proxy:3128", "http://user:canary/pw@proxy:3128", "http://user:canary?pw@proxy:3128"),
    *("http://user:123/pw@proxy:3128", "http://user:123#pw@proxy", r"http://user:canary\pw@proxy:3128"),
    *(
        "http://",
        "http://u:p@",
        "http://proxy:port",
        "http://a b",
        "http://[::1",
        "http://u:p[w@proxy",
        "user:canary/pw@proxy:3128",
    ),
]


@pytest.mark.parametrize("address", READABLE)
def test_an_address_is_readable_where_http_libraries_read_it_as_it_was_meant(address: str) -> None:
    assert is_readable(address)
    assert parse_url(address if "://" in address else f"http://{address}").host


@pytest.mark.parametrize("address", UNREADABLE)
@pytest.mark.parametrize("name", ["HTTPS_PROXY", "http_proxy", "ALL_PROXY"])
def test_a_proxy_whose_address_cannot_be_read_is_refused_by_the_name_of_its_variable(address: str, name: str) -> None:
    with pytest.raises(ConfigError, match=f"{name} is no address") as caught:
        refuse_unreadable({name: address})
    shown = caught.value.message + caught.value.hint
    assert not [part for part in ("canary", "pw", "123", "user:") if part in shown]


def test_what_is_no_proxy_or_empty_is_not_looked_at() -> None:
    refuse_unreadable({"HTTPS_PROXY": "", "NO_PROXY": "a#b@c", "HTTP_PROXY": "http://proxy:3128"})


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("https://admin:p@w@host:6443/a", "https://host:6443/a"),
        ("https://host/k8s", "https://host/k8s"),
        ("https://token@[::1]:6443", "https://[::1]:6443"),
        ("a:b@host", "host"),
    ],
)
def test_an_address_is_shown_without_its_login(address: str, shown: str) -> None:
    assert without_login(address) == shown
