"""Every read of sessions, invocations and recordings."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from django.contrib.auth.models import AnonymousUser
from django.db import models
from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce

from apps.accounts.models import User
from apps.accounts.policy import Action, Subject, subject_of, visible
from apps.agents.models import FormerColumns
from apps.agents.selectors import in_use, is_visible_agent
from apps.core.prepared import Select, slot
from apps.sessions.models import (
    SHOWN,
    Invocation,
    InvocationTag,
    QueuedPrompt,
    Recording,
    RecordingBatch,
    Session,
    SessionTag,
)
from loom_events.fold import is_unread
from loom_events.recorded import RecordedEvent, RecordedOther


def sessions_visible_to(user: User | AnonymousUser) -> QuerySet[Session]:
    """The sessions that `user` may see."""
    return Session.objects.filter(visible(subject_of(user), Session)).select_related("agent__runtime")


RECENT_SHOWN, RECENT_AMONG = 8, 200


def recent_sessions_of(user: User) -> list[Session]:
    """The conversations of `user` as far as a link to each needs them: those that are pinned, then those that they had
    last; archived ones are left out. One statement.
    """
    own = Session.objects.filter(SHOWN, visible(subject_of(user), Session), owner=user)
    last = Coalesce("last_invoked_at", "created_at").desc()
    wanted = [
        Session.objects.filter(pk__in=some.values("pk"))
        .annotate(active_at=Coalesce("last_invoked_at", "created_at"))
        .only("public_id", "title", "runtime_session_id", "is_pinned")
        .order_by()
        # The pinned ones by their own index: in the order of the other, all that somebody has would be looked through.
        for some in (
            own.filter(is_pinned=True).order_by("-pk")[:RECENT_AMONG],
            own.order_by(last, "-pk")[:RECENT_SHOWN],
        )
    ]
    # Each by an index of its own: joined by "or" PostgreSQL would look through all sessions that there are.
    return list(wanted[0].union(wanted[1]).order_by("-is_pinned", "-active_at", "-id")[:RECENT_SHOWN])


def deleted_sessions_visible_to(user: User | AnonymousUser, since: datetime) -> QuerySet[Session]:
    """The sessions that were deleted after an instant and that `user` may bring back, the last one first."""
    deleted = Session.objects.filter(visible(subject_of(user), Session, "restore"), deleted_at__gt=since)
    return deleted.select_related("agent", "owner").order_by("-deleted_at", "-pk")


def agents_used_last_by(user: User) -> list[int]:
    """The keys of the agents that `user` began a session with, the last one first, as the newest sessions say."""
    newest = sessions_visible_to(user).filter(owner=user).order_by("-created_at")
    return list(dict.fromkeys(newest.values_list("agent_id", flat=True)[:RECENT_AMONG]))


class _Visible:
    """A session by some of its columns, with its agent and its runtime: what is asked before every prompt."""

    def __init__(self, *columns: str) -> None:
        self._of_staff, self._of_others = (
            Select(partial(self._build, columns, is_staff=is_staff)) for is_staff in (True, False)
        )

    @staticmethod
    def _build(columns: Iterable[str], *, is_staff: bool) -> QuerySet[Session]:
        asked = Subject(slot(User, "pk", "user"), is_staff)
        return (
            Session.objects.filter(
                visible(asked, Session), **{column: slot(Session, column, column) for column in columns}
            )
            .select_related("agent__runtime")
            .defer(*(f"agent__{field.name}" for field in FormerColumns._meta.get_fields()))
            .order_by()
        )

    def __call__(self, user: User | AnonymousUser, **values: Any) -> Session | None:
        """The session, if `user` may see it."""
        if user.pk is None:
            return None
        select = self._of_staff if user.is_staff else self._of_others
        return next(iter(select(user=user.pk, **values)), None)


_by_public_id = _Visible("public_id")
_by_runtime_id = _Visible("agent_id", "runtime_session_id")


def session_visible_to(user: User | AnonymousUser, public_id: UUID | str) -> Session | None:
    """The one of `sessions_visible_to` with this public id."""
    return _by_public_id(user, public_id=public_id)


def session_of_agent(user: User | AnonymousUser, agent_id: int, runtime_session_id: str) -> Session | None:
    """The session of an agent by its runtime session id, where `user` may see both."""
    if agent_id > models.BigIntegerField.MAX_BIGINT:
        return None
    session = _by_runtime_id(user, agent_id=agent_id, runtime_session_id=runtime_session_id)
    return session if session is not None and is_visible_agent(user, session.agent) else None


def may_follow_session(user: User | AnonymousUser, topic: str) -> bool:
    """Tell whether `user` may hear of changes of the session that `topic` names."""
    public_id = topic.removeprefix("session.")
    return sessions_visible_to(user).filter(public_id=public_id).exists()


def invocations_visible_to(user: User | AnonymousUser, action: Action = "read") -> QuerySet[Invocation]:
    """The invocations that `user` may see: those of the sessions; or those with which they may do more."""
    return Invocation.objects.filter(visible(subject_of(user), Invocation, action)).select_related("session__agent")


def run_visible_to(user: User | AnonymousUser, run_id: int) -> Invocation | None:
    """The run of this key, where `user` may see it, with its session and agent, which may be archived."""
    if run_id > models.BigIntegerField.MAX_BIGINT:
        return None
    return invocations_visible_to(user).select_related("session__agent__runtime").filter(pk=run_id).first()


def newest_run(sessions: QuerySet[Session]) -> Invocation | None:
    """The newest run of these sessions: that of the one which was invoked last."""
    invoked = sessions.filter(last_invoked_at__isnull=False)
    # In the order of an index, which the list of sessions has as well.
    newest_first = invoked.order_by(Coalesce("last_invoked_at", "created_at").desc(), "-pk")
    session = newest_first.only("pk", "agent", "owner").first()
    return None if session is None else session.invocations.order_by("-number").only("pk").first()


def with_totals(sessions: QuerySet[Session]) -> QuerySet[Session]:
    """Add `invocation_total` and `last_status` to each session."""
    newest = Invocation.objects.filter(session=OuterRef("pk")).order_by("-number")
    return sessions.annotate(invocation_total=Count("invocations"), last_status=Subquery(newest.values("status")[:1]))


def tags_by_session(session_ids: Collection[int]) -> dict[int, list[str]]:
    """The names of the tags of some sessions, in the order in which they were given, with one query for all of them."""
    found: dict[int, list[str]] = {pk: [] for pk in session_ids}
    for pk, name in SessionTag.objects.filter(session__in=found).order_by("pk").values_list("session", "tag__name"):
        found[pk].append(name)
    return found


def tags_by_invocation(invocation_ids: Collection[int]) -> dict[int, list[str]]:
    """The same for runs: the names of the tags that they have of their own."""
    found: dict[int, list[str]] = {pk: [] for pk in invocation_ids}
    own = InvocationTag.objects.filter(invocation__in=found).order_by("pk")
    for pk, name in own.values_list("invocation", "tag__name"):
        found[pk].append(name)
    return found


def _parts_from() -> QuerySet[Recording, Any]:
    parts = Recording.objects.filter(invocation_id=slot(Invocation, "pk"))
    before = parts.filter(first_sequence__lte=slot(Recording, "first_sequence", "next"))
    current = before.order_by("-first_sequence").values("first_sequence")[:1]
    return parts.filter(first_sequence__gte=Subquery(current)).values_list("events", flat=True)


# Asked four times a second by whoever follows a run of another machine.
_parts_after = Select(_parts_from)
_batches_after = Select(
    lambda: RecordingBatch.objects.filter(
        invocation_id=slot(Invocation, "pk"), last_sequence__gt=slot(RecordingBatch, "last_sequence")
    ).values_list("events", flat=True)
)


def events_after(invocation_id: int, sequence: int = 0) -> list[RecordedEvent]:
    """The stored events of an invocation with a number above `sequence`, in order; reads little of what is before."""
    events = _compacted_after(invocation_id, sequence)
    if not events:
        events = [event for part in _batches_after(pk=invocation_id, last_sequence=sequence) for event in part]
        if not events:
            # Compaction may have moved the batches between the two reads.
            events = _compacted_after(invocation_id, sequence)
    return [event for event in events if event["seq"] > sequence]


def events_by_invocation(invocation_ids: Collection[int]) -> dict[int, list[RecordedEvent]]:
    """All stored events of some invocations; of those that are over with one query for all of them."""
    found: dict[int, list[RecordedEvent]] = {pk: [] for pk in invocation_ids}
    parts = Recording.objects.filter(invocation_id__in=found).order_by("invocation_id", "first_sequence")
    for pk, part in parts.values_list("invocation_id", "events"):
        found[pk] += part
    return {pk: events or events_after(pk) for pk, events in found.items()}


def unread_events(invocation_id: int) -> list[RecordedOther]:
    """What of an answer its reader did not understand, and how much of that was only counted."""
    return [event for event in events_after(invocation_id) if event["kind"] == "other" and is_unread(event)]


def _compacted_after(invocation_id: int, sequence: int) -> list[RecordedEvent]:
    """The parts of a compacted recording from the one on that holds the next event."""
    return [event for part in _parts_after(pk=invocation_id, next=sequence + 1) for event in part]


def of_agents_in_use(invocations: QuerySet[Invocation]) -> QuerySet[Invocation]:
    """Those of the agents that this mode runs."""
    return invocations.filter(in_use("session__agent__"))


def unfinished_invocation(session: Session) -> Invocation | None:
    """The invocation that the session is answering, or will when it leaves the queue; there is one at most."""
    return session.invocations.filter(status__in=Invocation.UNFINISHED).select_related("session__agent").first()


def prompts_ahead(session: Session) -> list[QueuedPrompt]:
    """What was typed ahead in a session, in the order in which it is sent."""
    return list(session.queued_prompts.order_by("position"))
