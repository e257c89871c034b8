"""kdeploy's own reads of registries, on the sandbox's."""

from __future__ import annotations

from pathlib import Path

import pytest

from kdeploy.build.credentials import load_logins
from kdeploy.build.registry import DistributionRegistry
from kdeploy.build.transport import Transport
from kdeploy.errors import RefusedError
from kdeploy.model import Image, Reason
from kdeploy.sandbox.registry.manifest import DOCKER_LIST, DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST
from kdeploy.sandbox.registry.server import Account
from kdeploy.secret import Secret
from tests.contract.sandbox.registry.conftest import Served, serve
from tests.contract.sandbox.registry.pushing import ABSENT, CONFIG, digest_of, index, manifest


def reads(folder: Path) -> DistributionRegistry:
    """As the commands open it, with the logins of a Docker configuration in `folder`."""
    return DistributionRegistry(Transport(load_logins({"DOCKER_CONFIG": str(folder)})))


def test_tags_and_digests_are_resolved(registry: Served, tmp_path: Path) -> None:
    digest = registry.push.image("v1", b"layer")
    repository = f"{registry.name}/team/web"
    found = reads(tmp_path)
    assert found.resolve(f"{repository}:v1") == Image(repository=repository, tag="v1", digest=digest)
    assert found.find(f"{repository}@{digest}") == digest
    assert found.find(f"{repository}:none") is None
    assert found.find(f"{repository}@{ABSENT}") is None
    with pytest.raises(RefusedError) as caught:
        found.resolve(f"{repository}:none")
    assert caught.value.reason is Reason.IMAGE_NOT_FOUND


@pytest.mark.parametrize(("image", "several"), [(OCI_MANIFEST, OCI_INDEX), (DOCKER_MANIFEST, DOCKER_LIST)])
def test_labels_are_read_through_indexes_too(registry: Served, tmp_path: Path, image: str, several: str) -> None:
    push, repository = registry.push, f"{registry.name}/team/web"
    push.blob(CONFIG)
    one = manifest(media_type=image)
    push.put(digest_of(one), one, image)
    top = index(one, media_type=several)
    assert push.put("multi", top, several).status == 201
    assert reads(tmp_path).labels(repository, digest_of(one)) == {"a": "b"}
    assert reads(tmp_path).labels(repository, digest_of(top)) == {"a": "b"}
    assert reads(tmp_path).same_config(repository, digest_of(top), digest_of(one), 5.0) is True
    assert reads(tmp_path).same_config(repository, digest_of(top), ABSENT, 5.0) is None


def test_a_login_of_dockers_configuration_opens_it(tmp_path: Path) -> None:
    for served in serve(tmp_path / "registry", account=Account(name="ann", password=Secret("s3cret"))):
        repository = f"{served.name}/team/web"
        with pytest.raises(RefusedError) as caught:
            reads(tmp_path).find(f"{repository}:v1")
        assert caught.value.reason is Reason.IMAGE_UNAUTHORIZED
        auths = f'{{"auths": {{"{served.name}": {{"auth": "YW5uOnMzY3JldA=="}}}}}}'
        (tmp_path / "config.json").write_text(auths)
        assert reads(tmp_path).find(f"{repository}:v1") is None
