"""The replay of a run, alone or in step with another one, and the frames that it plays."""

from __future__ import annotations

from uuid import UUID

from django.db.models import BigIntegerField, QuerySet
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from apps.accounts.http import SignedInRequest
from apps.metrics.explaining.film import told_film
from apps.metrics.explaining.replay_page import Recorded, offers_for, parts_of
from apps.sessions.models import Invocation
from apps.sessions.selectors import events_after, invocations_visible_to

_DIGITS_OF_A_KEY = len(str(BigIntegerField.MAX_BIGINT))


def _runs(request: SignedInRequest) -> QuerySet[Invocation]:
    runs = invocations_visible_to(request.user).select_related("session__agent__runtime")
    return runs.defer("payload", "response_text")


def _recorded(run: Invocation) -> Recorded:
    return Recorded(run, events_after(run.pk) if run.last_sequence else [])


@require_safe
def replay(request: SignedInRequest, public_id: UUID, number: int) -> HttpResponse:
    """Play a run as it came; `with` names another one by its id, which is then played beside it."""
    run = get_object_or_404(_runs(request), session__public_id=public_id, number=number)
    wanted = (request.GET.get("id") or request.GET.get("with") or "").strip()
    other, problem = _other(request, run, wanted)
    parts = parts_of([_recorded(one) for one in (run, other) if one is not None])
    context = {
        "run": run, "session": run.session, "agent": run.session.agent, "parts": parts, "other": other,
        "offers": offers_for(request.user, run), "problem": problem, "wanted": wanted,
        "is_played": any(part.film_url for part in parts), "longest_ms": max(part.lasted_ms for part in parts),
    }  # fmt: skip
    return render(request, "metrics/replay.html", context, status=422 if problem else 200)


def _other(request: SignedInRequest, run: Invocation, wanted: str) -> tuple[Invocation | None, str]:
    """The run to lay beside, or why there is none. One that may not be seen is not told from one that is not there."""
    if not wanted:
        return None, ""
    is_key = wanted.isascii() and wanted.isdecimal() and len(wanted) < _DIGITS_OF_A_KEY
    if is_key and int(wanted) == run.pk:
        return None, _("That is this run itself. Choose another one.")
    other = _runs(request).filter(pk=int(wanted)).first() if is_key else None
    return other, "" if other else _("There is no such run. Choose one from the list, or type the id of a run.")


@never_cache  # what is removed is not to be had any more
@require_safe
def replay_film(request: SignedInRequest, public_id: UUID, number: int) -> HttpResponse:
    """What a page shows of a run, moment by moment."""
    run = get_object_or_404(_runs(request), session__public_id=public_id, number=number)
    told = told_film(run, lambda: events_after(run.pk) if run.last_sequence else [])
    return HttpResponse(told, content_type="application/json")
