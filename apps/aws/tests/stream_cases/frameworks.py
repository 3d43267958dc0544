"""Other frameworks."""

from __future__ import annotations

from apps.aws.tests.stream_cases.making import part_delta
from apps.aws.tests.wire import Told, stream

FRAMEWORKS: dict[str, tuple[bytes, Told]] = {
    "CrewAI's chunks": (
        stream(
            {"content": "Two", "chunk_type": "text", "agent_role": "r", "task_name": "t", "tool_call": None},
            {"content": " offers.", "chunk_type": "text", "agent_role": "r", "task_name": "t", "tool_call": None},
        ),
        Told("Two offers."),
    ),
    "CrewAI's output after chunks": (
        stream(
            {"content": "Two offers.", "chunk_type": "text"},
            {
                "raw": "Two offers.",
                "tasks_output": [{"raw": "Two offers."}],
                "token_usage": {"prompt_tokens": 3, "completion_tokens": 2},
            },
        ),
        Told("Two offers.", usage=(3, 2)),
    ),
    "LlamaIndex": (
        stream(
            {
                "input": [{"role": "user", "blocks": [{"block_type": "text", "text": "trains?"}]}],
                "current_agent_name": "A",
            },
            {"delta": "The", "response": "The", "current_agent_name": "A", "tool_calls": [], "raw": None},
            {"delta": " train", "response": "The train", "current_agent_name": "A", "tool_calls": [], "raw": None},
            {"tool_name": "times", "tool_kwargs": {"line": 1}, "tool_id": "x"},
            {
                "tool_name": "times",
                "tool_kwargs": {"line": 1},
                "tool_id": "x",
                "tool_output": {"content": "9:10", "is_error": False},
                "return_direct": False,
            },
            {
                "response": {"role": "assistant", "blocks": [{"block_type": "text", "text": "The train"}]},
                "tool_calls": [],
                "current_agent_name": "A",
            },
        ),
        Told("The train", tools=(("times", '{"line": 1}', "9:10"),)),
    ),
    "pydantic-ai": (
        stream(
            {"event_kind": "part_start", "index": 0, "part": {"part_kind": "text", "content": "The"}},
            part_delta(" train"),
            part_delta("."),
            {
                "event_kind": "part_start",
                "index": 1,
                "part": {"part_kind": "tool-call", "tool_name": "times", "args": "", "tool_call_id": "x"},
            },
            {"event_kind": "part_delta", "index": 1, "delta": {"part_delta_kind": "tool_call", "args_delta": "{}"}},
            {
                "event_kind": "function_tool_call",
                "part": {"part_kind": "tool-call", "tool_name": "times", "args": "{}", "tool_call_id": "x"},
            },
            {
                "event_kind": "function_tool_result",
                "result": {"part_kind": "tool-return", "tool_name": "times", "content": "9:10", "tool_call_id": "x"},
            },
            {"event_kind": "final_result", "tool_name": None},
        ),
        Told("The train.", tools=(("times", "{}", "9:10"),)),
    ),
    "AutoGen": (
        stream(
            {"type": "TextMessage", "source": "user", "content": "trains?"},
            {"type": "ModelClientStreamingChunkEvent", "source": "a", "content": "The"},
            {"type": "ModelClientStreamingChunkEvent", "source": "a", "content": " train."},
            {
                "type": "TextMessage",
                "source": "a",
                "content": "The train.",
                "models_usage": {"prompt_tokens": 4, "completion_tokens": 2},
            },
            {
                "type": "ToolCallRequestEvent",
                "source": "a",
                "content": [{"id": "x", "name": "times", "arguments": "{}"}],
            },
            {
                "type": "ToolCallExecutionEvent",
                "source": "a",
                "content": [{"call_id": "x", "name": "times", "content": "9:10", "is_error": False}],
            },
        ),
        Told("The train.", tools=(("times", "{}", "9:10"),), usage=(4, 2)),
    ),
    "Semantic Kernel": (
        stream(
            {"role": "assistant", "choice_index": 0, "items": [{"content_type": "streaming_text", "text": "The"}]},
            {"role": "assistant", "choice_index": 0, "items": [{"content_type": "streaming_text", "text": " train."}]},
        ),
        Told("The train."),
    ),
    "the Agent Framework": (
        stream(
            {"role": "assistant", "message_id": "m", "contents": [{"type": "text", "text": "The"}]},
            {"role": "assistant", "message_id": "m", "contents": [{"type": "text", "text": " train."}]},
            {
                "message_id": "m",
                "contents": [{"type": "function_call", "call_id": "x", "name": "times", "arguments": "{}"}],
            },
            {"message_id": "n", "contents": [{"type": "function_result", "call_id": "x", "result": "9:10"}]},
        ),
        Told("The train.", tools=(("times", "{}", "9:10"),)),
    ),
    "Agno": (
        stream(
            {"event": "RunStarted", "run_id": "r"},
            {"event": "RunContent", "content": "The", "content_type": "str"},
            {"event": "RunContent", "content": " train.", "content_type": "str"},
            {"event": "RunCompleted", "content": "The train."},
        ),
        Told("The train."),
    ),
    "Ollama": (
        stream(
            {"model": "m", "message": {"role": "assistant", "content": "The"}, "done": False},
            {"model": "m", "message": {"role": "assistant", "content": " train."}, "done": False},
            {
                "model": "m",
                "message": {"role": "assistant", "content": ""},
                "done": True,
                "prompt_eval_count": 3,
                "eval_count": 2,
            },
        ),
        Told("The train.", usage=(3, 2)),
    ),
    "Vercel's interface": (
        stream(
            {"type": "start", "messageId": "m"},
            {"type": "text-start", "id": "1"},
            {"type": "text-delta", "id": "1", "delta": "The"},
            {"type": "text-delta", "id": "1", "delta": " train."},
            {"type": "text-end", "id": "1"},
            {"type": "tool-input-start", "toolCallId": "x", "toolName": "times"},
            {"type": "tool-input-delta", "toolCallId": "x", "inputTextDelta": "{}"},
            {"type": "tool-input-available", "toolCallId": "x", "toolName": "times", "input": {}},
            {"type": "tool-output-available", "toolCallId": "x", "output": "9:10"},
            {"type": "finish"},
        ),
        Told("The train.", tools=(("times", "{}", "9:10"),)),
    ),
    "an error of Vercel's interface": (
        stream({"type": "text-delta", "id": "1", "delta": "The"}, {"type": "error", "errorText": "No model"}),
        Told("The", errors=(("AgentError", "No model"),)),
    ),
}
