"""What may be the name of an object, a label, a port. Pure: text in, what is wrong with it out, empty where it is fine.

The rules and their sentences are those of k8s.io/apimachinery/pkg/util/validation/validation.go.
"""

from __future__ import annotations

import re

_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = rf"{_LABEL}(\.{_LABEL})*"
_QUALIFIED = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_VALUE = f"({_QUALIFIED})?"
_CONFIG_KEY = "[-._a-zA-Z0-9]+"

_LABEL_RULE = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with "
    f"an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '{_LABEL}')"
)
_SUBDOMAIN_RULE = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and "
    f"end with an alphanumeric character (e.g. 'example.com', regex used for validation is '{_SUBDOMAIN}')"
)
_DNS1035_RULE = (
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, "
    "and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is "
    "'[a-z]([-a-z0-9]*[a-z0-9])?')"
)
_QUALIFIED_RULE = (
    "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character "
    f"(e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '{_QUALIFIED}')"
)
_VALUE_RULE = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and "
    "end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is "
    f"'{_VALUE}')"
)
_CONFIG_KEY_RULE = (
    "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  "
    f"or 'key-name', regex used for validation is '{_CONFIG_KEY}')"
)
_PORT_RULES = (
    "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)",
    "must contain at least one letter (a-z)",
    "must not contain consecutive hyphens",
    "must not begin or end with a hyphen",
)
_EMPTY = "must be non-empty"


def label_problems(name: str) -> list[str]:
    """A DNS label, RFC 1123: the name of a container, a volume, a namespace."""
    only_dots = re.fullmatch(_SUBDOMAIN, name) is not None
    return _length(name, 63) + _shape(name, _LABEL, "must not contain dots" if only_dots else _LABEL_RULE)


def dns1035_problems(name: str) -> list[str]:
    """A DNS label, RFC 1035, which begins with a letter: the name of a service."""
    return _length(name, 63) + _shape(name, "[a-z]([-a-z0-9]*[a-z0-9])?", _DNS1035_RULE)


def subdomain_problems(name: str) -> list[str]:
    """A DNS subdomain, RFC 1123: the name of most objects."""
    return _length(name, 253) + _shape(name, _SUBDOMAIN, _SUBDOMAIN_RULE)


def label_key_problems(key: str) -> list[str]:
    """A label's or annotation's key: a name, perhaps after a DNS subdomain and a slash."""
    prefix, slash, name = key.rpartition("/")
    if "/" in prefix:
        ending = "with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
        return [f"a valid label key {_QUALIFIED_RULE} {ending}"]
    of_prefix = (subdomain_problems(prefix) if prefix else [_EMPTY]) if slash else []
    of_name = (_bytes(name) if name else [_EMPTY]) + _shape(name, _QUALIFIED, _QUALIFIED_RULE)
    return [f"prefix part {one}" for one in of_prefix] + [f"name part {one}" for one in of_name]


def label_value_problems(value: str) -> list[str]:
    """A label's value."""
    return _bytes(value) + _shape(value, _VALUE, _VALUE_RULE)


def config_key_problems(key: str) -> list[str]:
    """A key of a ConfigMap or Secret."""
    problems = _length(key, 253) + _shape(key, _CONFIG_KEY, _CONFIG_KEY_RULE)
    if key in (".", ".."):
        return [*problems, f"must not be '{key}'"]
    return [*problems, "must not start with '..'"] if key.startswith("..") else problems


def port_name_problems(name: str) -> list[str]:
    """The name of a container's port."""
    broken = (
        re.fullmatch("[-a-z0-9]+", name) is None,
        re.search("[a-z]", name) is None,
        "--" in name,
        name.startswith("-") or name.endswith("-"),
    )
    return _length(name, 15) + [rule for rule, is_broken in zip(_PORT_RULES, broken, strict=True) if is_broken]


def environment_problems(name: str) -> list[str]:
    """The name of an environment variable: what is printable but "=" (IsRelaxedEnvVarName)."""
    if name and all(" " <= letter <= "~" and letter != "=" for letter in name):
        return []
    return ["a valid environment variable name must consist only of printable ASCII characters other than '='"]


def _length(text: str, most: int) -> list[str]:
    return [f"must be no more than {most} characters"] if len(text) > most else []


def _bytes(text: str) -> list[str]:
    return ["must be no more than 63 bytes"] if len(text.encode(errors="replace")) > 63 else []


def _shape(text: str, pattern: str, rule: str) -> list[str]:
    return [] if re.fullmatch(pattern, text) else [rule]
