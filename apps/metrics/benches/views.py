"""The pages of latency benches: the list, the form, one bench with its progress, its file and its stop."""

from __future__ import annotations

from typing import Any

from django.db.models import Count
from django.http import HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from django.views.decorators.vary import vary_on_headers

from apps.accounts.http import SignedInRequest
from apps.core.exceptions import LoomError
from apps.core.tables.export import csv_response
from apps.metrics.benches.drawing import curves_of
from apps.metrics.benches.files import HEADS, csv_rows
from apps.metrics.benches.forms import TARGETS, BenchForm
from apps.metrics.benches.listing import BENCHES
from apps.metrics.benches.results import result_of
from apps.metrics.benches.selectors import bench_plans_visible_to, benches_visible_to
from apps.metrics.benches.services import estimate_usd, start_bench
from apps.metrics.benches.wording import LETTERS, OUTCOMES, TONES, rung_rows, verdict_of
from apps.metrics.models import Bench, Plan
from apps.metrics.series.plans import cancel_plan
from apps.metrics.series.running import advance_plan
from apps.sessions.choosing import agents_named, keys_of_targets, offered_agents, target_value, targets_of

KEPT = ("metric", "start", "stops_early")


# One address gives a page or its table: without this a browser could show the table alone on the way back.
@vary_on_headers("HX-Request", "HX-Target")
@require_safe
def bench_list(request: SignedInRequest) -> HttpResponse:
    """The benches, searched by `q` and kept by `state`, in pages."""
    visible = bench_plans_visible_to(request.user)
    table = BENCHES.listing(visible, request.GET)
    context = {"table": table, "has_any": bool(table.rows) or visible.exists()}
    is_table_only = request.htmx and request.htmx.target == "bench-table"
    return render(request, "metrics/bench_list.html" + ("#bench-table" if is_table_only else ""), context)


def _estimate(form: BenchForm) -> dict[str, Any]:
    """What the bench as filled in costs at most; nothing where a target is missing."""
    if not form.is_bound:
        initial = {name: field.initial for name, field in form.fields.items() if field.initial is not None}
        form = BenchForm({**initial, **form.initial}, agents=list(form.agents.values()))
    form.is_valid()
    asked = form.asked()
    if asked is None:
        return {"estimate_usd": None}
    estimate = estimate_usd(asked)
    return {"estimate_usd": estimate, "asked": asked, "is_too_much": estimate > asked.max_cost_usd}


@never_cache  # a page from the browser's own store would carry a used key
@require_http_methods(["GET", "HEAD", "POST"])
def bench_new(request: SignedInRequest) -> HttpResponse:
    """How two targets are measured; a POST begins it. The address may name an `agent`, or a bench to send `again`."""
    is_asked = request.method == "POST"
    initial = {} if is_asked else _begun_with(request)
    wanted = [request.POST.get(name, "") if is_asked else initial.get(name, "") for name in TARGETS]
    find = request.GET.get("find", "")
    offered = offered_agents(request.user, text=find, keys=keys_of_targets(wanted), is_ready=True)
    form = BenchForm(request.POST if is_asked else None, agents=offered.agents, initial=initial)
    if is_asked and form.is_valid() and (asked := form.asked()) is not None:
        try:
            bench = start_bench(owner=request.user, asked=asked, request_key=form.cleaned_data["request_key"])
        except LoomError as error:
            form.add_error(None, error.text())
        else:
            advance_plan(bench.plan_id)
            return redirect(bench)
    kept = [(name, request.GET[name]) for name in ("agent", "again") if name in request.GET]
    context = {"form": form, "offered": offered, "find": find, "kept": kept, **_estimate(form)}
    return render(request, "metrics/bench_new.html", context, status=422 if is_asked else 200)


def _begun_with(request: SignedInRequest) -> dict[str, Any]:
    """What an address asks to begin with; nothing of what the reader may not see."""
    [again] = keys_of_targets([request.GET.get("again", "")]) or [0]
    bench = benches_visible_to(request.user).filter(plan=again).first()
    if bench is None:
        agents = agents_named(request.user, [request.GET.get("agent", "")])
        return dict(zip(TARGETS, [value for agent in agents for value, _label in targets_of(agent)], strict=False))
    targets = bench.plan.targets.order_by("position").values_list("agent_id", "qualifier")
    return {
        **dict(zip(TARGETS, (target_value(*target) for target in targets), strict=False)),
        **{name: getattr(bench, name) for name in KEPT},
        "prompt": bench.plan.prompts.values_list("text", flat=True).first() or "",
        "rungs": ", ".join(map(str, bench.rungs)),
        "pairs": bench.pair_count,
        "warm_up": bench.warm_up_count,
        "max_cost_usd": bench.plan.budget.limit_usd,
    }


@require_safe
def estimate_fragment(request: SignedInRequest) -> HttpResponse:
    """What a bench as filled in would cost at most."""
    form = BenchForm(request.GET, agents=agents_named(request.user, [request.GET.get(name, "") for name in TARGETS]))
    return render(request, "metrics/_bench_estimate.html", _estimate(form))


def _found(request: SignedInRequest, bench_id: int) -> Bench:
    return get_object_or_404(benches_visible_to(request.user), plan=bench_id)


def _context(bench: Bench) -> dict[str, Any]:
    mark = _mark_of(bench.plan)  # before the rest: what comes meanwhile is asked for once more
    result = result_of(bench)
    return {
        "bench": bench,
        "plan": bench.plan,
        "mark": mark,
        "result": result,
        "outcome": OUTCOMES[result.outcome],
        "tone": TONES.get(result.outcome, result.outcome),
        "verdict": verdict_of(result),
        "rows": rung_rows(result),
        "targets": list(zip(LETTERS, result.targets, strict=True)),
        "curves": curves_of(result),
        "prompt": bench.plan.prompts.values_list("text", flat=True).first(),
    }


def _mark_of(plan: Plan) -> str:
    """What tells one state of a bench from another: nothing else of it changes while it runs."""
    counts = plan.runs.aggregate(begun=Count("pk"), over=Count("has_passed"))
    return f"{plan.state}-{int(plan.cancel_requested_at is not None)}-{counts['begun']}-{counts['over']}"


@require_safe
def bench_detail(request: SignedInRequest, bench_id: int) -> HttpResponse:
    """A bench: its progress, what follows of it, a table of its rungs and their medians as lines."""
    return render(request, "metrics/bench_detail.html", _context(_found(request, bench_id)))


@require_safe
def bench_progress_fragment(request: SignedInRequest, bench_id: int) -> HttpResponse:
    """What changes on the page of a bench while it runs; nothing where the page, which says so, shows all of it."""
    bench = _found(request, bench_id)
    if request.headers.get("Loom-Seen") == _mark_of(bench.plan):
        return HttpResponse(status=204)  # what somebody reads or has the focus on stays as it is
    return render(request, "metrics/_bench_detail.html", _context(bench))


@require_safe
def bench_csv(request: SignedInRequest, bench_id: int) -> StreamingHttpResponse:
    """A row for each run of a bench."""
    return csv_response(request, f"bench-{bench_id}", HEADS, csv_rows(_found(request, bench_id)))


@require_POST
def bench_stop(request: SignedInRequest, bench_id: int) -> HttpResponse:
    """Stop what is out; what was measured stays."""
    bench = _found(request, bench_id)
    cancel_plan(plan=bench.plan)
    advance_plan(bench.plan_id)
    return redirect(bench)
