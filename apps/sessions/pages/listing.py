"""The sessions of the list: which are found, in which order, and what each row tells."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from django.core.paginator import Page, Paginator
from django.db.models import Exists, Func, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce, Lower

from apps.agents.models import Agent
from apps.sessions.models import Invocation, Session
from apps.sessions.selectors import with_totals

PAGE_SIZE = 50
DEFAULT_SORT = "-active"
NOT_INVOKED = "none"
RUNNING = "running"
SHOWN = "shown"
ONLY = "only"
# The empty one is the default.
MEASURE_START = [("", "Measure start: hidden"), (SHOWN, "Measure start: shown"), (ONLY, "Measure start: only these")]
STATUSES = [
    (RUNNING, "Running"),
    *((status.value, status.label) for status in Invocation.FINISHED),
    (NOT_INVOKED, "Not invoked"),
]
_SORT_KEYS: dict[str, Func] = {
    "title": Lower("title"),
    "agent": Lower("agent__name"),
    "active": Coalesce("last_invoked_at", "created_at"),
}
SORTS = [*_SORT_KEYS, *(f"-{name}" for name in _SORT_KEYS)]


@dataclass(frozen=True, slots=True)
class SessionFilter:
    """What a reader asked the list for; a value that is empty or None asks for nothing."""

    text: str = ""
    agent_id: int | None = None
    status: str = ""
    qualifier: str = ""
    measure_start: str = ""
    sort: str = DEFAULT_SORT

    @property
    def is_narrowed(self) -> bool:
        """Whether a session can be left out, other than those of Measure start."""
        is_only = self.measure_start == ONLY
        return bool(self.text or self.agent_id is not None or self.status or self.qualifier or is_only)


def _is_uuid(word: str) -> bool:
    try:
        UUID(word)
    except ValueError:
        return False
    return True


def search_sessions(sessions: QuerySet[Session], text: str) -> QuerySet[Session]:
    """Keep those whose title, runtime session id or agent's name holds every word of `text`, or whose id a word is."""
    for word in text.split():
        found = Q(title__icontains=word) | Q(runtime_session_id__icontains=word) | Q(agent__name__icontains=word)
        if _is_uuid(word):
            found |= Q(public_id=word)
        sessions = sessions.filter(found)
    return sessions


def _with_last_status(sessions: QuerySet[Session], status: str) -> QuerySet[Session]:
    if status == NOT_INVOKED:
        return sessions.filter(~Exists(Invocation.objects.filter(session=OuterRef("pk"))))
    if status == RUNNING:
        running = Invocation.objects.filter(session=OuterRef("pk"), status__in=Invocation.UNFINISHED)
        return sessions.filter(Exists(running))
    newest = Invocation.objects.filter(session=OuterRef("pk")).order_by("-number")
    return sessions.alias(newest_status=Subquery(newest.values("status")[:1])).filter(newest_status=status)


def _kept(sessions: QuerySet[Session], wanted: SessionFilter) -> QuerySet[Session]:
    """Those that the filter keeps, whatever they are for."""
    sessions = search_sessions(sessions, wanted.text)
    if wanted.agent_id is not None:
        sessions = sessions.filter(agent_id=wanted.agent_id)
    if wanted.qualifier:
        sessions = sessions.filter(qualifier=wanted.qualifier)
    if wanted.status:
        sessions = _with_last_status(sessions, wanted.status)
    return sessions


def find_sessions(sessions: QuerySet[Session], wanted: SessionFilter) -> QuerySet[Session]:
    """Those of `sessions` that the filter keeps, in its order."""
    sessions = _kept(sessions, wanted)
    if wanted.measure_start == ONLY:
        sessions = sessions.filter(purpose=Session.Purpose.MEASURE_START)
    elif wanted.measure_start != SHOWN:
        sessions = sessions.filter(purpose=Session.Purpose.CONVERSATION)
    key = _SORT_KEYS[wanted.sort.removeprefix("-")]
    return sessions.order_by(key.desc() if wanted.sort.startswith("-") else key.asc(), "-pk")


def hidden_count(sessions: QuerySet[Session], wanted: SessionFilter) -> int:
    """How many sessions of Measure start the filter would keep and the list does not show."""
    if wanted.measure_start:
        return 0
    return _kept(sessions.filter(purpose=Session.Purpose.MEASURE_START), wanted).count()


def page_of_sessions(found: QuerySet[Session], number: str | None) -> tuple[Page[int], list[Session]]:
    """One page of what was found: where it stands among the others, and its sessions with their totals.

    Totals are read for the rows of the page only: for all that were found they would cost seconds.
    """
    page = Paginator(found.values_list("pk", flat=True), PAGE_SIZE).get_page(number)
    keys = list(page.object_list)
    page.object_list = keys
    rows = with_totals(Session.objects.filter(pk__in=keys).select_related("agent", "owner")).in_bulk()
    return page, [rows[key] for key in keys if key in rows]


def agents_of(sessions: QuerySet[Session]) -> QuerySet[Agent]:
    """The agents that `sessions` are with, removed ones too, by name."""
    return Agent.objects.filter(Exists(sessions.filter(agent=OuterRef("pk")))).order_by("name", "pk")


def qualifiers_of(sessions: QuerySet[Session]) -> list[str]:
    """The qualifiers that occur in `sessions`, in order."""
    return list(sessions.order_by("qualifier").values_list("qualifier", flat=True).distinct())
