"""The list of sessions: which are found, in which order, and what each row tells."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import UUID

from django.db.models import Exists, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce, Lower
from django.utils.translation import gettext_lazy as _

from apps.agents.models import Agent
from apps.core.search import find, words_of
from apps.core.tables.columns import Column, Columns
from apps.core.tables.export import CsvColumn
from apps.core.tables.filters import Choice, Choices, Wanted
from apps.core.tables.table import Table
from apps.sessions.models import Invocation, Session
from apps.sessions.selectors import with_totals

FEW_SESSIONS = 200
RUNS_FOUND = 2_000
NAMES_OF = 20_000
AGENTS_LOOKED_AT = 10_000
ENDPOINTS_OF = 2_000  # the newest sessions, whose endpoints can be chosen
NOT_INVOKED = "none"
ARCHIVED = "archived"
RUNNING = "running"
SHOWN = "shown"
ONLY = "only"
STATUSES: Choices = [
    (RUNNING, _("Running")),
    *((status.value, status.label) for status in Invocation.FINISHED),
    (NOT_INVOKED, _("Not invoked")),
]


def _is_uuid(word: str) -> bool:
    try:
        UUID(word)
    except ValueError:
        return False
    return True


def _named(text: str) -> Q:
    """Those whose title, runtime session id or agent's name holds every word of `text`, or whose id a word is."""
    named = Q()
    for word in text.split():
        found = Q(title__icontains=word) | Q(runtime_session_id__icontains=word) | Q(agent__name__icontains=word)
        if _is_uuid(word):
            found |= Q(public_id=word)
        named &= found
    return named


def sessions_named(sessions: QuerySet[Session], text: str) -> QuerySet[Session]:
    """Those whose names hold every word of `text`, or whose id a word is; what their runs say is not looked through."""
    return sessions.filter(_named(text))


def conversations_named(sessions: QuerySet[Session], text: str) -> QuerySet[Session]:
    """The conversations among `sessions` by their names alone, the newest first: quickly, while somebody types."""
    conversations = sessions_named(sessions, text).filter(purpose=Session.Purpose.CONVERSATION)
    return conversations.order_by("-created_at", "-pk")


def search_sessions(sessions: QuerySet[Session], text: str) -> QuerySet[Session]:
    """Keep those whose title, runtime session id or agent's name holds every word of `text`, or whose id a word is, and
    those of a run that says every word; of such runs the newest `RUNS_FOUND`.

    Parts of names are looked for in the newest `NAMES_OF` sessions: what a run says holds its session's title, and an
    id that is typed as a whole is found however old its session is.
    """
    if not text.split():
        return sessions
    found = Q(pk__in=_saying(sessions, words_of(text)))
    oldest = next(iter(sessions.order_by("-pk").values_list("pk", flat=True)[NAMES_OF : NAMES_OF + 1]), None)
    if oldest is None:
        return sessions.filter(_named(text) | found)
    found |= _named(text) & Q(pk__gt=oldest)
    if len(words := text.split()) == 1:
        found |= Q(pk__in=_of_id(words[0]))
    return sessions.filter(found)


def _of_id(word: str) -> list[int]:
    """The sessions whose id or runtime session id a word is."""
    found = list(Session.objects.filter(public_id=word).values_list("pk", flat=True)) if _is_uuid(word) else []
    if Session.is_valid_id(word):
        # Agent by agent, as an index has them.
        agents = list(Agent.objects.values_list("pk", flat=True)[:AGENTS_LOOKED_AT])
        found += Session.objects.filter(agent__in=agents, runtime_session_id=word).values_list("pk", flat=True)
    return found


def _saying(sessions: QuerySet[Session], words: list[str]) -> set[int]:
    """Those of `sessions` with a run whose text holds all words."""
    few = list(sessions.order_by().values_list("pk", flat=True)[: FEW_SESSIONS + 1])
    are_few = len(few) <= FEW_SESSIONS
    # Asked of each run that is found: joined, SQLite would begin with the sessions, which are many.
    own = Q(session__in=few) if are_few else Q(Exists(sessions.order_by().filter(pk=OuterRef("session_id"))))
    runs = find(Invocation.objects.filter(own), "search_text", words, limit=RUNS_FOUND, are_few=are_few)
    return set(Invocation.objects.filter(pk__in=runs.keys).order_by().values_list("session_id", flat=True))


def _with_last_status(sessions: QuerySet[Session], status: str) -> QuerySet[Session]:
    if not status:
        return sessions
    if status == NOT_INVOKED:
        return sessions.filter(~Exists(Invocation.objects.filter(session=OuterRef("pk"))))
    if status == RUNNING:
        running = Invocation.objects.filter(session=OuterRef("pk"), status__in=Invocation.UNFINISHED)
        return sessions.filter(Exists(running))
    newest = Invocation.objects.filter(session=OuterRef("pk")).order_by("-number")
    if status != Invocation.Status.COMPLETED:
        # Few have such a run at all: those are found by an index, instead of the newest run of each session.
        sessions = sessions.filter(pk__in=Invocation.objects.filter(status=status).order_by().values("session"))
    return sessions.alias(newest_status=Subquery(newest.values("status")[:1])).filter(newest_status=status)


def _of_purpose(sessions: QuerySet[Session], measure_start: str) -> QuerySet[Session]:
    if measure_start == SHOWN:
        return sessions
    is_only = measure_start == ONLY
    return sessions.filter(purpose=Session.Purpose.MEASURE_START if is_only else Session.Purpose.CONVERSATION)


def _shelved(sessions: QuerySet[Session], archived: str) -> QuerySet[Session]:
    return sessions.filter(archived_at__isnull=archived != ONLY)


def _agents_of(sessions: QuerySet[Session]) -> Choices:
    """The agents that `sessions` are with, removed ones too, by name."""
    agents = Agent.objects.filter(Exists(sessions.filter(agent=OuterRef("pk")))).order_by("name", "pk")
    return [(str(pk), name) for pk, name in agents.values_list("pk", "name")]


def _endpoints_of(sessions: QuerySet[Session]) -> Choices:
    """The endpoints of the newest `sessions`; to look at all of them takes long."""
    newest = sessions.order_by("-pk").values_list("qualifier", flat=True)[:ENDPOINTS_OF]
    return [(name, name) for name in sorted(set(newest))]


def read_sessions(keys: list[Any]) -> dict[Any, Session]:
    """The sessions of one page, with their totals."""
    return with_totals(Session.objects.filter(pk__in=keys).select_related("agent", "owner")).in_bulk()


# What becomes of Measure start's sessions, and of their runs in figures; hidden where nobody asks.
MEASURE_START: Choice[Session] = Choice(
    "measure_start", _("Measure start"), _("Measure start: hidden"), keep=_of_purpose, parts=frozenset({SHOWN}),
    values=lambda rows: [(SHOWN, _("Measure start: shown")), (ONLY, _("Measure start: only these"))],
)  # fmt: skip

SESSIONS: Table[Session] = Table(
    label=_("Search sessions"),
    columns=Columns(
        Column("title", _("Session"), Lower("title")),
        Column("agent", _("Agent"), Lower("agent__name")),
        Column(
            "active", _("Last active"), Coalesce("last_invoked_at", "created_at"), starts_down=True, is_complete=True
        ),
        default="-active",
        ties=("-pk",),
    ),
    search=search_sessions,
    filters=(
        Choice("agent", _("Agent"), _("Any agent"), "agent_id", values=_agents_of),
        Choice("status", _("Status"), _("Any status"), values=lambda rows: STATUSES, keep=_with_last_status),
        Choice("qualifier", _("Endpoint"), _("Any endpoint"), "qualifier", values=_endpoints_of, is_open=True),
        MEASURE_START,
        Choice(
            ARCHIVED, _("Archived"), _("Archived: hidden"), keep=_shelved, parts=frozenset({ONLY}),
            values=lambda rows: [(ONLY, _("Archived: only these"))],
        ),
    ),
    read=read_sessions,
)  # fmt: skip
# On the page of an agent there is no other to choose.
SESSIONS_OF_AGENT = replace(SESSIONS, filters=tuple(one for one in SESSIONS.filters if one.name != "agent"))


CSV: tuple[CsvColumn[Session], ...] = (
    CsvColumn("id", lambda session: session.pk),
    CsvColumn("session_public_id", lambda session: session.public_id),
    CsvColumn("session_id", lambda session: session.runtime_session_id),
    CsvColumn("title", lambda session: session.title),
    CsvColumn("agent_id", lambda session: session.agent_id),
    CsvColumn("agent_name", lambda session: session.agent.name),
    CsvColumn("origin", lambda session: session.agent.origin),
    CsvColumn("qualifier", lambda session: session.qualifier),
    CsvColumn("owner", lambda session: session.owner.email),
    CsvColumn("purpose", lambda session: session.purpose),
    CsvColumn("last_status", lambda session: getattr(session, "last_status", None)),
    CsvColumn("invocation_count", lambda session: getattr(session, "invocation_total", None)),
    CsvColumn("created_at", lambda session: session.created_at),
    CsvColumn("last_invoked_at", lambda session: session.last_invoked_at),
    CsvColumn("ended_at", lambda session: session.ended_at),
    CsvColumn("is_pinned", lambda session: session.is_pinned),
    CsvColumn("archived_at", lambda session: session.archived_at),
)


def hidden_count(sessions: QuerySet[Session], wanted: Wanted, table: Table[Session] = SESSIONS) -> int:
    """How many sessions of Measure start the filters of `table` would keep and the list does not show."""
    if wanted.chosen["measure_start"]:
        return 0
    measured = sessions.filter(purpose=Session.Purpose.MEASURE_START)
    if not measured.exists():
        return 0
    return table.keep(measured, wanted, but="measure_start").count()
