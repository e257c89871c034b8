"""The arithmetic of rolling updates, beside tables of Kubernetes' own tests and documentation."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdeploy.sandbox.core.rolling import bounds, fenceposts, new_size, proportions, scaled


@pytest.mark.parametrize(
    ("value", "total", "up", "expected"),
    [
        (3, 10, True, 3),
        ("25%", 10, True, 3),
        ("25%", 10, False, 2),
        ("0%", 10, True, 0),
        ("100%", 7, False, 7),
        ("150%", 2, True, 3),
        (None, 4, True, 1),
        ("many", 4, True, 0),
    ],
)
def test_a_share_is_rounded_the_way_that_is_asked(value: int | str | None, total: int, up: bool, expected: int) -> None:
    assert scaled(value, total, up=up, default="25%") == expected


# pkg/controller/deployment/util/deployment_util.go, the examples of ResolveFenceposts
@pytest.mark.parametrize(
    ("surge", "unavailable", "desired", "expected"),
    [
        ("0%", "1%", 2, (0, 1)),
        ("0%", "1%", 1, (0, 1)),
        ("1%", "25%", 2, (1, 0)),
        ("1%", "25%", 1, (1, 0)),
        ("1%", "0%", 2, (1, 0)),
        ("25%", "25%", 10, (3, 2)),
        (0, 0, 5, (0, 1)),
        (None, None, 4, (1, 1)),
    ],
)
def test_surge_rounds_up_and_unavailable_down_and_never_both_to_0(
    surge: int | str | None, unavailable: int | str | None, desired: int, expected: tuple[int, int]
) -> None:
    assert fenceposts(surge, unavailable, desired) == expected


def test_no_more_pods_may_be_missing_than_there_are() -> None:
    strategy = {"rollingUpdate": {"maxSurge": 0, "maxUnavailable": 9}}
    assert bounds({"spec": {"replicas": 2, "strategy": strategy}}) == (0, 2)
    assert bounds({"spec": {"replicas": 0, "strategy": strategy}}) == (0, 0)
    assert bounds({"spec": {"replicas": 5, "strategy": {"type": "Recreate"}}}) == (0, 0)


# deployment_util_test.go, TestNewRSNewReplicas, and rolling_test.go
@pytest.mark.parametrize(
    ("desired", "surge", "size", "total", "expected"),
    [(1, 1, 5, 6, 5), (6, 1, 2, 12, 2), (10, 2, 0, 10, 2), (10, 0, 0, 10, 0), (10, 2, 9, 9, 10), (10, 5, 0, 0, 10)],
)
def test_the_new_replica_set_takes_the_room_that_there_is(
    desired: int, surge: int, size: int, total: int, expected: int
) -> None:
    assert new_size(desired, surge, size, total) == expected


# pkg/controller/deployment/sync_test.go, TestScale: (replicas, max-replicas annotation), largest first
@pytest.mark.parametrize(
    ("sizes", "desired", "surge", "expected"),
    [
        ([(5, 10), (5, 10)], 12, 0, [6, 6]),
        ([(5, 10), (5, 10)], 8, 0, [4, 4]),
        ([(50, 110), (30, 110), (20, 110)], 100, 0, [50, 30, 20]),
        ([(8, 12), (4, 12)], 20, 2, [15, 7]),
        ([(10, 13), (3, 13)], 5, 3, [6, 2]),
        ([(2, 3), (1, 3)], 0, 1, [0, 0]),
        ([(5, 0), (5, 0)], 20, 0, [10, 10]),
    ],
)
def test_scaling_keeps_the_proportions(
    sizes: list[tuple[int, int]], desired: int, surge: int, expected: list[int]
) -> None:
    assert proportions(sizes, desired, surge, sum(size for size, _ in sizes)) == expected


@given(
    st.lists(st.integers(1, 30), min_size=2, max_size=5),
    st.integers(0, 10),
    st.integers(0, 60),
    st.integers(0, 10),
)
def test_scaling_ends_at_what_is_allowed(sizes: list[int], room: int, desired: int, surge: int) -> None:
    ordered, most = sorted(sizes, reverse=True), sum(sizes) + room
    result = proportions([(size, most) for size in ordered], desired, surge, 0)
    assert all(size >= 0 for size in result)
    assert sum(result) == (desired + surge if desired else 0)
