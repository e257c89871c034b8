"""Images that did not come from a deploy: those of other people, and what runs before the first one."""

import secrets
import threading
from dataclasses import dataclass, field
from pathlib import Path

from tests.scenarios.checkout import Checkout
from tests.scenarios.places import Place
from tests.scenarios.program import Program
from tests.scenarios.versions import Version


@dataclass(slots=True, kw_only=True)
class Outside:
    """Builds each version once, by `kdeploy build`, and calls it by its name. `repository` is theirs alone."""

    place: Place
    folder: Path
    repository: str
    _built: dict[str, str] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @classmethod
    def make(cls, place: Place, folder: Path) -> "Outside":
        """With a repository of its own."""
        return cls(place=place, folder=folder, repository=f"{place.registry}/outside-{secrets.token_hex(4)}/app")

    def of(self, version: Version) -> str:
        """The reference of an image of `version` in the registry, by its tag."""
        with self._lock:
            if version.name not in self._built:
                self._built[version.name] = self._build(version)
            return self._built[version.name]

    def _build(self, version: Version) -> str:
        checkout = Checkout.make(self.folder / version.name, self.place.base)
        checkout.configure({"target": "deployment/app", "image": self.repository})
        checkout.commit(version)
        outputs = self.folder / f"{version.name}-outputs"
        outputs.mkdir()
        environment = {**self.place.environment, "HOME": str(outputs)}
        program = Program(folder=checkout.folder, environment=environment, outputs=outputs)
        program.run("build", "--tag", version.name).ended(0, "built", "Complete")
        return f"{self.repository}:{version.name}"
