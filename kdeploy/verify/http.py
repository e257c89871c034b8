"""Sends the probes of `http` checks from threads of its own, and posts what they find as samples."""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import SimpleQueue

from kdeploy.clock import Deadline
from kdeploy.ports import Clock, Probe, Sample
from kdeploy.verify.answer import Found, Trouble
from kdeploy.verify.pod import PodAsker, PodProxy
from kdeploy.verify.portforward import PodDialer
from kdeploy.verify.url import UrlAsker


class HttpProber:
    """A `kdeploy.ports.Prober`. `post` takes each sample, from any thread; at most `threads` probes are out at a time.

    A pod is asked through the pod proxy; where that gives no sample, by port-forward, if there is a `dial`.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        post: Callable[[Sample], None],
        pod_proxy: PodProxy,
        dial: PodDialer | None = None,
        urls: UrlAsker | None = None,
        threads: int = 8,
    ) -> None:
        self._clock = clock
        self._post = post
        self._urls = urls or UrlAsker()
        self._pods = PodAsker(clock=clock, pod_proxy=pod_proxy, dial=dial)
        self._most = threads
        self._queue: SimpleQueue[Probe | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._outstanding = 0
        self._threads = 0
        self._closed = False

    def send(self, probe: Probe) -> None:
        """Starts one probe; after `close` it does nothing."""
        with self._lock:
            if self._closed:
                return
            self._outstanding += 1
            self._queue.put(probe)
            if self._threads < min(self._most, self._outstanding):
                self._threads += 1
                threading.Thread(target=self._work, name="kdeploy-probe", daemon=True).start()

    def close(self) -> None:
        """From now on no sample is posted. Probes that are out end by themselves, and hold up nobody."""
        with self._lock:
            self._closed = True
            for _ in range(self._threads):
                self._queue.put(None)

    def _work(self) -> None:
        while (probe := self._queue.get()) is not None:
            found = self._ask(probe)
            with self._lock:
                self._outstanding -= 1
                if self._closed:
                    return
            self._post(
                Sample(
                    check=probe.check.name,
                    pod=probe.pod,
                    asked=probe.asked,
                    at=self._clock.now(),
                    ok=found.ok,
                    message=found.message,
                )
            )

    def _ask(self, probe: Probe) -> Found:
        try:
            if probe.pod is None:
                return self._urls.ask(probe.check, Deadline(self._clock.now, probe.check.timeout))
            return self._pods.ask(probe)
        except Exception as error:  # a thread that dies prints, and its probe would be waited for
            return Found(ok=None, message=f"the probe broke ({type(error).__name__})", trouble=Trouble.OTHER)
