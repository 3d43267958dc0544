"""Answers that are one JSON body."""

from __future__ import annotations

from apps.aws.tests.stream_cases.making import PNG, adk, rpc
from apps.aws.tests.wire import Told

BODIES: dict[str, tuple[object, Told]] = {
    "a result": ({"result": "Rome in **June**"}, Told("Rome in **June**")),
    "a result that is a message": ({"result": {"role": "assistant", "content": [{"text": "Rome."}]}}, Told("Rome.")),
    "Chat Completions": (
        {
            "object": "chat.completion",
            "choices": [
                {
                    "message": {
                        "role": "assistant",
                        "content": "Rome.",
                        "tool_calls": [{"id": "x", "type": "function", "function": {"name": "map", "arguments": "{}"}}],
                    },
                    "finish_reason": "tool_calls",
                }
            ],
            "usage": {"prompt_tokens": 3, "completion_tokens": 2},
        },
        Told("Rome.", tools=(("map", "{}", ""),), usage=(3, 2)),
    ),
    "Responses": (
        {
            "object": "response",
            "status": "completed",
            "error": None,
            "output": [
                {"type": "reasoning", "summary": [{"type": "summary_text", "text": "Hm."}]},
                {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Rome."}]},
            ],
            "usage": {"input_tokens": 1, "output_tokens": 2},
        },
        Told("Rome.", reasoning="Hm.", usage=(1, 2)),
    ),
    "Anthropic": (
        {
            "type": "message",
            "role": "assistant",
            "content": [
                {"type": "text", "text": "Rome."},
                {"type": "tool_use", "id": "x", "name": "map", "input": {"a": 1}},
            ],
            "stop_reason": "tool_use",
            "usage": {"input_tokens": 2, "output_tokens": 1},
        },
        Told("Rome.", tools=(("map", '{"a": 1}', ""),), usage=(2, 1)),
    ),
    "Bedrock": (
        {
            "output": {"message": {"role": "assistant", "content": [{"text": "Rome."}]}},
            "stopReason": "end_turn",
            "usage": {"inputTokens": 2, "outputTokens": 1, "totalTokens": 3},
        },
        Told("Rome.", usage=(2, 1)),
    ),
    "an agent's result of Strands": (
        {
            "type": "agent_result",
            "message": {"role": "assistant", "content": [{"text": "Rome."}]},
            "stop_reason": "end_turn",
        },
        Told("Rome."),
    ),
    "the state of LangGraph": (
        {"messages": [{"type": "human", "content": "where?"}, {"type": "ai", "content": "Rome."}]},
        Told("Rome."),
    ),
    "the state of LangGraph under a result": (
        {"result": {"messages": [{"type": "human", "content": "where?"}, {"type": "ai", "content": "Rome."}]}},
        Told("Rome."),
    ),
    "messages of Chat Completions": (
        {"messages": [{"role": "user", "content": "where?"}, {"role": "assistant", "content": "Rome."}]},
        Told("Rome."),
    ),
    "CrewAI": (
        {
            "raw": "Two **offers**.",
            "pydantic": None,
            "tasks_output": [{"raw": "x"}],
            "token_usage": {"total_tokens": 5},
        },
        Told("Two **offers**."),
    ),
    "A2A": (
        rpc({"kind": "message", "messageId": "m", "role": "agent", "parts": [{"kind": "text", "text": "Rome."}]}),
        Told("Rome."),
    ),
    "MCP": (rpc({"content": [{"type": "text", "text": "Rome."}], "isError": False}), Told("Rome.")),
    "MCP, failed": (
        rpc({"content": [{"type": "text", "text": "No map"}], "isError": True}),
        Told("No map", errors=(("ToolError", "No map"),)),
    ),
    "a list of events of Google's": ([adk({"text": "To"}, partial=True), adk({"text": "To Rome."})], Told("To Rome.")),
    "a list of parts": ([{"text": "ha"}, {"text": "ha"}], Told("haha")),
    "the answer of a proxy": ({"statusCode": 200, "body": '{"answer": "Rome."}'}, Told("Rome.")),
    "a number": (42, Told("42")),
    "nothing": (None, Told("null")),
    "an empty text": ({"result": ""}, Told()),
    "no text in it": ({"n": [1]}, Told('{\n  "n": [\n    1\n  ]\n}')),
    "an image": (
        {"content": [{"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}]},
        Told("[image png, 8 bytes]"),
    ),
}
