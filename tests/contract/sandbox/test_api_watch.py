"""Watches over HTTP: where they begin, what a selector makes of changes, how fast they are, and how they end."""

from __future__ import annotations

import gc
import http.client
import json
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from typing import Any
from urllib.parse import urlencode

import pytest

from kdeploy.sandbox.api import watch
from kdeploy.sandbox.core.resources import CONFIG_MAPS, PODS
from tests.contract.api_server import eventually
from tests.contract.sandbox.api_world import TOKEN, World, world

PODS_PATH = "/api/v1/namespaces/shop/pods"
MAPS_PATH = "/api/v1/namespaces/shop/configmaps"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"


@pytest.fixture
def served() -> Iterator[World]:
    with world() as served:
        yield served


class Stream:
    """The events of one watch, as they come."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status = response.status
        self._response = response

    def next(self) -> tuple[str, Any]:
        """Type and object of the next event; raises EOFError at the end."""
        line = self._response.readline()
        if not line:
            raise EOFError
        event = json.loads(line)
        return event["type"], event["object"]

    def rest(self) -> list[str]:
        """The types of all that comes until the end."""
        return [json.loads(line)["type"] for line in self._response]


@contextmanager
def watching(
    served: World, path: str = PODS_PATH, *, accept: str = "application/json", **query: Any
) -> Iterator[Stream]:
    """A watch; waits five seconds for anything at most."""
    with closing(http.client.HTTPConnection("127.0.0.1", served.port, timeout=5)) as connection:
        headers = {"Authorization": f"Bearer {TOKEN}", "Accept": accept}
        connection.request("GET", f"{path}?{urlencode({'watch': 'true', **query})}", headers=headers)
        yield Stream(connection.getresponse())


def put(served: World, name: str = "a", namespace: str = "shop", **labels: str) -> str:
    """Makes or changes a pod's labels; returns its resourceVersion."""

    def on_the_loop() -> str:
        metadata = {"name": name, "namespace": namespace, "labels": labels}
        pod = {"metadata": metadata, "spec": {"containers": []}}
        there = served.store.get(PODS, namespace, name)
        stored = served.store.replace(PODS, pod, 0) if there else served.store.create(PODS, pod, 0)
        return str(stored["metadata"]["resourceVersion"])

    found: str = served.call(on_the_loop)
    return found


def remove(served: World, name: str = "a") -> None:
    served.call(served.store.delete, PODS, "shop", name, 0)


def named(event: tuple[str, Any]) -> tuple[str, str]:
    return event[0], event[1]["metadata"]["name"]


def version(event: tuple[str, Any]) -> str:
    return str(event[1]["metadata"]["resourceVersion"])


@pytest.mark.parametrize("query", [{}, {"resourceVersion": "0"}, {"resourceVersion": ""}])
def test_a_watch_from_anywhere_begins_with_what_is_there(served: World, query: dict[str, str]) -> None:
    put(served, "a")
    put(served, "b")
    with watching(served, **query) as stream:
        assert [named(stream.next()), named(stream.next())] == [("ADDED", "a"), ("ADDED", "b")]
        put(served, "a", app="web")
        assert named(stream.next()) == ("MODIFIED", "a")


def test_a_watch_from_a_version_goes_on_after_it(served: World) -> None:
    put(served, "a")
    start = put(served, "b")
    changed = put(served, "a", app="web")
    remove(served, "b")
    with watching(served, resourceVersion=start) as stream:
        first = stream.next()
        assert (named(first), version(first)) == (("MODIFIED", "a"), changed)
        last = stream.next()
        assert named(last) == ("DELETED", "b")
        assert int(version(last)) == int(changed) + 1


def test_its_answer_begins_before_anything_happens(served: World) -> None:
    start = put(served)
    began = time.monotonic()
    with watching(served, resourceVersion=start) as stream:
        assert stream.status == 200
        assert time.monotonic() - began < 1


def test_another_namespace_and_another_resource_are_not_told_of(served: World) -> None:
    start = put(served, "a")
    with (
        watching(served, resourceVersion=start) as stream,
        watching(served, "/api/v1/pods", resourceVersion=start) as all_,
    ):
        put(served, "x", namespace="default")
        served.call(served.store.create, CONFIG_MAPS, {"metadata": {"name": "c", "namespace": "shop"}}, 0)
        put(served, "b")
        assert named(stream.next()) == ("ADDED", "b")
        assert [named(all_.next()), named(all_.next())] == [("ADDED", "x"), ("ADDED", "b")]


def test_what_begins_to_match_is_added_and_what_ceases_to_is_deleted(served: World) -> None:
    start = put(served, "a", app="api")
    with watching(served, resourceVersion=start, labelSelector="app=web") as stream:
        put(served, "a", app="api", tier="x")
        put(served, "a", app="web")
        put(served, "a", app="web", tier="y")
        changed = put(served, "a", app="api")
        put(served, "a", app="web")
        remove(served)
        events = [stream.next() for _ in range(5)]
        assert [type_ for type_, _ in events] == ["ADDED", "MODIFIED", "DELETED", "ADDED", "DELETED"]
        assert version(events[2]) == changed
        assert events[2][1]["metadata"]["labels"] == {"app": "web", "tier": "y"}


def test_a_field_selector_is_held_to_as_well(served: World) -> None:
    start = put(served, "a")
    with watching(served, resourceVersion=start, fieldSelector="metadata.name=b") as stream:
        put(served, "a", app="web")
        put(served, "b")
        assert named(stream.next()) == ("ADDED", "b")


def test_a_version_that_is_too_old_is_an_event_of_410(served: World) -> None:
    with world(history=3) as served:
        for number in range(9):
            put(served, "a", n=str(number))
        with watching(served, resourceVersion="1") as stream:
            type_, status = stream.next()
            assert (stream.status, type_, status["code"], status["reason"]) == (200, "ERROR", 410, "Expired")
            assert status["message"].startswith("too old resource version: 1 (")
            assert stream.rest() == []


def test_a_version_that_was_never_given_is_an_event_of_410_too(served: World) -> None:
    with watching(served, resourceVersion="99999") as stream:
        assert stream.next()[1]["code"] == 410


@pytest.mark.parametrize("query", [{"resourceVersion": "abc"}, {"timeoutSeconds": "x"}, {"labelSelector": "a b"}])
def test_a_watch_that_makes_no_sense_is_refused(served: World, query: dict[str, str]) -> None:
    with watching(served, **query) as stream:
        assert stream.status == 400


def test_bookmarks_come_in_silence_and_at_the_end(served: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "BOOKMARK_EACH", 0.1)
    start = put(served)
    with watching(served, resourceVersion=start, allowWatchBookmarks="true", timeoutSeconds="1") as stream:
        served.call(served.store.create, CONFIG_MAPS, {"metadata": {"name": "c", "namespace": "shop"}}, 0)
        type_, obj = stream.next()
        assert (type_, obj["kind"], obj["apiVersion"]) == ("BOOKMARK", "Pod", "v1")
        assert int(obj["metadata"]["resourceVersion"]) == int(start) + 1
        assert stream.rest()[-1] == "BOOKMARK"
    with watching(served, resourceVersion=start, timeoutSeconds="1") as stream:
        assert stream.rest() == []


def test_a_bookmark_is_where_the_next_watch_goes_on(served: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "BOOKMARK_EACH", 0.05)
    with watching(served, resourceVersion=put(served), allowWatchBookmarks="true") as stream:
        mark = version(stream.next())
    put(served, "b")
    with watching(served, resourceVersion=mark) as stream:
        assert named(stream.next()) == ("ADDED", "b")


def test_a_client_that_asks_for_a_streaming_list_is_told_where_it_ends(served: World) -> None:
    put(served)
    query = {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan", "allowWatchBookmarks": "true"}
    with watching(served, **query) as stream:
        assert named(stream.next()) == ("ADDED", "a")
        type_, obj = stream.next()
        assert (type_, obj["metadata"]["annotations"]) == ("BOOKMARK", {"k8s.io/initial-events-end": "true"})
    with watching(served, sendInitialEvents="true") as stream:
        assert stream.status == 422


def test_a_watch_of_tables_has_its_columns_once(served: World) -> None:
    put(served)
    with watching(served, accept=TABLE) as stream:
        put(served, "b")
        tables = [stream.next()[1] for _ in range(2)]
        assert [len(one["columnDefinitions"]) for one in tables] == [9, 0]
        assert [one["rows"][0]["cells"][0] for one in tables] == ["a", "b"]


def test_an_event_reaches_its_client_within_20_ms(served: World) -> None:
    start = put(served)
    with watching(served, resourceVersion=start) as stream:
        took = []
        for number in range(50):
            began = time.monotonic()
            put(served, "a", n=str(number))
            stream.next()
            took.append(time.monotonic() - began)
    assert sorted(took)[len(took) // 2] < 0.02


def test_a_client_that_does_not_read_is_cut_off_and_holds_up_nobody(
    served: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "MOST_WAITING", 200)
    start = put(served)
    slow = socket.create_connection(("127.0.0.1", served.port))
    headers = f"Host: x\r\nAuthorization: Bearer {TOKEN}"
    request = f"GET {PODS_PATH}?watch=true&resourceVersion={start} HTTP/1.1\r\n{headers}\r\n\r\n"
    with closing(slow), watching(served, resourceVersion=start) as stream:
        slow.sendall(request.encode())
        slow.recv(1)
        text = "x" * 20_000
        for number in range(1500):
            put(served, "a", n=str(number), text=text)
            assert stream.next()[0] == "MODIFIED"
        slow.settimeout(5)
        with suppress(ConnectionResetError):
            while slow.recv(1 << 20):  # a connection that is still open times out here
                pass
    with watching(served, resourceVersion=put(served)) as stream:
        put(served, "a", n="last")
        assert stream.next()[0] == "MODIFIED"


def test_a_watch_may_begin_with_more_than_may_wait(served: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "MOST_WAITING", 2)
    for name in "abcde":
        put(served, name)
    query = {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan", "allowWatchBookmarks": "true"}
    with watching(served, **query) as stream:
        assert [named(stream.next()) for _ in range(5)] == [("ADDED", name) for name in "abcde"]
        assert stream.next()[0] == "BOOKMARK"
        put(served, "a", app="web")
        assert named(stream.next()) == ("MODIFIED", "a")


def test_a_server_that_stops_ends_its_watches_at_once() -> None:
    with ExitStack() as server:
        served = server.enter_context(world())
        with watching(served, MAPS_PATH, resourceVersion="0") as stream:
            assert stream.status == 200
            began = time.monotonic()
            server.close()  # a watch that does not end holds it up for a second at least
            assert stream.rest() == []
            assert time.monotonic() - began < 1


def test_a_client_that_goes_away_is_forgotten(served: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "BOOKMARK_EACH", 0.05)

    def open_watches() -> int:
        gc.collect()
        return sum(isinstance(one, watch.Watch) for one in gc.get_objects())

    with watching(served, resourceVersion=put(served)):
        assert open_watches() == 1
    eventually(lambda: open_watches() == 0)
