"""The prober and its two ways to a pod. The pod proxy is a function of the test; connections are real sockets."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from queue import Empty, SimpleQueue

import pytest

from kdeploy.clock import Deadline, SystemClock
from kdeploy.errors import UnreachableError
from kdeploy.model import HttpCheck
from kdeploy.ports import Probe, Sample
from kdeploy.verify.answer import Found, ProxyAnswer
from kdeploy.verify.exchange import SocketWire, Wire
from kdeploy.verify.http import HttpProber
from kdeploy.verify.pod import PodAsker
from kdeploy.verify.portforward import ForwardDeniedError, PodRefusedError
from tests.contract.verify.peers import Serve, answers, hangs_after, says

CHECK = HttpCheck(name="health", path="/health", timeout=0.1, headers={"X-Key": "value"})
PROBE = Probe(check=CHECK, pod="web-a", port=8080)


@dataclass(frozen=True)
class Answer:
    status: int | None
    body_excerpt: str = ""
    is_proxy_error: bool = False


GOOD = Answer(200)
DENIED = Answer(403, "forbidden", is_proxy_error=True)
BUSY = Answer(429, "too many requests", is_proxy_error=True)


@dataclass(kw_only=True)
class Proxy:
    """Gives the answers in turn, the last one for ever; "late" sleeps over the timeout, an error is raised."""

    answers: list[Answer | Exception | str]
    asked: list[tuple[object, ...]] = field(default_factory=list)

    def __call__(
        self, pod: str, port: int, scheme: str, path_and_query: str, headers: Mapping[str, str], timeout: float
    ) -> ProxyAnswer:
        self.asked.append((pod, port, scheme, path_and_query, headers, timeout))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, str):
            time.sleep(timeout)
            return Answer(None, "gave no answer in time", is_proxy_error=True)
        return answer


@dataclass(kw_only=True)
class Dialer:
    """Dials `port` on loopback, or raises `error`."""

    port: int = 0
    error: Exception | None = None
    dialled: int = 0

    def __call__(self, pod: str, port: int, deadline: Deadline) -> Wire:
        self.dialled += 1
        if self.error is not None:
            raise self.error
        return SocketWire(socket.create_connection(("127.0.0.1", self.port)), deadline)


def asker(proxy: Proxy, dial: Dialer | None = None) -> PodAsker:
    return PodAsker(clock=SystemClock(), pod_proxy=proxy, dial=dial)


def ask(proxy: Proxy, dial: Dialer | None = None, probe: Probe = PROBE) -> Found:
    return asker(proxy, dial).ask(probe)


def test_the_pod_proxy_is_asked_as_the_check_says() -> None:
    proxy, dial = Proxy(answers=[GOOD]), Dialer()
    assert ask(proxy, dial).ok is True
    assert proxy.asked == [("web-a", 8080, "http", "/health", {"X-Key": "value"}, 0.1)]
    assert dial.dialled == 0


def test_a_denied_proxy_gives_way_to_port_forward(serve: Serve) -> None:
    heads: list[str] = []
    assert ask(Proxy(answers=[DENIED]), Dialer(port=serve(answers(200, heads=heads)))).ok is True
    assert heads[0].startswith("GET /health HTTP/1.1\r\nHost: localhost:8080\r\n")
    assert "\r\nX-Key: value\r\n" in heads[0]


def test_an_unreachable_pod_is_asked_by_port_forward(serve: Serve) -> None:
    found = ask(Proxy(answers=[UnreachableError("i/o timeout")]), Dialer(port=serve(answers(500, b"sick"))))
    assert (found.ok, found.message) == (False, "GET /health answered 500 instead of 200 (sick)")


def test_a_body_without_a_length_is_not_waited_for_by_port_forward(serve: Serve) -> None:
    dial = Dialer(port=serve(hangs_after(b"HTTP/1.1 200 OK\r\n\r\nfine")))
    assert ask(Proxy(answers=[DENIED]), dial).ok is True


def test_an_app_that_hangs_is_found_out_by_port_forward(serve: Serve) -> None:
    found = ask(Proxy(answers=["late"]), Dialer(port=serve(hangs_after())))
    assert (found.ok, found.message) == (False, "GET /health gave no full answer within 0.1s")


def test_what_is_no_http_is_a_bad_sample(serve: Serve) -> None:
    assert ask(Proxy(answers=[DENIED]), Dialer(port=serve(says(b"garbage\r\n")))).ok is False


def test_both_ways_denied_is_no_sample_and_says_so() -> None:
    dial = Dialer(error=ForwardDeniedError("the API server answered 403", lasting=True))
    asks = asker(Proxy(answers=[DENIED]), dial)
    said = "the pod proxy answered 403: forbidden; port-forward: the API server answered 403"
    assert [(found.ok, found.message) for found in (asks.ask(PROBE), asks.ask(PROBE))] == [(None, said)] * 2
    assert dial.dialled == 1


def test_a_pod_that_is_gone_does_not_close_the_way_to_others() -> None:
    dial = Dialer(error=ForwardDeniedError("the API server answered 404", lasting=False))
    asks = asker(Proxy(answers=[DENIED]), dial)
    assert [asks.ask(PROBE).ok, asks.ask(PROBE).ok] == [None, None]
    assert dial.dialled == 2


def test_an_api_server_that_is_away_gives_no_sample() -> None:
    found = ask(Proxy(answers=[UnreachableError("nothing answers")]), Dialer(error=ConnectionRefusedError()))
    assert (found.ok, found.message) == (None, "nothing answers")


def test_a_port_where_nothing_listens_is_a_bad_sample_by_port_forward_too() -> None:
    @dataclass
    class Refusing:
        def send(self, data: bytes) -> None: ...
        def close(self) -> None: ...
        def receive(self, size: int) -> bytes:
            raise PodRefusedError("connection refused")

    asks = PodAsker(clock=SystemClock(), pod_proxy=Proxy(answers=[DENIED]), dial=lambda *_: Refusing())
    assert asks.ask(PROBE) == Found(ok=False, message="GET /health: connection refused")


def test_a_busy_api_server_is_not_asked_twice() -> None:
    dial = Dialer()
    assert (ask(Proxy(answers=[BUSY]), dial).ok, dial.dialled) == (None, 0)


def test_https_is_not_forwarded() -> None:
    dial = Dialer()
    probe = replace(PROBE, check=replace(CHECK, scheme="https"))
    assert (ask(Proxy(answers=[DENIED]), dial, probe).ok, dial.dialled) == (None, 0)


@pytest.mark.parametrize(
    ("error", "ok"),
    [
        (None, False),
        (ForwardDeniedError("the API server answered 403", lasting=True), False),
        (ConnectionRefusedError(), None),
        (TimeoutError(), None),
    ],
)
def test_a_pod_that_answered_before_is_late_by_its_own_fault_if_the_api_server_lives(
    serve: Serve, error: Exception | None, ok: bool | None
) -> None:
    asks = asker(Proxy(answers=[GOOD, "late"]), Dialer(port=serve(answers(200)), error=error))
    assert [asks.ask(PROBE).ok, asks.ask(PROBE).ok] == [True, ok]


def test_late_without_any_other_way_is_no_sample() -> None:
    found = ask(Proxy(answers=["late"]))
    assert (found.ok, found.message) == (None, "GET /health: no answer through the pod proxy within 0.1s")


def prober(post: Callable[[Sample], None], proxy: Callable[..., ProxyAnswer], threads: int = 8) -> HttpProber:
    return HttpProber(clock=SystemClock(), post=post, pod_proxy=proxy, threads=threads)


def test_each_probe_posts_one_sample(serve: Serve) -> None:
    posted: SimpleQueue[Sample] = SimpleQueue()
    probes = prober(posted.put, Proxy(answers=[GOOD]))
    before = SystemClock().now()
    probes.send(PROBE)
    sample = posted.get(timeout=5)
    assert (sample.check, sample.pod, sample.ok) == ("health", "web-a", True)
    assert before <= sample.at <= SystemClock().now()
    url = f"http://127.0.0.1:{serve(answers(500))}/"
    probes.send(Probe(check=HttpCheck(name="front", url=url)))
    sample = posted.get(timeout=5)
    assert (sample.check, sample.pod, sample.ok) == ("front", None, False)
    probes.close()


def test_sending_never_waits_and_no_more_than_the_allowed_probes_are_out() -> None:
    posted: SimpleQueue[Sample] = SimpleQueue()
    gate, lock, out, most = threading.Event(), threading.Lock(), 0, 0

    def waits(*_: object) -> ProxyAnswer:
        nonlocal out, most
        with lock:
            out += 1
            most = max(most, out)
        gate.wait(5)
        with lock:
            out -= 1
        return GOOD

    probes = prober(posted.put, waits, threads=3)
    for number in range(10):
        probes.send(replace(PROBE, pod=f"web-{number}"))
    gate.set()
    assert {posted.get(timeout=5).pod for _ in range(10)} == {f"web-{number}" for number in range(10)}
    assert most <= 3
    probes.close()


def test_threads_are_daemons_and_end_with_the_prober() -> None:
    posted: SimpleQueue[Sample] = SimpleQueue()
    probes = prober(posted.put, Proxy(answers=[GOOD]))
    earlier = set(threading.enumerate())
    probes.send(PROBE)
    started = [thread for thread in threading.enumerate() if thread not in earlier]
    posted.get(timeout=5)
    probes.close()
    for thread in started:
        assert thread.daemon
        thread.join(5)
        assert not thread.is_alive()


def test_after_close_nothing_is_sent_and_nothing_posted() -> None:
    posted: SimpleQueue[Sample] = SimpleQueue()
    gate, entered, asked = threading.Event(), threading.Event(), []

    def waits(*_: object) -> ProxyAnswer:
        asked.append(1)
        entered.set()
        gate.wait(5)
        return GOOD

    probes = prober(posted.put, waits)
    probes.send(PROBE)
    assert entered.wait(5)
    probes.close()
    probes.send(PROBE)
    gate.set()
    with pytest.raises(Empty):
        posted.get(timeout=0.05)
    assert len(asked) == 1


def test_a_bug_below_is_no_sample_and_prints_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    posted: SimpleQueue[Sample] = SimpleQueue()
    probes = prober(posted.put, Proxy(answers=[ZeroDivisionError("secret")]))
    for _ in range(2):
        probes.send(PROBE)
        sample = posted.get(timeout=5)
        assert (sample.ok, sample.message) == (None, "the probe broke (ZeroDivisionError)")
    probes.close()
    assert capfd.readouterr() == ("", "")
