"""The demo agents once more, in this process and without any wire: what the suite of sessions runs on beside AgentCore.

It takes the same orders as the emulator and tells the same truth of what it was asked, so that a test cannot tell which
of the two answers.
"""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any, Literal

from django.utils import timezone

from apps.agents.models import Agent
from apps.core.exceptions import ConflictError
from apps.sessions.engine.host import COMPLETED, Environment, RunEnd, RunHandle, Sent, agent_failed
from apps.sessions.exceptions import UnknownQualifierError
from apps.sessions.models import Invocation, Session
from apps.sessions.tests.talking import PROMPT
from loom_events.kinds import RunEvent

KIND = "external"
IDLE = timedelta(minutes=15)
PLAN = "Here is a plan that leaves room to breathe, and a second one for rain. " * 8


def pieces_of(name: str, prompt: str, *, is_first: bool) -> list[RunEvent]:
    """What a demo agent says, an event for each piece."""
    greeting = "You asked about" if is_first else "Picking up from before:"
    words = f"{greeting} **“{prompt}”**. {PLAN}".split(" ")
    texts: list[RunEvent] = [{"kind": "text", "text": f"{word} "} for word in words]
    if name == "sentiment_scorer":
        value: Any = {"result": "positive", "score": 0.9}
        return [{"kind": "json", "value": value, "text": "positive"}]
    if name == "claims_intake":
        return [*texts[:12], {"kind": "error", "error_type": "ToolError", "message": "The claims database is away."}]
    if name == "inventory_analyst":
        tool = "tool-1"
        return [
            *texts[:4],
            {"kind": "tool", "tool_use_id": tool, "name": "query_stock", "span_id": tool},
            {"kind": "tool_input", "tool_use_id": tool, "text": '{"weeks": 2}', "span_id": tool},
            {"kind": "tool_result", "tool_use_id": tool, "status": "success", "text": "14 rows", "span_id": tool},
            *texts[4:],
            {"kind": "usage", "input_tokens": 120, "output_tokens": 80, "total_tokens": 200},
        ]
    return texts


class MemoryAgents:
    """A host, and what the emulator is to a test: orders to take, and a record of what came."""

    kind = KIND
    has_environment = True
    on_death: Literal["interrupt", "requeue"] = "interrupt"
    interrupted_advice = "Send the prompt again if you need the whole answer."

    def __init__(self) -> None:
        self._orders: list[dict[str, Any]] = []
        self._records: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
        self._kept: set[str] = set()
        self._said: defaultdict[str, asyncio.Queue[str | None]] = defaultdict(asyncio.Queue)
        self.talks = False

    # --- what a test dictates, as to a Talker -------------------------------------------------------------------------

    def say(self, *pieces: str, to: str = PROMPT) -> None:
        for piece in pieces:
            self._said[to].put_nowait(piece)

    def end(self, to: str = PROMPT) -> None:
        self._said[to].put_nowait(None)

    # --- what a test asks of it, as of the emulator -------------------------------------------------------------------

    def order(self, **fault: Any) -> None:
        self._orders.append({"count": 1, **fault})

    def clear(self) -> None:
        self._orders.clear()

    def invocations(self, session_id: str) -> list[dict[str, Any]]:
        return self._records[session_id]

    def _ordered(self, operation: str) -> dict[str, Any]:
        for order in self._orders:
            if order.get("operation", "InvokeAgentRuntime") == operation:
                order["count"] -= 1
                if not order["count"]:
                    self._orders.remove(order)
                return order
        return {}

    # --- the host -----------------------------------------------------------------------------------------------------

    async def open(self) -> None: ...

    async def warm_up(self) -> None: ...

    async def close(self) -> None: ...

    def check(self, agent: Agent, qualifier: str | None = None) -> None:
        if qualifier is not None and qualifier not in agent.available_qualifiers:
            known = ", ".join(agent.available_qualifiers)
            raise UnknownQualifierError(
                f"{agent.name} has no endpoint of this name.", advice=f"Its endpoints are: {known}."
            )

    def version(self, agent: Agent, qualifier: str) -> str:
        return agent.endpoints.filter(name=qualifier).values_list("live_version", flat=True).first() or ""

    def payload(self, session: Session, prompt: str) -> str:
        return json.dumps({"prompt": prompt}, ensure_ascii=False)

    async def run(self, run: RunHandle) -> RunEnd:
        session, order = run.invocation.session, self._ordered("InvokeAgentRuntime")
        body = json.loads(run.invocation.payload)
        prompt = str(body.get("prompt", "")) if isinstance(body, dict) else run.invocation.payload
        run.begin(1)
        record: dict[str, Any] = {
            "received_at": datetime.now(UTC).isoformat(), "first_byte_at": None, "client_gone_at": None,
            "last_byte_at": None, "payload": body, "tokens_sent": 0,
            "start_kind": "reused" if session.runtime_session_id in self._kept else "created",
        }  # fmt: skip
        is_json = session.agent.name == "sentiment_scorer"
        self._answer(run, "application/json" if is_json else "text/event-stream")
        if self.talks:
            return await self._repeat(run, self._said[prompt])
        self._records[session.runtime_session_id].append(record)
        if order.get("kind") == "error":
            return RunEnd(Invocation.Status.FAILED, code=order["code"], message=order.get("message", "Refused."))
        pieces = pieces_of(session.agent.name, prompt, is_first=session.runtime_session_id not in self._kept)
        self._kept.add(session.runtime_session_id)
        try:
            if order.get("kind") == "hang":
                await asyncio.sleep(order["seconds"])
            record["first_byte_at"] = datetime.now(UTC).isoformat()
            has_failed = await self._say(run, pieces, order)
        except asyncio.CancelledError:
            record["tokens_sent"] = len(run.events)
            record["client_gone_at"] = datetime.now(UTC).isoformat()
            raise
        record["last_byte_at"] = datetime.now(UTC).isoformat()
        return has_failed or COMPLETED

    @staticmethod
    def _answer(run: RunHandle, content_type: str) -> None:
        at_ms = run.now_ms()
        run.emit({"kind": "headers", "http_status": 200, "content_type": content_type}, at_ms=at_ms)
        run.note({"headers_at": at_ms}, http_status=200, content_type=content_type, request_id="memory")

    async def _say(self, run: RunHandle, pieces: Iterable[RunEvent], order: dict[str, Any]) -> RunEnd | None:
        silent_after = order.get("after_chunks") if order.get("kind") == "silence" else None
        for number, piece in enumerate(pieces):
            if number == silent_after:
                await asyncio.sleep(order["seconds"])
            at_ms = run.now_ms()
            run.received(len(str(piece)), at_ms)
            run.emit(piece, at_ms=at_ms)
            if piece["kind"] == "error":
                return agent_failed(piece, "The agent itself reported this in its stream; its log says more.")
            await asyncio.sleep(0.001)
        return None

    async def _repeat(self, run: RunHandle, said: asyncio.Queue[str | None]) -> RunEnd:
        while (text := await said.get()) is not None:
            at_ms = run.now_ms()
            run.received(len(text), at_ms)
            run.emit({"kind": "text", "text": text}, at_ms=at_ms)
        return COMPLETED

    async def end_session(self, session: Session) -> None:
        if order := self._ordered("StopRuntimeSession"):
            raise ConflictError(order.get("message", "Not now."))
        self._kept.discard(session.runtime_session_id)

    def environment(self, session: Session, runs: Sequence[Sent]) -> Environment:
        if session.is_ended:
            return Environment("ended")
        if not runs:
            return Environment("none")
        expires_at = (runs[-1][1] or timezone.now()) + IDLE
        return Environment("kept" if expires_at > timezone.now() else "gone", expires_at)

    def error_status(self, invocation: Invocation) -> HTTPStatus:
        return HTTPStatus.INTERNAL_SERVER_ERROR
