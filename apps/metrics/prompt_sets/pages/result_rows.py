"""What the page of a plan shows: each target's figures, each pair compared, and some of its prompts with their answers.

Figures are of the whole plan, texts are read for one page of prompts only.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from django.db.models import F
from django.db.models.functions import Left, Length

from apps.metrics.models import Plan, PlanPrompt, PlanRun, PlanTarget
from apps.metrics.prompt_sets.pages.wording import (
    check_words,
    difference_words,
    failed_words,
    share_difference_words,
    share_words,
    summary_words,
)
from apps.metrics.prompt_sets.results import TEXTS, Cell, Comparison, PlanResult, TargetResult, runs_left

ALL, FAILED, DIFFERENT = "", "failed", "different"
EXCERPT = 400
WHOLE = 50_000  # characters of an answer that are shown
RUNS_AT_ONCE = 200


@dataclass(frozen=True, slots=True)
class Figure:
    """A value, and what it is made of."""

    value: str
    about: str


@dataclass(frozen=True, slots=True)
class TargetRow:
    """A target with its figures."""

    found: TargetResult
    passed: Figure
    ttft: Figure
    total: Figure


@dataclass(frozen=True, slots=True)
class PairRow:
    """Two targets over the same prompts: the second minus the first."""

    found: Comparison
    passed: Figure
    ttft: Figure
    total: Figure


@dataclass(frozen=True, slots=True)
class RunShown:
    """A run with as much of its answer as is shown, and what its checks missed."""

    run: PlanRun
    answer: str
    length: int
    failed: list[str]

    @property
    def is_cut(self) -> bool:
        return self.length > len(self.answer)


@dataclass(frozen=True, slots=True)
class CellShown:
    """A prompt at a target. `has_passed` is None until one of its runs is over."""

    target: PlanTarget
    cell: Cell
    runs: list[RunShown] = field(default_factory=list)

    @property
    def first(self) -> RunShown | None:
        """The run that tells most: one that did not pass, else the first."""
        missed = [shown for shown in self.runs if shown.run.has_passed is False]
        return next(iter([*missed, *self.runs]), None)

    @property
    def passed_count(self) -> int:
        return sum(bool(run.has_passed) for run in self.cell.judged)


@dataclass(frozen=True, slots=True)
class PromptRow:
    """A prompt of a plan with its cells, in the order of the targets; `number` counts from 1."""

    prompt: PlanPrompt
    number: int
    cells: list[CellShown]

    @property
    def checks(self) -> list[str]:
        return [check_words(check) for check in self.prompt.checks]


def target_rows(result: PlanResult) -> list[TargetRow]:
    """The targets as the page shows them."""
    return [
        TargetRow(
            found,
            Figure(*share_words(found.passed)),
            Figure(*summary_words(found.ttft)),
            Figure(*summary_words(found.total)),
        )
        for found in result.targets
    ]


def pair_rows(result: PlanResult) -> list[PairRow]:
    """The pairs as the page shows them."""
    return [
        PairRow(
            found,
            Figure(*share_difference_words(found.passed)),
            Figure(*difference_words(found.ttft)),
            Figure(*difference_words(found.total)),
        )
        for found in result.comparisons
    ]


def spent_usd(result: PlanResult) -> Decimal:
    """What the runs have cost so far, as far as that is known."""
    return sum((found.cost_usd for found in result.targets if found.cost_usd is not None), Decimal(0))


Numbered = tuple[int, PlanPrompt, list[Cell]]


def rows_kept(result: PlanResult, show: str) -> list[Numbered]:
    """The prompts that are asked for, with their numbers."""
    numbered = [(number, prompt, cells) for number, (prompt, cells) in enumerate(result.rows, 1)]
    if show == FAILED:
        return [row for row in numbered if any(cell.has_passed is False for cell in row[2])]
    if show == DIFFERENT:
        return [row for row in numbered if {True, False} <= {cell.has_passed for cell in row[2]}]
    return numbered


def prompt_rows(result: PlanResult, numbered: Sequence[Numbered], *, characters: int = EXCERPT) -> list[PromptRow]:
    """Some prompts with so much of their answers, in two statements."""
    keys = [prompt.pk for _number, prompt, _cells in numbered]
    texts = PlanPrompt.objects.in_bulk(keys)
    shown: defaultdict[tuple[int, int], list[RunShown]] = defaultdict(list)
    for run in _runs(result.plan, keys, characters):
        failed = failed_words(run.findings, texts[run.prompt_id].checks)
        shown[run.prompt_id, run.target_id].append(RunShown(run, run.answer, run.length, failed))
    targets = [found.target for found in result.targets]
    return [
        PromptRow(
            texts[prompt.pk],
            number,
            [CellShown(target, cell, shown[prompt.pk, target.pk]) for target, cell in zip(targets, cells, strict=True)],
        )
        for number, prompt, cells in numbered
    ]


def _runs(plan: Plan, prompts: Collection[int], characters: int) -> Any:
    runs = runs_left(plan).filter(prompt__in=prompts).select_related("invocation__session").defer(*TEXTS)
    answer = F("invocation__response_text")
    return runs.annotate(answer=Left(answer, characters), length=Length(answer)).order_by("repeat", "place")


CSV_HEADS = (
    "place", "prompt_number", "prompt", "agent", "endpoint", "repeat", "run_id", "status", "has_passed",
    "failed_checks",
    "time_to_first_token_ms", "total_latency_ms", "cost_usd", "answer",
)  # fmt: skip


def csv_rows(plan: Plan) -> Iterator[tuple[object, ...]]:
    """A row for each run of a plan, in the order in which they were sent."""
    targets = {target.pk: target for target in plan.targets.select_related("agent")}
    prompts = {prompt.pk: (number, prompt) for number, prompt in enumerate(plan.prompts.all(), 1)}
    runs = runs_left(plan).select_related("invocation").defer("invocation__payload").order_by("place")
    for run in runs.iterator(chunk_size=RUNS_AT_ONCE):
        target, invocation = targets[run.target_id], run.invocation
        number, prompt = prompts[run.prompt_id]
        yield (
            run.place, number, prompt.text, target.agent.name, target.qualifier, run.repeat + 1, invocation.pk,
            invocation.status, run.has_passed, "; ".join(failed_words(run.findings, prompt.checks)),
            invocation.time_to_first_token_ms, invocation.total_latency_ms,
            None if invocation.cost_usd is None else float(invocation.cost_usd), invocation.response_text,
        )  # fmt: skip
