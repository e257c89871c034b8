"""The builder that needs no daemon: `ports.Builder` from a Dockerfile of COPY and settings to a pushed image.

It pulls no more than it must know of the base image, makes the new layers in a temporary folder, and pushes what the
registry lacks. The same commit gives the same digest, on every machine.
"""

from __future__ import annotations

import platform
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from kdeploy.build.engine import Hide, Log, pushed_name
from kdeploy.build.failure import push_failure, timed_out
from kdeploy.build.in_time import in_time
from kdeploy.build.layers.cache import Cache, cache_folder
from kdeploy.build.layers.epoch import epoch_of
from kdeploy.build.layers.making import Workshop
from kdeploy.build.layers.platforms import machine_platform
from kdeploy.build.layers.problems import DockerfileError, explained
from kdeploy.build.layers.push import Pusher, PushError
from kdeploy.build.transport import Transport
from kdeploy.errors import BuildError, RefusedError
from kdeploy.model import Image, Location
from kdeploy.ports import BuildRequest

TITLE = "the layers builder"


@dataclass(frozen=True, slots=True, kw_only=True)
class LayersBuilder:
    """`ports.Builder` without an engine. `env` is the environment: SOURCE_DATE_EPOCH, and where the cache is.

    `no_engine` says why none is there, where that is why this builder was chosen; "" where it was asked for. `machine`
    is the name of this machine's architecture.
    """

    transport: Transport
    env: Mapping[str, str]
    hide: Hide = str
    no_engine: str = ""
    machine: str = field(default_factory=platform.machine)

    @property
    def title(self) -> str:
        """What a person calls it."""
        return f"{TITLE} (no engine here)" if self.no_engine else TITLE

    def build_and_push(self, request: BuildRequest, output: Callable[[str], None], timeout: float) -> Image:
        """See `ports.Builder`. Raises UnsupportedError, a BuildError, for what takes an engine."""
        log = Log(output=output, hide=self.hide)
        try:
            with tempfile.TemporaryDirectory(prefix="kdeploy-", ignore_cleanup_errors=True) as folder:
                digest = in_time(partial(self._work, request, Path(folder)), line=log, timeout=timeout)
        except TimeoutError as error:
            raise timed_out(TITLE, timeout, log.lines) from error
        except PushError as error:
            log(f"ERROR: {error}")
            raise push_failure(log.lines, pushed_name(request), pusher="this machine") from error
        except RefusedError as error:
            raise BuildError(f"{TITLE} could not push the image: {error.message}", hint=error.hint) from error
        except RecursionError as error:
            raise BuildError(
                f"{TITLE} cannot copy folders that lie so deep in each other",
                hint="leave them out by .dockerignore, or build with an engine: --builder buildx",
            ) from error
        except DockerfileError as error:
            error.location = Location(file=request.dockerfile, line=error.line)
            raise explained(error, self.no_engine) from error
        return Image(repository=request.repository, tag=request.tag, digest=digest)

    def _work(self, request: BuildRequest, folder: Path, line: Callable[[str], None], check: Callable[[], None]) -> str:
        workshop = Workshop(
            transport=self.transport,
            folder=folder,
            cache=Cache(folder=cache_folder(self.env)),
            machine=machine_platform(self.machine),
            line=line,
            check=check,
        )
        package = workshop.make(request, epoch=epoch_of(request.args, self.env, request.created))
        Pusher(transport=self.transport, image=pushed_name(request), check=check).push(package, line)
        return package.digest
