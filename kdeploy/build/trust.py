"""Whom to trust when a registry speaks TLS: beside the system's authorities those of Docker's own folder.

In HOST:PORT/ below it, each *.crt is an authority, and a NAME.cert with its NAME.key shows who we are
(https://docs.docker.com/engine/security/certificates/; moby registry/registry.go, ReadCertsDirectory).
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from requests import Session
from requests.adapters import HTTPAdapter

from kdeploy.build.credentials import docker_folder
from kdeploy.errors import RefusedError
from kdeploy.model import Reason
from kdeploy.text import one_line

SYSTEM_FOLDER = Path("/etc/docker/certs.d")


def certificate_folders(env: Mapping[str, str]) -> tuple[Path, ...]:
    """Where certificates may lie: the engine's folder, Docker Desktop's, and that of an engine without root."""
    home = env.get("HOME")
    config = env.get("XDG_CONFIG_HOME") or (str(Path(home, ".config")) if home else "")
    return (SYSTEM_FOLDER, docker_folder(env) / "certs.d", *([Path(config, "docker", "certs.d")] if config else []))


def session_for(domain: str, folders: Sequence[Path]) -> Session:
    """A session for the registry at `domain` ("host:port") and for where it leads to: its token server, its storage.

    Raises RefusedError where the certificates in the first folder that has any for it cannot be used.
    """
    session = Session()
    folder = next((found for each in folders if (found := each / domain).is_dir()), None)
    if folder is not None:
        session.mount("https://", _Adapter(_context(folder)))
    return session


def _context(folder: Path) -> ssl.SSLContext:
    context = ssl.create_default_context()
    # Python 3.13 began to demand extensions that many private authorities lack; Docker does not ask for them.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    try:
        files = sorted(folder.iterdir())
        for file in files:
            if file.suffix == ".crt":
                context.load_verify_locations(cafile=str(file))
            elif file.suffix == ".cert":
                context.load_cert_chain(str(file), str(file.with_suffix(".key")), password="")
            elif file.suffix == ".key" and not file.with_suffix(".cert").exists():
                raise _unusable(folder, f"{file.name} has no {file.with_suffix('.cert').name} beside it")
    except (OSError, ssl.SSLError) as error:
        raise _unusable(folder, one_line(str(error), 160)) from error
    return context


class _Adapter(HTTPAdapter):
    """Speaks TLS by a context of its own, through proxies too."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context
        super().__init__()

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        super().init_poolmanager(*arguments, ssl_context=self._context, **options)

    def proxy_manager_for(self, *arguments: Any, **options: Any) -> Any:
        return super().proxy_manager_for(*arguments, ssl_context=self._context, **options)


def _unusable(folder: Path, why: str) -> RefusedError:
    return RefusedError(
        f"Docker's certificates in {folder} cannot be used: {why}",
        hint="an authority is NAME.crt; a client certificate is NAME.cert with its NAME.key, readable by this user",
        reason=Reason.IMAGE_PULL_FAILED,
    )
