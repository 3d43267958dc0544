"""What a list of hundreds of thousands shows first is read in the order of an index, and nothing is sorted for it."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.db.models import QuerySet

from apps.accounts.models import User
from apps.accounts.policy import subject_of, visible
from apps.sessions.models import SHOWN, Invocation, Session
from apps.sessions.pages.listing import SESSIONS
from apps.sessions.selectors import sessions_visible_to

pytestmark = pytest.mark.django_db


def plan_of(rows: QuerySet[Any, Any]) -> str:
    if connection.vendor != "sqlite":
        pytest.skip("plans of PostgreSQL depend on how many rows there are")
    return rows.explain()


@pytest.mark.parametrize(("asks", "index"), [("carol", "conversation_shown"), ("alice", "conversation_of_owner_shown")])
def test_conversations_are_read_in_their_order(request: pytest.FixtureRequest, asks: str, index: str) -> None:
    user: User = request.getfixturevalue(asks)
    sessions = sessions_visible_to(user).select_related(None)
    shown = SESSIONS.find(sessions, SESSIONS.wanted())
    plan = plan_of(shown.values_list("pk")[:50])
    assert index in plan and "TEMP B-TREE" not in plan
    assert f"COVERING INDEX {index}" in plan_of(shown.order_by().values_list("purpose"))  # as they are counted
    archived = SESSIONS.find(sessions, SESSIONS.wanted(archived="only"))
    assert "session_archived" in plan_of(archived.values_list("pk")[:50])


def test_whether_somebody_has_measured_is_asked_of_an_index(alice: User) -> None:
    plan = plan_of(sessions_visible_to(alice).order_by().filter(purpose="measure_start").values_list("pk")[:1])
    assert "session_of_measure_owner" in plan


def test_the_runs_with_one_error_are_read_in_their_order() -> None:
    failed = Invocation.objects.filter(status="failed") | Invocation.objects.filter(status="interrupted")
    plan = plan_of(failed.filter(error_code="X").order_by("-requested_at").values_list("pk")[:50])
    assert "invocation_failed_with" in plan and "FOR ORDER BY" not in plan


def test_pinned_sessions_are_found_without_looking_through_all_of_their_owner(alice: User) -> None:
    own = Session.objects.filter(SHOWN, visible(subject_of(alice), Session), owner=alice, is_pinned=True)
    assert "session_pinned" in plan_of(own.order_by("-pk").values_list("pk")[:200])
