"""The names of a row and what they stand for at its place (see scenario.py)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

_NAME = re.compile(r"\$(?:\{([^}]+)\}|([\w-]+(?:\.[\w-]+)?))")
UNKNOWN = "?"


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """`known`: from "namespace" or "one.image" to what it stands for; grows while a row is played."""

    known: dict[str, str] = field(default_factory=dict)

    def fill(self, given: Any) -> Any:
        """A text, or any JSON with texts in it, its names replaced. Raises KeyError for one that is not known yet."""
        match given:
            case str():
                return _NAME.sub(lambda found: self.known[found[1] or found[2]], given)
            case Mapping():
                return {key: self.fill(value) for key, value in given.items()}
            case list() | tuple():
                return [self.fill(each) for each in given]
            case _:
                return given

    def learn(self, version: str, facts: Mapping[str, str | None]) -> None:
        """What stands for `$version.KEY` from now on, where there is a value."""
        self.known.update({f"{version}.{key}": str(value) for key, value in facts.items() if value})

    def version_of(self, image: str | None) -> str:
        """The name of the version with that reference; "" for no image."""
        return self._search("image", image)

    def deployed_by(self, deploy_id: str | None) -> str:
        """The name of the version whose deploy had that id; "" for no id."""
        return self._search("deploy-id", deploy_id)

    def _search(self, key: str, value: str | None) -> str:
        if not value:
            return ""
        found = (name.removesuffix(f".{key}") for name, known in self.known.items() if known == value)
        return next(found, f"{UNKNOWN} {value}")
