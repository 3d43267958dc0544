"""Prompt sets and plans as JSON: what is sent to the API, and what it answers."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

from ninja import Field, Schema

from apps.agents.forms import PROMPT_MAX_LENGTH, QUALIFIER_SCHEMA
from apps.metrics.figures.comparing import Difference, Share, ShareDifference
from apps.metrics.figures.statistics import Summary
from apps.metrics.models import Plan
from apps.metrics.prompt_sets.reading import MAX_BYTES, MAX_PROMPTS
from apps.metrics.prompt_sets.results import PlanResult, TargetResult, result_of
from apps.metrics.prompt_sets.services import NAME_LENGTH
from apps.metrics.series.planning import Order
from apps.metrics.series.plans import DEFAULT_MINUTES, MAX_AT_ONCE, MAX_MINUTES, MAX_REPEATS, MAX_TARGETS
from apps.metrics.series.services import DEFAULT_MAX_COST_USD

Key = Annotated[int, Field(ge=1, le=2**63 - 1)]


class PromptIn(Schema):
    prompt: str = Field(max_length=PROMPT_MAX_LENGTH)
    checks: list[dict[str, Any]] = Field([], description="What is wanted of the answer: see docs/prompt-sets.md.")


class PromptsIn(Schema):
    """One of `prompts`, `run_ids` (of past runs) and `text` (a file's, with its `format`)."""

    prompts: list[PromptIn] | None = Field(None, max_length=MAX_PROMPTS)
    run_ids: list[Key] | None = Field(None, max_length=MAX_PROMPTS)
    text: str | None = Field(None, max_length=MAX_BYTES)
    format: Literal["csv", "jsonl"] = "jsonl"


class PromptSetIn(PromptsIn):
    name: str = Field(max_length=NAME_LENGTH)


class PromptSetChangeIn(Schema, extra="forbid"):
    name: str = Field(max_length=NAME_LENGTH)


class PromptOut(Schema):
    """`mark` changes with the prompt and its checks: sent back with a change, it replaces nothing unseen."""

    id: int
    prompt: str
    checks: list[dict[str, Any]]
    run_id: int | None = Field(description="The run that it was made from.")
    mark: str


class PromptSetOut(Schema):
    id: int
    name: str
    owner: str
    prompt_count: int
    created_at: datetime


class PromptSetDetailOut(PromptSetOut):
    prompts: list[PromptOut]


class TargetIn(Schema):
    agent_id: Key
    qualifier: str = Field("DEFAULT", json_schema_extra=QUALIFIER_SCHEMA)


class LimitsIn(Schema):
    targets: list[TargetIn] = Field(min_length=1, max_length=MAX_TARGETS)
    max_cost_usd: Decimal = Field(DEFAULT_MAX_COST_USD, gt=0, description="Refused where the estimate is higher.")
    max_minutes: int = Field(DEFAULT_MINUTES, ge=1, le=MAX_MINUTES, description="No run begins after so many.")


class RunPromptSetIn(LimitsIn):
    repeats: int = Field(1, ge=1, le=MAX_REPEATS)
    order: Order = Order.INTERLEAVED
    seed: int | None = Field(None, ge=0, lt=2**31, description="Of the random order; one is chosen where it is null.")
    at_once: int = Field(1, ge=1, le=MAX_AT_ONCE)


class SideBySideIn(LimitsIn):
    prompt: str = Field(max_length=PROMPT_MAX_LENGTH)


class ShareOut(Schema):
    """`count` of `n`, with the 95 % interval of the share (Wilson)."""

    count: int
    n: int
    share: float
    low: float
    high: float


class SummaryOut(Schema):
    """Milliseconds; the median with its 95 % interval from six prompts on, else null."""

    n: int
    min_ms: float | None
    max_ms: float | None
    p50_ms: float | None
    low_ms: float | None
    high_ms: float | None


class ShareDifferenceOut(Schema):
    """Over the same `n` prompts, second − first, with its 95 % interval (Newcombe, paired)."""

    n: int
    difference: float
    low: float
    high: float
    only_first: int
    only_second: int


class DifferenceOut(Schema):
    """Milliseconds, second − first: the median of the pairs with its interval from six on, else null."""

    n: int
    p50_ms: float | None
    low_ms: float | None
    high_ms: float | None
    min_ms: float
    max_ms: float


class TargetOut(Schema):
    agent_id: int
    agent_name: str
    qualifier: str
    passed: ShareOut | None
    time_to_first_token: SummaryOut
    total: SummaryOut
    cost_usd: float | None = Field(description="Of the runs whose cost is known.")
    unpriced_count: int
    failed_run_count: int


class ComparisonOut(Schema):
    first: int = Field(description="Which of the targets, from 0.")
    second: int
    passed: ShareDifferenceOut | None
    time_to_first_token: DifferenceOut | None
    total: DifferenceOut | None


class PlanRunOut(Schema):
    place: int
    prompt: int = Field(description="Which of the prompts, from 0; so is the target.")
    target: int
    repeat: int
    run_id: int
    session_id: str
    status: str
    has_passed: bool | None
    findings: list[dict[str, Any]]
    time_to_first_token_ms: float | None
    total_latency_ms: float | None
    cost_usd: float | None


class PlanOut(Schema):
    """What was asked for and what is found so far; `passed` counts prompts over all targets."""

    id: int
    name: str
    source: str
    prompt_set_id: int | None
    state: str = Field(description="running, done, cancelled or failed (it could not go on)")
    message: str
    order: str
    seed: int
    run_count: int
    done: int
    passed: ShareOut | None
    targets: list[TargetOut]
    comparisons: list[ComparisonOut]
    prompts: list[str]
    runs: list[PlanRunOut]


def share_out(found: Share | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return {"count": found.count, "n": found.n, "share": found.value, "low": found.low, "high": found.high}


def _summary_out(summary: Summary) -> dict[str, Any]:
    p50 = summary.p50
    return {
        "n": summary.n,
        "min_ms": summary.minimum,
        "max_ms": summary.maximum,
        "p50_ms": p50.value if p50 else None,
        "low_ms": p50.low if p50 else None,
        "high_ms": p50.high if p50 else None,
    }


def _share_difference_out(found: ShareDifference | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return {
        "n": found.n,
        "difference": found.value,
        "low": found.low,
        "high": found.high,
        "only_first": found.only_second,  # the pairs are second − first
        "only_second": found.only_first,
    }


def _difference_out(found: Difference | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return _summary_out(Summary(found.n, found.minimum, found.maximum, found.median))


def _target_out(found: TargetResult) -> dict[str, Any]:
    return {
        "agent_id": found.target.agent_id,
        "agent_name": found.target.agent.name,
        "qualifier": found.target.qualifier,
        "passed": share_out(found.passed),
        "time_to_first_token": _summary_out(found.ttft),
        "total": _summary_out(found.total),
        "cost_usd": None if found.cost_usd is None else float(found.cost_usd),
        "unpriced_count": found.unpriced_count,
        "failed_run_count": found.failed_run_count,
    }


def plan_out(plan: Plan) -> dict[str, Any]:
    """A plan under the keys of PlanOut."""
    result = result_of(plan)
    positions = {found.target.pk: found.target.position for found in result.targets}
    return {
        "id": plan.pk,
        "name": plan.name,
        "source": plan.source,
        "prompt_set_id": plan.prompt_set_id,
        "state": plan.state,
        "message": plan.message,
        "order": plan.order,
        "seed": plan.seed,
        "run_count": result.run_total,
        "done": result.over_count,
        "passed": share_out(result.passed),
        "targets": [_target_out(found) for found in result.targets],
        "comparisons": [
            {
                "first": positions[one.first.pk],
                "second": positions[one.second.pk],
                "passed": _share_difference_out(one.passed),
                "time_to_first_token": _difference_out(one.ttft),
                "total": _difference_out(one.total),
            }
            for one in result.comparisons
        ],
        "prompts": [prompt.text for prompt, _ in result.rows],
        "runs": _runs_out(result, positions),
    }


def _runs_out(result: PlanResult, positions: dict[int, int]) -> list[dict[str, Any]]:
    found = [
        {
            "place": run.place,
            "prompt": prompt.position,
            "target": positions[run.target_id],
            "repeat": run.repeat,
            "run_id": run.invocation_id,
            "session_id": run.invocation.session.runtime_session_id,
            "status": run.invocation.status,
            "has_passed": run.has_passed,
            "findings": run.findings,
            "time_to_first_token_ms": run.invocation.time_to_first_token_ms,
            "total_latency_ms": run.invocation.total_latency_ms,
            "cost_usd": None if run.invocation.cost_usd is None else float(run.invocation.cost_usd),
        }
        for prompt, row in result.rows
        for cell in row
        for run in cell.runs
    ]
    return sorted(found, key=lambda run: run["place"])
