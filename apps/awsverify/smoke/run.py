"""The run itself: describe, invoke cold, go on, stop, end the session, read the log, try what is open."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial

from apps.aws.agentcore import AgentCoreClient
from apps.aws.control import describe_runtime, list_endpoints
from apps.aws.errors import AwsError
from apps.aws.logs import RuntimeLogs
from apps.awsverify.smoke.findings import Say, SmokeRun, Step
from apps.awsverify.smoke.log_watch import watch_logs
from apps.awsverify.smoke.plan import Budget, SmokePlan
from apps.awsverify.smoke.probes import (
    invoke_by_endpoint_arn,
    invoke_for_json,
    list_metric_dimensions,
    try_session_id_lengths,
)
from apps.awsverify.smoke.steps import failed_step, log_step, start_step, turn_step
from apps.awsverify.smoke.turns import BY_ENDPOINT_ARN, COLD, FOR_JSON, STOPPED, Request, Turn, take_turn


async def run_smoke(plan: SmokePlan, say: Say) -> SmokeRun:
    """Do the plan in one new session, telling each step as it ends. Never raises for AWS or the agent.

    The session is ended whatever happens in between.
    """
    run = SmokeRun(runtime_session_id=str(uuid.uuid4()), started_at=datetime.now(UTC))
    smoke = _Smoke(plan, run, say)
    await smoke.describe()
    if not run.is_ok:
        return run
    invoker = AgentCoreClient(plan.connection)
    try:
        try:
            await smoke.converse(invoker)
        finally:
            await smoke.end_session(invoker)
        run.session_id_answers = await try_session_id_lengths(invoker, plan.choice.arn, plan.qualifier)
    finally:
        await invoker.close()
    await smoke.read_logs()
    run.metrics = await list_metric_dimensions(plan.connection, plan.choice.arn.region)
    return run


class _Smoke:
    """One run: its plan, what it has seen so far, and what is left of its prompts."""

    def __init__(self, plan: SmokePlan, run: SmokeRun, say: Say) -> None:
        self._plan = plan
        self._run = run
        self._say = say
        self._budget = Budget(plan.max_invocations)
        self._request = Request(
            plan.choice.arn, plan.qualifier, run.runtime_session_id, plan.payload, plan.choice.read_timeout_s
        )

    async def describe(self) -> None:
        connection, arn = self._plan.connection, self._plan.choice.arn
        try:
            runtime = await asyncio.to_thread(describe_runtime, connection, arn)
            self._run.endpoints = await asyncio.to_thread(list_endpoints, connection, arn)
        except AwsError as error:
            self._tell(failed_step("describe", error))
            return
        self._run.runtime = runtime
        known = [endpoint.name for endpoint in self._run.endpoints]
        if runtime.authorizer_kind == "jwt":
            message = "the runtime takes JWT bearer tokens only; Loom signs with IAM and cannot invoke it"
            self._tell(Step("describe", "failed", message, "Try a runtime without customJWTAuthorizer."))
        elif self._plan.qualifier not in known:
            message = f"no endpoint {self._plan.qualifier!r}"
            self._tell(Step("describe", "failed", message, f"Its endpoints are: {', '.join(known)}."))
        else:
            platform = f", platform {runtime.platform_version}" if runtime.platform_version else ""
            self._tell(Step("describe", "ok", f"{runtime.name}, version {runtime.version}, {runtime.status}{platform}"))

    async def converse(self, invoker: AgentCoreClient) -> None:
        """The conversation, then a turn that is stopped, then the probes that need a prompt."""
        take = partial(take_turn, invoker, self._request)
        for name in (COLD, *(f"warm {number}" for number in range(2, self._plan.prompt_count + 1))):
            turn = await self._invoke(name, take)
            if turn is None or turn.status != "completed":
                # What failed once would fail again, at the same price.
                return
        await self._invoke(STOPPED, partial(take, is_stopped_early=True))
        await self._invoke(BY_ENDPOINT_ARN, partial(invoke_by_endpoint_arn, invoker, self._request), is_probe=True)
        await self._invoke(FOR_JSON, partial(invoke_for_json, invoker, self._request), is_probe=True)

    async def end_session(self, invoker: AgentCoreClient) -> None:
        """StopRuntimeSession; accepted is all that AWS tells."""
        if all(turn.headers_ms is None for turn in self._run.turns):
            self._tell(Step("end session", "skipped", "no session was begun"))
            return
        try:
            await invoker.stop_session(
                self._plan.choice.arn, qualifier=self._plan.qualifier, runtime_session_id=self._run.runtime_session_id
            )
        except AwsError as error:
            self._tell(failed_step("end session", error))
        else:
            self._tell(Step("end session", "ok", "accepted"))

    async def read_logs(self) -> None:
        """Wait for the session's lines and measure each turn's start from them."""
        self._run.log = watch = await watch_logs(
            RuntimeLogs(self._plan.connection),
            self._plan.choice.arn,
            self._plan.qualifier,
            self._run.runtime_session_id,
            self._run.turns,
            wait_s=self._plan.log_wait_s,
            poll_every_s=self._plan.poll_every_s,
        )
        self._tell(log_step(watch))
        self._tell(start_step(watch, self._run))

    async def _invoke(
        self, name: str, take: Callable[[str], Awaitable[Turn]], *, is_probe: bool = False
    ) -> Turn | None:
        """Take a turn if the budget allows it; a probe may fail, that is an answer too."""
        if not self._budget.spend():
            self._tell(Step(name, "skipped", f"{self._plan.max_invocations} prompts were allowed, and all are sent"))
            return None
        if self._run.turns:
            await asyncio.sleep(self._plan.pause_s)
        turn = await take(name)
        self._run.turns.append(turn)
        self._run.invocation_count = self._budget.spent
        step = turn_step(turn)
        self._tell(replace(step, state="ok", advice="") if is_probe else step)
        return turn

    def _tell(self, step: Step) -> None:
        self._run.steps.append(step)
        self._say(str(step))
