"""The registry's login from the environment, for a CI that has none in Docker's own configuration.

KDEPLOY_REGISTRY_PASSWORD, and KDEPLOY_REGISTRY_USERNAME, which GitHub and GitLab have under names of their own. There
is no flag: every user of a machine may read another's command line.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

from kdeploy.cli.private import keep
from kdeploy.config.settings import Settings
from kdeploy.errors import ConfigError
from kdeploy.reference import Reference
from kdeploy.secret import REGISTRY_PASSWORD, Secret

if TYPE_CHECKING:
    from kdeploy.build.credentials import Login

USERNAME = "KDEPLOY_REGISTRY_USERNAME"
_USERS = (USERNAME, "GITHUB_ACTOR", "CI_REGISTRY_USER")


def registry_login(env: Mapping[str, str]) -> Login | None:
    """The login that `env` has; None where no password is given. Raises ConfigError where only a half is."""
    from kdeploy.build.credentials import Login

    username, password = (
        next((env[name] for name in _USERS if env.get(name)), ""),
        env.get(REGISTRY_PASSWORD, "").strip(),
    )
    if not password and env.get(USERNAME):
        raise ConfigError(
            f"the registry's user name is given ({USERNAME}) and its password is empty",
            hint=f"set {REGISTRY_PASSWORD}; a CI's protected secrets are empty on branches that may not have them",
        )
    if not password:
        return None
    if not username:
        raise ConfigError(
            f"the registry's password is given ({REGISTRY_PASSWORD}) and no user name", hint=f"set {USERNAME} as well"
        )
    return Login(username=username, password=Secret(password))


def docker_env(env: Mapping[str, str], settings: Settings) -> Mapping[str, str]:
    """`env` for all that speaks to registries: with the login, a configuration folder of Docker's that has it as well
    as all that the person's own has (other logins, contexts, builders, plugins); it goes when the command ends.

    Raises ConfigError, and RefusedError where the person's own cannot be read.
    """
    login = registry_login(env)
    if login is None or settings.image is None:
        return env
    from kdeploy.build.credentials import docker_folder, read_docker_config, with_login

    own = docker_folder(env)
    pushed = Reference(repository=settings.build.push_repository or settings.image.repository)
    file = keep("config.json", json.dumps(with_login(read_docker_config(own), pushed.domain, login)))
    for entry in own.iterdir() if own.is_dir() else ():
        if entry.name != file.name:
            file.with_name(entry.name).symlink_to(entry.absolute())
    others = {name: value for name, value in env.items() if name not in (USERNAME, REGISTRY_PASSWORD)}
    return {**others, "DOCKER_CONFIG": str(file.parent)}
