"""The run itself: describe, invoke cold, go on, stop, end the session, measure the starts, try what is open."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial

from django.conf import settings

from apps.agentcore.payload import build_payload
from apps.aws.agentcore import AgentCoreClient
from apps.awsverify.smoke.findings import Say, SmokeRun, Step
from apps.awsverify.smoke.log_seen import SessionPlace, see_log
from apps.awsverify.smoke.plan import PROMPT, Budget, SmokePlan
from apps.awsverify.smoke.probes import (
    Request,
    add_stream_ages,
    invoke_by_endpoint_arn,
    invoke_for_json,
    list_metric_dimensions,
    try_session_id_lengths,
)
from apps.awsverify.smoke.steps import failed_step, log_step, recording_step, start_step, turn_step
from apps.awsverify.smoke.turns import BY_ENDPOINT_ARN, COLD, FOR_JSON, STOPPED, Conversation, Turn, take_turn
from loom_client import Client, ClientError

Probe = Callable[[AgentCoreClient, Request, str], Awaitable[Turn]]


def run_smoke(plan: SmokePlan, loom: Client, say: Say) -> SmokeRun:
    """Do the plan in one new session of `loom`, telling each step as it ends.

    Never raises for AWS, the agent or Loom. The session is ended whatever happens in between, and an agent that Loom
    did not have before is archived again.
    """
    run = SmokeRun(started_at=datetime.now(UTC))
    smoke = _Smoke(plan, loom, run, say)
    try:
        smoke.describe()
        if run.is_ok:
            try:
                smoke.converse()
            finally:
                smoke.end_session()
            smoke.probe_session_ids()
            smoke.measure()
            run.metrics = asyncio.run(list_metric_dimensions(plan.connection, plan.arn.region))
    finally:
        smoke.tidy_up()
    return run


class _Smoke:
    """One run: its plan, what it has seen so far, and what is left of its prompts."""

    def __init__(self, plan: SmokePlan, loom: Client, run: SmokeRun, say: Say) -> None:
        self._plan = plan
        self._loom = loom
        self._run = run
        self._say = say
        self._budget = Budget(plan.max_invocations)
        self._has_registered = False

    @property
    def _agent_id(self) -> int:
        assert self._run.agent is not None, "nothing is done with an agent that could not be described"
        return self._run.agent.id

    def describe(self) -> None:
        """Have Loom read the agent from AWS, registering it if need be."""
        try:
            known = [agent for agent in self._loom.agents() if agent.arn == self._plan.arn.runtime_arn]
            agent = self._loom.refresh(known[0].id) if known else self._loom.register(self._plan.arn.runtime_arn)
        except ClientError as error:
            self._tell(failed_step("describe", error))
            return
        self._run.agent, self._has_registered = agent, not known
        names = [endpoint.name for endpoint in agent.endpoints]
        if agent.origin != self._plan.connection.origin:
            message = f"Loom speaks to {agent.origin}, this command to {self._plan.connection.origin}"
            self._tell(Step("describe", "failed", message, "Give both the same LOOM_AWS."))
        elif agent.obstacles:
            obstacle = agent.obstacles[0]
            self._tell(Step("describe", "failed", obstacle["message"], obstacle["advice"]))
        elif self._plan.qualifier not in names:
            message = f"no endpoint {self._plan.qualifier!r}"
            self._tell(Step("describe", "failed", message, f"Its endpoints are: {', '.join(names)}."))
        else:
            platform_version = agent.raw_metadata.get("platformVersion")
            platform = f", platform {platform_version}" if platform_version else ""
            self._tell(Step("describe", "ok", f"{agent.name}, version {agent.version}, {agent.status}{platform}"))

    def converse(self) -> None:
        """The conversation, then a turn that is stopped, then the probes that need a prompt."""
        for name in (COLD, *(f"warm {number}" for number in range(2, self._plan.prompt_count + 1))):
            turn = self._invoke(name, self._through_loom)
            if turn is None or turn.status != "completed":
                # What failed once would fail again, at the same price.
                return
        self._invoke(STOPPED, partial(self._through_loom, is_stopped_early=True))
        self._tell(recording_step(self._run))
        for name, probe in ((BY_ENDPOINT_ARN, invoke_by_endpoint_arn), (FOR_JSON, invoke_for_json)):
            self._invoke(name, partial(self._past_loom, probe), is_probe=True)

    def end_session(self) -> None:
        """StopRuntimeSession; accepted is all that AWS tells."""
        if all(turn.headers_ms is None for turn in self._run.turns):
            self._tell(Step("end session", "skipped", "no session was begun"))
            return
        try:
            self._loom.end(self._agent_id, self._run.runtime_session_id)
        except ClientError as error:
            self._tell(failed_step("end session", error))
        else:
            self._tell(Step("end session", "ok", "accepted"))

    def probe_session_ids(self) -> None:
        async def probe() -> None:
            invoker = AgentCoreClient(self._plan.connection, data_plane=settings.LOOM_DATA_PLANE)
            try:
                self._run.session_id_answers = await try_session_id_lengths(
                    invoker, self._plan.arn, self._plan.qualifier
                )
            finally:
                await invoker.close()

        asyncio.run(probe())

    def measure(self) -> None:
        """Wait until Loom has settled each turn's start, and look at the lines that told it."""
        place = SessionPlace(self._agent_id, self._run.runtime_session_id, self._plan.qualifier)
        self._run.log = seen = see_log(
            self._loom, place, self._run.turns, wait_s=self._plan.log_wait_s, poll_every_s=self._plan.poll_every_s
        )
        add_stream_ages(self._plan.connection, self._plan.arn.region, seen, self._run.turns)
        self._tell(log_step(seen))
        self._tell(start_step(seen, self._run))

    def tidy_up(self) -> None:
        """Leave Loom's list of agents as it was."""
        if not self._has_registered:
            return
        try:
            self._loom.archive(self._agent_id)
        except ClientError as error:
            self._tell(failed_step("archive", error))

    def _through_loom(self, name: str, *, is_stopped_early: bool = False) -> Turn:
        talk = Conversation(self._loom, self._agent_id, self._plan.qualifier, self._run.runtime_session_id or None)
        turn, session_id = take_turn(talk, name, is_stopped_early=is_stopped_early)
        self._run.runtime_session_id = session_id or self._run.runtime_session_id
        return turn

    def _past_loom(self, probe: Probe, name: str) -> Turn:
        assert self._run.agent is not None, "a probe follows the conversation"
        payload = build_payload(self._run.agent.payload_template, PROMPT, self._run.runtime_session_id).encode()

        async def ask() -> Turn:
            invoker = AgentCoreClient(self._plan.connection, data_plane=settings.LOOM_DATA_PLANE)
            try:
                request = Request(self._plan.arn, self._plan.qualifier, self._run.runtime_session_id, payload)
                return await probe(invoker, request, name)
            finally:
                await invoker.close()

        return asyncio.run(ask())

    def _invoke(self, name: str, take: Callable[[str], Turn], *, is_probe: bool = False) -> Turn | None:
        """Take a turn if the budget allows it; a probe may fail, that is an answer too."""
        if not self._budget.spend():
            self._tell(Step(name, "skipped", f"{self._plan.max_invocations} prompts were allowed, and all are sent"))
            return None
        if self._run.turns:
            time.sleep(self._plan.pause_s)
        turn = take(name)
        self._run.turns.append(turn)
        self._run.invocation_count = self._budget.spent
        step = turn_step(turn)
        self._tell(replace(step, state="ok", advice="") if is_probe else step)
        return turn

    def _tell(self, step: Step) -> None:
        self._run.steps.append(step)
        self._say(str(step))
