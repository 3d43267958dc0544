"""Limits that all processes share: in rows, and in Redis where there is one."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import connections
from django.utils import timezone

from apps.core.limits import Limit, give_back, prune, take
from apps.core.models import LimitCount

THREE = Limit("three a minute", count=3, per=timedelta(minutes=1))


@pytest.fixture(params=["rows", "redis"])
def counted(request: pytest.FixtureRequest, settings: Any, transactional_db: None) -> str:
    """Where tries are counted."""
    settings.REDIS_URL = request.getfixturevalue("redis_server").url if request.param == "redis" else None
    return str(request.param)


def test_so_many_and_no_more(counted: str) -> None:
    one, other = str(uuid.uuid4()), str(uuid.uuid4())

    assert [take(THREE, one) for _ in range(3)] == [None] * 3
    wait_s = take(THREE, one)
    assert wait_s is not None and 0 < wait_s <= 60
    assert take(THREE, other) is None
    assert take(Limit("another", 1, timedelta(minutes=1)), one) is None


def test_what_was_no_try_is_given_back(counted: str) -> None:
    subject = str(uuid.uuid4())
    for _ in range(10):
        assert take(THREE, subject) is None
        give_back(THREE, subject)

    found = [take(THREE, subject) for _ in range(4)]
    assert found[:3] == [None] * 3 and found[3] is not None
    assert LimitCount.objects.exists() is (counted == "rows")


def test_what_was_never_taken_may_be_given_back_and_ends(counted: str, settings: Any) -> None:
    limit = Limit("a second", count=1, per=timedelta(seconds=1))
    subject = str(uuid.uuid4())
    give_back(limit, subject)
    while take(limit, subject) is None:
        pass

    # However often: a count without an end would refuse for ever.
    deadline = timezone.now() + timedelta(seconds=20)
    while take(limit, subject) is not None:
        assert timezone.now() < deadline


def test_many_at_once_are_counted_each(counted: str) -> None:
    subject = str(uuid.uuid4())

    def try_once(_: int) -> int | None:
        try:
            return take(THREE, subject)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(try_once, range(24))).count(None) == 3


def test_after_its_time_a_limit_begins_anew_and_leaves_nothing(settings: Any, db: None) -> None:
    settings.REDIS_URL = None
    assert [take(THREE, "one") for _ in range(4)][3] is not None
    LimitCount.objects.update(until_at=timezone.now() - timedelta(seconds=1))
    assert take(THREE, "one") is None
    prune(timezone.now() + timedelta(hours=1))

    assert not LimitCount.objects.exists()


def test_where_redis_is_away_rows_count(settings: Any, db: None) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:9/0"

    assert [take(THREE, "one") for _ in range(4)][:3] == [None] * 3
    assert LimitCount.objects.get().count == 3


def test_nobody_is_named_in_what_is_stored(settings: Any, db: None) -> None:
    settings.REDIS_URL = None
    take(THREE, "alice@example.com")
    take(THREE, "x" * 10_000)

    assert all("alice" not in key and len(key) == 48 for key in LimitCount.objects.values_list("key", flat=True))
