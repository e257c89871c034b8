"""An event as a watch with a selector sees it, against the plain rule: what was in its view, and what is now."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from kdeploy.model import Obj
from kdeploy.sandbox.api.selectors import selector
from kdeploy.sandbox.api.watch import seen
from kdeploy.sandbox.core.resources import PODS
from kdeploy.sandbox.core.store import Event, Store

WEB = selector(PODS, "app=web", "")


@given(st.lists(st.sampled_from(["web", "api", "gone"]), max_size=12))
def test_whoever_follows_the_events_sees_what_a_list_would(labels: list[str]) -> None:
    store, view = Store(new_uid=lambda: "1"), dict[str, Obj]()

    def follow(event: Event) -> None:
        told = seen(event, WEB)
        if told is None:
            return
        name, is_known = told["object"]["metadata"]["name"], bool(view)
        assert told["type"] == ("DELETED" if told["type"] == "DELETED" else "MODIFIED" if is_known else "ADDED")
        assert told["object"]["metadata"]["resourceVersion"] == str(event.version)
        if told["type"] == "DELETED":
            assert view.pop(name)["metadata"].get("labels") == told["object"]["metadata"].get("labels")
        else:
            view[name] = told["object"]

    store.subscribe(follow)
    for label in labels:
        there = store.get(PODS, "shop", "a") is not None
        if label == "gone":
            if there:
                store.delete(PODS, "shop", "a", 0)
        else:
            pod = {"metadata": {"name": "a", "namespace": "shop", "labels": {"app": label}}, "spec": {}}
            (store.replace if there else store.create)(PODS, pod, 0)
        assert list(view.values()) == [obj for obj in store.list(PODS, "shop") if WEB.matches(obj)]
