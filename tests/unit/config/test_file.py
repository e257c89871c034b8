from __future__ import annotations

from pathlib import Path

import pytest

from kdeploy.config.file import find_config, parse_config
from kdeploy.errors import ConfigError
from kdeploy.model import Outcome

SERVICE = "version: 1\nservices:\n  web:\n    target: deployment/web\n"


def refused(text: str) -> tuple[str, str]:
    with pytest.raises(ConfigError) as caught:
        parse_config(text.encode(), "kdeploy.yaml")
    assert caught.value.outcome is Outcome.USAGE
    return caught.value.message, caught.value.hint


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        (SERVICE + "    tiemout: 5m\n", 'kdeploy.yaml:5: services.web: unknown key "tiemout"', 'mean "timeout"?'),
        (
            SERVICE + "    verify:\n      - http: {path: /}\n      - http: {pth: /x}\n",
            'kdeploy.yaml:7: services.web.verify[1].http: unknown key "pth"',
            'mean "path"?',
        ),
        (
            SERVICE + "    build:\n      contxt: .\n",
            'kdeploy.yaml:6: services.web.build: unknown key "contxt"',
            'mean "context"?',
        ),
        (SERVICE + "enviroments: {}\n", 'kdeploy.yaml:5: unknown key "enviroments"', 'mean "environments"?'),
        (
            SERVICE + "environments:\n  a: {}\n  b:\n    contex: x\n",
            'kdeploy.yaml:8: environments.b: unknown key "contex"',
            'mean "context"?',
        ),
    ],
)
def test_an_unknown_key_is_refused_with_its_line_and_the_nearest_name(text: str, message: str, hint: str) -> None:
    found_message, found_hint = refused(text)
    assert found_message == message
    assert hint in found_hint


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("version: 1\nservices:\n  api: {target: deploy/a}\n  web: {timeout: 5m}\n", 'services.web: the key "target"'),
        ("version: 1\n", 'kdeploy.yaml:1: the key "services" is missing'),
        ("services: {web: {target: deploy/a}}\n", 'kdeploy.yaml:1: the key "version" is missing'),
    ],
)
def test_a_missing_key_is_refused(text: str, message: str) -> None:
    assert message in refused(text)[0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("    containers: web\n", "services.web.containers: expected a list, got a text"),
        ("    rollback: yes\n", "services.web.rollback: expected true or false, got a text"),
        ("    build: {args: {A: x, B: 1}}\n", "services.web.build.args.B: expected a text, got a whole number"),
        ("    on_interrupt: stop\n", "services.web.on_interrupt: invalid enum value 'stop'"),
        ("    crash_budget: -1\n", "services.web.crash_budget: expected a whole number >= 0"),
        ("    verify: [{http: {path: /, samples: 0}}]\n", "verify[0].http.samples: expected a whole number >= 1"),
        ("    verify: [{http: {path: x}}]\n", "verify[0].http.path: expected a text matching"),
    ],
)
def test_a_wrong_value_is_refused_with_its_place(text: str, message: str) -> None:
    found = refused(SERVICE + text)[0]
    assert found.startswith("kdeploy.yaml:5: ")
    assert message in found


def test_of_several_mappings_the_guilty_one_is_named() -> None:
    text = "version: 1\nservices:\n" + "".join(f"  s{n}: {{target: deploy/s{n}}}\n" for n in range(5))
    message, _ = refused(text + "  bad: {target: deploy/x, timeout: 7}\n  worse: {target: 8}\n")
    assert message.startswith("kdeploy.yaml:8: services.bad.timeout: 7 has no unit")


def test_a_second_mistake_elsewhere_does_not_blame_the_innocent() -> None:
    text = "version: 1\nservices:\n  good: {target: deploy/a}\n  bad: {target: 8}\nenvironments: {e: {contex: x}}\n"
    assert refused(text)[0].startswith("kdeploy.yaml:4: services.bad.target: ")


@pytest.mark.parametrize("value", ["600", '"600"', "true", "[]", "0s"])
def test_a_timeout_that_is_no_duration_is_refused(value: str) -> None:
    message, hint = refused(f"{SERVICE}    timeout: {value}\n")
    assert message.startswith("kdeploy.yaml:5: services.web.timeout: ")
    assert hint


def test_another_version_is_refused() -> None:
    assert refused("version: 2\nservices: {web: {target: deploy/web}}\n") == (
        "kdeploy.yaml:1: version: invalid enum value 2",
        "this kdeploy reads version: 1",
    )


@pytest.mark.parametrize("text", ["", "[]", "x", "version: 1\nservices: {}\n", "version: 1\nservices:\n"])
def test_a_file_without_services_is_refused(text: str) -> None:
    assert refused(text)[0].startswith("kdeploy.yaml:")


def test_an_environment_for_a_service_that_does_not_exist_is_refused() -> None:
    message, hint = refused(SERVICE + "environments:\n  prod:\n    services:\n      wbe: {timeout: 5m}\n")
    assert message == 'kdeploy.yaml:8: environments.prod.services.wbe: no service is called "wbe"'
    assert 'mean "web"?' in hint


def test_control_characters_of_the_file_do_not_reach_the_message() -> None:
    message, _ = refused(SERVICE + '    "a\\e[31mb\\n::error::": 1\n')
    assert "\x1b" not in message
    assert "\n" not in message


def test_the_file_in_the_folder_is_found_by_either_name(tmp_path: Path) -> None:
    assert find_config(None, tmp_path) is None
    (tmp_path / "kdeploy.yml").write_text(SERVICE)
    found = find_config(None, tmp_path)
    assert found is not None
    assert (found.source, found.folder) == ("kdeploy.yml", str(tmp_path))


def test_two_files_in_the_folder_are_refused(tmp_path: Path) -> None:
    for name in ("kdeploy.yaml", "kdeploy.yml"):
        (tmp_path / name).write_text(SERVICE)
    with pytest.raises(ConfigError, match="both"):
        find_config(None, tmp_path)


@pytest.mark.parametrize("name", ["missing.yaml", "."])
def test_a_named_file_that_cannot_be_read_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        find_config(str(tmp_path / name), tmp_path)
