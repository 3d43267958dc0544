from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.metrics.figures.pages.recent import FEW_SESSIONS, recent_invocations
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
        rows = recent_invocations(Session.objects.all(), **DAY)
        shown = [(row.run.number, row.startup_ms, row.run.session.agent.name) for row in rows]
    assert shown[:2] == [(25, 1500.0, session.agent.name), (24, None, session.agent.name)]
    assert len(shown) == 20
    assert len(queries) == 3
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

    def numbers(**filters: Any) -> list[int]:
        found = recent_invocations(Session.objects.filter(agent=first.agent), **{**DAY, **filters})
        return [row.run.number for row in found]

    assert numbers() == [6, 5, 4, 3, 2, 1]
    assert numbers(limit=2) == [6, 5]
    assert numbers(statuses=("failed", "interrupted")) == [6, 4, 3, 2]
    assert numbers(statuses=("failed", "interrupted"), limit=3) == [6, 4, 3]
    assert numbers(statuses=("failed",), version="2") == []
    assert numbers(version="2") == [5, 3, 1]
    assert numbers(start=at(60), end=at(240)) == [4, 3, 2]
    assert numbers(start=NOON + timedelta(hours=1)) == []
