"""Asks a pod: through the API server's pod proxy, and by port-forward where that says nothing about the app."""

from __future__ import annotations

from collections.abc import Mapping
from http.client import HTTPConnection, HTTPException
from typing import Protocol

from kdeploy.clock import Deadline
from kdeploy.errors import KdeployError
from kdeploy.ports import Clock, Probe
from kdeploy.text import one_line
from kdeploy.verify.answer import Found, ProxyAnswer, Trouble, apps_answer, no_answer, proxied_answer, subject
from kdeploy.verify.exchange import Wire, get
from kdeploy.verify.portforward import ForwardDeniedError, PodDialer, PodRefusedError

_NEARLY = 0.95
"""A failure that took this share of the timeout is a late answer, whatever the layers below call it."""


class PodProxy(Protocol):
    """The API server's pod proxy, for the pods of one namespace."""

    def __call__(
        self, pod: str, port: int, scheme: str, path_and_query: str, headers: Mapping[str, str], timeout: float
    ) -> ProxyAnswer:
        """One GET, within `timeout` seconds; any status is an answer, redirects are not followed.

        Where no answer came that is an answer without a status, a KdeployError or an OSError.
        """
        ...


class PodAsker:
    """Asks pods, and remembers which way leads to them. Safe to use from several threads.

    Port-forward is used for plain http only. Where nobody may open one, that is asked only once.
    """

    def __init__(self, *, clock: Clock, pod_proxy: PodProxy, dial: PodDialer | None) -> None:
        self._clock = clock
        self._pod_proxy = pod_proxy
        self._dial = dial
        self._denied = ""
        self._proxied: set[str] = set()

    def ask(self, probe: Probe) -> Found:
        """One sample, after at most twice the check's timeout. Raises nothing that a network can cause."""
        found = self._through_proxy(probe)
        if found.trouble is None:
            self._proxied.add(probe.pod or "")
            return found
        if self._dial is None or found.trouble is Trouble.BUSY or probe.check.scheme != "http":
            return found
        return self._by_port_forward(self._dial, probe, found)

    def _through_proxy(self, probe: Probe) -> Found:
        check, started = probe.check, self._clock.now()
        try:
            answer = self._pod_proxy(
                probe.pod or "", probe.port or 0, check.scheme, check.path or "/", check.headers, check.timeout
            )
        except (KdeployError, OSError) as error:
            found = Found(ok=None, message=one_line(str(error)), trouble=Trouble.OTHER)
        else:
            found = proxied_answer(check, answer)
        if found.trouble is Trouble.OTHER and self._clock.now() - started >= _NEARLY * check.timeout:
            late = f"{subject(check)}: no answer through the pod proxy within {check.timeout:g}s"
            return Found(ok=None, message=late, trouble=Trouble.LATE)
        return found

    def _by_port_forward(self, dial: PodDialer, probe: Probe, proxied: Found) -> Found:
        """A sample by port-forward; else `proxied`, what the proxy said.

        A pod that the proxy has led to before is late by its own fault, if the API server still answers us: a second
        try by another way would only hide that the app is slow.
        """
        late_app = proxied.trouble is Trouble.LATE and probe.pod in self._proxied
        if self._denied and not late_app:
            return _with(proxied, self._denied)
        try:
            wire = dial(probe.pod or "", probe.port or 0, Deadline(self._clock.now, probe.check.timeout))
        except ForwardDeniedError as error:
            if error.lasting:
                self._denied = str(error)
            return no_answer(probe.check) if late_app else _with(proxied, str(error))
        except OSError:
            return proxied
        if late_app:
            wire.close()
            return no_answer(probe.check)
        return _ask_forwarded(wire, probe, proxied)


def _ask_forwarded(wire: Wire, probe: Probe, proxied: Found) -> Found:
    check = probe.check
    try:
        connection = HTTPConnection("localhost", probe.port)
        status, excerpt = get(connection, wire, check.path or "/", check.headers, to_end=False)
    except TimeoutError:
        return no_answer(check)
    except PodRefusedError as error:
        return Found(ok=False, message=f"{subject(check)}: {error}")
    except HTTPException as error:
        return Found(ok=False, message=f"{subject(check)}: no HTTP answer ({type(error).__name__})")
    except OSError:
        return proxied
    return apps_answer(check, status, excerpt)


def _with(proxied: Found, denied: str) -> Found:
    return Found(ok=None, message=one_line(f"{proxied.message}; port-forward: {denied}"), trouble=proxied.trouble)
