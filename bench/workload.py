"""One Deployment in a namespace of its own, and both ways to change it, with a watcher beside them."""

from __future__ import annotations

import contextlib
import json
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bench.api import MERGE_PATCH, Seen, Watch, watching
from bench.audit import Counted, count, received, watching_since
from bench.moments import image_of, is_complete
from bench.process import Ended
from bench.rig import Rig

PATIENCE = 180.0
CALM = 0.5
"""Seconds between two runs, after the last pod of the one before is gone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployed:
    """One `kdeploy deploy`: its process, its report and the events of its --trace."""

    ended: Ended
    report: Mapping[str, Any]
    events: Sequence[Mapping[str, Any]]

    def at(self, type_: str, phase: str) -> float:
        """When (`time.time()`) the first event of that type and phase was told."""
        found = next(event for event in self.events if event["type"] == type_ and event.get("phase") == phase)
        return datetime.fromisoformat(found["at"]).timestamp()


@dataclass(frozen=True, slots=True, kw_only=True)
class Eyes:
    """The ideal watcher of one workload."""

    deployments: Watch
    pods: Watch

    @property
    def deployment(self) -> tuple[Seen, ...]:
        """The Deployment's events."""
        return self.deployments.seen

    def pods_of(self, image: str) -> tuple[Seen, ...]:
        """The events of the pods that name this image; `image` may end before the digest."""
        return tuple(event for event in self.pods.seen if _pod_image(event.object).startswith(image))


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """A Deployment `web` in the namespace `name`."""

    rig: Rig
    name: str

    @property
    def deployment_path(self) -> str:
        """Its path below the server."""
        return f"/apis/apps/v1/namespaces/{self.name}/deployments/web"

    def read(self) -> Mapping[str, Any]:
        """The Deployment as it is."""
        found: Mapping[str, Any] = self.rig.api.ask("GET", self.deployment_path)
        return found

    @property
    def generation(self) -> int:
        """The number of its spec."""
        return int(self.read()["metadata"]["generation"])

    @property
    def image(self) -> str:
        """The image of its live template."""
        return image_of(self.read())

    def create(self, replicas: int, min_ready_seconds: int = 0, node: str | None = None, grace: int = 0) -> None:
        """Makes it, of an image that runs, and waits until it is complete. `node`: where the scheduler is not asked.

        `grace`: seconds that a pod goes on after it was told to end (its program does not listen to SIGTERM).
        """
        api = self.rig.api
        api.ask("POST", "/api/v1/namespaces", {"metadata": {"name": self.name}})
        body = _manifest(self.rig.sleeping(), replicas, min_ready_seconds, node, grace)
        api.ask("POST", f"/apis/apps/v1/namespaces/{self.name}/deployments", body)
        self.calm()

    def delete(self) -> None:
        """Asks for the end of it all, without waiting."""
        self.rig.api.ask("DELETE", f"/api/v1/namespaces/{self.name}")

    def hold(self, image: str) -> None:
        """What `kubectl set image` does, but of a rollout that waits for `release`."""
        containers = [{"name": "web", "image": image}]
        self._patch({"paused": True, "template": {"spec": {"containers": containers}}})

    def release(self, agent: str) -> None:
        """Lets the rollout begin once a program that was started just now watches it; its User-Agent begins so."""
        since, until = time.time(), time.monotonic() + PATIENCE
        while watching_since(self.rig.cluster.requests(agent, since=since), self.name) == math.inf:
            if time.monotonic() > until:
                raise RuntimeError(f"{agent} does not begin to watch {self.name}")
            time.sleep(0.2)
        time.sleep(CALM)
        self._patch({"paused": False})

    def _patch(self, spec: Mapping[str, Any]) -> None:
        self.rig.api.ask("PATCH", self.deployment_path, {"spec": spec}, MERGE_PATCH)

    def calm(self) -> None:
        """Waits until it is complete and has as many pods as it should, then a little longer."""
        until = time.monotonic() + PATIENCE
        while not self._is_calm():
            if time.monotonic() > until:
                raise RuntimeError(f"{self.name} does not come to rest")
            time.sleep(0.1)
        time.sleep(CALM)

    def _is_calm(self) -> bool:
        deployment = self.read()
        pods = self.rig.api.ask("GET", f"/api/v1/namespaces/{self.name}/pods")
        return is_complete(deployment) and len(pods["items"]) == deployment["spec"]["replicas"]

    @contextlib.contextmanager
    def watched(self) -> Iterator[Eyes]:
        """An ideal watcher that sees all from now on."""
        pods = f"/api/v1/namespaces/{self.name}/pods"
        with self.watched_alone() as deployments, watching(self.rig.api, pods, {}) as p:
            yield Eyes(deployments=deployments, pods=p)

    @contextlib.contextmanager
    def watched_alone(self) -> Iterator[Watch]:
        """An ideal watcher of the Deployment: the events of many pods would keep it from noting its own in time."""
        with watching(
            self.rig.api, self.deployment_path.rpartition("/")[0], {"fieldSelector": "metadata.name=web"}
        ) as w:
            yield w

    def kubectl(self, *words: str, codes: Sequence[int] = (0,), meanwhile: Callable[[], None] = lambda: None) -> Ended:
        """A kubectl command in its namespace."""
        return self.rig.run_kubectl("--namespace", self.name, *words, codes=codes, meanwhile=meanwhile)

    def status(self, meanwhile: Callable[[], None] = lambda: None) -> Ended:
        """`kdeploy status --watch`."""
        words = ("status", "deployment/web", "--namespace", self.name, "--watch")
        return self.rig.run_kdeploy(*words, meanwhile=meanwhile)

    def deploy(self, *flags: str, code: int = 0) -> Deployed:
        """`kdeploy deploy`, which must end with that code."""
        folder = self.rig.folder
        report, trace = folder / f"{self.name}.report", folder / f"{self.name}.trace"
        files = ("--report", str(report), "--trace", str(trace))
        ended = self.rig.run_kdeploy(
            "deploy", "deployment/web", "--namespace", self.name, *flags, *files, codes=(code,)
        )
        events = [json.loads(line) for line in trace.read_text().splitlines()]
        return Deployed(ended=ended, report=json.loads(report.read_text()), events=events)

    def requests(self, ended: Ended) -> Counted:
        """What a deploy that has ended asked the API server about this workload, by its audit log."""
        events = self.rig.cluster.requests("kdeploy/", since=ended.started)
        return count([event for event in events if received(event) <= ended.ended], self.name)


def _pod_image(pod: Mapping[str, Any]) -> str:
    return str(pod["spec"]["containers"][0]["image"])


def _manifest(image: str, replicas: int, min_ready_seconds: int, node: str | None, grace: int) -> Mapping[str, Any]:
    """Pods that start as quickly as pods can, and end so but for their `grace`."""
    labels = {"app": "web"}
    pod = {
        "containers": [{"name": "web", "image": image}],
        "terminationGracePeriodSeconds": grace,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "nodeName": node,
    }
    return {
        "metadata": {"name": "web", "labels": labels},
        "spec": {
            "replicas": replicas,
            "minReadySeconds": min_ready_seconds,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pod},
        },
    }
