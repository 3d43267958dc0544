"""Operate › Costs: what was spent by day, agent and person, and the budgets that hold runs."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, timedelta
from typing import Any

from django.contrib import messages
from django.http import HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from apps.accounts.http import SignedInRequest
from apps.core.exceptions import LoomError
from apps.core.tables.export import csv_response
from apps.core.templatetags.loom import usd
from apps.costs.models import Budget
from apps.metrics.alerts.selectors import channels_visible_to
from apps.metrics.figures.pages.tiles import Tile
from apps.metrics.figures.pages.wording import NOTHING
from apps.metrics.spending import budgets
from apps.metrics.spending.days import Spent, spent_between
from apps.metrics.spending.forms import BudgetForm, LimitForm
from apps.metrics.spending.selectors import (
    SHOWN,
    SpentBy,
    budget_states,
    grouped,
    names_of_agents,
    names_of_people,
    scoped_budgets_visible_to,
    spent_by,
)

RANGES = {
    "1": gettext_lazy("Today"),
    "7": gettext_lazy("7 days"),
    "30": gettext_lazy("30 days"),
    "90": gettext_lazy("90 days"),
    "365": gettext_lazy("A year"),
}
DEFAULT_RANGE = "30"
SHOWN_ROWS = 50


@require_safe
def costs(request: SignedInRequest) -> HttpResponse:
    """What was spent in the last days, counted in days of UTC, and the budgets."""
    return _page(request, BudgetForm(user=request.user, initial={"what": request.GET.get("for", "")}))


@require_safe
def costs_csv(request: SignedInRequest) -> StreamingHttpResponse:
    """What the page adds up: a line for each day, agent and source; with the person, for staff."""
    first, last = _days(request)[1:]
    rows, _since = spent_between(first, last)
    agents, people = names_of_agents(rows), names_of_people(rows)
    is_staff = request.user.is_staff

    def lines() -> Iterator[list[object]]:
        for row in sorted(rows, key=lambda row: (row.day, agents(row.agent_id)), reverse=True):
            one = spent_by(row.day, "", [row])
            person = [people(row.owner_id)] if is_staff else []
            yield [
                row.day, agents(row.agent_id), *person, row.source or "manual", row.run_count, row.unknown_count,
                row.estimate_count, one.usd, row.input_tokens, row.output_tokens,
            ]  # fmt: skip

    heads = ["day", "agent", *(["owner"] if is_staff else []), "source", "runs", "runs_of_unknown_cost",
             "runs_with_estimated_cost", "cost_usd", "input_tokens", "output_tokens"]  # fmt: skip
    return csv_response(request, "loom-costs", heads, lines())


@require_POST
def budget_new(request: SignedInRequest) -> HttpResponse:
    """Make a budget; a refusal comes back with what was typed."""
    form = BudgetForm(request.POST, user=request.user)
    if form.is_valid():
        try:
            made = budgets.limit_spending(owner=request.user, **form.values())
        except LoomError as error:
            form.add_error(None, error.text())
        else:
            messages.success(request, _("The budget holds from now on: %(name)s.") % {"name": made.name})
            return redirect("costs:list")
    return _page(request, form, status=422)


@require_http_methods(["GET", "HEAD", "POST"])
def budget_edit(request: SignedInRequest, budget_id: int) -> HttpResponse:
    """Give a budget another limit or name."""
    budget = _found(request, budget_id)
    told = list(budgets.channels_of(budget))
    initial = {
        "name": budget.name, "limit_usd": budget.limit_usd.normalize(), "ends_session": budget.ends_session,
        "channels": [str(channel.pk) for channel in told],
    }  # fmt: skip
    # What another person has it told stays to be chosen.
    known = list(dict.fromkeys([*told, *channels_visible_to(request.user)]))
    form = LimitForm(request.POST if request.method == "POST" else None, initial=initial, channels=known)
    if form.is_valid():
        try:
            budgets.change_budget(budget=budget, **form.cleaned_data | {"channels": form.told()})
        except LoomError as error:
            form.add_error(None, error.text())
        else:
            messages.success(request, _("The budget is changed."))
            return redirect("costs:list")
    context = {"form": form, "budget": budget, "state": budget_states([budget])[0]}
    return render(request, "metrics/budget_edit.html", context, status=422 if form.is_bound else 200)


@require_POST
def budget_delete(request: SignedInRequest, budget_id: int) -> HttpResponse:
    """Limit nothing any more."""
    budget = _found(request, budget_id)
    budgets.delete_budget(budget=budget)
    messages.success(request, _("The budget is gone: %(name)s.") % {"name": budget.name})
    return redirect("costs:list")


def _found(request: SignedInRequest, budget_id: int) -> Budget:
    return get_object_or_404(scoped_budgets_visible_to(request.user), pk=budget_id)


def _days(request: SignedInRequest) -> tuple[str, date, date]:
    """The range that was asked for, its first and its last day."""
    key = request.GET.get("days", DEFAULT_RANGE)
    key = key if key in RANGES else DEFAULT_RANGE
    today = timezone.now().astimezone(UTC).date()
    return key, today - timedelta(days=int(key) - 1), today


def _page(request: SignedInRequest, form: BudgetForm, *, status: int = 200) -> HttpResponse:
    key, first, last = _days(request)
    rows, since = spent_between(first, last)
    before, before_since = spent_between(first - timedelta(days=int(key)), first - timedelta(days=1))
    agents = grouped(rows, lambda row: row.agent_id, names_of_agents(rows))
    people = grouped(rows, lambda row: row.owner_id, names_of_people(rows)) if request.user.is_staff else []
    is_known = since is None and before_since is None
    # What a reader may not see does not hold his runs, unless it holds everybody's: its refusal names it.
    states = budget_states(scoped_budgets_visible_to(request.user)[:SHOWN])
    context = {
        "key": key,
        "ranges": RANGES,
        "first": first,
        "since": since,
        "tiles": _tiles(rows, before if is_known else None, int(key)),
        "days": _bars(rows, first, last),
        "agents": agents[:SHOWN_ROWS],
        "more_agents": max(0, len(agents) - SHOWN_ROWS),
        "people": people[:SHOWN_ROWS],
        "budgets": states,
        "form": form,
        "csv_url": f"{reverse('costs:csv')}?days={key}",
    }
    return render(request, "metrics/costs.html", context, status=status)


def _tiles(rows: list[Spent], before: list[Spent] | None, days: int) -> list[Tile]:
    all_of_it = spent_by(None, "", rows)
    tokens = sum(row.input_tokens for row in rows), sum(row.output_tokens for row in rows)
    hint = _("Added up over the runs whose cost is known. What is only an estimate is the most that it can have been.")
    return [
        Tile(_("Spent"), _amount(all_of_it), meta=_change(all_of_it, before, days), hint=hint, is_emulated=True),
        Tile(_("Runs"), f"{all_of_it.run_count:,}", meta=_unknown_text(all_of_it)),
        Tile(_("Tokens"), f"{sum(tokens):,}" if any(tokens) else NOTHING, meta=_tokens_text(*tokens)),
    ]


def _amount(one: SpentBy) -> str:
    if one.usd is None or not one.run_count:
        return NOTHING
    return _("up to {usd}").format(usd=usd(one.usd)) if one.is_estimate else usd(one.usd)


def _unknown_text(one: SpentBy) -> str:
    if not one.unknown_count:
        return _("the cost of each is known")
    return _("of %(count)s nobody knows the cost") % {"count": f"{one.unknown_count:,}"}


def _tokens_text(put: int, got: int) -> str:
    if not put and not got:
        return _("no agent told of any")
    return _("%(put)s in, %(got)s out, as far as agents tell") % {"put": f"{put:,}", "got": f"{got:,}"}


def _change(one: SpentBy, before: list[Spent] | None, days: int) -> str:
    if before is None:
        return _("the time before is still being added up")
    earlier = spent_by(None, "", before)
    if not earlier.usd or one.usd is None:
        return _("nothing known in the %(days)s days before") % {"days": days}
    share = (one.usd - earlier.usd) / earlier.usd * 100
    return _("%(share)s %% against the %(days)s days before (%(usd)s)") % {
        "share": f"{share:+,.0f}", "days": days, "usd": usd(earlier.usd),
    }  # fmt: skip


def _bars(rows: list[Spent], first: date, last: date) -> list[dict[str, Any]]:
    """The days, newest first, each with its part of the dearest one; in months where they are many."""
    is_long = (last - first).days > 92
    found = grouped(rows, lambda row: row.day.replace(day=1) if is_long else row.day, lambda key: str(key))
    most = max((one.usd or 0 for one in found), default=0)
    return [
        {
            "one": one,
            "label": one.name[:7] if is_long else one.name,
            "percent": int((one.usd or 0) * 100 / most) if most else 0,
        }
        for one in sorted(found, key=lambda one: one.name, reverse=True)
    ]
