"""What becomes of sessions that are over: pinned, archived, deleted, brought back, and in the end really deleted.

A session that was deleted is gone for everybody at once, as the policy says, and stays in the database for as long as
it may be brought back (`settings.DELETED_SESSIONS_KEPT`). Then the worker deletes it, piece by piece.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Collection
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import F, Max, Q
from django.db.models.functions import Greatest
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.agents.models import Agent
from apps.core.exceptions import MissingError
from apps.core.notices.notices import notify
from apps.sessions.exceptions import SessionBusyError, SessionInUseError
from apps.sessions.models import Invocation, Recording, RecordingBatch, Session
from apps.sessions.services import runs_in_use

logger = logging.getLogger(__name__)

# Nobody brings back a session of which a part is gone already, though clocks of two machines differ.
CLOCKS_DIFFER = timedelta(minutes=1)
# In one transaction, which keeps SQLite from everybody else: parts of recordings, up to a thousand events each; runs.
PARTS_AT_ONCE, RUNS_AT_ONCE = 20, 50


def _there(session: Session) -> Session:
    """The row, locked; raises MissingError where the session was deleted."""
    row = Session.objects.select_for_update(no_key=True).filter(pk=session.pk, deleted_at=None).first()
    if row is None:
        raise MissingError(_("This session was deleted."))
    return row


def _keep(session: Session, **changes: object) -> None:
    with transaction.atomic():
        row = _there(session)
        if any(getattr(row, name) != value for name, value in changes.items()):
            Session.objects.filter(pk=row.pk).update(**changes)
            notify(session.topic, "kept")
    for name, value in changes.items():
        setattr(session, name, value)


def pin_session(*, session: Session) -> None:
    """Let it stand before the owner's other sessions beside every page; an archived one comes back for that."""
    _keep(session, is_pinned=True, archived_at=None)


def unpin_session(*, session: Session) -> None:
    """Let it stand where its last prompt puts it."""
    _keep(session, is_pinned=False)


def archive_session(*, session: Session) -> None:
    """Leave it out of the lists; nothing of it is lost, and it can still be opened and go on. It is pinned no more."""
    _keep(session, is_pinned=False, archived_at=session.archived_at or timezone.now())


def revive_session(*, session: Session) -> None:
    """Bring an archived session back into the lists."""
    _keep(session, archived_at=None)


def delete_session(*, session: Session) -> None:
    """Take a session from everybody, with its prompts, answers, recordings and measurements; AgentCore is not told.

    `restore_session` brings it back for as long as `settings.DELETED_SESSIONS_KEPT` says. Raises SessionBusyError while
    it is answering: to stop an answer is a decision of its own, and nobody loses one by a slip. Raises
    SessionInUseError while something that goes on counts a run of it, and MissingError where it was deleted before.
    """
    now = timezone.now()
    with transaction.atomic():
        row = _there(session)
        if row.invocations.filter(status__in=Invocation.UNFINISHED).exists():
            raise SessionBusyError
        if runs_in_use(row.invocations.all()):
            raise SessionInUseError
        Session.objects.filter(pk=row.pk).update(deleted_at=now)
        _count_runs(row, -1)
        notify(session.topic, "deleted")
    session.deleted_at = now
    logger.log(session.log_level, "session deleted id=%s", session.pk)


def _count_runs(session: Session, by: int) -> None:
    """Write down that an agent's runs in a session are gone, or are there again: how many, and when the last one was.

    All of an agent's runs are not counted for that, of which there may be a million.
    """
    count = session.invocations.filter(status__in=Invocation.FINISHED).count()
    agents = Agent.objects.filter(pk=session.agent_id)
    agents.update(invocation_count=Greatest(F("invocation_count") + by * count, 0))
    last_at = session.last_invoked_at
    if by > 0 and last_at is not None:
        agents.filter(Q(last_invoked_at=None) | Q(last_invoked_at__lt=last_at)).update(last_invoked_at=last_at)
    elif agents.filter(last_invoked_at=last_at).exists():
        others = Session.objects.filter(agent=session.agent_id, deleted_at=None)
        agents.update(last_invoked_at=others.aggregate(last=Max("last_invoked_at"))["last"])


def restorable_since(now: datetime) -> datetime:
    """What was deleted after this instant can be brought back."""
    return now - settings.DELETED_SESSIONS_KEPT


def restore_session(*, session: Session) -> None:
    """Undo the deletion of a session; one that was not deleted stays as it is.

    Raises MissingError where that is too late.
    """
    rows = Session.objects.filter(pk=session.pk)
    with transaction.atomic():
        if rows.filter(deleted_at__gt=restorable_since(timezone.now())).update(deleted_at=None):
            _count_runs(session, 1)
            notify(session.topic, "restored")
            logger.log(session.log_level, "session restored id=%s", session.pk)
        elif not rows.filter(deleted_at=None).exists():
            raise MissingError(_("This session cannot be brought back any more."))
    session.deleted_at = None


# --- what is deleted for good ----------------------------------------------------------------------------------------


def due_to_be_purged(now: datetime) -> Collection[int]:
    """The keys of the sessions that nobody can bring back any more, the oldest first, some of them.

    One that answers is left until that is over: a process of the release before knows of no deletion.
    """
    over = restorable_since(now) - CLOCKS_DIFFER
    answering = Invocation.objects.filter(status__in=Invocation.UNFINISHED).values("session")
    due = Session.objects.filter(deleted_at__lte=over).exclude(pk__in=answering).order_by("deleted_at", "pk")
    return list(due.values_list("pk", flat=True)[:RUNS_AT_ONCE])


def purge_deleted(now: datetime, *, for_s: float = 30.0) -> int:
    """Really delete what is due, in transactions that are short each, for about so long; return how many sessions.

    May be broken off anywhere and done by several at once: what one has begun another finishes.
    """
    until = time.monotonic() + for_s
    done = 0
    while keys := due_to_be_purged(now):
        for key in keys:
            while purge_piece(key):
                if time.monotonic() > until:
                    return done
            done += 1
    return done


def purge_piece(session_id: int) -> bool:
    """Delete a piece of a session that was deleted; False once nothing is left of it."""
    with transaction.atomic():
        # Locked: of two at once the second goes on behind the first.
        deleted = Session.objects.select_for_update().filter(pk=session_id, deleted_at__isnull=False)
        session = deleted.only("purpose").first()
        if session is None:
            return False
        runs = list(session.invocations.order_by("pk").values_list("pk", flat=True)[:RUNS_AT_ONCE])
        for parts in (RecordingBatch.objects, Recording.objects):
            some = list(parts.filter(invocation__in=runs).order_by().values_list("pk", flat=True)[:PARTS_AT_ONCE])
            if some:
                parts.filter(pk__in=some).delete()
                return True
        if runs:
            Invocation.objects.filter(pk__in=runs).delete()
            return True
        session.delete()
    logger.log(session.log_level, "session purged id=%s", session_id)
    return False
