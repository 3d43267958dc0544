"""Runs side by side: the page of a prompt that was sent to several targets, and of runs that an address names."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from django.views.decorators.vary import vary_on_headers

from apps.accounts.http import SignedInRequest
from apps.core.exceptions import InvalidInputError, MissingError
from apps.metrics.models import Plan
from apps.metrics.prompt_sets.selectors import plans_visible_to
from apps.overview.comparing.columns import Column, columns_of_plan, columns_of_runs, keys_of
from apps.overview.comparing.listing import PLANS, side_by_side
from apps.overview.comparing.outcome import outcome_of, pair_of
from apps.sessions.selectors import events_by_invocation
from apps.sessions.viewing.rendering import render_turn
from apps.sessions.viewing.turns import Turn
from loom_events.recorded import RecordedEvent

# What a page asks for again by itself.
PARTS = ("comparison", "figures", "differences")


# One address gives a page or a part of it: without this a browser could show the part alone on the way back.
@vary_on_headers("HX-Request", "HX-Target")
@never_cache
@require_safe
def compare(request: SignedInRequest) -> HttpResponse:
    """The `runs` that the address names side by side, and without them the prompts that were sent to several."""
    if "runs" not in request.GET:
        return _plan_list(request)
    try:
        columns = columns_of_runs(request.user, keys_of(request.GET["runs"]))
    except InvalidInputError as error:
        return _plan_list(request, error)
    except MissingError as error:
        raise Http404(str(error)) from None
    return _comparison(request, columns, None)


def _plan_list(request: SignedInRequest, error: InvalidInputError | None = None) -> HttpResponse:
    visible = side_by_side(plans_visible_to(request.user))
    table = PLANS.listing(visible, request.GET)
    context = {"table": table, "has_any": bool(table.rows) or visible.exists(), "error": error}
    is_table_only = request.htmx and request.htmx.target == "plan-table"
    template = "compare/plan_list.html" + ("#plan-table" if is_table_only else "")
    return render(request, template, context, status=200 if error is None else 400)


@vary_on_headers("HX-Request", "HX-Target")
@never_cache
@require_safe
def compare_plan(request: SignedInRequest, comparison_id: int) -> HttpResponse:
    """A prompt that was sent to several targets: what each answers, as it comes."""
    plan = get_object_or_404(side_by_side(plans_visible_to(request.user)), pk=comparison_id)
    return _comparison(request, columns_of_plan(plan), plan)


def _comparison(request: SignedInRequest, columns: Sequence[Column], plan: Plan | None) -> HttpResponse:
    part = request.htmx.target if request.htmx and request.htmx.target in PARTS else ""
    pair = pair_of(columns, request.GET.dict())
    path = reverse("compare:list") if plan is None else reverse("compare:plan", args=[plan.pk])
    run_keys = ",".join(str(column.run.pk) for column in columns if column.run)
    context: dict[str, Any] = {
        "columns": columns,
        "plan": plan,
        "path": path,
        "page_url": path if plan is not None else f"{path}?runs={run_keys}",
        "run_keys": run_keys,
        "again_key": str(uuid.uuid4()),
        "is_unfinished": any(column.is_unfinished for column in columns),
        "is_settled": not any(column.is_unfinished or column.is_looked_for for column in columns),
        "is_incomplete": plan is not None and plan.is_active and any(column.run is None for column in columns),
    }
    is_whole = not part or part == "comparison"
    shown = columns if is_whole else pair or ()
    events = {} if part == "figures" else events_by_invocation([column.run.pk for column in shown if column.run])
    if part != "figures" and pair is not None:
        context["outcome"] = outcome_of(*pair, events)
    if is_whole:
        context |= _texts_of(columns, plan, events)
    return render(request, f"compare/_{part}.html" if part else "compare/comparison.html", context)


def _texts_of(
    columns: Sequence[Column], plan: Plan | None, events: Mapping[int, list[RecordedEvent]]
) -> dict[str, Any]:
    """The prompt that all have, where it is the same, and the turn of each."""
    runs = [column.run for column in columns if column.run is not None]
    turns = {run.pk: render_turn(run, events[run.pk], is_whole=False) for run in runs}
    prompts = {run.prompt for run in runs}
    if plan is not None and not prompts:
        prompts = set(plan.prompts.values_list("text", flat=True))
    shown: list[tuple[Column, Turn | None]] = [
        (column, turns[column.run.pk] if column.run is not None else None) for column in columns
    ]
    shared = next(iter(prompts)) if len(prompts) == 1 else ""
    return {"shown": shown, "prompt": shared, "title": shared or _("%(count)s runs") % {"count": len(columns)}}
