"""Runs side by side over JSON."""

from __future__ import annotations

from typing import Any, Literal

from django.http import HttpRequest
from ninja import Field, Router, Schema
from ninja.params import functions

from apps.accounts.access import may_read
from apps.core.exceptions import InvalidInputError
from apps.overview.comparing.columns import LONGEST, MOST, Column, columns_of_runs, keys_of
from apps.overview.comparing.outcome import Outcome, outcome_of
from apps.overview.comparing.tools import Call, Pair
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


@router.get("/compare", auth=may_read, response=CompareOut, summary="Put runs side by side")
def compare_runs(
    request: HttpRequest,
    runs: str = functions.Query(max_length=LONGEST, description="The ids of two to six runs, with commas between."),
    first: int = functions.Query(1, ge=1, le=MOST, description="Which of them is compared, counted from 1 …"),
    second: int = functions.Query(2, ge=1, le=MOST, description="… with which other one."),
) -> dict[str, Any]:
    """What each of the runs took, and what differs between two of them: in the text, and in the tools they called."""
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
