from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loom.processes.cluster_watch import ClusterFrozenError, ClusterWatch

LIMIT_S, LONGEST_TASK_S = 40.0, 95.0


class Cluster:
    """Two task processes as the watch sees them: what they report, who of them lives, and the time."""

    def __init__(self) -> None:
        self.now = 0.0
        self.reports = b""
        self.dead: set[int] = set()
        self.watch = ClusterWatch(
            self._read,
            child_count=2,
            limit_s=LIMIT_S,
            longest_task_s=LONGEST_TASK_S,
            clock=lambda: self.now,
            is_alive=lambda pid: pid not in self.dead,
        )

    def _read(self) -> bytes:
        reports, self.reports = self.reports, b""
        return reports

    def is_frozen(self, at_s: float, reports: str = "") -> bool:
        """Look every second up to `at_s`, as the worker's main process does; `reports` come at the first look."""
        self.reports = reports.encode()
        while self.now < at_s:
            self.now += 1.0
            try:
                self.watch.check()
            except ClusterFrozenError:
                return True
        return False


def test_a_cluster_that_stores_results_is_well_and_one_that_stops_is_frozen_after_the_limit() -> None:
    cluster = Cluster()
    for second in range(10, 200, 10):
        assert not cluster.is_frozen(second, "+7\n-7\n.\n")
    proven_at = cluster.now - 9  # the look at which the last result came
    assert not cluster.is_frozen(proven_at + LIMIT_S)
    assert cluster.is_frozen(proven_at + LIMIT_S + 1)


def test_a_cluster_whose_every_process_is_at_a_long_task_is_busy_until_one_is_at_it_for_too_long() -> None:
    cluster = Cluster()
    assert not cluster.is_frozen(LONGEST_TASK_S, "+7\n+8\n")
    assert not cluster.is_frozen(LONGEST_TASK_S + LIMIT_S)
    assert cluster.is_frozen(LONGEST_TASK_S + LIMIT_S + 3)


def test_one_free_process_has_to_show_results() -> None:
    """The other one is killed with the queue's lock in hand: nobody takes up anything any more."""
    cluster = Cluster()
    assert cluster.is_frozen(LIMIT_S + 1, "+7\n")


def test_a_busy_process_that_dies_is_not_busy() -> None:
    cluster = Cluster()
    assert not cluster.is_frozen(30.0, "+7\n+8\n")
    cluster.dead = {8}
    assert not cluster.is_frozen(30.0 + LIMIT_S)
    assert cluster.is_frozen(30.0 + LIMIT_S + 2)


def test_while_the_database_is_away_nothing_is_expected() -> None:
    cluster = Cluster()
    for second in range(10, 200, 10):
        assert not cluster.is_frozen(second)
        cluster.watch.excuse()


@given(st.lists(st.integers(min_value=1, max_value=6), max_size=20))
def test_reports_may_be_cut_anywhere(sizes: list[int]) -> None:
    text = b"+7\n+8\n-7\n.\n+9\n"
    pieces = []
    for size in sizes:
        pieces.append(text[:size])
        text = text[size:]
    pieces.append(text)
    cluster = Cluster()
    cluster.now = LIMIT_S
    for piece in pieces:
        cluster.reports = piece
        cluster.watch.check()

    cluster.now += LONGEST_TASK_S  # 8 and 9 are at work, the result is stored
    cluster.watch.check()
    cluster.dead = {9}
    cluster.now += LIMIT_S + 1
    with pytest.raises(ClusterFrozenError, match=r"^the cluster has finished no task for 40 s$"):
        cluster.watch.check()
