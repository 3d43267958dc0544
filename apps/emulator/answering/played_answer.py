"""Play a scripted agent's answer: its steps in time, its log lines, the faults that were ordered."""

from __future__ import annotations

import asyncio
import uuid

from apps.emulator.account import EmulatedAccount
from apps.emulator.agents.scripts import EVENT_STREAM, PayloadError, Performance, ScriptCall, Step, prompt_of, refusal
from apps.emulator.agents.traits import ScriptedAgent
from apps.emulator.answering.wire_answer import WireAnswer
from apps.emulator.aws_wire import runtime_answered_error
from apps.emulator.environments.environments import Environment
from apps.emulator.faults import Fault
from apps.emulator.logs.lines import OTEL_STREAM, SdkLine, otel_record
from apps.emulator.logs.spans import AGENT_SPAN, SERVER_SPAN, SPANS_GROUP, SPANS_STREAM, SpanMark, SpanWriter
from apps.emulator.logs.store import group_name_of

# A wait shorter than a timer can keep is not worth a turn of the loop; the next deadline makes up for it.
SHORTEST_WAIT_S = 0.0005


async def play_answer(
    account: EmulatedAccount,
    environment: Environment,
    agent: ScriptedAgent,
    payload: bytes,
    turn: int,
    answer: WireAnswer,
) -> None:
    """Enter the handler and play its performance to the end; raises the AwsError of a performance that failed."""
    answer.record.started_at = account.clock.now()
    session_id = environment.key[3]
    prompt = ""
    try:
        prompt = prompt_of(payload)
        variables = environment.version.settings.get("environmentVariables", {})
        call = ScriptCall(prompt, session_id, environment.version.number, turn, environment.draw.rng, variables)
        performance = agent.script(call)
    except PayloadError as error:
        performance = refusal(error)
    answer.record.answer_text = performance.answer_text
    play = _Play(account, environment, performance, answer)
    if performance.status >= 300:
        for step in performance.steps:
            play.log(step)
        raise runtime_answered_error(performance.status)
    fault = account.faults.take_stream_fault(environment.key[1], session_id)
    if fault is not None and fault.kind == "hang":
        await fault.keep_silent()
        fault = None
    has_ended = False
    try:
        await play.run(fault)
        has_ended = True
    finally:
        if agent.has_spans:
            play.log_spans(has_ended=has_ended)
    if agent.has_otel:
        play.log_telemetry(prompt)


class _Play:
    def __init__(
        self, account: EmulatedAccount, environment: Environment, performance: Performance, answer: WireAnswer
    ) -> None:
        assert answer.record.started_at is not None
        self._account = account
        self._environment = environment
        self._performance = performance
        self._answer = answer
        self._entered_at = answer.record.started_at
        # What the container calls the request; another id than the one AWS's front answers with.
        self._request_id = str(uuid.uuid4())
        self._log_delay_s = environment.log.draw_delay()
        runtime, (_, _, qualifier, session_id) = environment.runtime, environment.key
        self._resource = {
            "cloud.provider": "aws",
            "cloud.platform": "aws_bedrock_agentcore",
            "cloud.resource_id": f"{runtime.endpoint_arn(qualifier)}:{qualifier}",
            "service.name": f"{runtime.name}.{qualifier}",
            "telemetry.sdk.language": "python",
        }
        shifts = account.shifts
        self._shift_s = sum(shifts.get(key, 0.0) for key in (runtime.name, f"{runtime.name}:{qualifier}")) / 1000
        self._has_failed = False
        self._spans = SpanWriter(
            trace_header=answer.trace_header, resource=self._resource, session_id=session_id,
            skew_s=environment.draw.skew_s,
        )  # fmt: skip
        for mark in _opening(runtime.name, has_loop=any(step.marks for step in performance.steps)):
            self._spans.take(mark, self._entered_at)

    async def run(self, fault: Fault | None) -> None:
        """Take the steps at their times. Deadlines are absolute: a late chunk does not delay all that follow."""
        performance, answer = self._performance, self._answer
        scale = self._account.config.time_scale
        if performance.content_type == EVENT_STREAM:
            await answer.start(200, performance.content_type)
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._shift_s * scale
        chunk_count = 0
        for step in performance.steps:
            deadline += step.gap_s * scale
            if fault is not None and step.body and chunk_count >= fault.after_chunks:
                if fault.kind == "cut":
                    answer.record.is_finished = True
                    return
                await asyncio.sleep(deadline - loop.time())
                await fault.keep_silent()
                deadline = loop.time()
                fault = None
            delay = deadline - loop.time()
            if delay > SHORTEST_WAIT_S:
                await asyncio.sleep(delay)
            if step.log is not None:
                self.log(step)
            for mark in step.marks:
                self._spans.take(mark, self._account.clock.now())
            if step.body:
                if not answer.is_started:
                    await answer.start(200, performance.content_type)
                await answer.chunk(step.body, step.pieces)
                chunk_count += 1
        await answer.end()

    def log(self, step: Step) -> None:
        assert step.log is not None
        self._has_failed |= isinstance(step.log, SdkLine) and step.log.level == "ERROR"
        self._environment.log.write(
            step.log,
            now=self._account.clock.now(),
            entered_at=self._entered_at,
            request_id=self._request_id,
            session_id=self._environment.key[3],
            delay_s=self._log_delay_s,
        )

    def log_telemetry(self, prompt: str) -> None:
        """Write the request's record to the stream that all environments of the endpoint share."""
        region, runtime_id, qualifier, session_id = self._environment.key
        now = self._account.clock.now()
        message = otel_record(
            at=now,
            resource=self._resource,
            session_id=session_id,
            trace_id=self._spans.trace_id,
            span_id=self._spans.span_id(AGENT_SPAN),
            text={"input": prompt, "output": self._performance.answer_text},
        )
        stream = self._account.logs.stream(region, group_name_of(runtime_id, qualifier), OTEL_STREAM)
        visible_at = now + self._log_delay_s
        self._account.logs.write(stream, timestamp_ms=int(now * 1000), message=message, visible_at=visible_at)

    def log_spans(self, *, has_ended: bool) -> None:
        """Write the request's spans to the group that all agents of the account share, to be found as its lines are."""
        now = self._account.clock.now()
        stream = self._account.logs.stream(self._environment.key[0], SPANS_GROUP, SPANS_STREAM)
        for ended_at, line in self._spans.close(now, has_failed=self._has_failed or not has_ended):
            visible_at = now + self._log_delay_s
            self._account.logs.write(stream, timestamp_ms=int(ended_at * 1000), message=line, visible_at=visible_at)


def _opening(agent_name: str, *, has_loop: bool) -> list[SpanMark]:
    """What every request has: the server's span, the agent's in it, and the model's where no loop tells of it."""
    request = {"http.request.method": "POST", "http.route": "/invocations"}
    agent = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": agent_name}
    model = [] if has_loop else [SpanMark("model", "chat", AGENT_SPAN, {"gen_ai.operation.name": "chat"})]
    return [
        SpanMark(SERVER_SPAN, "POST /invocations", attributes=request),
        SpanMark(AGENT_SPAN, f"invoke_agent {agent_name}", SERVER_SPAN, agent),
        *model,
    ]
