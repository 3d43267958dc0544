"""Toolkits that send events of their own: Vercel's and Mastra's, builders without code, what else there is."""

from __future__ import annotations

from apps.aws.tests.stream_cases.making import PNG
from apps.aws.tests.wire import Told, stream


def mastra(name: str, **payload: object) -> dict[str, object]:
    return {"type": name, "runId": "r", "from": "AGENT", "payload": payload}


def dotnet(*contents: object, **more: object) -> dict[str, object]:
    return {"messageId": "m", "role": "assistant", "contents": list(contents), **more}


TOOLKITS: dict[str, tuple[bytes, Told]] = {
    "Vercel's tool that failed, usage at the end": (
        stream(
            {"type": "start"},
            {"type": "start-step"},
            {"type": "tool-input-available", "toolCallId": "x", "toolName": "times", "input": {"q": 1}},
            {"type": "tool-output-error", "toolCallId": "x", "errorText": "No net"},
            {"type": "text-delta", "id": "0", "delta": "Sorry."},
            {"type": "finish-step"},
            {"type": "finish", "messageMetadata": {"totalUsage": {"inputTokens": 5, "outputTokens": 2}}},
        ),
        Told("Sorry.", tools=(("times", '{"q": 1}', "No net", "error"),), usage=(5, 2)),
    ),
    "Vercel's file, source and abort": (
        stream(
            {"type": "file", "url": f"data:image/png;base64,{PNG}", "mediaType": "image/png"},
            {"type": "source-url", "sourceId": "s", "url": "https://a.example"},
            {"type": "abort"},
        ),
        Told("[image png, 8 bytes]"),
    ),
    "Vercel's tool input that is none": (
        stream({"type": "tool-input-error", "toolCallId": "x", "toolName": "t", "input": "{", "errorText": "Bad"}),
        Told(tools=(("t", "{", "Bad", "error"),)),
    ),
    "a name that only begins like Vercel's": (
        stream(
            {"type": "tool-start", "name": "times", "input": {"a": 1}},
            {"type": "tool-end", "name": "times", "output": "9:10"},
        ),
        Told(tools=(("times", '{"a": 1}', "9:10"),)),
    ),
    "Mastra": (
        stream(
            mastra("start", id="a"),
            mastra("step-start", messageId="m", request={"body": "{}"}),
            mastra("reasoning-delta", id="q", text="Hm."),
            mastra("text-delta", id="t", text="The"),
            mastra("text-delta", id="t", text=" bus."),
            mastra("tool-call-input-streaming-start", toolCallId="x", toolName="times"),
            mastra("tool-call-delta", toolCallId="x", argsTextDelta='{"a"'),
            mastra("tool-call-delta", toolCallId="x", argsTextDelta=":1}"),
            mastra("tool-call", toolCallId="x", toolName="times", args={"a": 1}),
            mastra("tool-error", toolCallId="x", toolName="times", error={"message": "No"}),
            mastra("step-finish", output={"usage": {"inputTokens": 1, "outputTokens": 2}}),
            mastra("finish", stepResult={"reason": "stop"}, output={"usage": {"inputTokens": 4, "outputTokens": 3}}),
        ),
        Told("The bus.", reasoning="Hm.", tools=(("times", '{"a":1}', "No", "error"),), usage=(4, 3)),
    ),
    "Mastra, failed": (
        stream(mastra("text-delta", id="t", text="Th"), mastra("error", error={"message": "Down", "name": "APIError"})),
        Told("Th", errors=(("APIError", "Down"),)),
    ),
    "Dify's agent": (
        stream(
            {"event": "agent_thought", "id": "1", "thought": "I look", "observation": "", "tool": "", "tool_input": ""},
            {"event": "agent_thought", "id": "1", "thought": "I look", "tool": "times", "tool_input": '{"a":1}'},
            {"event": "agent_thought", "id": "1", "observation": "9:10", "tool": "times", "tool_input": '{"a":1}'},
            {"event": "agent_message", "answer": "At"},
            {"event": "agent_message", "answer": " nine."},
            {"event": "tts_message", "audio": "//NExAA"},
            {"event": "message_end", "metadata": {"usage": {"prompt_tokens": 4, "completion_tokens": 3}}},
        ),
        Told("At nine.", reasoning="I look", tools=(("times", '{"a":1}', "9:10"),), usage=(4, 3)),
    ),
    "Dify's workflow that failed": (
        stream({"event": "workflow_finished", "data": {"status": "failed", "outputs": None, "error": "No key"}}),
        Told(errors=(("AgentError", "No key"),)),
    ),
    "Flowise's tools": (
        stream(
            {"event": "token", "data": "The"},
            {"event": "token", "data": " bus."},
            {"event": "usedTools", "data": [{"tool": "times", "toolInput": {"a": 1}, "toolOutput": "9"}]},
            {"event": "end", "data": "[DONE]"},
        ),
        Told("The bus.", tools=(("times", '{"a": 1}', "9"),)),
    ),
    "CrewAI's tools": (
        stream(
            {"type": "tool_usage_started", "tool_name": "times", "tool_args": {"a": 1}},
            {"type": "tool_usage_finished", "tool_name": "times", "tool_args": {"a": 1}, "output": "9"},
            {"type": "llm_stream_chunk", "chunk": "At nine."},
        ),
        Told("At nine.", tools=(("times", '{"a": 1}', "9"),)),
    ),
    "Agno's team": (
        stream(
            {"event": "TeamRunContent", "content": "The"},
            {"event": "TeamRunContent", "content": " bus."},
            {
                "event": "TeamToolCallCompleted",
                "tool": {"tool_call_id": "x", "tool_name": "times", "tool_args": {"a": 1}, "result": "9"},
            },
            {"event": "TeamRunCompleted", "content": "The bus.", "metrics": {"input_tokens": 4, "output_tokens": 3}},
        ),
        Told("The bus.", tools=(("times", '{"a": 1}', "9"),), usage=(4, 3)),
    ),
    "smolagents": (
        stream(
            {
                "step_number": 1,
                "tool_calls": [{"id": "x", "type": "function", "function": {"name": "python", "arguments": "1+1"}}],
                "observations": "2",
                "model_output": "I count.",
            },
            {"output": "Two."},
        ),
        Told("Two.", reasoning="I count.", tools=(("python", "1+1", "2"),)),
    ),
    "Haystack": (
        stream(
            {"content": "The", "meta": {"model": "m"}, "index": 0, "start": True},
            {"content": " bus.", "meta": {}, "index": 0, "start": False},
            {"content": "", "meta": {"usage": {"prompt_tokens": 4, "completion_tokens": 3}}, "finish_reason": "stop"},
        ),
        Told("The bus.", usage=(4, 3)),
    ),
    "Haystack's pipeline": (
        stream({"llm": {"replies": ["The bus."], "meta": [{"usage": {"prompt_tokens": 4, "completion_tokens": 3}}]}}),
        Told("The bus.", usage=(4, 3)),
    ),
    "Microsoft's extensions for .NET": (
        stream(
            dotnet({"$type": "text", "text": "The"}),
            dotnet({"$type": "text", "text": " bus."}),
            dotnet({"$type": "functionCall", "callId": "x", "name": "times", "arguments": {"a": 1}}),
            dotnet({"$type": "functionResult", "callId": "x", "result": "9"}, messageId="n", role="tool"),
            dotnet({"$type": "usage", "details": {"inputTokenCount": 4, "outputTokenCount": 3}}),
        ),
        Told("The bus.", tools=(("times", '{"a": 1}', "9"),), usage=(4, 3)),
    ),
    "Semantic Kernel in .NET": (
        stream(
            {"Role": {"Label": "assistant"}, "Items": [{"$type": "StreamingTextContent", "Text": "The"}]},
            {"Role": {"Label": "assistant"}, "Items": [{"$type": "StreamingTextContent", "Text": " bus."}]},
        ),
        Told("The bus."),
    ),
    "LangServe's log": (
        stream(
            {"ops": [{"op": "replace", "path": "", "value": {"streamed_output": []}}]},
            {"ops": [{"op": "add", "path": "/streamed_output/-", "value": "The"}]},
            {"ops": [{"op": "add", "path": "/logs/model/streamed_output/-", "value": "The"}]},
            {"ops": [{"op": "add", "path": "/streamed_output/-", "value": " bus."}]},
        ),
        Told("The bus."),
    ),
}
