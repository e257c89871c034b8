"""The engine where there is no buildx: Docker's classic builder and push, through the docker SDK.

The SDK cannot speak BuildKit (https://github.com/docker/docker-py/issues/2230), so there are no secrets and no more
than one platform. The calls block in a thread of their own; this side waits with a deadline and stays open to signals.
"""

from __future__ import annotations

import math
import queue
import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import docker

from kdeploy.build.engine import Find, Hide, Log, pushed_name, text_of
from kdeploy.build.failure import build_failure, last_lines, push_failure, timed_out
from kdeploy.clock import Deadline
from kdeploy.errors import BuildError
from kdeploy.model import Image, Obj
from kdeploy.ports import BuildRequest
from kdeploy.reference import Reference
from kdeploy.text import one_line

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_PROGRESS = frozenset({"Downloading", "Extracting", "Waiting", "Pushing", "Preparing", "Verifying Checksum"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassicBuilder:
    """`ports.Builder` by the docker SDK. `client` is its low-level API client."""

    client: docker.APIClient
    find: Find
    hide: Hide = str

    @property
    def title(self) -> str:
        """What a person calls it."""
        return "Docker's classic builder"

    def build_and_push(self, request: BuildRequest, output: Callable[[str], None], timeout: float) -> Image:
        """See `ports.Builder`. Raises BuildError for what only buildx can do."""
        _check_limits(request)
        image, deadline = pushed_name(request), Deadline(time.monotonic, timeout)
        log = Log(output=output, hide=self.hide)
        self.client.timeout = math.ceil(timeout)  # the SDK's own would end a push that is silent for a minute
        try:
            self._build(request, image, log, deadline)
            digest = self._push(image, log, deadline) or self.find(str(image), deadline.remaining())
        except TimeoutError as error:
            raise timed_out(self.title, timeout, log.lines) from error
        if digest is None:
            raise BuildError(
                f"the push ended well, but {image} is not in the registry",
                hint="look at the registry's own log",
                tail=last_lines(log.lines),
            )
        return Image(repository=request.repository, tag=request.tag, digest=digest)

    def _build(self, request: BuildRequest, image: Reference, log: Log, deadline: Deadline) -> None:
        def build() -> Iterable[Obj]:
            return self.client.build(
                path=request.context,
                dockerfile=str(Path(request.dockerfile).resolve()),
                tag=str(image),
                rm=True,
                forcerm=True,
                decode=True,
                timeout=None,
                buildargs=dict(request.args),
                labels=dict(request.labels),
                target=request.target or None,
                platform=next(iter(request.platforms), None),
            )

        for message in _in_time(build, deadline):
            if problem := _problem_in(message, log):
                log(f"ERROR: {problem}")
                raise build_failure(log.lines, image, self.title, request.dockerfile, text_of(request.dockerfile))

    def _push(self, image: Reference, log: Log, deadline: Deadline) -> str | None:
        """Pushes, and returns the digest that the engine tells."""

        def push() -> Iterable[Obj]:
            messages: Iterable[Obj] = self.client.push(image.repository, tag=image.tag, stream=True, decode=True)
            return messages

        digest = None
        for message in _in_time(push, deadline):
            if problem := _problem_in(message, log):
                log(f"ERROR: {problem}")
                raise push_failure(log.lines, image)
            told = (message.get("aux") or {}).get("Digest")
            digest = told if isinstance(told, str) and _DIGEST.fullmatch(told) else digest
        return digest


def _check_limits(request: BuildRequest) -> None:
    what = "build secrets" if request.secrets else "more than one platform" if len(request.platforms) > 1 else None
    if what:
        raise BuildError(
            f"Docker's classic builder knows no {what}",
            hint="install the buildx plugin: https://docs.docker.com/build/install-buildx/",
        )


def _problem_in(message: Obj, log: Log) -> str | None:
    """Logs what a message says, and returns its error if it is one. Progress bars are left out."""
    if error := message.get("error"):
        return one_line(str(error), 1000)
    if text := message.get("stream"):
        for line in filter(str.strip, str(text).splitlines()):
            log(line)
    elif (status := message.get("status")) and status not in _PROGRESS:
        log(f"{message['id']}: {status}" if message.get("id") else str(status))
    return None


def _in_time(call: Callable[[], Iterable[Obj]], deadline: Deadline) -> Iterator[Obj]:
    """The messages of a blocking call. An error of the SDK comes as a last message, {"error": ...}, as the engine's do.

    Raises TimeoutError at `deadline`. Left early, the thread ends with its next message, or with
    the process; the engine stops a build whose client is gone.
    """
    messages: queue.Queue[Obj | None] = queue.Queue()
    is_left = threading.Event()

    def work() -> None:
        try:
            for message in call():
                if is_left.is_set():
                    return
                messages.put(message)
        except Exception as error:  # the SDK raises its own, those of requests and urllib3, and plain ones
            messages.put({"error": getattr(error, "explanation", None) or str(error)})
        finally:
            messages.put(None)

    threading.Thread(target=work, name="docker-sdk", daemon=True).start()
    try:
        while True:
            try:
                message = messages.get(timeout=deadline.remaining())
            except queue.Empty as error:
                raise TimeoutError from error
            if message is None:
                return
            yield message
    finally:
        is_left.set()
