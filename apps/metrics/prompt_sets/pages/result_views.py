"""What a plan found: its progress while it runs, its figures, its prompts with their answers, and each as a file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db.models import Count
from django.http import Http404, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from apps.accounts.http import SignedInRequest
from apps.core.tables.export import csv_response
from apps.core.tables.page import page_of
from apps.core.text.differences import Difference, difference
from apps.metrics.models import Plan
from apps.metrics.prompt_sets.pages.replay_views import found_plan
from apps.metrics.prompt_sets.pages.result_rows import (
    ALL,
    CSV_HEADS,
    DIFFERENT,
    FAILED,
    WHOLE,
    CellShown,
    RunShown,
    csv_rows,
    pair_rows,
    prompt_rows,
    rows_kept,
    spent_usd,
    target_rows,
)
from apps.metrics.prompt_sets.results import result_of

PAGE_SIZE = 20
SHOWN: dict[str, Promise] = {ALL: _("All prompts"), FAILED: _("Not passed"), DIFFERENT: _("Passed with one only")}


def _context(request: SignedInRequest, plan: Plan) -> dict[str, Any]:
    mark = _mark_of(plan)  # before the rest: what comes meanwhile is asked for once more
    result = result_of(plan, with_texts=False)
    show = request.GET.get("show", "")
    kept = rows_kept(result, show if show in SHOWN else ALL)
    page = page_of(kept, request.GET, PAGE_SIZE)
    targets = target_rows(result)
    return {
        "plan": plan,
        "mark": mark,
        "result": result,
        "targets": targets,
        "pairs": pair_rows(result),
        "page": page,
        "rows": prompt_rows(result, list(page.object_list)),
        "show": show if show in SHOWN else ALL,
        "choices": [choice for choice in SHOWN.items() if choice[0] != DIFFERENT or len(targets) > 1],
        "spent_usd": spent_usd(result),
        "unpriced_count": sum(found.unpriced_count for found in result.targets),
        "has_checks": plan.prompts.exclude(checks=[]).exists(),
    }


def _mark_of(plan: Plan) -> str:
    """What tells one state of a plan from another: nothing else of it changes while it runs."""
    counts = plan.runs.aggregate(begun=Count("pk"), over=Count("has_passed"))
    return f"{plan.state}-{int(plan.cancel_requested_at is not None)}-{counts['begun']}-{counts['over']}"


@require_safe
def results(request: SignedInRequest, set_id: int, plan_id: int) -> HttpResponse:
    """A plan: its progress, its figures, and its prompts, kept by `show`, in pages."""
    plan = found_plan(request, set_id, plan_id)
    return render(request, "metrics/prompt_set_results.html", _context(request, plan))


@require_safe
def results_fragment(request: SignedInRequest, set_id: int, plan_id: int) -> HttpResponse:
    """What changes on the page of a plan while it runs; nothing where the page, which says so, shows all of it."""
    plan = found_plan(request, set_id, plan_id)
    if request.headers.get("Loom-Seen") == _mark_of(plan):
        return HttpResponse(status=204)  # what somebody reads or has the focus on stays as it is
    return render(request, "metrics/_prompt_set_results.html", _context(request, plan))


@require_safe
def results_csv(request: SignedInRequest, set_id: int, plan_id: int) -> StreamingHttpResponse:
    """A row for each run of a plan."""
    plan = found_plan(request, set_id, plan_id)
    return csv_response(request, f"results-{plan_id}", CSV_HEADS, csv_rows(plan))


@dataclass(frozen=True, slots=True)
class Beside:
    """The same repeat of a prompt at each target, and where that is wanted what differs between the first two."""

    repeat: int
    runs: list[tuple[CellShown, RunShown | None]]
    has_words: bool
    words: Difference | None


@require_safe
def compare(request: SignedInRequest, set_id: int, plan_id: int, number: int) -> HttpResponse:
    """One prompt of a plan: the whole answers beside each other, and which words differ of the repeat `words`."""
    plan = found_plan(request, set_id, plan_id)
    result = result_of(plan, with_texts=False)
    numbered = [row for row in rows_kept(result, ALL) if row[0] == number]
    if not numbered:
        raise Http404
    [row] = prompt_rows(result, numbered, characters=WHOLE)
    wanted = request.GET.get("words", "")
    repeats = range(plan.repeat_count)
    context = {
        "plan": plan,
        "row": row,
        "repeats": [_beside(row.cells, repeat, has_words=wanted == str(repeat + 1)) for repeat in repeats],
        "before": number - 1,
        "after": number + 1 if number < len(result.rows) else 0,
    }
    return render(request, "metrics/prompt_set_compare.html", context)


def _beside(cells: list[CellShown], repeat: int, *, has_words: bool) -> Beside:
    runs = [(cell, next((one for one in cell.runs if one.run.repeat == repeat), None)) for cell in cells]
    first, second = (runs[0][1], runs[1][1]) if len(runs) > 1 else (None, None)
    words = difference(first.answer, second.answer) if has_words and first and second else None
    return Beside(repeat + 1, runs, has_words, words)
