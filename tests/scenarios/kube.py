"""The Kubernetes API as the rows use it: by plain HTTP, so that no kubectl is needed and both sides get the same bytes.

What is sent is what kubectl sends for the command that a row names.
"""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import urllib3

from tests.scenarios.live import Live, Obj, is_leaving

JSON = "application/json"
POLL = 0.1


class KubeError(Exception):
    """The API server said no; `status` is the HTTP status."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True, kw_only=True)
class Kube:
    """One namespace of the cluster at `server`. Safe to use from several threads."""

    server: str
    pool: urllib3.PoolManager
    token: str
    namespace: str = ""

    @classmethod
    def open(cls, kubeconfig: Path) -> "Kube":
        """With the credentials of a kubeconfig's current context."""
        from kubernetes import config
        from kubernetes.client import Configuration
        from kubernetes.client.rest import RESTClientObject

        read = Configuration()
        config.load_kube_config(  # type: ignore[no-untyped-call]
            str(kubeconfig), client_configuration=read, persist_config=False
        )
        token = str(read.api_key.get("BearerToken") or read.api_key.get("authorization") or "")
        return cls(server=read.host, pool=RESTClientObject(read).pool_manager, token=token)

    def __call__(self, method: str, path: str, body: Any = None, content_type: str = JSON) -> Any:
        """Sends one request; `path` is below the server's URL. Raises KubeError for anything but a good answer."""
        headers = {"Accept": JSON, "Content-Type": content_type}
        if self.token:
            headers["Authorization"] = self.token
        answer = self.pool.request(
            method,
            f"{self.server}{path}",
            body=None if body is None else json.dumps(body).encode(),
            headers=headers,
            timeout=30,
        )
        if not 200 <= answer.status < 300:
            said = answer.data.decode("utf-8", "replace")[:500]
            raise KubeError(f"{method} {path}: {answer.status} {said}", answer.status)
        return json.loads(answer.data)

    def path(self, plural: str, name: str = "") -> str:
        """Where objects of the core or the apps group are."""
        core = plural in ("pods", "services", "configmaps", "events", "serviceaccounts")
        group = "/api/v1" if core else "/apis/apps/v1"
        return f"{group}/namespaces/{self.namespace}/{plural}" + (f"/{name}" if name else "")

    def create(self, obj: Obj) -> None:
        """Creates an object of this namespace."""
        self("POST", self.path(f"{obj['kind'].lower()}s"), obj)

    def get(self, plural: str, name: str) -> Obj | None:
        """One object, if there is one."""
        try:
            found: Obj = self("GET", self.path(plural, name))
        except KubeError as error:
            if error.status == 404:
                return None
            raise
        return found

    def items(self, plural: str, selector: str = "") -> list[Any]:
        """All objects of a kind, or those with some labels, each with its kind as kubectl prints them."""
        found = self("GET", self.path(plural) + (f"?labelSelector={quote(selector)}" if selector else ""))
        own = {"apiVersion": found["apiVersion"], "kind": found["kind"].removesuffix("List")}
        return [own | item for item in found["items"]]

    def look(self, plural: str, name: str) -> Live | None:
        """A workload and the pods that its selector finds; None where there is none."""
        workload = self.get(plural, name)
        if workload is None or is_leaving(workload):
            return None
        labels = ",".join(f"{key}={value}" for key, value in workload["spec"]["selector"]["matchLabels"].items())
        return Live(workload=workload, pods=tuple(pod for pod in self.items("pods", labels) if not is_leaving(pod)))

    def settle(self, plural: str, name: str) -> None:
        """Waits until a workload's rollout is complete."""
        until(lambda: (live := self.look(plural, name)) is not None and live.rolled_out, f"complete rollout of {name}")


def until(true: Callable[[], bool], what: str, seconds: float = 180) -> None:
    """Waits for something to be so; fails, naming `what`, where it does not come."""
    give_up = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < give_up, f"no {what} within {seconds:.0f} s"
        time.sleep(POLL)
