"""A host that answers in this process, without any wire: the second one beside AgentCore's."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from http import HTTPStatus
from typing import Literal

from django.utils import timezone

from apps.agents.models import Agent
from apps.core.exceptions import LoomError
from apps.sessions.engine.host import COMPLETED, Environment, RunEnd, RunHandle, Sent
from apps.sessions.models import Invocation, Session


class MemoryHost:
    """Says the prompt back word by word. What a test wants of it otherwise, it sets.

    `gates`: events that the words wait for, one after the other. `asks`: it waits for a person after the first word.
    """

    kind = "external"
    has_environment = False
    interrupted_advice = "Send the prompt again."

    def __init__(self, *, on_death: Literal["interrupt", "requeue"] = "interrupt") -> None:
        self.on_death: Literal["interrupt", "requeue"] = on_death
        self.is_open = False
        self.ended: list[int] = []
        self.refusal: LoomError | None = None
        self.gates: list[asyncio.Event] = []
        self.asks = False
        self.runs: list[RunHandle] = []
        self.cancelled: list[int] = []

    async def open(self) -> None:
        self.is_open = True

    async def warm_up(self) -> None: ...

    async def close(self) -> None:
        self.is_open = False

    def check(self, agent: Agent, qualifier: str | None = None) -> None: ...

    def version(self, agent: Agent, qualifier: str) -> str:
        return "1"

    def payload(self, session: Session, prompt: str) -> str:
        return prompt

    async def run(self, run: RunHandle) -> RunEnd:
        self.runs.append(run)
        words = run.invocation.payload.split(" ")
        said = 0
        if run.resume is None:
            run.begin(1)
        else:
            said = sum(event["kind"] == "text" for event in run.resume.events)
            run.emit({"kind": "restart", "attempt": run.attempt, "checkpoint": "", "reason": "goes on"})
        try:
            for number, word in enumerate(words[said:], said):
                if number < len(self.gates):
                    await self.gates[number].wait()
                run.emit({"kind": "text", "text": word if number == 0 else f" {word}"})
                await asyncio.sleep(0)
                if self.asks and number == 0 and run.resume is None:
                    return RunEnd(Invocation.Status.WAITING)
        except asyncio.CancelledError:
            self.cancelled.append(run.invocation.pk)
            raise
        return COMPLETED

    async def end_session(self, session: Session) -> None:
        if self.refusal is not None:
            raise self.refusal
        self.ended.append(session.pk)

    def environment(self, session: Session, runs: Sequence[Sent]) -> Environment:
        return Environment("kept", timezone.now() + timedelta(minutes=15)) if runs else Environment("none")

    def error_status(self, invocation: Invocation) -> HTTPStatus:
        return HTTPStatus.INTERNAL_SERVER_ERROR
