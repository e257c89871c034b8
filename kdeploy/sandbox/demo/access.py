"""The few things that the demo asks the sandbox's API server itself."""

from __future__ import annotations

import http.client
import json
import ssl
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from kdeploy.errors import ClusterError
from kdeploy.model import Obj
from kdeploy.sandbox.core.resources import by_kind
from kdeploy.secret import Secret
from kdeploy.text import one_line

_TIMEOUT = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """An API server with its token and its certificate (PEM). Every method raises ClusterError."""

    api: str
    token: Secret
    authority: str

    def create(self, obj: Obj) -> Obj:
        """Creates an object of a manifest."""
        resource = by_kind(obj["apiVersion"], obj["kind"])
        assert resource is not None
        version, namespace = obj["apiVersion"], obj["metadata"]["namespace"]
        group = f"apis/{version}" if "/" in version else f"api/{version}"
        return _object(self.ask("POST", f"/{group}/namespaces/{namespace}/{resource.plural}", obj))

    def get(self, path: str) -> Obj:
        """Reads "/api/v1/...", an object or a list."""
        return _object(self.ask("GET", path))

    def tls(self) -> ssl.SSLContext:
        """What verifies the server's certificate."""
        return ssl.create_default_context(cadata=self.authority)

    def ask(self, method: str, path: str, body: Obj | None = None) -> bytes:
        """Any request; returns the body of its answer."""
        address = urlsplit(self.api)
        connection = http.client.HTTPSConnection(
            address.hostname or "", address.port, timeout=_TIMEOUT, context=self.tls()
        )
        headers = {"Authorization": f"Bearer {self.token.reveal()}", "Content-Type": "application/json"}
        try:
            connection.request(method, path, json.dumps(body) if body is not None else None, headers)
            response = connection.getresponse()
            data = response.read()
        except (OSError, http.client.HTTPException) as error:
            raise ClusterError(f"the sandbox's API server does not answer: {error}") from error
        finally:
            connection.close()
        if response.status >= 300:
            raise ClusterError(
                f"{method} {path}: {response.status}: {one_line(data.decode(errors='replace'))}", status=response.status
            )
        return data


def _object(data: bytes) -> Obj:
    found: Mapping[str, Any] = json.loads(data)
    return found


def open_access(kubeconfig: Path) -> Access:
    """By a sandbox's own kubeconfig."""
    config = json.loads(kubeconfig.read_text())
    cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
    authority = b64decode(cluster["certificate-authority-data"]).decode()
    return Access(api=cluster["server"], token=Secret(user["token"]), authority=authority)
