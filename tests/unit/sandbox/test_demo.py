"""What the demo says at its end, and how it keeps the user's environment out."""

from __future__ import annotations

import io
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from kdeploy.report.wording import UNICODE
from kdeploy.sandbox.demo.client import Tally, read_answer
from kdeploy.sandbox.demo.commits import COMMITS
from kdeploy.sandbox.demo.environment import clean_environment
from kdeploy.sandbox.demo.scene import manifests
from kdeploy.sandbox.demo.screen import Screen
from kdeploy.sandbox.demo.table import Row, client_lines, differences, row_of, running_now, table

SHAS = [digit * 40 for digit in "1234"]
DIGESTS = [f"sha256:{digit * 64}" for digit in "abcd"]


def report(outcome: str, reason: str, digest: str, **timings: float) -> dict[str, Any]:
    return {"outcome": outcome, "reason": reason, "timings": timings, "deploys": [{"image": {"digest": digest}}]}


REPORTS = (
    report("deployed", "Complete", DIGESTS[0], detect=1.23),
    report("deployed", "Complete", DIGESTS[1], detect=2.5),
    report("rolled-back", "CrashLoop", DIGESTS[2], detect=1.5, rollback=0.25),
    report("rolled-back", "Unhealthy", DIGESTS[3], detect=65.0, rollback=2.0),
)
ROWS = [row_of(commit, sha, found) for commit, sha, found in zip(COMMITS, SHAS, REPORTS, strict=True)]


def tally(sent: int = 1000, lost: int = 0) -> Tally:
    return Tally(
        rate=50,
        sent=sent,
        answers=Counter({"Welcome!": sent - lost}),
        problems=Counter({"connection reset by peer": lost} if lost else {}),
    )


def test_the_table_has_the_four_and_seconds_from_the_patch() -> None:
    assert table(ROWS, UNICODE) == (
        "   COMMIT        DIGEST        OUTCOME                VERDICT  RESTORED\n"
        "✓  111111111111  aaaaaaaaaaaa  deployed               1.2s     -\n"
        "✓  222222222222  bbbbbbbbbbbb  deployed               2.5s     -\n"
        "✓  333333333333  cccccccccccc  rolled-back CrashLoop  1.5s     1.8s\n"
        "✓  444444444444  dddddddddddd  rolled-back Unhealthy  1m05s    1m07s\n"
    )


def test_all_as_told_is_no_difference() -> None:
    assert differences(ROWS, COMMITS, tally()) == []


@pytest.mark.parametrize(
    ("number", "found", "words"),
    [
        (1, None, "commit 222222222222 ended no report, and had to end deployed"),
        (2, report("deployed", "Complete", ""), "ended deployed, and had to end rolled-back CrashLoop"),
        (
            2,
            report("rolled-back", "Unhealthy", ""),
            "ended rolled-back Unhealthy, and had to end rolled-back CrashLoop",
        ),
        (3, report("rollback-failed", "Unhealthy", ""), "ended rollback-failed Unhealthy, and had to end"),
    ],
)
def test_another_outcome_or_reason_is_a_difference(number: int, found: dict[str, Any] | None, words: str) -> None:
    rows = [*ROWS]
    rows[number] = row_of(COMMITS[number], SHAS[number], found)
    (difference,) = differences(rows, COMMITS, tally())
    assert words in difference
    assert "✗" in table(rows, UNICODE)


def test_a_lost_request_is_a_difference_and_so_is_a_client_that_asked_nothing() -> None:
    assert differences(ROWS, COMMITS, tally(lost=2)) == ["2 requests of 1000 lost: connection reset by peer (2)"]
    assert differences(ROWS, COMMITS, tally(sent=0)) == ["the steady client asked nothing"]
    assert differences(ROWS[:1], COMMITS, tally()) == ["only 1 commit of 4 came to be deployed"]


def test_the_clients_lines_say_who_answered() -> None:
    found = Tally(rate=50, sent=1234, answers=Counter({"Welcome!": 34, "Half price": 1200}))
    assert client_lines(found) == [
        "1,234 requests, 50 a second, each by a new connection: 0 lost",
        "1,200 x Half price",
        "   34 x Welcome!",
    ]


def test_what_runs_is_told_by_the_pods_images() -> None:
    assert running_now([f"localhost:1/shop/web:2@{DIGESTS[1]}"], 3, 3, ROWS) == (
        "commit 222222222222, 3 of 3 pods ready"
    )
    assert running_now(["x:1", "y:1"], 1, 2, ROWS) == "x:1, and 1 other image, 1 of 2 pods ready"
    assert running_now([], 0, 0, ROWS) == "nothing, 0 of 0 pods ready"


def said(rows: list[Row], wrong: list[str], *, colour: bool = False) -> str:
    out = io.StringIO()
    screen = Screen(out=out, err=io.StringIO(), marks=UNICODE, colour=lambda _: colour, kdeploy="kdeploy")
    screen.conclude(rows, tally(), "commit 2", wrong, 17.0)
    return out.getvalue()


def test_the_end_says_what_was_different_and_not_that_all_is_well() -> None:
    assert "✓ all four ended as they had to, in 17.0s" in said(ROWS, [])
    found = said(ROWS, ["2 requests of 1000 lost"])
    assert "✗ 2 requests of 1000 lost" in found
    assert "all four" not in found


def test_colours_are_for_terminals() -> None:
    assert "\x1b" not in said(ROWS, [])
    assert "\x1b[32m" in said(ROWS, [], colour=True)


def test_a_reader_that_has_gone_away_does_not_end_the_demo() -> None:
    class Closed(io.StringIO):
        def write(self, _: str) -> int:
            raise BrokenPipeError

    screen = Screen(out=Closed(), err=Closed(), marks=UNICODE, colour=lambda _: False, kdeploy="kdeploy")
    screen.conclude(ROWS, tally(), "commit 2", [], 17.0)
    screen.suggest(None)


def test_the_environment_of_the_children_has_nothing_of_the_users() -> None:
    mine = {
        "PATH": "/bin", "TERM": "xterm", "LANG": "C.UTF-8", "CI": "true", "GITHUB_ACTIONS": "true", "HOME": "/home/ann",
        "KDEPLOY_IMAGE": "x", "KUBECONFIG": "/home/ann/.kube/config", "DOCKER_HOST": "tcp://x", "HTTPS_PROXY": "http://x",
        "GIT_DIR": "/x", "GITHUB_SHA": "x", "PYTHONPATH": "/other", "XDG_CONFIG_HOME": "/home/ann/.config",
    }  # fmt: skip
    assert clean_environment(mine, Path("/empty"), Path("/site")) == {
        "PATH": "/bin",
        "TERM": "xterm",
        "LANG": "C.UTF-8",
        "HOME": "/empty",
        "XDG_CONFIG_HOME": "/empty",
        "DOCKER_CONFIG": "/empty/docker",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_CONFIG_SYSTEM": "/dev/null",
        "GIT_CONFIG_NOSYSTEM": "1",
    }
    assert clean_environment({"PYTHONPATH": "/a:/site"}, Path("/empty"), Path("/site"))["PYTHONPATH"] == "/site"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "without an answer"),
        (b"nonsense", "no HTTP answer"),
        (b"HTTP/1.1 503 x\r\nContent-Length: 0\r\n\r\n", "status 503"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhal", "half an answer"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5", "half an answer"),
        (b"HTTP/1.1 200 OK\r\n\r\n", "half an answer"),
    ],
)
def test_only_a_whole_answer_with_status_200_counts(data: bytes, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        read_answer(data)


def test_an_answer_is_its_body() -> None:
    assert read_answer(b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nhi\n") == "hi"


def test_the_manifests_name_the_image_of_this_sandbox() -> None:
    deployment, service = manifests("localhost:1/shop/web")
    assert deployment["spec"]["template"]["spec"]["containers"][0]["image"].startswith("localhost:1/shop/web:")
    assert service["spec"]["selector"] == deployment["spec"]["selector"]["matchLabels"]


def test_every_commit_is_python_and_differs_from_the_one_before() -> None:
    assert all(before.shop != commit.shop for before, commit in pairwise(COMMITS))
    for commit in COMMITS:
        compile(commit.shop, "shop.py", "exec")
