"""A real agent for tests: the AgentCore SDK around a Strands agent whose model plays what MODEL_CYCLES says.

The payload's `mode` chooses what is yielded: "raw" events, "name" (the variable AGENT_NAME), else the text only.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Iterator
from typing import Any

from bedrock_agentcore import BedrockAgentCoreApp
from strands import Agent, tool
from strands.models import Model

MODEL_CYCLES: list[dict[str, Any]] = [
    {"pieces": ["Let ", "me add."], "arguments": {"a": 1, "b": 2}, "input": 10, "output": 5},
    {"pieces": [" It's ", "3."], "arguments": None, "input": 20, "output": 7},
]


class PlayedModel(Model):
    """Yields the model events of MODEL_CYCLES, one cycle a call."""

    def __init__(self) -> None:
        self.turn = 0

    def update_config(self, **model_config: Any) -> None:
        raise NotImplementedError

    def get_config(self) -> dict[str, Any]:
        return {}

    def structured_output(self, *arguments: Any, **options: Any) -> Any:
        raise NotImplementedError

    async def stream(self, *arguments: Any, **options: Any) -> AsyncIterator[Any]:
        cycle = MODEL_CYCLES[self.turn]
        self.turn += 1
        for event in model_events(cycle):
            yield event
            # The SDK writes the repr of dictionaries that go on changing; a model leaves it the time for that.
            await asyncio.sleep(0.05)


def model_events(cycle: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield {"messageStart": {"role": "assistant"}}
    yield {"contentBlockStart": {"start": {}}}
    for piece in cycle["pieces"]:
        yield {"contentBlockDelta": {"delta": {"text": piece}}}
    yield {"contentBlockStop": {}}
    if cycle["arguments"] is not None:
        yield {"contentBlockStart": {"start": {"toolUse": {"name": "add", "toolUseId": "tooluse_1"}}}}
        text = json.dumps(cycle["arguments"])
        for at in range(0, len(text), 12):
            yield {"contentBlockDelta": {"delta": {"toolUse": {"input": text[at : at + 12]}}}}
        yield {"contentBlockStop": {}}
    yield {"messageStop": {"stopReason": "end_turn" if cycle["arguments"] is None else "tool_use"}}
    counts = {"inputTokens": cycle["input"], "outputTokens": cycle["output"]}
    usage = {**counts, "totalTokens": cycle["input"] + cycle["output"]}
    yield {"metadata": {"usage": usage, "metrics": {"latencyMs": 380 + 21 * cycle["output"]}}}


@tool
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


app = BedrockAgentCoreApp()


@app.entrypoint
async def answer(payload: dict[str, Any]) -> AsyncIterator[Any]:
    if payload.get("mode") == "name":
        yield os.environ.get("AGENT_NAME", "unnamed")
        return
    agent = Agent(model=PlayedModel(), tools=[add], system_prompt="Be brief.", callback_handler=None)
    async for event in agent.stream_async(payload["prompt"]):
        if payload.get("mode") == "raw":
            yield event
        elif "data" in event:
            yield event["data"]


if __name__ == "__main__":
    sys.stdout.write("agent booted\n")
    app.run()
