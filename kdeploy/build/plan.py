"""From a source and the settings to a build request: the tag, the labels, the hash of the inputs. Pure."""

from __future__ import annotations

import hashlib
import json

from kdeploy.build.source import Source
from kdeploy.config.settings import BuildOptions
from kdeploy.errors import BuildError
from kdeploy.ports import BuildRequest
from kdeploy.reference import check_repository, check_tag
from kdeploy.text import one_line

REVISION_LABEL = "org.opencontainers.image.revision"
INPUTS_LABEL = "dev.kdeploy.inputs"
_SHOWN_FILES = 5


def plan_build(
    options: BuildOptions,
    source: Source,
    inputs: str,
    *,
    repository: str,
    tag: str | None = None,
) -> BuildRequest:
    """What to build under which name. `inputs`: see `hash_inputs`; "" where no image may be reused. `tag`: what --tag
    says.

    `repository` is what the cluster pulls; `options.push_repository` is pushed to where that name differs. Raises
    ConfigError for a name that registries refuse.
    """
    return BuildRequest(
        context=options.context,
        dockerfile=options.dockerfile,
        repository=check_repository(repository),
        push_repository=options.push_repository and check_repository(options.push_repository),
        tag=tag_of(source) if tag is None else check_tag(tag),
        commit=source.commit,
        labels=labels_of(source, repository, inputs),
        reusable=bool(inputs),
        target=options.target,
        args=dict(options.args),
        secrets=options.secrets,
        platforms=options.platforms,
        created=source.created,
    )


def tag_of(source: Source) -> str:
    """The commit; with changed files "COMMIT-dirty-HASH", so that it never passes for the commit's own image."""
    return f"{source.commit}-dirty-{source.dirty_hash}" if source.dirty else source.commit


def labels_of(source: Source, repository: str, inputs: str) -> dict[str, str]:
    """The labels of https://specs.opencontainers.org/image-spec/annotations/ that are known, and the inputs' hash.

    None of them comes from where the checkout lies: an image is the same, whatever machine built it.
    """
    labels = {
        "org.opencontainers.image.source": source.remote,
        REVISION_LABEL: source.commit,
        "org.opencontainers.image.created": source.created,
        "org.opencontainers.image.title": source.title or repository.rpartition("/")[2],
        "org.opencontainers.image.version": source.version,
        INPUTS_LABEL: inputs,
    }
    return {name: value for name, value in labels.items() if value}


def hash_inputs(options: BuildOptions, dockerfile: bytes, context: str, machine: str) -> str:
    """A SHA-256 in hex of what decides the image; secrets are left out on purpose.

    `context`: the hash of what the builder gets. `machine`: for what an image is built where no platform is asked for:
    what DOCKER_DEFAULT_PLATFORM says, and this machine, as platform.machine() names it.
    """
    inputs = {
        "dockerfile": hashlib.sha256(dockerfile).hexdigest(),
        "context": context,
        "args": dict(options.args),
        "target": options.target,
        "platforms": sorted(options.platforms) or [machine],
    }
    return hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()


def refuse_changes(source: Source) -> None:
    """Raises BuildError for changed files, in CI: what it deploys is a commit, and files that are not the commit's
    come from a mistake or from an attacker.
    """
    if not source.dirty:
        return
    shown = ", ".join(one_line(path, 80) for path in source.dirty[:_SHOWN_FILES])
    rest = len(source.dirty) - _SHOWN_FILES
    more = f" and {rest} more" if rest > 0 else ""
    raise BuildError(
        f"the build context differs from commit {source.commit[:12]}, and CI=true allows no changed files",
        hint=f"commit, remove or ignore (.gitignore, .dockerignore): {shown}{more}",
    )
