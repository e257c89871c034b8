"""Names of images, by the grammar of the reference Go package that registries and Docker share.

The grammar is https://github.com/distribution/reference/blob/main/reference.go and `regexp.go`:
"host:port/path:tag@algorithm:hex". Pure: text in, values or ConfigError out.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from kdeploy.errors import ConfigError
from kdeploy.text import one_line

DOCKER_HUB = "docker.io"
_MAX_NAME = 255

_COMPONENT = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*")
_SEPARATOR = re.compile(r"\.|_|__|-+")
_SEPARATORS = re.compile(r"[._-]+")
_LABEL = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_DOMAIN = re.compile(rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[a-fA-F0-9:]+\])(?::[0-9]{{1,5}})?")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_DIGEST = re.compile(r"[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}")
_DIGEST_LENGTHS = {"sha256": 64, "sha384": 96, "sha512": 128}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """A parsed image name. `repository` is as it was written, without tag and digest: "nginx", "ghcr.io/acme/web"."""

    repository: str
    tag: str | None = None
    digest: str | None = None

    def __str__(self) -> str:
        """The text that it was parsed from: "repository:tag@digest" with the parts that are there."""
        tag = f":{self.tag}" if self.tag else ""
        digest = f"@{self.digest}" if self.digest else ""
        return f"{self.repository}{tag}{digest}"

    @property
    def domain(self) -> str:
        """The registry that the name means, with its port: "docker.io" where the name has none."""
        return _split(self.repository)[0]

    @property
    def path(self) -> str:
        """The repository's path in its registry: "library/nginx" for "nginx"."""
        return _split(self.repository)[1]

    @property
    def canonical_repository(self) -> str:
        """The name in full: "docker.io/library/nginx" for "nginx"."""
        return f"{self.domain}/{self.path}"


def commit_of_tag(reference: str) -> str | None:
    """The full commit that an image is named after, where its tag is one."""
    found = re.search(r":([0-9a-f]{40})(?:@|$)", reference)
    return found[1] if found else None


def parse(text: str, *, what: str = "the image") -> Reference:
    """Reads an image reference; `what` names its place for the message, e.g. "--image".

    Raises ConfigError where it is not one, with the nearest valid name as a hint.
    """
    rest, at, digest = text.strip().partition("@")
    if at:
        check_digest(digest, what=what)
    name, tag = _split_tag(rest)
    if tag is not None:
        check_tag(tag, what=f"the tag of {what}")
    return Reference(repository=check_repository(name, what=what), tag=tag, digest=digest or None)


def check_repository(name: str, *, what: str = "the image") -> str:
    """`name` itself if it is a valid repository name without tag or digest. Raises ConfigError."""
    if problem := _problem(name):
        nearest = derive_repository(name)
        hint = (
            f"the nearest valid name is {nearest}" if not _problem(nearest) else "write it as registry.example/team/app"
        )
        raise ConfigError(f"{what} {_quoted(name)} is not a valid image name: {problem}", hint=hint)
    return name


def is_path(path: str) -> bool:
    """Whether `path` is a repository's name within its registry, such as "library/nginx"."""
    return len(path) <= _MAX_NAME and all(_COMPONENT.fullmatch(part) for part in path.split("/"))


def is_tag(tag: str) -> bool:
    """Whether `tag` is a valid tag."""
    return _TAG.fullmatch(tag) is not None


def check_tag(tag: str, *, what: str = "--tag") -> str:
    """`tag` itself if it is a valid tag. Raises ConfigError."""
    if is_tag(tag):
        return tag
    problem = "it is longer than 128 characters" if len(tag) > 128 else "a tag has only letters, digits, _ . -"
    if tag[:1] in (".", "-"):
        problem = f"a tag may not begin with {tag[0]!r}"
    nearest = re.sub(r"[^A-Za-z0-9_.-]+", "-", tag).lstrip(".-")[:128]
    hint = f"the nearest valid tag is {nearest}" if nearest else "leave it out to tag with the commit"
    raise ConfigError(f"{what} {_quoted(tag)} is not a valid image tag: {problem}", hint=hint)


def check_digest(digest: str, *, what: str = "the image") -> str:
    """`digest` itself if it is "algorithm:hex" of the right length. Raises ConfigError."""
    algorithm, _, value = digest.partition(":")
    length = _DIGEST_LENGTHS.get(algorithm)
    if _DIGEST.fullmatch(digest) and (length is None or (len(value) == length and value == value.lower())):
        return digest
    wanted = f"{algorithm} needs {length} lower-case hex digits" if length else "it reads like sha256:0123abcd..."
    raise ConfigError(
        f"{what} has the digest {_quoted(digest)}, which is not valid: {wanted}",
        hint="take the digest that the registry shows, or leave it out",
    )


def derive_repository(name: str) -> str:
    """The nearest name to `name` that registries take: lower case, other characters become dashes.

    For names that kdeploy makes up itself; a name that a person wrote is checked, not changed.
    """
    first, slash, rest = name.partition("/")
    has_domain = bool(slash) and _is_domain(first)
    parts = rest.split("/") if has_domain else name.split("/")
    path = [part for part in map(_derive_component, parts) if part]
    return "/".join([first.lower(), *path] if has_domain else path)


def same_repository(one: str, other: str) -> bool:
    """Whether two image names (tags and digests do not count) mean one repository; False where either is no name."""
    try:
        return parse(one).canonical_repository == parse(other).canonical_repository
    except ConfigError:
        return False


def _derive_component(part: str) -> str:
    plain = re.sub(r"[^a-z0-9._-]+", "-", part.lower())
    return _SEPARATORS.sub(_one_separator, plain).strip("._-")


def _one_separator(run: re.Match[str]) -> str:
    return run[0] if _SEPARATOR.fullmatch(run[0]) else run[0][0]


def _problem(name: str) -> str | None:
    """What is wrong with a repository name, as half a sentence; None where nothing is."""
    if not name:
        return "it is empty"
    if "://" in name:
        return "an image name has no scheme"
    domain, path = _split(name)
    if len(f"{domain}/{path}") > _MAX_NAME:
        return f"it is longer than {_MAX_NAME} characters"
    if not _DOMAIN.fullmatch(domain):
        return f"{_quoted(domain)} is no host name"
    if path != path.lower():
        return "it must be lower case"
    if re.fullmatch(r"[0-9a-f]{64}", name):
        return "64 hex digits are an image id, not a name"
    bad = next((part for part in path.split("/") if not _COMPONENT.fullmatch(part)), None)
    if bad is None:
        return None
    return f"{_quoted(bad)} may have only letters and digits, with single . _ __ or - between them"


def _split_tag(text: str) -> tuple[str, str | None]:
    """Divides at the last colon, unless that one begins a port: "host:5000/app"."""
    name, colon, tag = text.rpartition(":")
    return (name, tag) if colon and "/" not in tag else (text, None)


def _split(name: str) -> tuple[str, str]:
    """Domain and path by Docker's rule: the first part is a host if it looks like one, else the name is on the Hub."""
    first, slash, rest = name.partition("/")
    domain, path = (first, rest) if slash and _is_domain(first) else (DOCKER_HUB, name)
    if domain == "index.docker.io":
        domain = DOCKER_HUB
    if domain == DOCKER_HUB and "/" not in path:
        path = f"library/{path}"
    return domain, path


def _is_domain(first: str) -> bool:
    return "." in first or ":" in first or first == "localhost" or first != first.lower()


def _quoted(text: str) -> str:
    return f'"{one_line(text, 100)}"'
