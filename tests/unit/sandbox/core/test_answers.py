"""What simulated pods say through the pod proxy and to `kubectl logs`."""

from __future__ import annotations

from typing import Any

import pytest

from kdeploy.model import Obj
from kdeploy.rollout.objects import is_ready
from kdeploy.sandbox.core.answers import NoReply, Reply
from kdeploy.sandbox.core.resources import PODS, SERVICES
from tests.unit.sandbox.core.world import NAMESPACE, START, World


def start(w: World, *containers: Obj) -> Obj:
    spec = {"containers": list(containers)}
    w.create(PODS, {"metadata": {"name": "a"}, "spec": spec})
    return w.get(PODS, "a")


def web(image: str = "good", **more: Any) -> Obj:
    return {"name": "web", "image": f"registry/app:{image}", **more}


def test_a_running_pod_answers_and_says_that_it_is_simulated() -> None:
    w = World(good="http:/health=503")
    pod = start(w, web())
    assert w.controllers.answer(pod, 80, "/", w.now) == Reply(status=200, body="simulated pod a, container web: 200\n")
    assert w.controllers.answer(pod, 80, "/health?deep=1", w.now) == Reply(
        status=503, body="simulated pod a, container web: 503\n"
    )


def test_answers_change_with_the_time_since_the_start() -> None:
    w = World(good="start=5s http=500@10s")
    pod = start(w, web())
    w.run(14)
    assert w.controllers.answer(pod, 80, "/", w.now) == Reply(status=200, body="simulated pod a, container web: 200\n")
    w.run(1)
    reply = w.controllers.answer(pod, 80, "/", w.now)
    assert isinstance(reply, Reply)
    assert reply.status == 500


@pytest.mark.parametrize(
    ("behaviour", "hangs"), [("exit=1", False), ("start=5s", False), ("http=refused", False), ("hangs-after=0s", True)]
)
def test_nothing_answers_where_nothing_listens(behaviour: str, hangs: bool) -> None:
    w = World(bad=behaviour)
    pod = start(w, web("bad"))
    reply = w.controllers.answer(pod, 80, "/", w.now)
    assert isinstance(reply, NoReply)
    assert reply.hangs is hangs
    assert ("i/o timeout" if hangs else "connection refused") in reply.why


def test_a_port_belongs_to_the_container_that_has_it() -> None:
    w = World(good="", other="http=404")
    second = {"name": "second", "image": "registry/app:other", "ports": [{"containerPort": 81}]}
    pod = start(w, web(ports=[{"containerPort": 80}]), second)
    codes = [w.controllers.answer(pod, port, "/", w.now) for port in (80, 81)]
    assert [reply.status for reply in codes if isinstance(reply, Reply)] == [200, 404]
    assert isinstance(w.controllers.answer(pod, 82, "/", w.now), NoReply)


def test_a_log_says_what_wrote_it_and_when() -> None:
    w = World(good='log="listening on :80"')
    pod = start(w, web())
    lines = w.controllers.log(pod, "web")
    assert lines is not None
    assert [line.text for line in lines] == ["simulated container web, image registry/app:good", "listening on :80"]
    assert {line.time for line in lines} == {START}
    assert w.controllers.log(pod, "web", previous=True) is None
    assert w.controllers.log(pod, "absent") is None


def test_the_log_of_the_run_before_is_kept() -> None:
    w = World(bad="exit=1 exit-after=2s log=boom")
    pod = start(w, web("bad"))
    w.run(3.5)
    before, now = w.controllers.log(pod, "web", previous=True), w.controllers.log(pod, "web")
    assert before is not None
    assert now is not None
    assert (before[1].text, before[0].time) == ("boom", int(START))
    assert now[0].time == pytest.approx(START + 3)


def test_what_has_not_run_has_no_log() -> None:
    w = World(bad="start-error")
    pod = start(w, web("bad"))
    assert w.controllers.log(pod, "web") == []
    absent = World()
    assert absent.controllers.log(start(absent, web("absent")), "web") is None


def test_an_answer_may_depend_on_a_service_and_so_may_a_probe() -> None:
    w = World(good="", depending="http:/health=needs:database")
    spec = {"selector": {"app": "database"}, "ports": [{"port": 80}]}
    w.create(SERVICES, {"metadata": {"name": "database"}, "spec": spec})
    probe = {"httpGet": {"path": "/health", "port": 80}, "periodSeconds": 1, "failureThreshold": 1}
    start(w, web("depending", readinessProbe=probe))

    def health() -> tuple[int, bool]:
        w.run(2)
        reply = w.controllers.answer(w.get(PODS, "a"), 80, "/health", w.now)
        assert isinstance(reply, Reply)
        return reply.status, is_ready(w.get(PODS, "a"))

    assert health() == (500, False)
    database = {"metadata": {"name": "database", "labels": {"app": "database"}}, "spec": {"containers": [web()]}}
    w.create(PODS, database)
    assert health() == (200, True)
    w.store.delete(PODS, NAMESPACE, "database", w.now, grace=0)
    assert health() == (500, False)
