"""The rules without any model: what stands for a thing needs a label and the columns that a row asks for."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser
from django.db.models import Q

from apps.accounts.policy import ANYTHING, ROWS, SCOPE_OF, Action, Subject, decide, reaches, subject_of, visible
from apps.accounts.tokens import SCOPES, Scope

STRANGER, ALICE, BOB, CAROL = Subject(), Subject(1), Subject(2), Subject(3, is_staff=True)
EVERYTHING, NOTHING = Q(), Q(pk__in=[])


def thing(label: str, **columns: Any) -> SimpleNamespace:
    return SimpleNamespace(_meta=SimpleNamespace(label=label), **columns)


AGENT = thing("agents.Agent")
SESSION = thing("agent_sessions.Session", owner_id=1, deleted_at=None)
INVOCATION = thing("agent_sessions.Invocation", session=SESSION)
SERIES = thing("metrics.StartSeries", owner_id=1)
UNKNOWN = thing("accounts.Token", owner_id=1)
DELETED = thing("agent_sessions.Session", owner_id=1, deleted_at=datetime(2026, 11, 30, tzinfo=UTC))
OF_DELETED = thing("agent_sessions.Invocation", session=DELETED)
OWNED = {"agent_sessions.Session", "agent_sessions.Invocation", "metrics.StartSeries"}


@pytest.mark.parametrize("action", sorted(ANYTHING))
@pytest.mark.parametrize(
    ("what", "stranger", "owner", "other", "staff"),
    [
        (AGENT, False, True, True, True),
        (SESSION, False, True, False, True),
        (INVOCATION, False, True, False, True),
        (SERIES, False, True, False, True),
        (UNKNOWN, False, False, False, False),
        (DELETED, False, False, False, False),
        (OF_DELETED, False, False, False, False),
    ],
    ids=["agent", "session", "invocation", "series", "what no row names", "deleted", "run of a deleted session"],
)
def test_who_may_do_what_today(
    what: Any, action: Action, stranger: bool, owner: bool, other: bool, staff: bool
) -> None:
    decided = [decide(subject, action, what) for subject in (STRANGER, ALICE, BOB, CAROL)]

    assert decided == [stranger, owner, other, staff]


def test_lines_of_all_sessions_are_for_staff() -> None:
    assert [decide(subject, "read all lines", AGENT) for subject in (STRANGER, ALICE, CAROL)] == [False, False, True]


def test_a_filter_is_as_narrow_as_the_decision() -> None:
    assert visible(STRANGER, SESSION) == NOTHING
    assert visible(ALICE, SESSION) == NOTHING | Q(owner_id=1, deleted_at=None)
    assert visible(ALICE, INVOCATION) == NOTHING | Q(session__owner_id=1, session__deleted_at=None)
    assert visible(CAROL, SESSION) == NOTHING | Q(deleted_at=None)  # and not also her own, an alternative
    assert visible(CAROL, SERIES) == visible(ALICE, AGENT) == EVERYTHING
    assert visible(CAROL, UNKNOWN) == NOTHING
    assert visible(CAROL, SESSION, "read figures") == NOTHING


@pytest.mark.parametrize("scope", SCOPES)
def test_a_token_does_what_its_scope_reaches_and_its_user_may(scope: Scope) -> None:
    reached = SCOPES[: SCOPES.index(scope) + 1]
    for action in ANYTHING:
        is_reached = SCOPE_OF[action] in reached
        assert decide(Subject(1, scope=scope), action, SESSION) is is_reached
        assert decide(Subject(2, scope=scope), action, SESSION) is False
        assert decide(Subject(3, is_staff=True, scope=scope), action, SESSION) is is_reached
        assert visible(Subject(3, is_staff=True, scope=scope), SERIES, action) == (
            EVERYTHING if is_reached else NOTHING
        )


def test_what_was_deleted_may_be_brought_back_by_whose_it_was() -> None:
    for what in (SESSION, DELETED):
        decided = [decide(subject, "restore", what) for subject in (STRANGER, ALICE, BOB, CAROL)]
        assert decided == [False, True, False, True]
    assert not decide(Subject(1, scope="invoke"), "restore", DELETED)


def test_a_door_lets_nobody_in_who_is_not_signed_in() -> None:
    assert [reaches(STRANGER, scope) for scope in SCOPES] == [False] * 4
    assert [reaches(Subject(1, scope="invoke"), scope) for scope in SCOPES] == [True, True, True, False]
    assert [reaches(ALICE, scope) for scope in SCOPES] == [True] * 4


def test_who_is_not_signed_in_is_a_stranger() -> None:
    assert subject_of(AnonymousUser()) == STRANGER


def test_what_has_no_owner_is_nobodys() -> None:
    orphan = thing("agent_sessions.Invocation", session=None)

    assert not decide(STRANGER, "read", orphan)
    assert not decide(ALICE, "read", orphan)


# Their doors say what they are for: what gives the visible ones is asked with the action.
TOLD_APART = {"metrics.AlertRule", "metrics.Alert", "agentcore.AwsAccount"}


def test_no_row_tells_reading_from_changing_as_long_as_doors_do_not_say_which_they_are() -> None:
    """Doors take what may be read, whatever they do with it. A row for less than all three has to change them too."""
    others = [row for row in ROWS if row.model not in TOLD_APART]
    assert all(row.actions >= ANYTHING or not ANYTHING & row.actions for row in others)
