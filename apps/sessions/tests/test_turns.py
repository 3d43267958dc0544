from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection, connections, transaction

from apps.sessions.engine import turns
from apps.sessions.engine.turns import Turns, writing
from apps.sessions.invoking import start_invocation
from apps.sessions.models import Invocation, Session


def test_who_is_first_goes_before_who_came_earlier() -> None:
    turns, order, came = Turns(patience_s=30), [], threading.Event()

    def take(name: str, *, is_first: bool) -> None:
        came.set()
        with turns.taken(is_first=is_first):
            order.append(name)

    with ThreadPoolExecutor(2) as threads, turns.taken(is_first=False):
        threads.submit(take, "batch", is_first=False)
        assert came.wait(30)
        threads.submit(take, "start", is_first=True)
        while not turns._first_count:
            threading.Event().wait(0.001)
        assert order == []
    assert order == ["start", "batch"]


def test_one_at_a_time_has_a_turn() -> None:
    turns, inside, most = Turns(patience_s=30), 0, 0

    def take(number: int) -> None:
        nonlocal inside, most
        with turns.taken(is_first=bool(number % 3)):
            inside += 1
            most = max(most, inside)
            inside -= 1

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(take, range(400)))
    assert most == 1


def test_who_waited_long_goes_on_without_a_turn_and_takes_none_away() -> None:
    turns = Turns(patience_s=0.01)
    with turns.taken(is_first=True):
        with ThreadPoolExecutor(1) as threads:
            threads.submit(lambda: turns.taken(is_first=False).__enter__()).result(30)
        assert turns._is_taken
    assert not turns._is_taken


def test_a_turn_ends_with_what_went_wrong_in_it() -> None:
    turns = Turns(patience_s=30)
    with pytest.raises(ZeroDivisionError), turns.taken(is_first=True):
        raise ZeroDivisionError

    with turns.taken(is_first=False):
        assert turns._is_taken


@pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL has many writers")
def test_what_writes_within_a_transaction_waits_for_no_turn(
    transactional_db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It holds the database, so who has the turn could only wait for it."""
    monkeypatch.setattr(turns, "_turns", Turns(patience_s=3600))
    with turns._turns.taken(is_first=True), transaction.atomic(), writing():
        assert connection.in_atomic_block


def test_starts_from_many_threads_are_all_stored(transactional_db: None, make_session: Callable[..., Session]) -> None:
    sessions = [make_session() for _ in range(12)]

    def start(session: Session) -> int:
        try:
            return start_invocation(session=session, prompt="Go", process_id=None).pk
        finally:
            connections.close_all()

    with ThreadPoolExecutor(6) as threads:
        started = list(threads.map(start, sessions))
    assert sorted(started) == sorted(Invocation.objects.values_list("pk", flat=True))
