"""`python -m bench.simulated`: what a simulated rollout costs the sandbox's core, in milliseconds of this thread's CPU.

A Deployment runs 3 pods; its template is changed, and the clock goes on, virtually, until the rollout is complete.
"""

from __future__ import annotations

import statistics
import sys
import time
from itertools import count

from kdeploy.model import Obj
from kdeploy.sandbox.core.bootstrap import bootstrap
from kdeploy.sandbox.core.control import Controllers
from kdeploy.sandbox.core.defaults import with_defaults
from kdeploy.sandbox.core.images import BEHAVIOUR_LABEL, ImageInfo
from kdeploy.sandbox.core.progress import is_complete
from kdeploy.sandbox.core.resources import DEPLOYMENTS
from kdeploy.sandbox.core.store import Store

RUNS = 500
BEHAVIOURS = ("", "start=1s ready-after=2s stop-after=1s")
NAMESPACE, NAME = "shop", "web"


def deployment() -> Obj:
    """3 replicas of a container with a readiness probe."""
    probe = {"httpGet": {"path": "/ready", "port": 8080}, "periodSeconds": 1}
    container = {"name": "web", "image": "registry/web:1", "readinessProbe": probe}
    labels = {"app": NAME}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    spec = {"replicas": 3, "selector": {"matchLabels": labels}, "template": template}
    return with_defaults(DEPLOYMENTS, {"metadata": {"name": NAME, "namespace": NAMESPACE}, "spec": spec})


def changed(before: Obj) -> Obj:
    """The same with another image."""
    template = before["spec"]["template"]
    container = {**template["spec"]["containers"][0], "image": "registry/web:2"}
    spec = {**template["spec"], "containers": [container]}
    return {**before, "spec": {**before["spec"], "template": {**template, "spec": spec}}}


def rollout(behaviour: str) -> tuple[float, int]:
    """Seconds of CPU, and how many changes of objects that were."""
    info = ImageInfo(digest=f"sha256:{'0' * 64}", labels={BEHAVIOUR_LABEL: behaviour}, config={}, layers=())
    uids, now = count(), 1_800_000_000.0
    store = Store(new_uid=lambda: f"uid-{next(uids)}")
    bootstrap(store, now)
    controllers = Controllers(store, images=lambda _: info)
    store.create(DEPLOYMENTS, deployment(), now)
    now = settle(controllers, store, now, 1)
    before, begun = store.version, time.thread_time()
    store.replace(DEPLOYMENTS, changed(found(store)), now)
    settle(controllers, store, now, 2)
    return time.thread_time() - begun, store.version - before


def settle(controllers: Controllers, store: Store, now: float, generation: int) -> float:
    """Lets time pass until the rollout of that generation is complete; returns the time."""
    wake = controllers.settle(now)
    while found(store)["status"].get("observedGeneration") != generation or not is_complete(
        found(store), found(store)["status"]
    ):
        assert wake is not None
        now = wake
        wake = controllers.settle(now)
    return now


def found(store: Store) -> Obj:
    """The Deployment."""
    obj = store.get(DEPLOYMENTS, NAMESPACE, NAME)
    assert obj is not None
    return obj


def main() -> int:
    """Prints one line for each behaviour."""
    for behaviour in BEHAVIOURS:
        rollout(behaviour)
        runs = [rollout(behaviour) for _ in range(RUNS)]
        times = sorted(seconds * 1000 for seconds, _ in runs)
        middle, most, least = statistics.median(times), times[RUNS * 9 // 10], times[0]
        line = f"median {middle:.2f} ms, 90% under {most:.2f} ms, least {least:.2f} ms"
        sys.stdout.write(f'"{behaviour}": {line}; {runs[0][1]} changes, {RUNS} runs\n')
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
