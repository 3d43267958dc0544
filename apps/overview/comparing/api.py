"""Runs side by side over JSON."""

from __future__ import annotations

from typing import Any, Literal

from django.http import HttpRequest
from django.utils import timezone
from ninja import Field, Query, Router, Schema

from apps.accounts.access import may_read
from apps.core.exceptions import InvalidInputError
from apps.metrics.figures.pages.ranges import parse_range
from apps.overview.comparing.columns import LONGEST, MOST, Column, columns_of_runs, keys_of
from apps.overview.comparing.outcome import Outcome, outcome_of
from apps.overview.comparing.tools import Call, Pair
from apps.overview.targets.asked import targets_of
from apps.overview.targets.comparison import comparison_of
from apps.overview.targets.schemas import ComparedTargetsOut, targets_out
from apps.sessions.selectors import events_by_invocation

router = Router(tags=["runs"])


class ComparedRun(Schema):
    """A run and what it took; null is what is not known. `start_kind` is empty where no environment starts."""

    position: int
    run_id: int
    agent_id: int
    agent_name: str
    qualifier: str
    version: str
    session_id: str
    number: int
    status: str
    start_kind: str = Field(description="created, pooled (both cold), reused (warm), unknown, or empty.")
    startup_ms: float | None
    time_to_first_token_ms: float | None
    total_latency_ms: float | None
    input_tokens: int | None
    output_tokens: int | None
    cost_usd: float | None
    cost_source: str


class TextPiece(Schema):
    kind: Literal["same", "removed", "added"] = Field(description="In both, only in the first, only in the second.")
    text: str


class TextDifference(Schema):
    """The pieces in their order; white space is not compared."""

    by: Literal["words", "paragraphs", "nothing"]
    is_cut: bool = Field(description="Only the first 262,144 characters of each are compared.")
    pieces: list[TextPiece]


class ComparedCall(Schema):
    name: str
    input: str
    status: str


class CallPair(Schema):
    verdict: Literal["same", "input", "first", "second"] = Field(
        description="The same call, the same tool with another input, only in the first, only in the second."
    )
    first: ComparedCall | None
    second: ComparedCall | None


class ToolDifference(Schema):
    is_cut: bool = Field(description="Only the first 200 calls of each are compared.")
    pairs: list[CallPair]


class CompareOut(Schema):
    """`text` and `tools` are of the runs at `first` and `second`; null where these are not compared: see `obstacle`."""

    runs: list[ComparedRun]
    first: int
    second: int
    obstacle: str
    text: TextDifference | None
    tools: ToolDifference | None


class CompareQuery(Schema):
    """Either `runs`, or `target` two to six times with what belongs to it."""

    runs: str = Field("", max_length=LONGEST, description="The ids of two to six runs, with commas between.")
    first: int = Field(1, ge=1, le=MOST, description="Which of the runs is compared, counted from 1 …")
    second: int = Field(2, ge=1, le=MOST, description="… with which other one.")
    target: list[str] = Field(
        [],
        max_length=50,
        description="Two to six times AGENT:QUALIFIER:VERSION, the agent by its id or name, the others empty or * for "
        "all; with @FROM/TO behind it for a period of its own. The first is what the others are compared with.",
    )
    metric: Literal["ttft", "startup", "total"] = Field("ttft", description="Of targets: which latency.")
    start: Literal["", "cold", "warm"] = Field(
        "", description="Of targets: which starts `n`, `p50` and `difference` are of; else the better known ones."
    )
    range: Literal["", "15m", "1h", "24h", "7d", "30d"] = Field("", description="Of targets: until now; 30d if empty.")
    from_: str = Field("", alias="from", max_length=40, description="Of targets: from when, in place of a range.")
    to: str = Field("", max_length=40, description="Of targets: before when; now if empty. At most 92 days.")
    measure_start: Literal["", "shown", "only"] = Field(
        "", description="Of targets: with the runs of Measure start, or those alone."
    )


@router.get(
    "/compare", auth=may_read, response=ComparedTargetsOut | CompareOut, summary="Put runs or targets side by side"
)
def compare_runs(request: HttpRequest, asked: Query[CompareQuery]) -> dict[str, Any]:
    """With `runs`: what each of these took, and what differs between two of them, in the text and in the tools.

    With `target`: what the runs of agents, endpoints or versions add up to over a range, cold and warm apart, and how
    the others differ from the first, each with its 95 % interval.
    """
    if asked.target and asked.runs:
        raise InvalidInputError("Either runs or targets are compared, not both.")
    return _targets(request, asked) if asked.target else _runs(request, asked.runs, asked.first, asked.second)


def _targets(request: HttpRequest, asked: CompareQuery) -> dict[str, Any]:
    now = timezone.now()
    query = {"range": asked.range, "from": asked.from_, "to": asked.to}
    period = parse_range(query, now, "30d")
    if period.problem:
        raise InvalidInputError("The range was not understood.", advice=period.problem)
    comparison = comparison_of(
        targets_of(request.user, asked.target, period, now), period, asked.metric, asked.measure_start
    )
    return targets_out(comparison, asked.start)


def _runs(request: HttpRequest, runs: str, first: int, second: int) -> dict[str, Any]:
    columns = columns_of_runs(request.user, keys_of(runs))
    if first == second or max(first, second) > len(columns):
        raise InvalidInputError("`first` and `second` name two different ones of the runs, counted from 1.")
    pair = columns[first - 1], columns[second - 1]
    outcome = outcome_of(*pair, events_by_invocation([column.run.pk for column in pair if column.run]))
    return {
        "runs": [_run_out(column) for column in columns],
        "first": first,
        "second": second,
        "obstacle": outcome.obstacle,
        **_outcome_out(outcome),
    }


def _run_out(column: Column) -> dict[str, Any]:
    run = column.run
    assert run is not None, "an address names runs"
    return {
        "position": column.position,
        "run_id": run.pk,
        "agent_id": column.agent.pk,
        "agent_name": column.agent.name,
        "qualifier": column.qualifier,
        "version": run.version,
        "session_id": run.session.runtime_session_id,
        "number": run.number,
        "status": run.status,
        "start_kind": column.start_kind,
        "startup_ms": column.startup_ms,
        "time_to_first_token_ms": run.time_to_first_token_ms,
        "total_latency_ms": run.total_latency_ms,
        "input_tokens": run.input_token_count,
        "output_tokens": run.output_token_count,
        "cost_usd": None if run.cost_usd is None else float(run.cost_usd),
        "cost_source": run.cost_source or "",
    }


def _outcome_out(outcome: Outcome) -> dict[str, Any]:
    text, tools = outcome.text, outcome.tools
    return {
        "text": text
        and {
            "by": text.by,
            "is_cut": text.is_cut,
            "pieces": [{"kind": piece.kind, "text": piece.text} for piece in text.pieces],
        },
        "tools": tools and {"is_cut": tools.is_cut, "pairs": [_pair_out(pair) for pair in tools.pairs]},
    }


def _pair_out(pair: Pair) -> dict[str, Any]:
    return {"verdict": pair.verdict, "first": _call_out(pair.first), "second": _call_out(pair.second)}


def _call_out(call: Call | None) -> dict[str, str] | None:
    return None if call is None else {"name": call.name, "input": call.input, "status": call.status}
