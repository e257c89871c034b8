"""Which port of a pod an `http` check with a `path` asks. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from kdeploy.errors import RefusedError
from kdeploy.model import HttpCheck, Obj, Reason
from kdeploy.text import one_line


def choose_port(template: Obj, containers: Sequence[str], check: HttpCheck) -> int:
    """The port number: the check's own, else the readiness probe's, else the only containerPort.

    `template` is the pod template (metadata and spec), `containers` the names of the service's containers. A name is
    looked up in the whole pod, where Kubernetes keeps port names unique; the other two rules look at the service's
    containers only. Raises RefusedError, with the candidates, where none or more than one is found.
    """
    spec = template.get("spec") or {}
    own = [container for container in spec.get("containers") or () if container.get("name") in containers]
    if isinstance(check.port, int):
        return check.port
    if check.port is not None:
        if number := _named(spec, check.port):
            return number
        raise _refusal(spec, check, f"no port of the pod is named {check.port!r}")
    for rule, ports in (("readiness probe", _readiness_ports(own)), ("containerPort", _container_ports(own))):
        if len(ports) == 1:
            return ports.pop()
        if ports:
            raise _refusal(spec, check, f"more than one {rule} to choose from", Reason.AMBIGUOUS)
    raise _refusal(spec, check, "the service's containers declare none")


def _readiness_ports(containers: Sequence[Obj]) -> set[int]:
    found: set[int] = set()
    for container in containers:
        probe = container.get("readinessProbe") or {}
        port = (probe.get("httpGet") or probe.get("tcpSocket") or {}).get("port")
        number = _number({"containers": [container]}, port)
        if number is not None:
            found.add(number)
    return found


def _container_ports(containers: Sequence[Obj]) -> set[int]:
    return {number for _, number in _ports({"containers": containers})}


def _number(spec: Obj, port: int | str | None) -> int | None:
    """An IntOrString as a number: a name, or digits as text, may stand where a number may."""
    if port is None or isinstance(port, int):
        return port
    return _named(spec, port) or (int(port) if port.isdecimal() else None)


def _named(spec: Obj, name: str) -> int | None:
    return next((number for own, number in _ports(spec) if own == name), None)


def _ports(spec: Obj) -> Iterator[tuple[str, int]]:
    """Name (or "") and number of every TCP port; init containers too, since a sidecar may be one."""
    for container in (*(spec.get("containers") or ()), *(spec.get("initContainers") or ())):
        for port in container.get("ports") or ():
            if port.get("protocol", "TCP") == "TCP":
                yield port.get("name") or "", port["containerPort"]


def _refusal(spec: Obj, check: HttpCheck, why: str, reason: Reason = Reason.NOT_FOUND) -> RefusedError:
    candidates = ", ".join(f"{number} ({name})" if name else str(number) for name, number in _ports(spec))
    return RefusedError(
        one_line(f"check {check.name!r}: which port to ask is unclear: {why}; the pod's ports: {candidates or 'none'}"),
        hint="name one: `port: 8080` in kdeploy.yaml, or `--verify-http :8080/health`",
        reason=reason,
    )
