"""Strands Agents, alone and in graphs."""

from __future__ import annotations

from apps.aws.tests.stream_cases.making import PNG, node
from apps.aws.tests.wire import Told, stream

STRANDS: dict[str, tuple[bytes, Told]] = {
    "two tools whose inputs come in turns": (
        stream(
            {
                "event": {
                    "contentBlockStart": {
                        "contentBlockIndex": 1,
                        "start": {"toolUse": {"toolUseId": "a", "name": "one"}},
                    }
                }
            },
            {
                "event": {
                    "contentBlockStart": {
                        "contentBlockIndex": 2,
                        "start": {"toolUse": {"toolUseId": "b", "name": "two"}},
                    }
                }
            },
            {"event": {"contentBlockDelta": {"contentBlockIndex": 1, "delta": {"toolUse": {"input": "1"}}}}},
            {"event": {"contentBlockDelta": {"contentBlockIndex": 2, "delta": {"toolUse": {"input": "2"}}}}},
            {"event": {"contentBlockDelta": {"contentBlockIndex": 1, "delta": {"toolUse": {"input": "3"}}}}},
            {"event": {"contentBlockStop": {"contentBlockIndex": 1}}},
        ),
        Told(tools=(("one", "13", ""), ("two", "2", ""))),
    ),
    "messages that were never streamed": (
        stream(
            {
                "message": {
                    "role": "assistant",
                    "content": [{"text": "I look."}, {"toolUse": {"toolUseId": "t", "name": "x", "input": {"a": 1}}}],
                }
            },
            {
                "message": {
                    "role": "user",
                    "content": [{"toolResult": {"toolUseId": "t", "status": "success", "content": [{"text": "5"}]}}],
                }
            },
            {"message": {"role": "assistant", "content": [{"text": "It is 5."}]}},
        ),
        Told("I look.\n\nIt is 5.", tools=(("x", '{"a": 1}', "5"),)),
    ),
    "events, messages and the result": (
        stream(
            {"init_event_loop": True},
            {"event": {"messageStart": {"role": "assistant"}}},
            {"event": {"contentBlockDelta": {"delta": {"text": "It"}}}},
            {"data": "It", "delta": {"text": "It"}},
            {"event": {"contentBlockDelta": {"delta": {"text": " is 5."}}}},
            {"message": {"role": "assistant", "content": [{"text": "It is 5."}]}},
            {
                "result": {
                    "stop_reason": "end_turn",
                    "message": {"role": "assistant", "content": [{"text": "It is 5."}]},
                }
            },
        ),
        Told("It is 5."),
    ),
    "the result alone": (
        stream(
            {"start": True},
            {"result": {"type": "agent_result", "message": {"role": "assistant", "content": [{"text": "Five."}]}}},
        ),
        Told("Five."),
    ),
    "media in a tool's result": (
        stream(
            {
                "message": {
                    "role": "user",
                    "content": [
                        {
                            "toolResult": {
                                "toolUseId": "t",
                                "status": "success",
                                "content": [
                                    {"text": "chart:"},
                                    {"image": {"format": "png", "source": {"bytes": PNG}}},
                                    {"document": {"format": "pdf", "name": "plan", "source": {"bytes": PNG}}},
                                    {
                                        "video": {
                                            "format": "mp4",
                                            "source": {"s3Location": {"uri": "s3://bucket/film.mp4"}},
                                        }
                                    },
                                ],
                            }
                        }
                    ],
                }
            }
        ),
        Told(
            tools=(
                ("", "", "chart:\n[image png, 8 bytes]\n[document pdf, 8 bytes]\n[video mp4, s3://bucket/film.mp4]"),
            )
        ),
    ),
    "a graph": (
        stream(
            {"type": "multiagent_node_start", "node_id": "writer", "node_type": "agent"},
            node("writer", {"data": "Draft", "delta": {"text": "Draft"}}),
            node("writer", {"data": " one.", "delta": {"text": " one."}}),
            {"type": "multiagent_node_stop", "node_id": "writer", "node_result": {"status": "completed"}},
            {"type": "multiagent_handoff", "from_node_ids": ["writer"], "to_node_ids": ["editor"]},
            node("editor", {"event": {"contentBlockDelta": {"delta": {"text": "Draft"}}}}),
            node("editor", {"data": "Draft", "delta": {"text": "Draft"}}),
            node("editor", {"event": {"contentBlockDelta": {"delta": {"text": " two."}}}}),
            {"type": "multiagent_result", "result": {"status": "completed", "results": {}}},
        ),
        Told("Draft one.\n\nDraft two."),
    ),
    "nodes that speak at a time": (
        stream(
            {"type": "multiagent_node_start", "node_id": "a", "node_type": "agent"},
            {"type": "multiagent_node_start", "node_id": "b", "node_type": "agent"},
            node("a", {"event": {"contentBlockDelta": {"delta": {"text": "One"}}}}),
            node("b", {"event": {"contentBlockDelta": {"delta": {"text": "Two"}}}}),
            node("a", {"event": {"contentBlockDelta": {"delta": {"text": " a."}}}}),
            node("b", {"event": {"contentBlockDelta": {"delta": {"text": " b."}}}}),
            node("a", {"message": {"role": "assistant", "content": [{"text": "One a."}]}}),
            node("b", {"message": {"role": "assistant", "content": [{"text": "Two b."}]}}),
            {"type": "multiagent_node_stop", "node_id": "b", "node_result": {"status": "completed"}},
            {"type": "multiagent_node_stop", "node_id": "a", "node_result": {"status": "completed"}},
        ),
        Told("One a.\n\nTwo b."),
    ),
    "a node that says only what it came to": (
        stream(
            {"type": "multiagent_node_start", "node_id": "a", "node_type": "agent"},
            {
                "type": "multiagent_node_stop",
                "node_id": "a",
                "node_result": {"result": {"message": {"role": "assistant", "content": [{"text": "One."}]}}},
            },
        ),
        Told("One."),
    ),
    "a graph inside of a graph": (
        stream(
            node("outer", node("inner", {"data": "Deep", "delta": {"text": "Deep"}})),
            node("outer", node("inner", {"data": "er", "delta": {}})),
        ),
        Told("Deeper"),
    ),
    "a graph as it was first streamed": (
        stream(
            {"multi_agent_node_start": True, "node_id": "a", "node_type": "agent"},
            {"multi_agent_node_stream": True, "node_id": "a", "event": {"data": "One.", "delta": {"text": "One."}}},
            {"multi_agent_node_complete": True, "node_id": "a", "execution_time": 5},
        ),
        Told("One."),
    ),
    "the result of a graph alone": (
        stream(
            {
                "result": {
                    "type": "multiagent_result",
                    "status": "completed",
                    "results": {
                        "a": {
                            "result": {
                                "type": "agent_result",
                                "message": {"role": "assistant", "content": [{"text": "One."}]},
                            }
                        },
                        "b": {
                            "result": {
                                "type": "agent_result",
                                "message": {"role": "assistant", "content": [{"text": "Two."}]},
                            }
                        },
                    },
                    "accumulated_usage": {"inputTokens": 8, "outputTokens": 2},
                }
            }
        ),
        Told("One.\n\nTwo.", usage=(8, 2)),
    ),
    "a graph that failed": (
        stream(
            node("a", {"data": "One", "delta": {"text": "One"}}),
            {
                "type": "multiagent_result",
                "result": {
                    "status": "failed",
                    "results": {"a": {"status": "failed", "result": {"type": "exception", "message": "no key"}}},
                },
            },
        ),
        Told("One", errors=(("MultiAgentFailed", "a: no key"),)),
    ),
    "what a tool says while it works": (
        stream(
            {"event": {"contentBlockDelta": {"delta": {"text": "I look."}}}},
            {"tool_stream_event": {"tool_use": {"toolUseId": "t", "name": "sub", "input": {}}, "data": "half"}},
            {"event": {"contentBlockDelta": {"delta": {"text": " Done."}}}},
        ),
        Told("I look. Done."),
    ),
    "an exception of Bedrock in the stream": (
        stream(
            {"event": {"contentBlockDelta": {"delta": {"text": "I"}}}},
            {"event": {"modelStreamErrorException": {"message": "The model broke off", "originalStatusCode": 424}}},
        ),
        Told("I", errors=(("ModelStreamErrorException", "The model broke off"),)),
    ),
    "a loop that is stopped by force": (
        stream({"force_stop": True, "force_stop_reason": "The context is too long"}),
        Told(errors=(("ForceStop", "The context is too long"),)),
    ),
}
