"""The sandbox's registry and the real parts: Docker's engine and buildx, containerd, the kubelet, Docker's registry."""

import io
import json
import os
import secrets
import tarfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from kdeploy.build import inspect_source, open_builder, open_registry, request_build
from kdeploy.clock import Deadline
from kdeploy.config.settings import BuildOptions
from kdeploy.sandbox.core.images import ImageInfo, PullError
from kdeploy.sandbox.registry.manifest import OCI_INDEX, OCI_MANIFEST
from kdeploy.sandbox.registry.pull import image_info, machine_architecture
from tests.cluster.cluster import Cluster
from tests.cluster.commands import run
from tests.cluster.errors import RigError, UnsupportedError
from tests.cluster.processes import Processes
from tests.contract.sandbox.registry.conversation import RECORD, converse
from tests.contract.sandbox.registry.pushing import ABSENT, Pusher, digest_of, index, manifest
from tests.contract.sandbox.serving import Client
from tests.e2e.sandbox_registry import SandboxRegistry, free_port, open_registry_for
from tests.e2e.scene import Scene
from tests.scenarios.checkout import Checkout
from tests.scenarios.places import AnyCluster

ENGINES = ("buildx", "classic")
WORDS = "hello from a layer\n"


def soon() -> Deadline:
    return Deadline(time.monotonic, 120)


@pytest.fixture(scope="module")
def registry(cluster: AnyCluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxRegistry]:
    if not isinstance(cluster, Cluster):
        pytest.skip(str(UnsupportedError("the engine of another's cluster does not reach this machine's loopback")))
    with open_registry_for(cluster, tmp_path_factory.mktemp("sandbox")) as opened:
        yield opened


@pytest.fixture
def repository(registry: SandboxRegistry) -> str:
    return f"{registry.name}/team/{secrets.token_hex(4)}"


@pytest.fixture
def context(cluster: Cluster, tmp_path: Path) -> Path:
    """A build context: the base image, and a layer of 20 MB that cannot be made smaller."""
    folder = tmp_path / "context"
    folder.mkdir()
    (folder / "Dockerfile").write_text(f"FROM {cluster.base_image}\nLABEL a=b\nCOPY . /data\nCMD cat /data/words\n")
    (folder / "words").write_text(WORDS)
    (folder / "noise").write_bytes(secrets.token_bytes(20 << 20))
    return folder


def docker(cluster: Cluster, engine: str, *words: str) -> str:
    folder = cluster.docker_config if engine == "buildx" else cluster.docker_config_classic
    environment = {**os.environ, **cluster.environment, "DOCKER_CONFIG": str(folder)}
    if engine == "classic":
        environment["DOCKER_BUILDKIT"] = "0"
    return run("docker", *words, environment=environment)


def runs(cluster: Cluster, reference: str) -> str:
    """Pulls an image that the engine has not got, and runs it; what it printed."""
    docker(cluster, "buildx", "pull", "--quiet", reference)
    return docker(cluster, "buildx", "run", "--rm", reference)


def forget(cluster: Cluster, repository: str) -> None:
    """Takes a repository's images from the engine."""
    held = docker(cluster, "buildx", "image", "ls", "--quiet", "--no-trunc", repository).split()
    if held:
        docker(cluster, "buildx", "image", "rm", "--force", *set(held))


def pulled(registry: SandboxRegistry, reference: str) -> ImageInfo:
    found = image_info(registry.storage, reference, registries=(registry.name,))
    assert isinstance(found, ImageInfo), found
    return found


def test_docker_pushes_to_it_and_pulls_from_it(
    cluster: Cluster, registry: SandboxRegistry, repository: str, context: Path
) -> None:
    docker(cluster, "classic", "build", "--quiet", "--tag", f"{repository}:v1", str(context))
    docker(cluster, "classic", "push", "--quiet", f"{repository}:v1")
    docker(cluster, "classic", "tag", f"{repository}:v1", f"{repository}-other:v1")
    docker(cluster, "classic", "push", "--quiet", f"{repository}-other:v1")  # its blobs are mounted, not sent again

    image = pulled(registry, f"{repository}:v1")
    assert image.labels == {"a": "b"}
    assert pulled(registry, f"{repository}-other:v1").digest == image.digest
    for reference in (f"{repository}:v1", f"{repository}@{image.digest}", f"{repository}-other@{image.digest}"):
        forget(cluster, repository)
        forget(cluster, f"{repository}-other")
        assert runs(cluster, reference) == WORDS


def test_buildx_pushes_to_it_and_docker_pulls_what_it_names(
    cluster: Cluster, registry: SandboxRegistry, repository: str, context: Path, tmp_path: Path
) -> None:
    metadata = tmp_path / "metadata.json"
    flags = ("--push", "--metadata-file", str(metadata), "--tag", f"{repository}:v1")
    docker(cluster, "buildx", "buildx", "build", *flags, str(context))
    digest = json.loads(metadata.read_text())["containerimage.digest"]

    assert pulled(registry, f"{repository}:v1").digest == digest
    forget(cluster, repository)
    assert runs(cluster, f"{repository}@{digest}") == WORDS


def test_buildx_makes_an_index_of_what_is_there_and_docker_pulls_it(
    cluster: Cluster, registry: SandboxRegistry, repository: str, context: Path
) -> None:
    docker(cluster, "buildx", "buildx", "build", "--push", "--tag", f"{repository}:one", str(context))
    docker(cluster, "buildx", "buildx", "imagetools", "create", "--tag", f"{repository}:multi", f"{repository}:one")
    storage, path = registry.storage, repository.partition("/")[2]
    top = storage.manifest(path, storage.resolve(path, "multi") or "")

    assert top
    assert top.contents.manifests
    assert pulled(registry, f"{repository}:multi").digest == top.digest
    forget(cluster, repository)
    assert runs(cluster, f"{repository}:multi") == WORDS


def test_with_a_password_it_is_for_those_who_ran_docker_login(cluster: Cluster, tmp_path: Path) -> None:
    password = secrets.token_urlsafe(12)
    config = tmp_path / "docker"
    config.mkdir()
    environment = {**os.environ, **cluster.environment, "DOCKER_CONFIG": str(config)}
    with open_registry_for(cluster, tmp_path / "guarded", password) as guarded:
        image = f"{guarded.name}/team/app:v1"
        run("docker", "tag", cluster.base_image, image, environment=environment)
        with pytest.raises(RigError, match="no basic auth credentials"):
            run("docker", "push", "--quiet", image, environment=environment)
        run("docker", "login", "--username", "kdeploy", "--password", password, guarded.name, environment=environment)
        run("docker", "push", "--quiet", image, environment=environment)
        assert pulled(guarded, image).layers
        run("docker", "image", "rm", image, environment=environment)
        run("docker", "pull", "--quiet", image, environment=environment)


@pytest.mark.parametrize("engine", [*ENGINES, "layers"])
def test_kdeploys_builders_push_to_it_and_find_it_again(
    cluster: Cluster, registry: SandboxRegistry, repository: str, context: Path, engine: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    folder = cluster.docker_config if engine == "buildx" else cluster.docker_config_classic
    cache = {"XDG_CACHE_HOME": str(context / "cache")}
    for name, value in {**cluster.environment, **cache, "DOCKER_CONFIG": str(folder)}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("CI", raising=False)
    checkout = Checkout.make(context / "app", cluster.base_image)
    (checkout.folder / "Dockerfile").write_text((context / "Dockerfile").read_text())
    (checkout.folder / "words").write_text(WORDS)
    checkout.git("add", "--all")
    checkout.git("-c", "user.name=T", "-c", "user.email=t@example.com", "commit", "--quiet", "--message=one")
    options = BuildOptions(context=str(checkout.folder), dockerfile=str(checkout.folder / "Dockerfile"))
    env = dict(os.environ)
    request = request_build(options, inspect_source(options, None, env, soon()), env, soon(), repository=repository)
    lines: list[str] = []

    image = open_builder(engine, env, soon()).build_and_push(request, lines.append, 60)
    assert open_registry(env).find(f"{repository}:{image.tag}") == image.digest
    again = open_builder(engine, env, soon()).build_and_push(request, lines.append, 60)
    assert (again.digest, again.reused) == (image.digest, True)
    if engine == "layers":  # the rig's own registry, Docker's 2.8, gets the very same
        theirs = f"{cluster.registry}/{repository.partition('/')[2]}"
        elsewhere = request_build(options, inspect_source(options, None, env, soon()), env, soon(), repository=theirs)
        assert open_builder(engine, env, soon()).build_and_push(elsewhere, lines.append, 60).digest == image.digest
    forget(cluster, repository)
    assert runs(cluster, image.reference) == WORDS


def test_a_pod_on_a_real_kubelet_runs_what_it_holds(
    cluster: Cluster, registry: SandboxRegistry, repository: str, context: Path, scene: Scene
) -> None:
    (context / "Dockerfile").write_text(f"FROM {cluster.base_image}\nCOPY words /words\nCMD cat /words; sleep 60\n")
    docker(cluster, "classic", "build", "--quiet", "--tag", f"{repository}:v1", str(context))
    docker(cluster, "classic", "push", "--quiet", f"{repository}:v1")
    image = pulled(registry, f"{repository}:v1")
    scene.kube.apply(pod("reader", f"{repository}@{image.digest}"))
    scene.kube("wait", "pod/reader", "--for=condition=Ready", "--timeout=40s")

    assert scene.kube("logs", "reader") == WORDS
    (status,) = scene.kube.get("pod", "reader")["status"]["containerStatuses"]
    assert status["imageID"].endswith(image.digest)


def pod(name: str, image: str) -> dict[str, Any]:
    container = {"name": "app", "image": image, "imagePullPolicy": "Always"}
    spec = {"containers": [container], "terminationGracePeriodSeconds": 0}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}


def push_unpullable(registry: SandboxRegistry, path: str) -> dict[str, str]:
    """Images with which something is wrong, each with the pod's name for it."""
    ask = Client(port=registry.port)
    push, name = Pusher(ask=ask, repository=path), f"{registry.name}/{path}"
    layer, gone, more = (layer_of(word) for word in ("layer", "gone", "more"))
    config, other = config_of(machine_architecture(), layer), config_of("s390x", layer)
    push.image("other", layer, config=other)
    assert push.put("index", index(manifest([layer], other), architecture="s390x"), OCI_INDEX).status == 201
    assert push.put("empty", index(), OCI_INDEX).status == 201
    push.blob(config)
    for size in (len(layer) - 1, len(layer) + 1):
        lying = typed(manifest([layer], config)).replace(b'"size": %d' % len(layer), b'"size": %d' % size)
        assert push.put(f"of-{size}", lying).status == 201
    push.blob(gone)
    push.blob(config_of(machine_architecture(), gone))
    assert (
        push.put("gone", typed(manifest([gone], config_of(machine_architecture(), gone))), OCI_MANIFEST).status == 201
    )
    assert ask("DELETE", push.path(f"blobs/{digest_of(gone)}")).status == 202
    push.blob(b"no json at all")
    assert push.put("no-config", typed(manifest([layer], b"no json at all"))).status == 201
    push.blob(more)
    assert push.put("mismatched", typed(manifest([layer, more], config))).status == 201
    return {
        "no-tag": f"{name}:none",
        "no-digest": f"{name}@{ABSENT}",
        "no-repository": f"{registry.name}/no/such",
        "other-machines-index": f"{name}:index",
        "empty-index": f"{name}:empty",
        "size-too-small": f"{name}:of-{len(layer) - 1}",
        "size-too-large": f"{name}:of-{len(layer) + 1}",
        "layer-gone": f"{name}:gone",
        "no-config": f"{name}:no-config",
        "mismatched": f"{name}:mismatched",
    }


def layer_of(word: str) -> bytes:
    """A layer with one file, which no other test has."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        content = f"{word} {secrets.token_hex(8)}".encode()
        entry = tarfile.TarInfo(word)
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def typed(manifest: bytes) -> bytes:
    """A manifest whose parts have their right media types."""
    config, rest = manifest.split(b"layers")
    kinds = (b"application/vnd.oci.image.config.v1+json", b"application/vnd.oci.image.layer.v1.tar")
    return b"layers".join(
        part.replace(b"application/octet-stream", kind) for part, kind in zip((config, rest), kinds, strict=True)
    )


def config_of(architecture: str, *layers: bytes) -> bytes:
    rootfs = {"type": "layers", "diff_ids": [digest_of(layer) for layer in layers]}
    return json.dumps({"architecture": architecture, "os": "linux", "config": {}, "rootfs": rootfs}).encode()


def test_what_cannot_be_pulled_is_told_in_the_words_of_the_real_kubelet(
    cluster: Cluster, registry: SandboxRegistry, scene: Scene
) -> None:
    images = push_unpullable(registry, f"team/{secrets.token_hex(4)}")
    scene.kube.apply(*(pod(name, image) for name, image in images.items()))
    for name, image in images.items():
        scene.kube.until(partial(has_failed, scene, name), f"the failed pull of {name}")
        real = failure(scene, name).removeprefix(f'Failed to pull image "{image}": ')
        ours = image_info(registry.storage, image, registries=(registry.name,))
        assert isinstance(ours, PullError), (name, real)
        assert until_json(ours.message) == until_json(real)


def until_json(message: str) -> str:
    """What Go's parser says of a config that is no JSON is its own."""
    before, found, _ = message.partition("unmarshal image config: ")
    return before + found


def has_failed(scene: Scene, name: str) -> bool:
    return bool(failure(scene, name))


def failure(scene: Scene, name: str) -> str:
    """The event of a failed pull, without the name of an error that says nothing."""
    events = scene.kube.get("events", f"--field-selector=involvedObject.name={name},reason=Failed")
    texts = [str(event["message"]) for event in events]
    return next((text for text in texts if text.startswith("Failed to pull image")), "").replace(
        "rpc error: code = Unknown desc = ", ""
    )


def test_a_real_docker_registry_still_answers_as_it_is_recorded(tmp_path: Path) -> None:
    """The other half of the comparison is a contract test: ours answers the same but for what is listed."""
    port = free_port()
    config = tmp_path / "config.json"
    storage = {"filesystem": {"rootdirectory": str(tmp_path / "data")}, "delete": {"enabled": True}}
    storage |= {"maintenance": {"uploadpurging": {"enabled": False}}}
    http = {"addr": f"127.0.0.1:{port}", "secret": "x"}
    config.write_text(json.dumps({"version": "0.1", "log": {"level": "warn"}, "storage": storage, "http": http}))
    processes = Processes(folder=tmp_path, logs=tmp_path)
    process = processes.start("docker-registry", ["docker-registry", "serve", str(config)])
    try:
        processes.wait("docker-registry", lambda: is_open(port), 20)
        assert converse(Client(port=port)) == json.loads(RECORD.read_text())
    finally:
        process.stop()


def is_open(port: int) -> bool:
    try:
        return Client(port=port)("GET", "/v2/").status == 200
    except OSError:
        return False
