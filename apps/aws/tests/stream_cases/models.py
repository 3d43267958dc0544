"""What the models of Google, OpenAI and Anthropic send, and the frameworks of these three."""

from __future__ import annotations

from apps.aws.tests.stream_cases.making import adk, block, delta
from apps.aws.tests.wire import Told, stream

GOOGLE: dict[str, tuple[bytes, Told]] = {
    "pieces and the whole": (
        stream(
            adk({"text": "The ferry"}, partial=True),
            adk({"text": " is late."}, partial=True),
            adk({"text": "The ferry is late."}, partial=False, turnComplete=True),
        ),
        Told("The ferry is late."),
    ),
    "a tool between two messages": (
        stream(
            adk({"text": "Let me see."}),
            adk({"functionCall": {"id": "f", "name": "ferry", "args": {"line": 2}}}),
            {
                "content": {
                    "parts": [{"functionResponse": {"id": "f", "name": "ferry", "response": {"result": "late"}}}],
                    "role": "user",
                },
                "author": "guide",
            },
            adk({"text": "It is late."}, usageMetadata={"promptTokenCount": 5, "candidatesTokenCount": 3}),
        ),
        Told("Let me see.\n\nIt is late.", tools=(("ferry", '{"line": 2}', "late"),), usage=(5, 3)),
    ),
    "snake case, thoughts": (
        stream(
            adk({"text": "Hm.", "thought": True}, partial=True),
            adk({"text": "Late."}, partial=True),
            adk({"function_call": {"id": "f", "name": "ferry", "args": {}}}, usage_metadata={"prompt_token_count": 2}),
        ),
        Told("Late.", reasoning="Hm.", tools=(("ferry", "", ""),), usage=(2, 0)),
    ),
    "chunks of Gemini": (
        stream(
            {"candidates": [{"content": {"parts": [{"text": "Late"}], "role": "model"}}], "responseId": "r"},
            {
                "candidates": [{"content": {"parts": [{"text": " again."}]}, "finishReason": "STOP"}],
                "responseId": "r",
                "usageMetadata": {"promptTokenCount": 4, "candidatesTokenCount": 2, "totalTokenCount": 6},
            },
        ),
        Told("Late again.", usage=(4, 2)),
    ),
    "what a person said": (
        stream({"content": {"parts": [{"text": "When?"}], "role": "user"}, "author": "user"}, adk({"text": "At ten."})),
        Told("At ten."),
    ),
    "an error": (
        stream(
            adk({"text": "The"}, partial=True),
            {"author": "guide", "errorCode": "RESOURCE_EXHAUSTED", "errorMessage": "Try later"},
        ),
        Told("The", errors=(("RESOURCE_EXHAUSTED", "Try later"),)),
    ),
}

OPENAI: dict[str, tuple[bytes, Told]] = {
    "chunks": (
        stream(
            delta(role="assistant", content=""),
            delta(content="Take"),
            delta(content=" the tram."),
            {"id": "c1", "choices": [], "usage": {"prompt_tokens": 4, "completion_tokens": 3, "total_tokens": 7}},
        )
        + b"data: [DONE]\n\n",
        Told("Take the tram.", usage=(4, 3)),
    ),
    "usage that grows with every chunk": (
        stream(
            {**delta(content="a"), "usage": {"prompt_tokens": 4, "completion_tokens": 1}},
            {**delta(content="b"), "usage": {"prompt_tokens": 4, "completion_tokens": 2}},
        ),
        Told("ab", usage=(4, 2)),
    ),
    "two tools by index": (
        stream(
            delta(tool_calls=[{"index": 0, "id": "x", "function": {"name": "one", "arguments": ""}}]),
            delta(tool_calls=[{"index": 1, "id": "y", "function": {"name": "two", "arguments": ""}}]),
            delta(tool_calls=[{"index": 0, "function": {"arguments": '{"a"'}}]),
            delta(tool_calls=[{"index": 1, "function": {"arguments": "{}"}}]),
            delta(tool_calls=[{"index": 0, "function": {"arguments": ": 1}"}}]),
        ),
        Told(tools=(("one", '{"a": 1}', ""), ("two", "{}", ""))),
    ),
    "reasoning and a refusal": (
        stream(delta(reasoning_content="Hm."), delta(refusal="I"), delta(refusal=" cannot.")),
        Told("I cannot.", reasoning="Hm."),
    ),
    "legacy completions": (
        stream({"id": "c", "choices": [{"text": "Take"}]}, {"id": "c", "choices": [{"text": " it."}]}),
        Told("Take it."),
    ),
    "events of responses": (
        stream(
            {"type": "response.created", "response": {"id": "r", "object": "response", "output": []}},
            {"type": "response.output_item.added", "item": {"type": "reasoning", "id": "rs", "summary": []}},
            {"type": "response.reasoning_summary_text.delta", "item_id": "rs", "delta": "Hm."},
            {"type": "response.output_item.added", "item": {"type": "message", "id": "m", "content": []}},
            {"type": "response.output_text.delta", "item_id": "m", "delta": "Take"},
            {"type": "response.output_text.delta", "item_id": "m", "delta": " it."},
            {"type": "response.output_text.done", "item_id": "m", "text": "Take it."},
            {
                "type": "response.output_item.done",
                "item": {
                    "type": "message",
                    "id": "m",
                    "role": "assistant",
                    "content": [{"type": "output_text", "text": "Take it."}],
                },
            },
            {
                "type": "response.output_item.added",
                "item": {"type": "function_call", "id": "fc", "call_id": "call", "name": "book", "arguments": ""},
            },
            {"type": "response.function_call_arguments.delta", "item_id": "fc", "delta": '{"n":'},
            {"type": "response.function_call_arguments.delta", "item_id": "fc", "delta": "1}"},
            {"type": "response.function_call_arguments.done", "item_id": "fc", "arguments": '{"n":1}'},
            {
                "type": "response.completed",
                "response": {
                    "id": "r",
                    "object": "response",
                    "status": "completed",
                    "output": [
                        {
                            "type": "message",
                            "id": "m",
                            "role": "assistant",
                            "content": [{"type": "output_text", "text": "Take it."}],
                        },
                        {
                            "type": "function_call",
                            "id": "fc",
                            "call_id": "call",
                            "name": "book",
                            "arguments": '{"n":1}',
                        },
                    ],
                    "usage": {"input_tokens": 6, "output_tokens": 5, "total_tokens": 11},
                },
            },
        ),
        Told("Take it.", reasoning="Hm.", tools=(("book", '{"n":1}', ""),), usage=(6, 5)),
    ),
    "the last event of responses alone": (
        stream(
            {
                "type": "response.completed",
                "response": {
                    "id": "r",
                    "object": "response",
                    "error": None,
                    "output": [
                        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Yes."}]}
                    ],
                },
            }
        ),
        Told("Yes."),
    ),
    "responses that failed": (
        stream(
            {"type": "response.output_text.delta", "item_id": "m", "delta": "Ta"},
            {
                "type": "response.failed",
                "response": {
                    "id": "r",
                    "status": "failed",
                    "error": {"code": "server_error", "message": "Down"},
                    "output": [],
                },
            },
        ),
        Told("Ta", errors=(("server_error", "Down"),)),
    ),
    "an error event of responses": (
        stream({"type": "error", "code": "rate_limit_exceeded", "message": "Too fast", "param": None}),
        Told(errors=(("rate_limit_exceeded", "Too fast"),)),
    ),
    "the Agents SDK": (
        stream(
            {"type": "agent_updated_stream_event", "new_agent": {"name": "a"}},
            {
                "type": "raw_response_event",
                "data": {"type": "response.output_text.delta", "item_id": "m", "delta": "Yes."},
            },
            {
                "type": "run_item_stream_event",
                "name": "tool_called",
                "item": {
                    "type": "tool_call_item",
                    "raw_item": {"type": "function_call", "call_id": "k", "name": "book", "arguments": "{}"},
                },
            },
            {
                "type": "run_item_stream_event",
                "name": "tool_output",
                "item": {"type": "tool_call_output_item", "raw_item": {"call_id": "k", "output": "ok"}, "output": "ok"},
            },
        ),
        Told("Yes.", tools=(("book", "{}", "ok"),)),
    ),
}

ANTHROPIC: dict[str, tuple[bytes, Told]] = {
    "text, thought, two tools": (
        stream(
            {
                "type": "message_start",
                "message": {"role": "assistant", "content": [], "usage": {"input_tokens": 9, "output_tokens": 1}},
            },
            {"type": "ping"},
            {"type": "content_block_start", "index": 0, "content_block": {"type": "thinking", "thinking": ""}},
            block(0, type="thinking_delta", thinking="Hm."),
            block(0, type="signature_delta", signature="x"),
            {"type": "content_block_stop", "index": 0},
            {"type": "content_block_start", "index": 1, "content_block": {"type": "text", "text": ""}},
            block(1, type="text_delta", text="Dock"),
            block(1, type="text_delta", text=" 5."),
            {
                "type": "content_block_start",
                "index": 2,
                "content_block": {"type": "tool_use", "id": "a", "name": "one", "input": {}},
            },
            {
                "type": "content_block_start",
                "index": 3,
                "content_block": {"type": "tool_use", "id": "b", "name": "two", "input": {}},
            },
            block(2, type="input_json_delta", partial_json='{"x"'),
            block(3, type="input_json_delta", partial_json="{}"),
            block(2, type="input_json_delta", partial_json=":1}"),
            {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 7}},
            {"type": "message_stop"},
        ),
        Told("Dock 5.", reasoning="Hm.", tools=(("one", '{"x":1}', ""), ("two", "{}", "")), usage=(9, 7)),
    ),
    "an error": (
        stream(
            block(0, type="text_delta", text="Do"),
            {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}},
        ),
        Told("Do", errors=(("overloaded_error", "Overloaded"),)),
    ),
    "the Agent SDK": (
        stream(
            {"type": "system", "subtype": "init", "session_id": "s", "tools": ["Bash"]},
            {"type": "assistant", "message": {"role": "assistant", "content": [{"type": "text", "text": "I look."}]}},
            {
                "type": "assistant",
                "message": {
                    "role": "assistant",
                    "content": [{"type": "tool_use", "id": "a", "name": "Bash", "input": {"c": "ls"}}],
                },
            },
            {
                "type": "user",
                "message": {
                    "role": "user",
                    "content": [{"type": "tool_result", "tool_use_id": "a", "content": "dock.txt"}],
                },
            },
            {
                "type": "assistant",
                "message": {"role": "assistant", "content": [{"type": "text", "text": "There is dock.txt."}]},
            },
            {
                "type": "result",
                "subtype": "success",
                "is_error": False,
                "num_turns": 2,
                "result": "There is dock.txt.",
                "usage": {"input_tokens": 3, "output_tokens": 4},
            },
        ),
        Told("I look.\n\nThere is dock.txt.", tools=(("Bash", '{"c": "ls"}', "dock.txt"),), usage=(3, 4)),
    ),
    "the Agent SDK, in pieces": (
        stream(
            {"type": "stream_event", "event": block(0, type="text_delta", text="Dock"), "session_id": "s"},
            {"type": "stream_event", "event": block(0, type="text_delta", text=" 5."), "session_id": "s"},
            {"type": "assistant", "message": {"role": "assistant", "content": [{"type": "text", "text": "Dock 5."}]}},
            {"type": "result", "subtype": "error_max_turns", "is_error": True, "num_turns": 9},
        ),
        Told("Dock 5.", errors=(("error_max_turns", "error_max_turns"),)),
    ),
}
