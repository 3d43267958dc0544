from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.metrics.figures.pages.recent import FEW_SESSIONS, Asked, Place, failures_by_reason, recent_invocations
from apps.metrics.tests.runs import NOON, at, make_measured, make_run
from apps.sessions.models import Session

pytestmark = pytest.mark.django_db

MakeSession = Callable[..., Session]
DAY: dict[str, Any] = {"start": at(-86_400), "end": at(86_400)}


def test_the_newest_invocations_come_without_their_answers(make_session: MakeSession) -> None:
    session = make_session()
    invocations = [make_run(session, 10.0 * number, response_text="a long answer") for number in range(25)]
    make_measured(invocations[-1], 1_500)

    with CaptureQueriesContext(connection) as queries:
        rows = recent_invocations(Session.objects.all(), Asked(**DAY)).rows
        shown = [(row.run.number, row.startup_ms, row.run.session.agent.name) for row in rows]
    assert shown[:2] == [(25, 1500.0, session.agent.name), (24, None, session.agent.name)]
    assert len(shown) == 20
    assert len(queries) == 4  # whether they are few is asked of the newest sessions first
    assert not any("response_text" in query["sql"] for query in queries)
    assert rows[0].run.requested_at == NOON.replace(minute=4)


@pytest.mark.parametrize("others", [0, FEW_SESSIONS], ids=["of few sessions", "of many sessions"])
def test_the_filters_hold_for_few_sessions_and_for_many(make_session: MakeSession, others: int) -> None:
    first = make_session()
    kinds = ("completed", "failed", "interrupted", "failed", "stopped", "failed")
    for number, status in enumerate(kinds):
        make_run(first, 60.0 * number, status=status, version=str(2 + number % 2))
    of_another = make_session()
    make_run(of_another, 1_000, status="failed")
    Session.objects.bulk_create(
        Session(
            agent=first.agent, owner=first.owner, runtime_session_id=str(number), created_at=NOON, last_invoked_at=NOON
        )
        for number in range(others)
    )

    sessions = Session.objects.filter(agent=first.agent)

    def numbers(limit: int = 20, **filters: Any) -> list[int]:
        found = recent_invocations(sessions, Asked(**{**DAY, **filters}), limit)
        return [row.run.number for row in found.rows]

    def in_pages(limit: int, **filters: Any) -> list[list[int]]:
        pages, before = [], None
        while True:
            found = recent_invocations(sessions, Asked(**DAY, **filters, before=before), limit)
            pages.append([row.run.number for row in found.rows])
            if found.older is None:
                return pages
            before = Place.read(str(found.older))
            assert before == found.older

    assert numbers() == [6, 5, 4, 3, 2, 1]
    assert numbers(limit=2) == [6, 5]
    assert numbers(statuses=("failed", "interrupted")) == [6, 4, 3, 2]
    assert numbers(statuses=("failed", "interrupted"), limit=3) == [6, 4, 3]
    assert numbers(statuses=("failed",), version="2") == []
    assert numbers(version="2") == [5, 3, 1]
    assert numbers(start=at(60), end=at(240)) == [4, 3, 2]
    assert numbers(start=NOON + timedelta(hours=1)) == []
    assert in_pages(4) == [[6, 5, 4, 3], [2, 1]]
    assert in_pages(3) == [[6, 5, 4], [3, 2, 1]]
    assert in_pages(1, statuses=("failed", "interrupted")) == [[6], [4], [3], [2]]


@pytest.mark.parametrize("others", [0, FEW_SESSIONS], ids=["of few sessions", "of many sessions"])
def test_runs_of_one_instant_are_each_on_one_page(make_session: MakeSession, others: int) -> None:
    runs = [make_run(make_session(), 60.0) for _ in range(5 + others)]
    seen, before = [], None
    while True:
        page = recent_invocations(Session.objects.all(), Asked(**DAY, before=before), 2)
        seen += [row.run.pk for row in page.rows]
        if (before := page.older) is None:
            break

    assert seen == sorted((run.pk for run in runs), reverse=True)


@pytest.mark.parametrize("text", ["", "5", "x-1", "1-", "-1-1", "٣-1", "1-1\0", "9" * 18 + "-1", "1-" + "9" * 19])
def test_what_is_no_place_begins_with_the_newest(text: str) -> None:
    assert Place.read(text) is None


def test_failures_are_grouped_by_their_reason_but_for_its_numbers(make_session: MakeSession) -> None:
    session = make_session()
    reasons = [
        ("failed", "LookupError", "rate table of region 7 is not available\nTraceback"),
        ("failed", "LookupError", "rate table of region 12 is not available"),
        ("failed", "LookupError", "no such garage"),
        ("interrupted", "interrupted", "Loom was ended while it answered."),
        ("failed", "", ""),
        ("completed", "", ""),
    ]
    for number, (status, code, message) in enumerate(reasons):
        make_run(session, 10.0 * number, status=status, error_code=code, error_message=message)

    asked = Asked(**DAY, statuses=("failed", "interrupted"))
    assert [
        (group.count, group.error_code, group.reason) for group in failures_by_reason(Session.objects.all(), asked)
    ] == [
        (2, "LookupError", "LookupError: rate table of region 12 is not available"),
        (1, "", ""),
        (1, "interrupted", "interrupted: Loom was ended while it answered."),
        (1, "LookupError", "LookupError: no such garage"),
    ]
