"""What becomes of sessions: pinned, archived, deleted and brought back, one on its page or several in the list."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from apps.accounts.http import SignedInRequest
from apps.core.exceptions import InvalidInputError
from apps.core.requests.return_to import return_to
from apps.core.tables.bulk import ROWS_AT_ONCE, Outcome, apply, checked_rows
from apps.sessions import keeping
from apps.sessions.models import Session
from apps.sessions.selectors import deleted_sessions_visible_to, sessions_visible_to

DELETED_SHOWN = 100
TOLD_AT_MOST = 5
Told = Callable[[int], str]


def _pinned(count: int) -> str:
    return ngettext("{count} session is pinned.", "{count} sessions are pinned.", count).format(count=count)


def _unpinned(count: int) -> str:
    told = ngettext("{count} session is pinned no more.", "{count} sessions are pinned no more.", count)
    return told.format(count=count)


def _archived(count: int) -> str:
    return ngettext("{count} session is archived.", "{count} sessions are archived.", count).format(count=count)


def _revived(count: int) -> str:
    told = ngettext("{count} session is back in the lists.", "{count} sessions are back in the lists.", count)
    return told.format(count=count)


def _deleted(count: int) -> str:
    return ngettext("{count} session is deleted.", "{count} sessions are deleted.", count).format(count=count)


def _restored(count: int) -> str:
    return ngettext("{count} session is there again.", "{count} sessions are there again.", count).format(count=count)


def _pin(session: Session) -> None:
    keeping.pin_session(session=session)


def _unpin(session: Session) -> None:
    keeping.unpin_session(session=session)


def _archive(session: Session) -> None:
    keeping.archive_session(session=session)


def _revive(session: Session) -> None:
    keeping.revive_session(session=session)


def _delete(session: Session) -> None:
    keeping.delete_session(session=session)


def _restore(session: Session) -> None:
    keeping.restore_session(session=session)


ACTIONS: dict[str, tuple[Callable[[Session], None], Told]] = {
    "pin": (_pin, _pinned),
    "unpin": (_unpin, _unpinned),
    "archive": (_archive, _archived),
    "revive": (_revive, _revived),
    "delete": (_delete, _deleted),
}


def undo_address(sessions: Iterable[Session]) -> str:
    """Where a POST brings these back."""
    return f"{reverse('sessions:restore')}?{urlencode([('session', str(session.public_id)) for session in sessions])}"


@require_POST
def session_keep(request: SignedInRequest, public_id: UUID) -> HttpResponse:
    """Do `action` to a session: pin, unpin, archive, revive, or delete, which can be undone."""
    session = get_object_or_404(sessions_visible_to(request.user), public_id=public_id)
    action = request.POST.get("action", "")
    is_gone = action == "delete"
    back = return_to(request, reverse("sessions:list") if is_gone else session.get_absolute_url())
    if action in ACTIONS:
        _do(request, [session], action)
    else:
        messages.error(request, _("Nothing was done: the button was not understood."))
    return redirect(back)


@require_POST
def session_bulk(request: SignedInRequest) -> HttpResponse:
    """Do `action` to the sessions that are checked as `row`."""
    back = return_to(request, reverse("sessions:list"))
    action = request.POST.get("action", "")
    try:
        if action not in ACTIONS:
            raise InvalidInputError(_("Nothing was done: the button was not understood."))
        sessions = checked_rows(sessions_visible_to(request.user).order_by("-pk"), request.POST)
    except InvalidInputError as error:
        messages.error(request, error.text())
    else:
        _do(request, sessions, action)
    return redirect(back)


def _do(request: SignedInRequest, sessions: Sequence[Session], action: str) -> None:
    """Do it, and tell how many it was done to, with the way back from a deletion; and why not to the others."""
    service, told = ACTIONS[action]
    outcomes = apply(sessions, service)
    done = [session for session, outcome in zip(sessions, outcomes, strict=True) if outcome.is_done]
    if done:
        text = told(len(done)) if len(done) > 1 or action != "delete" else _told_of_one(done[0])
        messages.success(request, text, extra_tags=undo_address(done) if action == "delete" else "")
    _tell_refused(request, outcomes)


def _told_of_one(session: Session) -> str:
    return _("{title} is deleted, with its invocations, recordings and measurements.").format(
        title=session.title or _("The session")
    )


def _tell_refused(request: SignedInRequest, outcomes: Sequence[Outcome]) -> None:
    refused = [outcome for outcome in outcomes if not outcome.is_done]
    for outcome in refused[:TOLD_AT_MOST]:
        messages.error(request, _("Nothing was done to {outcome}").format(outcome=outcome))
    if len(refused) > TOLD_AT_MOST:
        count = len(refused) - TOLD_AT_MOST
        told = ngettext("Nor to {count} other.", "Nor to {count} others.", count)
        messages.error(request, told.format(count=count))


@require_POST
def session_restore(request: SignedInRequest) -> HttpResponse:
    """Undo the deletion of the sessions that the address names as `session`, as far as that still goes."""
    back = return_to(request, reverse("sessions:list"))
    keys = [key for key in request.GET.getlist("session")[:ROWS_AT_ONCE] if _is_key(key)]
    since = keeping.restorable_since(timezone.now())
    sessions = list(deleted_sessions_visible_to(request.user, since).filter(public_id__in=keys)) if keys else []
    if not sessions:
        messages.error(request, _("Nothing can be brought back: it is there again, or gone for good."))
        return redirect(back)
    outcomes = apply(sessions, _restore)
    if done := sum(outcome.is_done for outcome in outcomes):
        messages.success(request, _restored(done))
    _tell_refused(request, outcomes)
    return redirect(back)


def _is_key(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True


@never_cache
@require_safe
def sessions_deleted(request: SignedInRequest) -> HttpResponse:
    """What was deleted so short ago that it can be brought back."""
    since = keeping.restorable_since(timezone.now())
    sessions = list(deleted_sessions_visible_to(request.user, since)[: DELETED_SHOWN + 1])
    context = {
        "rows": [(session, undo_address([session])) for session in sessions[:DELETED_SHOWN]],
        "most": DELETED_SHOWN,
        "has_more": len(sessions) > DELETED_SHOWN,
    }
    return render(request, "sessions/session_deleted.html", context)
