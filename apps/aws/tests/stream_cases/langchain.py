"""LangChain and LangGraph."""

from __future__ import annotations

from apps.aws.tests.stream_cases.making import chunk, constructor
from apps.aws.tests.wire import Told, stream

LANGCHAIN: dict[str, tuple[bytes, Told]] = {
    "chunks": (stream(chunk("Order"), chunk(" 7"), chunk(" ships"), chunk("."), chunk("")), Told("Order 7 ships.")),
    "chunks of blocks": (
        stream(
            chunk([{"type": "text", "text": "Order", "index": 0}]),
            chunk([{"type": "thinking", "thinking": "Hm.", "index": 1}]),
            chunk([{"type": "text", "text": " 7.", "index": 0}]),
        ),
        Told("Order 7.", reasoning="Hm."),
    ),
    "as LangChain writes them": (
        stream(
            constructor("AIMessageChunk", content="Order", id="r"), constructor("AIMessageChunk", content=" 7.", id="r")
        ),
        Told("Order 7."),
    ),
    "pairs": (
        stream([chunk("Order"), {"langgraph_node": "agent"}], [chunk(" 7."), {"langgraph_node": "agent"}]),
        Told("Order 7."),
    ),
    "pairs as LangChain writes them": (
        stream(
            [constructor("AIMessageChunk", content="Order"), {"langgraph_step": 1}],
            [constructor("AIMessageChunk", content=" 7."), {}],
        ),
        Told("Order 7."),
    ),
    "tuples with the mode, and with a namespace": (
        stream(
            ["messages", [chunk("Order"), {"langgraph_node": "a"}]],
            [["ns:1"], "messages", [chunk(" 7."), {"langgraph_node": "a"}]],
        ),
        Told("Order 7."),
    ),
    "parts of version 2": (
        stream(
            {"type": "messages", "ns": [], "data": [chunk("Order"), {}]},
            {"type": "messages", "ns": [], "data": [chunk(" 7."), {}]},
        ),
        Told("Order 7."),
    ),
    "tools in pieces": (
        stream(
            chunk("", tool_call_chunks=[{"name": "stock", "args": "", "id": "x", "index": 0}]),
            chunk("", tool_call_chunks=[{"name": "price", "args": "", "id": "y", "index": 1}]),
            chunk("", tool_call_chunks=[{"name": None, "args": '{"n"', "id": None, "index": 0}]),
            chunk("", tool_call_chunks=[{"name": None, "args": "{}", "id": None, "index": 1}]),
            chunk("", tool_call_chunks=[{"name": None, "args": ":1}", "id": None, "index": 0}]),
            {"type": "tool", "content": "12", "tool_call_id": "x", "name": "stock", "status": "success"},
            {"type": "tool", "content": "lost", "tool_call_id": "y", "name": "price", "status": "error"},
        ),
        Told(tools=(("stock", '{"n":1}', "12"), ("price", "{}", "lost", "error"))),
    ),
    "updates with nothing but results": (
        stream(
            {"tools": {"messages": [{"type": "tool", "content": "12", "tool_call_id": "x", "name": "stock"}]}},
            {"tools": {"messages": [{"type": "tool", "content": "lost", "tool_call_id": "y", "status": "error"}]}},
        ),
        Told(tools=(("stock", "", "12"), ("", "", "lost", "error"))),
    ),
    "updates": (
        stream(
            {
                "agent": {
                    "messages": [
                        {
                            "type": "ai",
                            "content": "I count.",
                            "tool_calls": [{"name": "stock", "args": {"n": 1}, "id": "x"}],
                        }
                    ]
                }
            },
            {"tools": {"messages": [{"type": "tool", "content": "12", "tool_call_id": "x"}]}},
            {"agent": {"messages": [{"type": "ai", "content": "12 are left."}]}},
        ),
        Told("I count.\n\n12 are left.", tools=(("stock", '{"n": 1}', "12"),)),
    ),
    "an update beside a node that changed nothing": (
        stream({"guard": None}, {"agent": {"messages": [{"type": "ai", "content": "Yes."}]}, "guard": None}),
        Told("Yes.", others=("unread",)),
    ),
    "values, which grow": (
        stream(
            {"messages": [{"type": "human", "content": "stock?"}]},
            {"messages": [{"type": "human", "content": "stock?"}, {"type": "ai", "content": "I count."}]},
            {
                "messages": [
                    {"type": "human", "content": "stock?"},
                    {"type": "ai", "content": "I count."},
                    {"type": "tool", "content": "12", "tool_call_id": "x"},
                    {"type": "ai", "content": "12 are left."},
                ]
            },
        ),
        Told("I count.\n\n12 are left.", tools=(("", "", "12"),)),
    ),
    "chunks and updates together": (
        stream(
            ["messages", [chunk("Order"), {"langgraph_node": "a"}]],
            ["messages", [chunk(" 7."), {"langgraph_node": "a"}]],
            ["updates", {"agent": {"messages": [{"type": "ai", "id": "run--7", "content": "Order 7."}]}}],
        ),
        Told("Order 7."),
    ),
    "a node that answers under a name of its own": (
        stream({"writer": {"answer": "Yes."}}),
        Told("Yes."),
    ),
    "an earlier conversation in the state": (
        stream(
            {
                "messages": [
                    {"type": "human", "content": "one?"},
                    {"type": "ai", "content": "First."},
                    {"type": "human", "content": "two?"},
                    {"type": "ai", "content": "Second."},
                ]
            }
        ),
        Told("Second."),
    ),
    "events": (
        stream(
            {"event": "on_chain_start", "name": "g", "run_id": "0", "data": {"input": {}}},
            {"event": "on_chat_model_stream", "name": "m", "run_id": "1", "data": {"chunk": chunk("Order")}},
            {
                "event": "on_chat_model_stream",
                "name": "m",
                "run_id": "1",
                "data": {"chunk": {"content": " 7.", "id": "run--7"}},
            },
            {
                "event": "on_chat_model_end",
                "name": "m",
                "run_id": "1",
                "data": {"output": {"content": "Order 7.", "type": "ai", "id": "run--7"}},
            },
            {"event": "on_tool_start", "name": "stock", "run_id": "2", "data": {"input": {"n": 1}}},
            {
                "event": "on_tool_end",
                "name": "stock",
                "run_id": "2",
                "data": {"output": {"type": "tool", "content": "12"}},
            },
            {
                "event": "on_chain_end",
                "name": "g",
                "run_id": "0",
                "data": {"output": {"messages": [{"type": "ai", "content": "Order 7."}]}},
            },
        ),
        Told("Order 7.", tools=(("stock", '{"n": 1}', "12"),)),
    ),
    "the events of a platform, each message whole so far": (
        b'event: metadata\ndata: {"run_id": "1"}\n\n'
        b'event: messages/partial\ndata: [{"content": "Order", "type": "AIMessageChunk", "id": "r"}]\n\n'
        b'event: messages/partial\ndata: [{"content": "Order 7.", "type": "AIMessageChunk", "id": "r"}]\n\n'
        b'event: messages/complete\ndata: [{"content": "Order 7.", "type": "ai", "id": "r"}]\n\n'
        b"event: end\ndata: null\n\n",
        Told("Order 7."),
    ),
    "pieces that are only a text": (
        stream({"type": "ai", "content": "Order"}, {"type": "ai", "content": " 7."}),
        Told("Order 7."),
    ),
    "a graph that asks": (stream({"__interrupt__": [{"value": "Send it?", "id": "i"}]}), Told("Send it?")),
    "token counts": (
        stream(chunk("Yes.", usage_metadata={"input_tokens": 5, "output_tokens": 1, "total_tokens": 6})),
        Told("Yes.", usage=(5, 1)),
    ),
}
