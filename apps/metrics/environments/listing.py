"""The list of environments: which sessions are found, in which order, and the columns of its file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from django.db.models import Exists, F, OuterRef, QuerySet
from django.db.models.functions import Coalesce, Lower
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.accounts.models import User
from apps.core.tables.columns import Column, Columns
from apps.core.tables.filters import Choice, Choices
from apps.core.tables.table import Table
from apps.metrics.environments.board import Board, boards_of, states_of
from apps.sessions.models import Session
from apps.sessions.pages.listing import SESSIONS, sessions_named

WARM, IDLE, ENDED, ALL = "warm", "idle", "ended", "all"
STATES: Choices = [
    (WARM, _("Warm: answering")),
    (IDLE, _("Idle: kept for a while")),
    (ENDED, _("Ended")),
    (ALL, _("All of them")),
]
AGENT = next(choice for choice in SESSIONS.filters if choice.name == "agent")
Row = tuple[Session, Board]


def _in_state(sessions: QuerySet[Session], state: str) -> QuerySet[Session]:
    if state == ALL:
        return sessions
    found = states_of(sessions, timezone.now())
    if state == ENDED:
        return sessions.exclude(pk__in=found)
    return sessions.filter(pk__in=[key for key, known in found.items() if not state or known == state])


def _people_of(sessions: QuerySet[Session]) -> Choices:
    people = User.objects.filter(Exists(sessions.filter(owner=OuterRef("pk")))).order_by("email")
    return [(str(pk), email) for pk, email in people.values_list("pk", "email")]


def read_sessions(keys: list[Any]) -> dict[Any, Session]:
    return Session.objects.filter(pk__in=keys).select_related("agent__runtime", "owner").in_bulk()


ENVIRONMENTS: Table[Session] = Table(
    label=_("Search sessions"),
    columns=Columns(
        Column("session", _("Session"), Lower("title")),
        Column("agent", _("Agent"), Lower("agent__name")),
        Column("person", _("Person"), Lower("owner__email")),
        # As the list of sessions is ordered: by an index of it.
        Column("used", _("Last used"), Coalesce("last_invoked_at", "created_at"), starts_down=True, is_complete=True),
        Column("end", _("End asked for"), F("ended_at"), starts_down=True),
        default="-used",
        ties=("-pk",),
    ),
    search=sessions_named,
    filters=(
        Choice(
            "state", _("State"), _("Open: warm or idle"), values=lambda rows: STATES, keep=_in_state,
            parts=frozenset({ALL}),
        ),
        AGENT,
        Choice("owner", _("Person"), _("Anybody"), "owner_id", values=_people_of, offered_from=2),
    ),
    read=read_sessions,
)  # fmt: skip


def with_boards(sessions: Sequence[Session]) -> list[Row]:
    boards = boards_of(sessions, timezone.now())
    return [(session, boards[session.pk]) for session in sessions]


CSV: tuple[tuple[str, Callable[[Session, Board], object]], ...] = (
    ("session_public_id", lambda session, board: session.public_id),
    ("session_id", lambda session, board: session.runtime_session_id),
    ("title", lambda session, board: session.title),
    ("agent_id", lambda session, board: session.agent_id),
    ("agent_name", lambda session, board: session.agent.name),
    ("origin", lambda session, board: session.agent.origin),
    ("qualifier", lambda session, board: session.qualifier),
    ("version", lambda session, board: board.version),
    ("owner", lambda session, board: session.owner.email),
    ("state", lambda session, board: board.state),
    ("reason", lambda session, board: board.reason),
    ("born_at", lambda session, board: board.born_at),
    ("idle_ends_at", lambda session, board: board.idle_ends_at),
    ("lifetime_ends_at", lambda session, board: board.lifetime_ends_at),
    ("runs", lambda session, board: board.run_count),
    ("cost_usd", lambda session, board: board.cost_usd),
    ("idle_usd", lambda session, board: board.idle_usd),
    ("runs_of_unknown_cost", lambda session, board: board.unknown_count),
    ("end_accepted_at", lambda session, board: board.end and board.end.accepted_at),
    ("end_proof", lambda session, board: board.end and board.end.proof),
)
