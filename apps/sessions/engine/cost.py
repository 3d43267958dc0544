"""What a run cost, as the columns of its row; known in the moment it ends, as far as it ever is."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from apps.costs.runs import Used, cost_of
from apps.sessions.models import Invocation


def cost_columns(run: Invocation) -> dict[str, Any]:
    """For a run as its end is stored, which may be tried more than once. A cost that its host was told stays."""
    if run.cost_source == "reported":
        return {}
    busy_ms = run.total_latency_ms
    cost = cost_of(
        Used(
            kind=run.kind or run.session.agent.kind,
            at=run.invoked_at if run.has_reached_agent else None,
            busy=None if busy_ms is None else timedelta(milliseconds=busy_ms),
            model=run.model or "",
            input_tokens=run.input_token_count,
            output_tokens=run.output_token_count,
        )
    )
    run.cost_usd, run.cost_source = cost.usd, cost.source
    return {"cost_usd": cost.usd, "cost_source": cost.source}
