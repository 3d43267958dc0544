"""What a plan found: each run, each target's share with its interval, and each pair of targets compared.

Repeats of a prompt are no prompts of their own: where there are several, a prompt has passed with a target if most of
its runs have, and its time is the median of theirs. So n counts prompts, which is what the intervals assume.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import combinations
from statistics import median

from django.db.models import QuerySet

from apps.metrics.figures.comparing import Difference, Share, ShareDifference, difference, share, share_difference
from apps.metrics.figures.statistics import Summary, summarise
from apps.metrics.models import Plan, PlanPrompt, PlanRun, PlanTarget


@dataclass(slots=True)
class Cell:
    """A prompt at a target: its runs, in the order of their repeats."""

    runs: list[PlanRun] = field(default_factory=list)

    @property
    def judged(self) -> list[PlanRun]:
        return [run for run in self.runs if run.has_passed is not None]

    @property
    def has_passed(self) -> bool | None:
        """None until one of its runs is over."""
        judged = self.judged
        return 2 * sum(bool(run.has_passed) for run in judged) > len(judged) if judged else None

    @property
    def ttft_ms(self) -> float | None:
        return _median(run.invocation.time_to_first_token_ms for run in self.judged)

    @property
    def total_ms(self) -> float | None:
        return _median(run.invocation.total_latency_ms for run in self.judged if run.invocation.status == "completed")


def _median(values: object) -> float | None:
    known = [value for value in values if value is not None]  # type: ignore[attr-defined]
    return median(known) if known else None


@dataclass(frozen=True, slots=True)
class TargetResult:
    """What a target's runs add up to. `passed` counts prompts; None where none is over."""

    target: PlanTarget
    passed: Share | None
    ttft: Summary
    total: Summary
    cost_usd: Decimal | None
    unpriced_count: int
    failed_run_count: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """The second target against the first: over the prompts that both have answered. Differences are second − first."""

    first: PlanTarget
    second: PlanTarget
    passed: ShareDifference | None
    ttft: Difference | None
    total: Difference | None


@dataclass(frozen=True, slots=True)
class PlanResult:
    """A whole plan: a row for each prompt with a cell for each target, in their order."""

    plan: Plan
    rows: list[tuple[PlanPrompt, list[Cell]]]
    targets: list[TargetResult]
    comparisons: list[Comparison]
    run_total: int
    over_count: int

    @property
    def passed(self) -> Share | None:
        """Over all targets together: what a command compares with its limit."""
        cells = [cell.has_passed for _, row in self.rows for cell in row]
        judged = [has_passed for has_passed in cells if has_passed is not None]
        return share(sum(judged), len(judged))

    @property
    def is_complete(self) -> bool:
        return self.over_count == self.run_total


# What figures need no line of, and would be most of what is read.
TEXTS = ("invocation__payload", "invocation__prompt", "invocation__response_text", "invocation__error_message",
         "invocation__error_advice")  # fmt: skip


def runs_left(plan: Plan) -> QuerySet[PlanRun]:
    """The runs of a plan, without those of a session that was deleted."""
    return plan.runs.filter(invocation__session__deleted_at=None)


def result_of(plan: Plan, *, with_texts: bool = True) -> PlanResult:
    """Add up what a plan has found so far, in three statements; without texts neither prompts nor findings are read."""
    targets = list(plan.targets.select_related("agent"))
    prompts = list(plan.prompts.all() if with_texts else plan.prompts.defer("text", "checks"))
    cells: defaultdict[tuple[int, int], Cell] = defaultdict(Cell)
    runs = runs_left(plan).select_related("invocation__session").defer(*TEXTS).order_by("repeat", "place")
    for run in runs if with_texts else runs.defer(*TEXTS, "findings"):
        cells[run.prompt_id, run.target_id].runs.append(run)
    rows = [(prompt, [cells[prompt.pk, target.pk] for target in targets]) for prompt in prompts]
    columns = [[row[at] for _, row in rows] for at in range(len(targets))]
    return PlanResult(
        plan=plan,
        rows=rows,
        targets=[_of_target(target, column) for target, column in zip(targets, columns, strict=True)],
        comparisons=[
            _compare(targets[one], columns[one], targets[other], columns[other])
            for one, other in combinations(range(len(targets)), 2)
        ],
        run_total=len(targets) * len(prompts) * plan.repeat_count,
        over_count=sum(len(cell.judged) for cell in cells.values()),
    )


def _of_target(target: PlanTarget, column: Sequence[Cell]) -> TargetResult:
    judged = [cell.has_passed for cell in column if cell.has_passed is not None]
    runs = [run.invocation for cell in column for run in cell.judged]
    costs = [run.cost_usd for run in runs if run.has_reached_agent]
    known = [cost for cost in costs if cost is not None]
    return TargetResult(
        target=target,
        passed=share(sum(judged), len(judged)),
        ttft=summarise(cell.ttft_ms for cell in column if cell.ttft_ms is not None),
        total=summarise(cell.total_ms for cell in column if cell.total_ms is not None),
        cost_usd=sum(known, Decimal(0)) if known else None,
        unpriced_count=len(costs) - len(known),
        failed_run_count=sum(run.status != "completed" for run in runs),
    )


def _compare(first: PlanTarget, firsts: Sequence[Cell], second: PlanTarget, seconds: Sequence[Cell]) -> Comparison:
    pairs = list(zip(seconds, firsts, strict=True))
    passed = [(one.has_passed, other.has_passed) for one, other in pairs]
    return Comparison(
        first=first,
        second=second,
        passed=share_difference((one, other) for one, other in passed if one is not None and other is not None),
        ttft=_difference([(one.ttft_ms, other.ttft_ms) for one, other in pairs]),
        total=_difference([(one.total_ms, other.total_ms) for one, other in pairs]),
    )


def _difference(pairs: Sequence[tuple[float | None, float | None]]) -> Difference | None:
    return difference([(one, other) for one, other in pairs if one is not None and other is not None])
