from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdeploy.cluster.view import GoneError, View, apply_event, by_uid, items, join, join_relisted, listed, said
from kdeploy.errors import ClusterError
from kdeploy.model import Obj, Permission

DOING = Permission(verb="watch", resource="pods")


def pod(uid: str, version: int | str, **fields: Any) -> Obj:
    return {"metadata": {"uid": uid, "resourceVersion": str(version)}, **fields}


def event(kind: str, obj: Any) -> Obj:
    return {"type": kind, "object": obj}


def test_a_list_says_kind_and_version_only_once_so_its_items_get_them() -> None:
    body = {"kind": "PodList", "apiVersion": "v1", "metadata": {"resourceVersion": "7"}, "items": [pod("a", 5)]}
    assert items(body) == ({"kind": "Pod", "apiVersion": "v1", **pod("a", 5)},)
    assert listed(body).version == "7"
    assert items({"kind": "PodList", "items": None}) == ()


def test_events_add_change_and_remove_objects_and_move_the_version() -> None:
    view = View(version="1")
    view = apply_event(view, event("ADDED", pod("a", 2)), DOING)
    view = apply_event(view, event("MODIFIED", pod("a", 3)), DOING)
    assert (view.objects, view.version) == ({"a": pod("a", 3)}, "3")
    view = apply_event(view, event("DELETED", pod("a", 4)), DOING)
    assert (view.objects, view.version) == ({}, "4")


def test_a_view_is_never_changed_in_place() -> None:
    view = View(objects={"a": pod("a", 1)}, version="1")
    apply_event(view, event("DELETED", pod("a", 2)), DOING)
    assert view == View(objects={"a": pod("a", 1)}, version="1")


def test_a_bookmark_moves_the_version_alone() -> None:
    view = View(objects={"a": pod("a", 1)}, version="1")
    moved = apply_event(view, event("BOOKMARK", {"metadata": {"resourceVersion": "9"}}), DOING)
    assert moved.objects is view.objects
    assert moved.version == "9"


def test_an_event_of_an_unknown_type_changes_no_object() -> None:
    view = View(objects={"a": pod("a", 1)}, version="1")
    assert apply_event(view, event("SURPRISE", pod("a", 2)), DOING).objects is view.objects


def test_the_deletion_of_an_earlier_object_leaves_its_namesake() -> None:
    view = View(objects={"new": pod("new", 2, name="db-0")})
    assert apply_event(view, event("DELETED", pod("old", 3, name="db-0")), DOING).objects == view.objects


@pytest.mark.parametrize("status", [{"code": 410}, {"reason": "Expired"}, {"reason": "Gone", "code": 410}])
def test_an_expired_watch_is_gone(status: dict[str, Any]) -> None:
    with pytest.raises(GoneError):
        apply_event(View(), event("ERROR", status), DOING)


@pytest.mark.parametrize("status", [{"code": 500}, {}, {"code": "x"}])
def test_another_error_event_is_the_servers_fault(status: dict[str, Any]) -> None:
    with pytest.raises(ClusterError) as caught:
        apply_event(View(), event("ERROR", status), DOING)
    assert caught.value.status == 500


def test_an_event_without_an_object_is_an_error() -> None:
    with pytest.raises(ClusterError, match="without an object"):
        apply_event(View(), {"type": "ADDED"}, DOING)


def test_a_read_that_brings_no_news_leaves_the_view_itself() -> None:
    view = View(objects={"a": pod("a", 1)}, version="1")
    assert join(view, view, frozenset(), by_uid([pod("a", 1)])) is view


def test_what_the_stream_has_shown_meanwhile_is_not_overwritten_by_an_older_read() -> None:
    before = View(objects={"a": pod("a", 1)}, version="1")
    change = [event("MODIFIED", pod("a", 2)), event("MODIFIED", pod("a", 3))]
    now = apply_event(apply_event(before, change[0], DOING), change[1], DOING)
    assert join(before, now, frozenset(map(said, change)), by_uid([pod("a", 2)])) is now


def test_events_older_than_a_read_are_passed_over_until_the_stream_has_caught_up() -> None:
    view = join(View(objects={"a": pod("a", 1)}), View(objects={"a": pod("a", 1)}), frozenset(), {"a": pod("a", 4)})
    for older in (2, 3, 4):
        view = apply_event(view, event("MODIFIED", pod("a", older)), DOING)
        assert view.objects["a"] == pod("a", 4)
    assert view.awaited == {}
    assert apply_event(view, event("MODIFIED", pod("a", 5)), DOING).objects["a"] == pod("a", 5)


def test_what_a_read_shows_deleted_does_not_come_back_with_older_events() -> None:
    view = join(View(objects={"a": pod("a", 1)}), View(objects={"a": pod("a", 1)}), frozenset(), {})
    view = apply_event(view, event("MODIFIED", pod("a", 2)), DOING)
    assert view.objects == {}
    assert apply_event(view, event("DELETED", pod("a", 3)), DOING).awaited == {}


CHANGES = st.lists(st.tuples(st.sampled_from("abc"), st.booleans()), max_size=12)
POSITIONS = st.integers(0, 12)


def history(changes: list[tuple[str, bool]]) -> list[tuple[Obj | None, dict[str, Obj]]]:
    """A cluster's life: each event with the objects after it; the first has none. A uid never comes back."""
    states: list[tuple[Obj | None, dict[str, Obj]]] = [(None, {})]
    deleted: set[str] = set()
    for number, (name, delete) in enumerate(changes, start=1):
        objects = dict(states[-1][1])
        if name in deleted or (delete and name not in objects):
            continue
        kind = "DELETED" if delete else "MODIFIED" if name in objects else "ADDED"
        if delete:
            deleted.add(name)
            objects.pop(name)
        else:
            objects[name] = pod(name, number)
        states.append((event(kind, pod(name, number)), objects))
    return states


@given(CHANGES, POSITIONS, POSITIONS, POSITIONS)
def test_wherever_stream_and_read_are_the_view_is_the_newer_and_ends_with_the_cluster(
    changes: list[tuple[str, bool]], start: int, meanwhile: int, ahead: int
) -> None:
    states = history(changes)
    last = len(states) - 1
    at_start = min(start, last)
    at_join = min(at_start + meanwhile, last)
    read_at = min(at_start + ahead, last)  # a read is never older than its beginning
    before = now = View(objects=states[at_start][1])
    delivered = set()
    for happened, _ in states[at_start + 1 : at_join + 1]:
        assert happened is not None
        now = apply_event(now, happened, DOING)
        delivered.add(said(happened))
    view = join(before, now, frozenset(delivered), states[read_at][1])
    if read_at >= at_join:
        # What the stream showed and the read has not may be newer than the read: its deletion comes by the stream.
        newer = {key: obj for key, obj in view.objects.items() if key in states[read_at][1]}
        assert newer == states[read_at][1]
    else:
        assert view.objects == states[at_join][1]
    for happened, _ in states[at_join + 1 :]:
        assert happened is not None
        view = apply_event(view, happened, DOING)
    assert view.objects == states[-1][1]
    assert view.awaited == {}


@given(CHANGES, POSITIONS, POSITIONS, POSITIONS, POSITIONS)
def test_wherever_a_new_list_and_a_read_are_the_view_is_not_older_than_the_list_and_ends_with_the_cluster(
    changes: list[tuple[str, bool]], start: int, relist: int, meanwhile: int, ahead: int
) -> None:
    states = history(changes)
    last = len(states) - 1
    at_start = min(start, last)
    at_list, read_at = min(at_start + relist, last), min(at_start + ahead, last)
    at_join = min(at_list + meanwhile, last)
    now, delivered = View(objects=states[at_list][1]), set()
    for happened, _ in states[at_list + 1 : at_join + 1]:
        assert happened is not None
        now = apply_event(now, happened, DOING)
        delivered.add(said(happened))
    view = join_relisted(View(objects=states[at_start][1]), now, frozenset(delivered), states[read_at][1])
    shown = {key: int(obj["metadata"]["resourceVersion"]) for key, obj in view.objects.items()}
    for key, obj in states[at_join][1].items():
        gone_by_then = read_at > at_join and key not in states[read_at][1]
        assert gone_by_then or shown[key] >= int(obj["metadata"]["resourceVersion"])
    for happened, _ in states[at_join + 1 :]:
        assert happened is not None
        view = apply_event(view, happened, DOING)
    assert view.objects == states[-1][1]
    assert view.awaited == {}


@pytest.mark.parametrize("status_moved", [False, True])
def test_a_list_from_before_a_patch_does_not_hide_the_patch_s_answer(status_moved: bool) -> None:
    def workload(version: int, generation: int) -> Obj:
        return {"metadata": {"uid": "a", "resourceVersion": str(version), "generation": generation}}

    before = View(objects={"a": workload(1, 1)})
    late = View(objects={"a": workload(2 if status_moved else 1, 1)})
    assert join_relisted(before, late, frozenset(), {"a": workload(3, 2)}).objects == {"a": workload(3, 2)}
    newer = View(objects={"a": workload(4, 3)})
    assert join_relisted(before, newer, frozenset(), {"a": workload(3, 2)}) is newer
