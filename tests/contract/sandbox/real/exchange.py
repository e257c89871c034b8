"""Sends the requests, and leaves of the answers what does not differ from one server to the next."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit
from urllib.request import Request as HttpRequest
from urllib.request import urlopen

from tests.contract.sandbox.real.cases import APPS, CORE, MERGE, NAMESPACE, Case, Request, post
from tests.contract.sandbox.real.table_cases import Shown

Obj = dict[str, Any]

_MADE_BY_THE_SERVER = ("uid", "resourceVersion", "creationTimestamp", "managedFields", "deletionTimestamp")
_ALLOCATED = ("clusterIP", "clusterIPs", "nodePort")
_NUMBERS = re.compile(r"(current: |ResourceVersion in record \(|UID in record \(|UID in object meta: )[0-9a-f-]+")
# Facts about the one server's own code, or about how its JSON decoder words what is no JSON.
_INTERNAL = re.compile(r' in scheme "[^"]*"|StorageError: invalid object, .*AdditionalErrorMsg: ')
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
_COLLECTIONS = [f"{APPS}/{plural}" for plural in ("deployments", "replicasets", "statefulsets", "daemonsets")]
_COLLECTIONS += [f"{CORE}/{plural}" for plural in ("pods", "services", "configmaps", "secrets")]


class Server:
    """An API server at `url`, plain http. `token` is sent where a request has one."""

    def __init__(self, url: str, token: str | None = None) -> None:
        self._url = url
        self._token = token

    def send(self, request: Request) -> tuple[int, Any]:
        """Status and body: JSON where it is JSON, else text."""
        try:
            with urlopen(self._request(request), timeout=30) as response:
                return _read(response.status, response.read())
        except OSError as error:
            if not hasattr(error, "code"):
                raise
            return _read(error.code, error.read())  # type: ignore[attr-defined]  # an HTTPError

    def prepare(self) -> None:
        """Makes the namespace of the cases, and the account that pods have."""
        self.send(post("/api/v1/namespaces", {"metadata": {"name": NAMESPACE}}))
        self.send(post(f"{CORE}/serviceaccounts", {"metadata": {"name": "default"}}))

    def answer(self, case: Case) -> tuple[int, Any]:
        """What the server answers to a case, in an empty namespace, as far as it can be compared."""
        for request in case.before:
            status, body = self.send(request)
            assert status == 201, (case.name, body)
        status, body = self.send(case.request)
        self._empty([request.path for request in (*case.before, case.request)])
        return status, comparable(body)

    def shown(self, case: Shown) -> tuple[Any, Any, list[str]]:
        """An object as the server has it, its cells, and the names of their columns; but for how old it is."""
        name, path, obj, status = case
        code, body = self.send(post(path, obj))
        assert code == 201, (name, body)
        one = f"{path}/{obj['metadata']['name']}"
        if status is not None:
            code, body = self.send(
                Request(method="PATCH", path=f"{one}/status", body={"status": status}, media_type=MERGE)
            )
            assert code == 200, (name, body)
        _, found = self.send(Request(method="GET", path=one))
        _, table = self.send(Request(method="GET", path=one, accept=TABLE))
        self._empty([path])
        self.send(Request(method="DELETE", path=one))
        columns = [column["name"] for column in table["columnDefinitions"]]
        cells = zip(columns, table["rows"][0]["cells"], strict=True)
        for key in ("uid", "resourceVersion", "managedFields"):
            found["metadata"].pop(key, None)
        return found, [cell for column, cell in cells if column != "Age"], columns

    def encoded(self, path: str, obj: Obj) -> tuple[Any, str]:
        """An object as the server has it in JSON, and its protobuf in base64."""
        code, body = self.send(post(path, obj))
        assert code == 201, body
        one = f"{path}/{obj['metadata']['name']}"
        # Managed fields would only make it long.
        self.send(Request(method="PATCH", path=one, body={"metadata": {"managedFields": [{}]}}, media_type=MERGE))
        _, found = self.send(Request(method="GET", path=one))
        sent = self._request(Request(method="GET", path=one, accept="application/vnd.kubernetes.protobuf"))
        with urlopen(sent, timeout=30) as response:
            data = base64.b64encode(response.read()).decode()
        self._empty([path])
        return found, data

    def _request(self, request: Request) -> HttpRequest:
        body = request.body
        data = None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        sent = HttpRequest(self._url + request.path, data=data, method=request.method)
        if data is not None:
            sent.add_header("Content-Type", request.media_type)
        sent.add_header("Accept", request.accept)
        if request.token and self._token:
            sent.add_header("Authorization", f"Bearer {self._token}")
        return sent

    def _empty(self, paths: list[str]) -> None:
        for path in (one for one in _COLLECTIONS if any(path.startswith(one) for path in paths)):
            for name in self._names(path):
                patch = {"metadata": {"finalizers": None}}
                self.send(
                    Request(
                        method="PATCH", path=f"{path}/{name}", body=patch, media_type="application/merge-patch+json"
                    )
                )
                self.send(Request(method="DELETE", path=f"{path}/{name}?gracePeriodSeconds=0"))

    def _names(self, path: str) -> Iterator[str]:
        _, listed = self.send(Request(method="GET", path=path))
        for item in listed["items"]:
            yield item["metadata"]["name"]


def comparable(body: Any) -> Any:
    """An answer without what each server makes up for itself."""
    if isinstance(body, list):
        return [comparable(one) for one in body]
    if isinstance(body, str):
        return _INTERNAL.sub("", _NUMBERS.sub(r"\1N", body))
    if not isinstance(body, dict):
        return body
    return {key: comparable(value) for key, value in body.items() if key not in (*_MADE_BY_THE_SERVER, *_ALLOCATED)}


def _read(status: int, data: bytes) -> tuple[int, Any]:
    try:
        return status, json.loads(data)
    except ValueError:
        return status, data.decode(errors="replace")


def is_loopback(url: str) -> bool:
    """Whether it is an address of this machine."""
    return urlsplit(url).hostname in ("127.0.0.1", "localhost")
