"""Pages of a run that waits for a person: no environment is in use then, and a stop is seen at once."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from asgiref.sync import sync_to_async

from apps.accounts.models import User
from apps.sessions.engine import engine as engine_module
from apps.sessions.engine.engine import Engine
from apps.sessions.invoking import invoke, stop_invocation
from apps.sessions.tests.memory_host import MemoryHost
from apps.sessions.tests.queueing import MakeSession, in_state
from apps.sessions.tests.queueing import echo as echo
from apps.sessions.tests.queueing import talk as talk

pytestmark = pytest.mark.agentcore  # they bring a host of their own


async def test_the_page_sees_it_wait_and_end_without_a_reload(
    echo: MemoryHost,  # there before the engine asks for its hosts
    talk: MakeSession,
    pages: Any,
    running_engine: Engine,
    alice: User,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(engine_module, "WAITING_POLL_S", 3600.0)  # only news can tell of the end
    echo.asks, echo.gates = True, [asyncio.Event()]
    session = await sync_to_async(talk)()
    run = await sync_to_async(invoke)(session=session, prompt="one two three")
    page = await pages(session, alice)
    await page.read_until("Streaming|Pending")

    echo.gates[0].set()
    await in_state(run, "waiting")
    assert "In use." not in await page.read_until('data-part="environment" data-state="kept"')

    await sync_to_async(stop_invocation)(invocation=run)
    await page.read_until("Stopped")
    await page.join()
