"""The engine of choice: BuildKit through `docker buildx build --push`, as a child process."""

from __future__ import annotations

import json
import os
import re
import tempfile
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from kdeploy.build.engine import Find, Hide, Log, pushed_name, text_of
from kdeploy.build.failure import build_failure, last_lines, timed_out
from kdeploy.clock import Deadline
from kdeploy.errors import BuildError, ConfigError
from kdeploy.model import Image
from kdeploy.ports import BuildRequest
from kdeploy.process import Stream, stream
from kdeploy.secret import PRIVATE, is_secret, passwords_in
from kdeploy.text import one_line

_CLIENTS = (
    *("AWS_", "AZURE_", "BUILDKIT_", "BUILDX_", "CLOUDSDK_", "DOCKER_"),
    *("GOOGLE_APPLICATION_CREDENTIALS", "SSH_AUTH_SOCK"),
)
"""How variables begin that docker, buildx or a credential helper reads."""

_WORDS = re.compile(r"\w+")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildxBuilder:
    """`ports.Builder` by buildx. `env` is the whole environment of the docker client, None: this process's own."""

    find: Find
    hide: Hide = str
    env: Mapping[str, str] | None = None
    stream: Stream = stream

    @property
    def title(self) -> str:
        """What a person calls it."""
        return "docker buildx"

    def build_and_push(self, request: BuildRequest, output: Callable[[str], None], timeout: float) -> Image:
        """See `ports.Builder`. The digest is the pushed manifest's or index's, never the image id of --iidfile.

        Raises ConfigError for a secret that cannot be kept off the command line.
        """
        log, deadline = Log(output=output, hide=self.hide), Deadline(time.monotonic, timeout)
        with tempfile.TemporaryDirectory(prefix="kdeploy-") as folder:
            metadata = Path(folder, "metadata.json")
            own = os.environ if self.env is None else self.env
            hidden = hidden_args(request.args, request.secrets, own)
            command = buildx_command(request, str(metadata), hidden)
            try:
                code = self.stream(command, line=log, timeout=timeout, env={**own, **hidden})
                if code:
                    text = text_of(request.dockerfile)
                    raise build_failure(log.lines, pushed_name(request), self.title, request.dockerfile, text)
                digest = _digest_in(metadata) or self.find(str(pushed_name(request)), deadline.remaining())
            except TimeoutError as error:
                raise timed_out(self.title, timeout, log.lines) from error
        if digest is None:
            raise BuildError(
                f"{self.title} ended well, but {pushed_name(request)} is not in the registry",
                hint="does the builder push somewhere else? see docker buildx inspect",
                tail=last_lines(log.lines),
            )
        return Image(repository=request.repository, tag=request.tag, digest=digest)


def buildx_command(request: BuildRequest, metadata_file: str, hidden: Collection[str] = ()) -> list[str]:
    """The command line of a build; the values of the build arguments that are `hidden` are not on it. Pure."""
    command = ["docker", "buildx", "build", "--push", "--progress", "plain", "--metadata-file", metadata_file]
    command += ["--tag", str(pushed_name(request)), "--file", request.dockerfile]
    for name, value in request.labels.items():
        command += ["--label", f"{name}={value}"]
    for name, value in request.args.items():
        command += ["--build-arg", name if name in hidden else f"{name}={value}"]
    for secret in request.secrets:
        command += ["--secret", secret]
    if request.platforms:
        command += ["--platform", ",".join(request.platforms)]
    if request.target:
        command += ["--target", request.target]
    return [*command, request.context]


def hidden_args(args: Mapping[str, str], secrets: Collection[str], env: Mapping[str, str]) -> dict[str, str]:
    """Build arguments that are secrets by their names, or have one in them: buildx takes them from its environment,
    since every user of the machine may read a command line. There they go before what `env` has under the same name.

    Raises ConfigError where that would change what the client itself does, or a build secret of that name.
    """
    hidden = {name: value for name, value in args.items() if is_secret(name, value) or any(passwords_in(value))}
    for name, value in hidden.items():
        is_read = name.startswith(_CLIENTS) or any(name in _WORDS.findall(each) for each in secrets)
        if name in PRIVATE or (is_read and env.get(name) != value):
            raise ConfigError(
                f"the build argument {one_line(name, 80)} is a secret, and would stand on the command line:"
                " from its environment docker itself, or a build secret, would take it too",
                hint="make it a build secret (secrets: in kdeploy.yaml), which no image keeps, or give it another name",
            )
    return hidden


def _digest_in(metadata: Path) -> str | None:
    """`containerimage.digest` of a --metadata-file; None where the engine wrote none."""
    try:
        content = json.loads(metadata.read_bytes())
    except (OSError, ValueError):
        return None
    digest = content.get("containerimage.digest") if isinstance(content, dict) else None
    return digest if isinstance(digest, str) and _DIGEST.fullmatch(digest) else None
