"""The API server's way to the pods: their logs, and requests to their ports; of both kinds of pods."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from kdeploy.model import Obj
from kdeploy.rollout.objects import annotations_of, status_of
from kdeploy.sandbox.api.forward import Forwarder
from kdeploy.sandbox.api.pod_access import PodLog, ProxyRequest, ProxyResponse, UnreachableError
from kdeploy.sandbox.core.answers import NoReply
from kdeploy.sandbox.core.control import Controllers
from kdeploy.sandbox.core.images import KIND_ANNOTATION
from kdeploy.sandbox.core.simulated import PROCESS
from kdeploy.sandbox.kubelet.kubelet import Kubelet
from kdeploy.sandbox.kubelet.logs import Line, to_nano_text

_HANGS = 30.0
"""Seconds after which a request to a pod that never answers is given up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Implements `api.pod_access.PodAccess`. `kubelet` is None where no pods can be real."""

    controllers: Controllers
    kubelet: Kubelet | None
    forwarder: Forwarder
    now: Callable[[], float]

    async def log(self, pod: Obj, container: str, *, previous: bool, follow: bool) -> PodLog:
        """See `PodAccess`."""
        if self.kubelet is not None and is_process(pod):
            lines = self.kubelet.log(pod, container, previous=previous)
            return PodLog(lines=lines, more=self.kubelet.follow(pod, container) if follow and not previous else None)
        simulated = self.controllers.log(pod, container, previous=previous) or ()
        return PodLog(lines=[Line(to_nano_text(line.time), line.text.encode()) for line in simulated])

    async def proxy(self, pod: Obj, port: int, request: ProxyRequest) -> ProxyResponse:
        """See `PodAccess`."""
        if is_process(pod):
            return await self.forwarder.send(str(status_of(pod).get("podIP")), port, request)
        reply = self.controllers.answer(pod, port, request.path, self.now())
        if isinstance(reply, NoReply):
            if reply.hangs:
                await asyncio.sleep(_HANGS)
            raise UnreachableError(reply.why)
        body = reply.body.encode()
        headers = [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(body)))]
        return ProxyResponse(status=reply.status, headers=headers, body=_one(body))


def is_process(pod: Obj) -> bool:
    """Whether the pod is a real one."""
    return annotations_of(pod).get(KIND_ANNOTATION) == PROCESS


async def _one(body: bytes) -> AsyncIterator[bytes]:
    yield body
