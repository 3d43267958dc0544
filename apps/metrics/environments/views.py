"""Operate › Environments: what AgentCore keeps for the sessions that Loom opened."""

from __future__ import annotations

from collections.abc import Iterator

from django.contrib import messages
from django.http import HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe
from django.views.decorators.vary import vary_on_headers

from apps.accounts.http import SignedInRequest
from apps.core.exceptions import ConflictError, InvalidInputError
from apps.core.requests.return_to import return_to
from apps.core.tables.bulk import apply, checked_rows
from apps.core.tables.export import MOST_ROWS, ROWS_AT_ONCE, csv_response
from apps.metrics.environments.board import on_board
from apps.metrics.environments.listing import CSV, ENVIRONMENTS, read_sessions, with_boards
from apps.sessions.models import Session
from apps.sessions.selectors import sessions_visible_to
from apps.sessions.services import end_session


# One address gives a page or its table: without this a browser could show the table alone on the way back.
@vary_on_headers("HX-Request", "HX-Target")
@require_safe
def environments(request: SignedInRequest) -> HttpResponse:
    """The sessions with an environment, searched by `q`, kept by `state`, `agent` and `owner`."""
    sessions = on_board(sessions_visible_to(request.user))
    table = ENVIRONMENTS.listing(sessions, request.GET)
    context = {
        "table": table,
        "rows": with_boards(table.rows),
        "has_any": bool(table.rows) or sessions.exists(),
    }
    is_table_only = request.htmx and request.htmx.target == "environment-table"
    return render(request, "metrics/environments.html" + ("#environment-table" if is_table_only else ""), context)


@require_safe
def environments_csv(request: SignedInRequest) -> StreamingHttpResponse:
    """All that the same address of the page would find, as a file."""
    found = ENVIRONMENTS.asked(on_board(sessions_visible_to(request.user)), request.GET)

    def lines() -> Iterator[list[object]]:
        # By their keys, some at a time: nothing stays open between two readings.
        found_keys = list(found.values_list("pk", flat=True)[: MOST_ROWS + 1])
        for at in range(0, len(found_keys), ROWS_AT_ONCE):
            keys = found_keys[at : at + ROWS_AT_ONCE]
            sessions = read_sessions(keys)
            for session, board in with_boards([sessions[key] for key in keys if key in sessions]):
                yield [value(session, board) for _name, value in CSV]

    return csv_response(request, "loom-environments", [name for name, _value in CSV], lines())


@require_POST
def environments_end(request: SignedInRequest) -> HttpResponse:
    """Ask AWS to free the environments of the sessions that are checked as `row`, or of the one that a button names."""
    back = return_to(request, reverse("metrics:environments"))
    try:
        sessions = checked_rows(on_board(sessions_visible_to(request.user)).order_by("-pk"), request.POST)
    except InvalidInputError as error:
        messages.error(request, error.text())
        return redirect(back)
    outcomes = apply(sessions, _end)
    if count := sum(outcome.is_done for outcome in outcomes):
        told = ngettext(
            "AWS accepted the end of {count} session. Its next run shows whether the environment is gone.",
            "AWS accepted the end of {count} sessions. Their next runs show whether the environments are gone.",
            count,
        )
        messages.success(request, told.format(count=count))
    for outcome in outcomes:
        if not outcome.is_done:
            messages.error(request, _("Not ended: {outcome}").format(outcome=outcome))
    return redirect(back)


def _end(session: Session) -> None:
    if session.is_ended:
        raise ConflictError(_("Its end was accepted before, and no run was sent since."))
    end_session(session=session)
