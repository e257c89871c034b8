"""Real pods, from their objects to processes and back: statuses, probes, restarts, logs, and their end."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal

import pytest

from kdeploy.model import Obj
from kdeploy.rollout.objects import is_ready
from kdeploy.sandbox.addresses import can_have_addresses, claim_network
from kdeploy.sandbox.core.images import KIND_ANNOTATION, RUN_LABEL, ImageInfo, PullError, not_found
from kdeploy.sandbox.core.resources import PODS
from kdeploy.sandbox.core.store import Store
from kdeploy.sandbox.kubelet.kubelet import Kubelet
from kdeploy.sandbox.kubelet.node import Node
from kdeploy.sandbox.kubelet.prepare import python
from kdeploy.sandbox.kubelet.prober import Prober
from kdeploy.sandbox.kubelet.roots import Roots

pytestmark = pytest.mark.skipif(not can_have_addresses(), reason="this machine has one loopback address only")

SERVE = """
import os, signal, sys
from http.server import BaseHTTPRequestHandler
from socketserver import TCPServer
class Page(BaseHTTPRequestHandler):
    def do_GET(self):
        good = os.path.exists(os.environ["TMPDIR"] + self.path)
        self.send_response(200 if good else 503)
        self.send_header("Content-Length", "0")
        self.end_headers()
    def log_message(self, *_): pass
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
TCPServer.allow_reuse_address = True
server = TCPServer((os.environ["POD_IP"], 8080), Page)
print("up", flush=True)
server.serve_forever()
"""
POD_IP = {"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}
PORTS = [{"name": "http", "containerPort": 8080}]


class Scene:
    """A store with a kubelet of real pods, whose images are programs of Python."""

    def __init__(self, folder: Path, store: Store, kubelet: Kubelet, events: list[tuple[str, str, str]]) -> None:
        self.folder, self.store, self.kubelet, self.events = folder, store, kubelet, events

    def create(self, *containers: Mapping[str, Any], **spec: Any) -> None:
        obj = {
            "metadata": {"name": "web", "namespace": "shop", "annotations": {KIND_ANNOTATION: "process"}},
            "spec": {"nodeName": "sandbox", "terminationGracePeriodSeconds": 5, "containers": list(containers), **spec},
        }
        self.store.create(PODS, obj, time.time())

    @property
    def pod(self) -> Obj | None:
        return self.store.get(PODS, "shop", "web")

    async def until(self, condition: Callable[[Obj], object]) -> Obj:
        while not ((pod := self.pod) and condition(pod)):
            await asyncio.sleep(0.01)
        return pod

    async def gone(self) -> None:
        while self.pod is not None:
            await asyncio.sleep(0.01)

    def delete(self, grace: float | None = None) -> None:
        self.store.delete(PODS, "shop", "web", time.time(), grace=grace)

    def log(self, container: str = "web", *, previous: bool = False) -> list[bytes]:
        pod = self.pod
        assert pod
        return [line.text for line in self.kubelet.log(pod, container, previous=previous)]

    def told(self) -> list[str]:
        return [reason for reason, _, _ in self.events]


@asynccontextmanager
async def scene(folder: Path) -> AsyncIterator[Scene]:
    network, count = claim_network("kubelet-test"), itertools.count()
    assert network
    store, events = Store(new_uid=lambda: f"uid-{next(count)}"), list[tuple[str, str, str]]()

    def images(reference: str) -> ImageInfo | PullError:
        if reference.startswith("bug"):
            raise RuntimeError("a bug")
        if reference.startswith("none"):
            return not_found(reference)
        config = {"config": {"Entrypoint": ["python3", "-c", SERVE]}, "rootfs": {"diff_ids": []}}
        return ImageInfo(digest="sha256:empty", labels={RUN_LABEL: "process"}, config=config, layers=())

    def tell(pod: Obj, reason: str, message: str, type_: Literal["Normal", "Warning"] = "Normal", **_: Any) -> None:
        events.append((reason, message, type_))

    prober = Prober()
    node = Node(
        store=store,
        images=images,
        roots=Roots(folder / "roots", lambda _: None),
        prober=prober,
        now=time.time,
        tell=tell,
        folder=folder / "pods",
        interpreter=python(),
    )
    kubelet = Kubelet(node, network.pods)
    try:
        async with asyncio.timeout(60):
            yield Scene(folder, store, kubelet, events)
    finally:
        await kubelet.close()
        await prober.close()
        network.close()


Test = Callable[[Scene], Coroutine[Any, Any, None]]


def on_scene(test: Test) -> Callable[[Path], None]:
    def inner(tmp_path: Path) -> None:
        async def run() -> None:
            async with scene(tmp_path) as there:
                await test(there)

        asyncio.run(run())

    inner.__name__ = test.__name__
    return inner


def container(code: str = SERVE, **fields: Any) -> dict[str, Any]:
    command = ["python3", "-c", code]
    return {"name": "web", "image": "web:1", "command": command, "env": [POD_IP], "ports": PORTS, **fields}


NOTHING = {"state": {}, "restartCount": 0}


def first(pod: Obj) -> Mapping[str, Any]:
    status: Mapping[str, Any] = pod["status"].get("containerStatuses", [NOTHING])[0]
    return status


def http(path: str, **numbers: Any) -> dict[str, Any]:
    return {"httpGet": {"path": path, "port": "http"}, "periodSeconds": 1, **numbers}


@on_scene
async def test_a_pod_runs_at_an_address_of_its_own_and_ends_gracefully(there: Scene) -> None:
    there.create({"name": "web", "image": "web:1", "env": [POD_IP]})
    pod = await there.until(is_ready)
    assert pod["status"]["phase"] == "Running"
    assert pod["status"]["podIP"].startswith("127.")
    assert first(pod)["imageID"] == "web@sha256:empty"
    await there.until(lambda _: there.log() == [b"up"])
    _, writer = await asyncio.open_connection(pod["status"]["podIP"], 8080)
    writer.close()
    assert there.told() == ["Pulling", "Pulled", "Created", "Started"]
    there.delete()
    await there.gone()
    assert there.told()[4:] == ["Killing"]
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(pod["status"]["podIP"], 8080)
    await asyncio.sleep(0.05)
    assert not list((there.folder / "pods").iterdir())


@on_scene
async def test_a_pod_that_a_bug_ends_says_so_and_can_be_deleted(there: Scene) -> None:
    there.create({**container(), "image": "bug:1"})
    while "FailedSync" not in there.told():
        await asyncio.sleep(0.01)
    there.delete()
    await there.gone()


@on_scene
async def test_a_crash_is_restarted_at_once_and_then_after_the_back_off(there: Scene) -> None:
    began = time.monotonic()
    there.create(container("import sys; print('no database', flush=True); sys.exit(7)"))
    pod = await there.until(lambda pod: "waiting" in first(pod)["state"] and first(pod)["restartCount"] == 1)
    assert 1 <= time.monotonic() - began < 8
    assert first(pod)["state"]["waiting"]["reason"] == "CrashLoopBackOff"
    assert first(pod)["state"]["waiting"]["message"] == (
        "back-off 10s restarting failed container=web pod=web_shop(uid-0)"
    )
    last = first(pod)["lastState"]["terminated"]
    assert (last["exitCode"], last["reason"]) == (7, "Error")
    assert (there.log(), there.log(previous=True)) == ([b"no database"], [b"no database"])
    assert there.events[-1] == (
        "BackOff", "Back-off restarting failed container web in pod web_shop(uid-0)", "Warning",
    )  # fmt: skip
    there.delete()
    await there.gone()


@on_scene
async def test_a_signal_is_128_and_its_number(there: Scene) -> None:
    there.create(container("import os; os.kill(os.getpid(), 11)"), restartPolicy="Never")
    pod = await there.until(lambda pod: pod["status"]["phase"] == "Failed")
    assert first(pod)["state"]["terminated"]["exitCode"] == 139


@on_scene
async def test_readiness_is_asked_and_follows_the_answers(there: Scene) -> None:
    there.create(container(readinessProbe=http("/ready", failureThreshold=1)))
    while "Unhealthy" not in there.told():
        await asyncio.sleep(0.01)
    assert there.events[-1][1].startswith("Readiness probe failed: ")
    pod = there.pod
    assert pod
    assert not is_ready(pod)
    mark = next((there.folder / "pods").iterdir()) / "web" / "scratch" / "ready"
    mark.touch()
    await there.until(is_ready)
    mark.unlink()
    pod = await there.until(lambda pod: not is_ready(pod))
    assert "running" in first(pod)["state"]
    assert "HTTP probe failed with statuscode: 503" in there.events[-1][1]


@on_scene
async def test_a_failed_liveness_probe_restarts_the_container(there: Scene) -> None:
    there.create(container(livenessProbe=http("/alive", failureThreshold=1)))
    pod = await there.until(lambda pod: first(pod)["restartCount"] == 1)
    assert ("Killing", "Container web failed liveness probe, will be restarted", "Normal") in there.events
    assert first(pod)["lastState"]["terminated"]["exitCode"] in (0, 143)  # by its handler, if it had come so far


@on_scene
async def test_nothing_else_is_probed_before_the_startup_probe_succeeds(there: Scene) -> None:
    startup = http("/started", failureThreshold=30)
    there.create(container(startupProbe=startup, livenessProbe=http("/alive", failureThreshold=1)))
    pod = await there.until(lambda pod: there.told().count("Unhealthy") >= 2)
    assert all(message.startswith("Startup") for reason, message, _ in there.events if reason == "Unhealthy")
    assert first(pod)["started"] is False
    next((there.folder / "pods").iterdir()).joinpath("web", "scratch", "started").touch()
    await there.until(lambda pod: first(pod)["restartCount"] == 1)


@on_scene
async def test_commands_of_probes_and_hooks_run_in_the_container(there: Scene) -> None:
    write = "import os, pathlib; pathlib.Path(os.environ['TMPDIR'], '{}').touch()"
    check = "import os, sys; sys.exit(not os.path.exists(os.environ['TMPDIR'] + '/begun'))"
    stop = "import time; time.sleep(0.5)"
    there.create(
        container(
            readinessProbe={"exec": {"command": ["python3", "-c", check]}, "periodSeconds": 1, "timeoutSeconds": 20},
            lifecycle={
                "postStart": {"exec": {"command": ["python3", "-c", write.format("begun")]}},
                "preStop": {"exec": {"command": ["python3", "-c", stop]}},
            },
        )
    )
    await there.until(is_ready)
    began = time.monotonic()
    there.delete()
    await there.gone()
    assert time.monotonic() - began >= 0.5


@on_scene
async def test_one_that_does_not_listen_is_killed_after_its_grace_and_at_once_by_force(there: Scene) -> None:
    deaf = "import signal; signal.signal(15, signal.SIG_IGN); print('up', flush=True)\nwhile True: signal.pause()"
    for grace, least, most in ((1, 0.9, 4.0), (0, 0.0, 0.5)):
        there.create(container(deaf), terminationGracePeriodSeconds=1)
        await there.until(lambda _: there.log() == [b"up"])
        began = time.monotonic()
        there.delete(grace=grace)
        await there.gone()
        assert least <= time.monotonic() - began < most


@on_scene
async def test_what_cannot_start_says_why(there: Scene) -> None:
    there.create(container(command=["/app/missing"]))
    pod = await there.until(lambda pod: first(pod)["restartCount"] == 1 and "waiting" in first(pod)["state"])
    last = first(pod)["lastState"]["terminated"]
    assert (last["exitCode"], last["reason"]) == (128, "StartError")
    assert last["message"].endswith('exec: "/app/missing": stat /app/missing: no such file or directory')


@pytest.mark.parametrize(
    ("fields", "reason", "words"),
    [
        ({"image": "none:1"}, "ImagePullBackOff", 'Back-off pulling image "none:1": ErrImagePull: rpc error'),
        ({"envFrom": [{"secretRef": {"name": "x"}}]}, "CreateContainerConfigError", 'secret "x" not found'),
        ({"volumeMounts": [{"mountPath": "/data"}]}, "CreateContainerError", "without mounts"),
    ],
)
def test_what_is_missing_is_waited_for(tmp_path: Path, fields: dict[str, Any], reason: str, words: str) -> None:
    @on_scene
    async def test(there: Scene) -> None:
        there.create(container(**fields))
        pod = await there.until(lambda pod: (first(pod)["state"].get("waiting") or {}).get("reason") == reason)
        assert words in first(pod)["state"]["waiting"]["message"]
        assert pod["status"]["phase"] == "Pending"
        there.delete()
        await there.gone()

    test(tmp_path)


@on_scene
async def test_init_containers_come_first_and_sidecars_last(there: Scene) -> None:
    note = "import signal, sys; signal.signal(15, lambda *_: sys.exit(0)); print('{}', flush=True); {}"
    there.create(
        container(note.format("web", "signal.pause()")),
        initContainers=[
            container(note.format("side", "signal.pause()"), name="side", restartPolicy="Always"),
            container(note.format("init", "sys.exit(0)"), name="init"),
        ],
    )
    pod = await there.until(lambda pod: is_ready(pod) and there.log() == [b"web"])
    statuses = {each["name"]: each["state"] for each in pod["status"]["initContainerStatuses"]}
    assert ("running" in statuses["side"], statuses["init"]["terminated"]["reason"]) == (True, "Completed")
    assert [there.log(name) for name in ("side", "init", "web")] == [[b"side"], [b"init"], [b"web"]]
    there.delete()
    await there.gone()
    assert [message for reason, message, _ in there.events if reason == "Killing"] == [
        "Stopping container web",
        "Stopping container side",
    ]


@on_scene
async def test_a_failed_init_container_of_a_pod_that_never_restarts_fails_it(there: Scene) -> None:
    init = container("raise SystemExit(3)", name="init")
    there.create(container(), initContainers=[init], restartPolicy="Never")
    pod = await there.until(lambda pod: pod["status"]["phase"] == "Failed")
    assert first(pod)["state"] == {"waiting": {"reason": "PodInitializing"}}


@on_scene
async def test_a_pod_that_was_to_end_before_it_began_is_deleted(there: Scene) -> None:
    there.create(container())
    there.delete()
    await there.gone()
