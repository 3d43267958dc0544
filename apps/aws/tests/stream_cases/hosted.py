"""Models in words of their own, and what OpenAI's and Google's interfaces have besides the usual chunks."""

from __future__ import annotations

from apps.aws.tests.stream_cases.making import delta
from apps.aws.tests.wire import Told, stream


def cohere(name: str, index: int = 0, **message: object) -> dict[str, object]:
    return {"type": name, "index": index, "delta": {"message": message}}


def thread_delta(text: str) -> dict[str, object]:
    content = [{"index": 0, "type": "text", "text": {"value": text, "annotations": []}}]
    return {"id": "m", "object": "thread.message.delta", "delta": {"content": content}}


COUNTED = {"tokens": {"input_tokens": 9, "output_tokens": 2}, "billed_units": {"input_tokens": 3, "output_tokens": 2}}

HOSTED: dict[str, tuple[bytes, Told]] = {
    "Cohere": (
        stream(
            {"type": "message-start", "id": "i", "delta": {"message": {"role": "assistant", "content": []}}},
            cohere("tool-plan-delta", tool_plan="I look"),
            cohere("tool-plan-delta", tool_plan=" it up."),
            cohere("tool-call-start", tool_calls={"id": "x", "function": {"name": "times", "arguments": ""}}),
            cohere("tool-call-delta", tool_calls={"function": {"arguments": '{"a"'}}),
            cohere("tool-call-delta", tool_calls={"function": {"arguments": ":1}"}}),
            {"type": "tool-call-end", "index": 0},
            cohere("content-start", content={"type": "text", "text": ""}),
            cohere("content-delta", content={"text": "The"}),
            cohere("content-delta", content={"text": " bus."}),
            {"type": "content-end", "index": 0},
            {"type": "message-end", "delta": {"finish_reason": "COMPLETE", "usage": COUNTED}},
        ),
        Told("The bus.", reasoning="I look it up.", tools=(("times", '{"a":1}', ""),), usage=(9, 2)),
    ),
    "Cohere's first version": (
        stream(
            {"event_type": "stream-start", "is_finished": False, "generation_id": "g"},
            {"event_type": "text-generation", "is_finished": False, "text": "The"},
            {"event_type": "text-generation", "is_finished": False, "text": " bus."},
            {"event_type": "stream-end", "is_finished": True, "response": {"text": "The bus.", "meta": COUNTED}},
        ),
        Told("The bus.", usage=(9, 2)),
    ),
    "Cohere's message": (
        stream({"id": "i", "message": {"role": "assistant", "content": [{"text": "The bus."}]}, "usage": COUNTED}),
        Told("The bus.", usage=(9, 2)),
    ),
    "Titan": (
        stream(
            {"outputText": "The", "index": 0, "totalOutputTextTokenCount": None, "inputTextTokenCount": 4},
            {"outputText": " bus.", "index": 0, "totalOutputTextTokenCount": 3, "inputTextTokenCount": None},
        ),
        Told("The bus.", usage=(4, 3)),
    ),
    "Titan's body": (
        stream({"inputTextTokenCount": 4, "results": [{"tokenCount": 3, "outputText": "The bus."}]}),
        Told("The bus.", usage=(4, 3)),
    ),
    "Llama": (
        stream(
            {"generation": "The", "prompt_token_count": 4, "generation_token_count": 1, "stop_reason": None},
            {"generation": " bus.", "prompt_token_count": None, "generation_token_count": 3, "stop_reason": "stop"},
        ),
        Told("The bus.", usage=(4, 3)),
    ),
    "llama.cpp": (
        stream(
            {"content": "The", "stop": False, "id_slot": 0},
            {"content": " bus.", "stop": False, "id_slot": 0},
            {"content": "", "stop": True, "tokens_evaluated": 4, "tokens_predicted": 3},
        ),
        Told("The bus.", usage=(4, 3)),
    ),
    "bytes of Bedrock's": (
        stream({"chunk": {"bytes": "VGhlIA=="}}, {"chunk": {"bytes": "YnVzLg=="}}),
        Told("The bus."),
    ),
    "several choices at a time": (
        stream(delta(0, content="A"), delta(1, content="B"), delta(0, content="a"), delta(1, content="b")),
        Told("Aa\n\nBb"),
    ),
    "what is heard": (
        stream(
            delta(audio={"id": "a", "transcript": "Hel"}),
            delta(audio={"transcript": "lo"}),
            delta(audio={"data": "AA"}),
        ),
        Told("Hello"),
    ),
    "a tool that takes a text": (
        stream(
            delta(tool_calls=[{"index": 0, "id": "x", "type": "custom", "custom": {"name": "run", "input": ""}}]),
            delta(tool_calls=[{"index": 0, "custom": {"input": "1+1"}}]),
        ),
        Told(tools=(("run", "1+1", ""),)),
    ),
    "thoughts in parts": (
        stream(
            delta(content=[{"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]}]), delta(content="Yes.")
        ),
        Told("Yes.", reasoning="Hm."),
    ),
    "threads": (
        stream(
            {"id": "r", "object": "thread.run", "status": "queued", "last_error": None},
            thread_delta("The"),
            thread_delta(" bus."),
            {"object": "thread.run", "status": "completed", "usage": {"prompt_tokens": 4, "completion_tokens": 3}},
        ),
        Told("The bus.", usage=(4, 3)),
    ),
    "a thread that failed": (
        stream({"object": "thread.run", "status": "failed", "last_error": {"code": "slow", "message": "Too fast"}}),
        Told(errors=(("slow", "Too fast"),)),
    ),
    "a prompt that Gemini refused": (
        stream({"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": {"promptTokenCount": 4}}),
        Told(errors=(("SAFETY", "The model refused the prompt."),), usage=(4, 0)),
    ),
}
