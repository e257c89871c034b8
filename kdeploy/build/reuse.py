"""A commit's image that is in the registry already is not built again."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from kdeploy.build.credentials import Logins, advising
from kdeploy.build.engine import pushed_name
from kdeploy.build.failure import timed_out
from kdeploy.build.plan import INPUTS_LABEL, REVISION_LABEL
from kdeploy.clock import Deadline
from kdeploy.errors import RefusedError
from kdeploy.model import Image
from kdeploy.ports import Builder, BuildRequest

_PATIENCE = 30.0
"""Seconds for the question whether the image is there already: a registry that is silent is left to the push."""


class Shelf(Protocol):
    """What is asked of the registry."""

    def find(self, reference: str, timeout: float) -> str | None:
        """The digest behind "repository:tag"; None where it is absent. `timeout` in seconds, as below."""
        ...

    def labels(self, repository: str, digest: str, timeout: float) -> Mapping[str, str]:
        """The labels of the image's config."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ReusingBuilder:
    """`ports.Builder`: takes the tag that is there if it is this very image, else lets `builder` build."""

    builder: Callable[[], Builder]
    registry: Shelf
    logins: Logins

    @property
    def title(self) -> str:
        """What a person calls the engine."""
        return self.builder().title

    def build_and_push(self, request: BuildRequest, output: Callable[[str], None], timeout: float) -> Image:
        """See `ports.Builder`. Where the registry cannot be asked the image is built; a push that fails says why."""
        deadline = Deadline(time.monotonic, timeout)
        if request.reusable:
            try:
                digest = self._existing(request, Deadline(time.monotonic, min(timeout, _PATIENCE)))
            except (RefusedError, TimeoutError) as error:
                output(f"not known whether {pushed_name(request)} is there already: {error}")
            else:
                if digest:
                    output(f"{pushed_name(request)} is in the registry already, from the same inputs")
                    return Image(repository=request.repository, tag=request.tag, digest=digest, reused=True)
        builder = self.builder()
        try:
            with advising(self.logins, pushed_name(request).domain):
                return builder.build_and_push(request, output, deadline.remaining())
        except TimeoutError as error:
            raise timed_out(self.title, timeout, ()) from error

    def _existing(self, request: BuildRequest, deadline: Deadline) -> str | None:
        image = pushed_name(request)
        digest = self.registry.find(str(image), deadline.remaining())
        if digest is None:
            return None
        labels = self.registry.labels(image.repository, digest, deadline.remaining())
        return (
            digest if all(labels.get(name) == request.labels[name] for name in (REVISION_LABEL, INPUTS_LABEL)) else None
        )
