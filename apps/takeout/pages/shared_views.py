"""A session as somebody reads it to whom its address was given: signed in or not, and nothing beside it."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.cache import patch_cache_control
from django.utils.safestring import mark_safe
from django.views.decorators.http import require_safe

from apps.core.tables.page import page_of
from apps.sessions.models import Invocation
from apps.sessions.selectors import events_by_invocation
from apps.takeout import services
from apps.takeout.exporting.hiding import Hiding
from apps.takeout.exporting.html import ReadTurn, read_turn
from apps.takeout.exporting.reading import RecordedRun, with_everything
from apps.takeout.models import SharedLink
from apps.takeout.selectors import opened_by

TURNS_SHOWN = 30


@login_not_required
@require_safe
def shared(request: HttpRequest, token: str) -> HttpResponse:
    """The session of a good link, some turns a page; of any other the same answer as of none."""
    link = opened_by(token)
    if link is None:
        raise Http404
    services.note_opening(link=link)
    response = render(request, "takeout/shared.html", _context(request, link))
    response["Referrer-Policy"] = "no-referrer"
    response["X-Robots-Tag"] = "noindex, nofollow, noarchive"
    patch_cache_control(response, no_store=True, private=True)
    return response


def _context(request: HttpRequest, link: SharedLink) -> dict[str, Any]:
    session = link.session
    hide = Hiding(session)
    page = page_of(with_everything(session.invocations.order_by("number")), request.GET, TURNS_SHOWN)
    runs = list(page.object_list)
    events = events_by_invocation([run.pk for run in runs])
    turns = [read_turn(RecordedRun(run, events[run.pk])) for run in runs]
    return {
        "session": session,
        "title": hide(session.title or session.agent.name),
        "agent_name": hide(session.agent.name),
        "turns": [_hidden(turn, hide) for turn in turns],
        "page": page,
        "link": link,
        "is_shared": True,
    }


def _hidden(turn: ReadTurn, hide: Hiding) -> ReadTurn:
    """The turn without what is the account's. What AWS said of a failure names roles and accounts: its code will do."""
    run: Invocation = turn.invocation
    run.prompt, run.payload, run.error_message = hide(run.prompt), hide(run.payload), ""
    html = mark_safe(hide(turn.answer_html))  # noqa: S308 -- safe before, and words without markup were put into it
    return ReadTurn(run, html)
