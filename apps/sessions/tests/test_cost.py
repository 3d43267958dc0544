"""What a run cost stands in its row when it is over, however it ended."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import ROUND_UP, Decimal
from typing import Any

from asgiref.sync import sync_to_async
from django.utils import timezone

from apps.costs.models import TokenPrice
from apps.costs.runtime import run_usd
from apps.sessions.engine.engine import Engine
from apps.sessions.engine.recording import Pending, finish_invocation
from apps.sessions.models import Invocation
from apps.sessions.tests.waiting import PATIENCE_S

Begin = Callable[..., Invocation]
MILLIONTH = Decimal("0.000001")


async def ran(engine: Engine, begin: Begin, *args: Any) -> Invocation:
    invocation = await sync_to_async(begin)(*args)
    stream = engine.launch(invocation)
    assert stream.task is not None
    await asyncio.wait_for(asyncio.shield(stream.task), PATIENCE_S)
    return await Invocation.objects.aget(pk=invocation.pk)


async def test_a_run_on_agentcore_costs_at_most_the_largest_environment_for_as_long_as_it_took(
    running_engine: Engine, begin: Begin, host_kind: str
) -> None:
    run = await ran(running_engine, begin)

    if host_kind == "memory":  # nobody said what its environments cost, nor which model answered
        assert (run.cost_usd, run.cost_source) == (None, "unknown")
        return
    assert run.total_latency_ms is not None
    most = run_usd(timedelta(milliseconds=run.total_latency_ms)).quantize(MILLIONTH, rounding=ROUND_UP)
    assert (run.cost_usd, run.cost_source) == (most, "estimate")


async def test_a_refused_prompt_has_no_cost(running_engine: Engine, begin: Begin, emulator: Any) -> None:
    emulator.order(kind="error", operation="InvokeAgentRuntime", code="ValidationException", status=400)
    run = await ran(running_engine, begin)

    assert (run.status, run.cost_usd, run.cost_source) == ("failed", None, "unknown")


def test_a_run_that_is_ended_from_its_row_is_priced_too(begin: Begin, host_kind: str) -> None:
    run = begin("inventory_analyst")
    now = datetime(2026, 11, 20, tzinfo=UTC)
    TokenPrice.objects.create(provider="x", model="m", since_at=now, input_usd=2, output_usd=10, source="a test")
    sent_at = timezone.now()
    told = {"invoked_at": sent_at, "model": "m", "input_token_count": 1000, "output_token_count": 100}
    Invocation.objects.filter(pk=run.pk).update(process=None)
    ended_at = sent_at + timedelta(seconds=1)
    assert finish_invocation(None, Pending(run.pk, [], told), status="interrupted", completed_at=ended_at)

    run.refresh_from_db()
    tokens = Decimal("0.003000")
    if host_kind == "memory":
        assert (run.cost_usd, run.cost_source) == (tokens, "priced")
    else:
        most = run_usd(timedelta(seconds=1)) + tokens
        assert (run.cost_usd, run.cost_source) == (most.quantize(MILLIONTH, rounding=ROUND_UP), "estimate")
