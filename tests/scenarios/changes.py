"""What other people do to a workload, by the requests that kubectl 1.32 sends for it (seen with `kubectl -v=8`)."""

from typing import Any

from tests.scenarios.live import CONTAINER
from tests.scenarios.scenario import Change, Fields, State

_JSON = "application/json"
_BACKGROUND = {"propagationPolicy": "Background"}
_MERGE = "application/merge-patch+json"


def scale(replicas: int) -> Change:
    """`kubectl scale`."""
    body = {"spec": {"replicas": replicas}}
    return Change(
        kubectl=f"scale $target --replicas={replicas}", path="$workload/scale", body=body, content_type=_MERGE
    )


def set_image(image: str, *, settles: bool = False, live: State | None = None) -> Change:
    """`kubectl set image`."""
    body = _container(image=image)
    return Change(kubectl=f"set image $target {CONTAINER}={image}", body=body, settles=settles, live=live)


def set_env(name: str, value: str, *, live: State | None = None) -> Change:
    """`kubectl set env`; its rollout is waited for."""
    body = _container(env=[{"name": name, "value": value}])
    return Change(kubectl=f"set env $target {name}={value}", body=body, settles=True, live=live)


def pause() -> Change:
    """`kubectl rollout pause`."""
    return Change(kubectl="rollout pause $target", body={"spec": {"paused": True}})


def resume() -> Change:
    """`kubectl rollout resume`."""
    return Change(kubectl="rollout resume $target", body={"spec": {"paused": None}})


def label(name: str, value: str) -> Change:
    """`kubectl label`."""
    body = {"metadata": {"labels": {name: value}}}
    return Change(kubectl=f"label $target {name}={value}", body=body, content_type=_MERGE)


def patch(body: Fields, *, settles: bool = False) -> Change:
    """`kubectl patch`."""
    return Change(kubectl="patch $target", body=body, settles=settles)


def delete(what: str = "$target", path: str = "$workload") -> Change:
    """`kubectl delete`."""
    return Change(kubectl=f"delete {what}", path=path, method="DELETE", body=_BACKGROUND, content_type=_JSON)


def _container(**fields: Any) -> Fields:
    order = {"$setElementOrder/containers": [{"name": CONTAINER}]}
    return {"spec": {"template": {"spec": {**order, "containers": [{"name": CONTAINER, **fields}]}}}}
