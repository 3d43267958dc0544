"""The raw events of a Strands agent as they leave `stream_async` through the AgentCore SDK.

Each text delta arrives twice: once as the model's event, once more as a JSON *string* that holds the Python repr of the
callback's dictionary, because that one cannot be serialised. The shapes were taken from a run of strands-agents 1.62.
"""

from __future__ import annotations

import json
import random
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from apps.emulator.logs.spans import AGENT_SPAN, SpanMark
from apps.emulator.provisioning import seeded_uuid

NO_SPAN = (
    "NonRecordingSpan(SpanContext(trace_id=0x00000000000000000000000000000000, span_id=0x0000000000000000, "
    "trace_flags=0x00, trace_state=[], is_remote=False))"
)


@dataclass(frozen=True)
class ToolUse:
    """A call that the model makes: its name, arguments and what the tool answers."""

    name: str
    arguments: Mapping[str, Any]
    result: str
    run_s: float = 0.4


@dataclass(frozen=True)
class Cycle:
    """One turn of the model: text, then perhaps a tool call (after which another cycle follows)."""

    pieces: list[str]
    tool: ToolUse | None
    input_count: int
    output_count: int


@dataclass(frozen=True)
class StrandsEvent:
    """A value that the agent yields. `is_text` marks the model's text deltas; `wait` says what the gap before it is.

    `marks` are the spans that Strands' tracer begins or ends with it.
    """

    value: Any
    is_text: bool = False
    wait: str = "none"
    tool_s: float = 0.0
    marks: Sequence[SpanMark] = ()


@dataclass
class StrandsRun:
    """Yields the events of one run, with the ids and addresses that a run has."""

    rng: random.Random
    prompt: str
    system_prompt: str
    tool_specs: list[dict[str, Any]]
    _messages: list[dict[str, Any]] = field(default_factory=list)
    _agent: str = ""
    _traces: list[str] = field(default_factory=list)
    _cycle_ids: list[str] = field(default_factory=list)
    _tool_ids: list[str] = field(default_factory=list)

    def events(self, cycles: list[Cycle]) -> Iterator[StrandsEvent]:
        self._agent = f"<strands.agent.agent.Agent object at {self._address()}>"
        self._messages.append({"role": "user", "content": [{"text": self.prompt}], "tracking_id": self._id()})
        yield StrandsEvent({"init_event_loop": True})
        for number, cycle in enumerate(cycles):
            # The loop that follows a tool announces itself once for the recursion and once for the cycle.
            yield from (StrandsEvent({"start": True}) for _ in range(2 if number else 1))
            yield from self._cycle(cycle)
        yield StrandsEvent(self._result(cycles))

    def _cycle(self, cycle: Cycle) -> Iterator[StrandsEvent]:
        self._cycle_ids.append(self._id())
        self._traces.append(f"<strands.telemetry.metrics.Trace object at {self._address()}>")
        spans = _CycleSpans(len(self._cycle_ids), self._cycle_ids[-1])
        yield StrandsEvent({"start_event_loop": True}, marks=spans.begin())
        yield StrandsEvent(_model({"messageStart": {"role": "assistant"}}), wait="model")
        content: list[dict[str, Any]] = []
        if cycle.pieces:
            yield StrandsEvent(_model({"contentBlockStart": {"start": {}}}))
            for piece in cycle.pieces:
                delta = {"text": piece}
                yield StrandsEvent(_model({"contentBlockDelta": {"delta": delta}}), is_text=True, wait="chunk")
                yield StrandsEvent(self._callback(f"'data': {piece!r}, 'delta': {delta!r}"))
            yield StrandsEvent(_model({"contentBlockStop": {}}))
            content.append({"text": "".join(cycle.pieces)})
        if cycle.tool is not None:
            tool_id = f"tooluse_{seeded_uuid(self.rng).replace('-', '')[:22]}"
            self._tool_ids.append(tool_id)
            yield from self._tool_call(cycle.tool, tool_id)
            content.append(
                {"toolUse": {"toolUseId": tool_id, "name": cycle.tool.name, "input": dict(cycle.tool.arguments)}}
            )
        yield StrandsEvent(_model({"messageStop": {"stopReason": "tool_use" if cycle.tool else "end_turn"}}))
        metadata = _metadata(cycle)
        yield StrandsEvent(_model({"metadata": metadata}))
        # Strands adds to the message what it measured itself; the model's event stays as it was.
        measured = {**metadata["metrics"], "timeToFirstByteMs": self.rng.randrange(180, 520)}
        message = {"role": "assistant", "content": content, "metadata": {**metadata, "metrics": measured}}
        called = (cycle.tool.name, tool_id) if cycle.tool is not None else None
        yield self._message(message, spans.answered(metadata["usage"], called))
        if cycle.tool is not None:
            result = {"toolUseId": tool_id, "status": "success", "content": [{"text": cycle.tool.result}]}
            event = self._message({"role": "user", "content": [{"toolResult": result}]})
            yield StrandsEvent(event.value, wait="tool", tool_s=cycle.tool.run_s, marks=spans.over())

    def _tool_call(self, tool: ToolUse, tool_id: str) -> Iterator[StrandsEvent]:
        start = {"toolUse": {"name": tool.name, "toolUseId": tool_id}}
        yield StrandsEvent(_model({"contentBlockStart": {"start": start}}), wait="chunk")
        text = json.dumps(tool.arguments)
        so_far = ""
        for at in range(0, len(text), 12):
            part = text[at : at + 12]
            so_far += part
            delta = {"toolUse": {"input": part}}
            current = {"toolUseId": tool_id, "name": tool.name, "input": so_far}
            yield StrandsEvent(_model({"contentBlockDelta": {"delta": delta}}), wait="chunk")
            yield StrandsEvent(
                self._callback(f"'type': 'tool_use_stream', 'delta': {delta!r}, 'current_tool_use': {current!r}")
            )
        yield StrandsEvent(_model({"contentBlockStop": {}}))

    def _callback(self, head: str) -> str:
        """Return the repr of what a callback handler is called with; from the second cycle on it holds the history."""
        tail = ""
        if len(self._cycle_ids) > 1:
            tail = (
                f", 'model': <strands.models.bedrock.BedrockModel object at {self._address_of('model')}>"
                f", 'messages': {self._messages!r}, 'system_prompt': {self.system_prompt!r}"
                f", 'tool_config': {{'tools': {self.tool_specs!r}, 'toolChoice': {{'auto': {{}}}}}}"
                f", 'event_loop_parent_cycle_id': UUID('{self._cycle_ids[-2]}')"
            )
        return (
            f"{{{head}, 'agent': {self._agent}, 'event_loop_cycle_id': UUID('{self._cycle_ids[-1]}'), "
            f"'request_state': {{}}, 'event_loop_cycle_trace': {self._traces[-1]}, "
            f"'event_loop_cycle_span': {NO_SPAN}{tail}}}"
        )

    def _message(self, message: dict[str, Any], marks: Sequence[SpanMark] = ()) -> StrandsEvent:
        complete = {**message, "tracking_id": self._id()}
        self._messages.append(complete)
        return StrandsEvent({"message": complete}, marks=marks)

    def _result(self, cycles: list[Cycle]) -> str:
        """Return the repr of the last event: the agent's result with its metrics."""
        durations = [round(self.rng.uniform(0.4, 2.5), 16) for _ in cycles]
        total = _usage(sum(cycle.input_count for cycle in cycles), sum(cycle.output_count for cycle in cycles))
        latency = sum(_metadata(cycle)["metrics"]["latencyMs"] for cycle in cycles)
        tools = ", ".join(
            f"'{tool.name}': ToolMetrics(tool={{'toolUseId': '{tool_id}', 'name': '{tool.name}', "
            f"'input': {dict(tool.arguments)!r}}}, call_count=1, success_count=1, error_count=0, "
            f"total_time={tool.run_s})"
            for tool_id, tool in zip(self._tool_ids, (cycle.tool for cycle in cycles if cycle.tool), strict=True)
        )
        per_cycle = ", ".join(
            f"EventLoopCycleMetric(event_loop_cycle_id='{cycle_id}', usage={_metadata(cycle)['usage']!r})"
            for cycle_id, cycle in zip(self._cycle_ids, cycles, strict=True)
        )
        return (
            f"{{'result': AgentResult(stop_reason='end_turn', message={self._messages[-1]!r}, "
            f"metrics=EventLoopMetrics(cycle_count={len(cycles)}, tool_metrics={{{tools}}}, "
            f"cycle_durations={durations!r}, "
            f"agent_invocations=[AgentInvocation(cycles=[{per_cycle}], usage={total!r})], "
            f"traces=[{', '.join(self._traces)}], accumulated_usage={total!r}, "
            f"accumulated_metrics={{'latencyMs': {latency}}}), state={{}}, interrupts=None, structured_output=None, "
            "checkpoint=None)}"
        )

    def _id(self) -> str:
        return seeded_uuid(self.rng)

    def _address(self) -> str:
        return f"0x7f{self.rng.getrandbits(40):010x}"

    def _address_of(self, name: str) -> str:
        return f"0x7f{uuid.uuid5(uuid.NAMESPACE_OID, self._agent + name).hex[:10]}"


@dataclass(frozen=True)
class _CycleSpans:
    """The spans of one cycle: the model's turn in it, then perhaps a tool."""

    number: int
    cycle_id: str

    @property
    def _cycle(self) -> str:
        return f"cycle {self.number}"

    def begin(self) -> list[SpanMark]:
        return [
            SpanMark(
                self._cycle, "execute_event_loop_cycle", AGENT_SPAN, {"event_loop.cycle_id": self.cycle_id}
            ),
            SpanMark(f"chat {self.number}", "chat", self._cycle, {"gen_ai.operation.name": "chat"}),
        ]  # fmt: skip

    def answered(self, usage: Mapping[str, int], tool: tuple[str, str] | None) -> list[SpanMark]:
        """The model has answered: its turn is over, and with it the cycle, unless a tool is called."""
        counts = {
            "gen_ai.usage.input_tokens": usage["inputTokens"],
            "gen_ai.usage.output_tokens": usage["outputTokens"],
        }
        chat = SpanMark(f"chat {self.number}", attributes=counts, is_end=True)
        if tool is None:
            return [chat, SpanMark(self._cycle, is_end=True)]
        name, tool_id = tool
        attributes = {
            "gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": name, "gen_ai.tool.call.id": tool_id,
        }  # fmt: skip
        return [chat, SpanMark(f"tool {self.number}", f"execute_tool {name}", self._cycle, attributes)]

    def over(self) -> list[SpanMark]:
        return [SpanMark(f"tool {self.number}", is_end=True), SpanMark(self._cycle, is_end=True)]


def _model(event: dict[str, Any]) -> dict[str, Any]:
    return {"event": event}


def _usage(input_count: int, output_count: int) -> dict[str, int]:
    return {"inputTokens": input_count, "outputTokens": output_count, "totalTokens": input_count + output_count}


def _metadata(cycle: Cycle) -> dict[str, Any]:
    usage = _usage(cycle.input_count, cycle.output_count)
    return {"usage": usage, "metrics": {"latencyMs": 380 + 21 * cycle.output_count}}
