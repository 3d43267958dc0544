"""Protocols between agents, and between agents and what shows them."""

from __future__ import annotations

from apps.aws.tests.stream_cases.making import PNG, artifact, rpc, status
from apps.aws.tests.wire import Told, stream

AGUI: dict[str, tuple[bytes, Told]] = {
    "text, tool and result": (
        stream(
            {"type": "RUN_STARTED", "threadId": "t", "runId": "r"},
            {"type": "TEXT_MESSAGE_START", "messageId": "m", "role": "assistant"},
            {"type": "TEXT_MESSAGE_CONTENT", "messageId": "m", "delta": "Pier"},
            {"type": "TEXT_MESSAGE_CONTENT", "messageId": "m", "delta": " 4."},
            {"type": "TEXT_MESSAGE_END", "messageId": "m"},
            {"type": "TOOL_CALL_START", "toolCallId": "c", "toolCallName": "find_pier"},
            {"type": "TOOL_CALL_ARGS", "toolCallId": "c", "delta": '{"ship":'},
            {"type": "TOOL_CALL_ARGS", "toolCallId": "c", "delta": '"Ada"}'},
            {"type": "TOOL_CALL_END", "toolCallId": "c"},
            {"type": "TOOL_CALL_RESULT", "messageId": "n", "toolCallId": "c", "content": "4"},
            {"type": "RUN_FINISHED"},
        ),
        Told("Pier 4.", tools=(("find_pier", '{"ship":"Ada"}', "4"),)),
    ),
    "parallel tools": (
        stream(
            {"type": "TOOL_CALL_START", "toolCallId": "a", "toolCallName": "one"},
            {"type": "TOOL_CALL_START", "toolCallId": "b", "toolCallName": "two"},
            {"type": "TOOL_CALL_ARGS", "toolCallId": "a", "delta": "1"},
            {"type": "TOOL_CALL_ARGS", "toolCallId": "b", "delta": "2"},
        ),
        Told(tools=(("one", "1", ""), ("two", "2", ""))),
    ),
    "chunks": (
        stream(
            {"type": "TEXT_MESSAGE_CHUNK", "messageId": "m", "role": "assistant", "delta": "Pier"},
            {"type": "TEXT_MESSAGE_CHUNK", "delta": " 4."},
            {"type": "TOOL_CALL_CHUNK", "toolCallId": "c", "toolCallName": "look", "delta": "{"},
            {"type": "TOOL_CALL_CHUNK", "toolCallId": "c", "delta": "}"},
        ),
        Told("Pier 4.", tools=(("look", "{}", ""),)),
    ),
    "two messages, then a snapshot of both": (
        stream(
            {"type": "TEXT_MESSAGE_CONTENT", "messageId": "m", "delta": "One."},
            {"type": "TEXT_MESSAGE_CONTENT", "messageId": "n", "delta": "Two."},
            {
                "type": "MESSAGES_SNAPSHOT",
                "messages": [
                    {"id": "u0", "role": "user", "content": "before"},
                    {"id": "m0", "role": "assistant", "content": "An earlier answer."},
                    {"id": "u", "role": "user", "content": "which?"},
                    {"id": "m", "role": "assistant", "content": "One."},
                    {"id": "n", "role": "assistant", "content": "Two."},
                ],
            },
        ),
        Told("One.\n\nTwo."),
    ),
    "two messages at a time": (
        stream(
            {"type": "TEXT_MESSAGE_START", "messageId": "m"},
            {"type": "TEXT_MESSAGE_START", "messageId": "n"},
            {"type": "TEXT_MESSAGE_CONTENT", "messageId": "m", "delta": "Pier"},
            {"type": "TEXT_MESSAGE_CONTENT", "messageId": "n", "delta": "Gate"},
            {"type": "TEXT_MESSAGE_CONTENT", "messageId": "m", "delta": " 4."},
            {"type": "TEXT_MESSAGE_CONTENT", "messageId": "n", "delta": " B."},
            {"type": "TEXT_MESSAGE_END", "messageId": "m"},
            {"type": "TEXT_MESSAGE_END", "messageId": "n"},
        ),
        Told("Pier 4.\n\nGate B."),
    ),
    "a snapshot alone": (
        stream(
            {
                "type": "MESSAGES_SNAPSHOT",
                "messages": [
                    {"id": "u", "role": "user", "content": "which?"},
                    {
                        "id": "m",
                        "role": "assistant",
                        "toolCalls": [{"id": "c", "type": "function", "function": {"name": "look", "arguments": "{}"}}],
                    },
                    {"id": "r", "role": "tool", "toolCallId": "c", "content": "4"},
                    {"id": "n", "role": "assistant", "content": "Pier 4."},
                ],
            }
        ),
        Told("Pier 4.", tools=(("look", "{}", "4"),)),
    ),
    "thoughts, old names and new": (
        stream(
            {"type": "THINKING_START"},
            {"type": "THINKING_TEXT_MESSAGE_CONTENT", "delta": "Hm"},
            {"type": "REASONING_MESSAGE_CONTENT", "messageId": "r", "delta": ", so."},
            {"type": "REASONING_END"},
        ),
        Told(reasoning="Hm, so."),
    ),
    "state, steps and what is the agent's own": (
        stream(
            {"type": "STEP_STARTED", "stepName": "s"},
            {"type": "STATE_SNAPSHOT", "snapshot": {"a": 1}},
            {"type": "STATE_DELTA", "delta": [{"op": "add", "path": "/b", "value": 2}]},
            {"type": "CUSTOM", "name": "chart", "value": {"x": 1}},
            {"type": "STEP_FINISHED", "stepName": "s"},
        ),
        Told(others=("STATE_SNAPSHOT", "STATE_DELTA", "chart")),
    ),
    "a run that fails": (
        stream(
            {"type": "TEXT_MESSAGE_CONTENT", "messageId": "m", "delta": "Pier"},
            {"type": "RUN_ERROR", "message": "No quota left", "code": "QUOTA"},
        ),
        Told("Pier", errors=(("QUOTA", "No quota left"),)),
    ),
}

A2A: dict[str, tuple[bytes, Told]] = {
    "an artifact in pieces": (
        stream(
            rpc({"kind": "task", "id": "t", "contextId": "c", "status": {"state": "submitted"}}),
            rpc(artifact("Three", append=True)),
            rpc(artifact(" rooms.", append=True, lastChunk=True)),
            rpc(status("completed", final=True)),
        ),
        Told("Three rooms."),
    ),
    "an artifact whole after its pieces": (
        stream(
            rpc(artifact("Three", append=False)),
            rpc(artifact(" rooms.", append=True)),
            rpc(artifact("Three rooms.", append=False, lastChunk=True)),
        ),
        Told("Three rooms."),
    ),
    "without an envelope": (
        stream(artifact("Three", append=True), artifact(" rooms.", append=True)),
        Told("Three rooms."),
    ),
    "version 1": (
        stream(
            rpc({"task": {"id": "t", "status": {"state": "TASK_STATE_SUBMITTED"}}}),
            rpc({"artifactUpdate": {"taskId": "t", "artifact": {"artifactId": "a", "parts": [{"text": "Three"}]}}}),
            rpc(
                {
                    "artifactUpdate": {
                        "taskId": "t",
                        "append": True,
                        "artifact": {"artifactId": "a", "parts": [{"text": " rooms."}]},
                    }
                }
            ),
            rpc({"statusUpdate": {"taskId": "t", "status": {"state": "TASK_STATE_COMPLETED"}}}),
        ),
        Told("Three rooms."),
    ),
    "words while it works, in pieces, and the whole": (
        stream(
            rpc(status("working", "Three")),
            rpc(status("working", " rooms")),
            rpc(status("working", " are free.")),
            rpc(artifact("Three rooms are free.")),
            rpc(status("completed", final=True)),
        ),
        Told("Three rooms are free."),
    ),
    "sentences while it works": (
        stream(
            rpc(status("working", "Looking up the house...")),
            rpc(status("working", "Counting the rooms...")),
            rpc(artifact("Three rooms.")),
        ),
        Told("Looking up the house...\n\nCounting the rooms...\n\nThree rooms."),
    ),
    "an artifact in pieces that do not say so": (
        stream(rpc(artifact("Three")), rpc(artifact(" rooms")), rpc(artifact("."))),
        Told("Three rooms."),
    ),
    "parts as they were first written": (
        stream(
            rpc({"id": "t", "artifact": {"parts": [{"type": "text", "text": "Three"}], "index": 0, "append": False}}),
            rpc({"id": "t", "artifact": {"parts": [{"type": "text", "text": " rooms."}], "index": 0, "append": True}}),
        ),
        Told("Three rooms."),
    ),
    "a message": (
        stream(
            rpc({"kind": "message", "messageId": "m", "role": "agent", "parts": [{"kind": "text", "text": "Hello."}]})
        ),
        Told("Hello."),
    ),
    "a question back": (stream(rpc(status("input-required", "Which day?", final=True))), Told("Which day?")),
    "a whole task": (
        stream(
            rpc(
                {
                    "kind": "task",
                    "id": "t",
                    "status": {"state": "completed"},
                    "history": [{"role": "user", "parts": [{"kind": "text", "text": "rooms?"}]}],
                    "artifacts": [{"artifactId": "a", "parts": [{"kind": "text", "text": "Three rooms."}]}],
                }
            )
        ),
        Told("Three rooms."),
    ),
    "a task that has only its history": (
        stream(
            rpc(
                {
                    "kind": "task",
                    "id": "t",
                    "status": {"state": "completed"},
                    "history": [
                        {"role": "user", "parts": [{"kind": "text", "text": "rooms?"}]},
                        {"role": "agent", "parts": [{"kind": "text", "text": "Three."}]},
                    ],
                }
            )
        ),
        Told("Three."),
    ),
    "data and files": (
        stream(
            rpc(
                {
                    "kind": "artifact-update",
                    "artifact": {
                        "artifactId": "a",
                        "parts": [
                            {"kind": "text", "text": "Plan:"},
                            {"kind": "file", "file": {"name": "plan.png", "mimeType": "image/png", "bytes": PNG}},
                        ],
                    },
                }
            )
        ),
        Told("Plan:\n\n[image png, 8 bytes]"),
    ),
    "a task that failed": (
        stream(rpc(artifact("Three", append=True)), rpc(status("failed", "The house is gone."))),
        Told("Three", errors=(("task_failed", "The house is gone."),)),
    ),
    "a task that was refused without a word": (
        stream(rpc(status("rejected"))),
        Told(errors=(("task_rejected", "The task was rejected."),)),
    ),
    "a task that was canceled, version 1": (
        stream(rpc({"statusUpdate": {"taskId": "t", "status": {"state": "TASK_STATE_CANCELED"}}})),
        Told(errors=(("task_canceled", "The task was canceled."),)),
    ),
}

MCP: dict[str, tuple[bytes, Told]] = {
    "a result": (
        b"event: message\n" + stream(rpc({"content": [{"type": "text", "text": "9 kg"}], "isError": False})),
        Told("9 kg"),
    ),
    "several parts": (
        stream(
            rpc(
                {
                    "content": [
                        {"type": "text", "text": "9 kg"},
                        {"type": "image", "data": PNG, "mimeType": "image/png"},
                        {
                            "type": "resource_link",
                            "uri": "file:///scale.txt",
                            "name": "scale",
                            "mimeType": "text/plain",
                        },
                    ]
                }
            )
        ),
        Told("9 kg\n\n[image png, 8 bytes]\n\n[file plain, file:///scale.txt]"),
    ),
    "structure alone": (
        stream(rpc({"content": [], "structuredContent": {"kg": 9}})),
        Told('```json\n{\n  "kg": 9\n}\n```'),
    ),
    "a tool that failed": (
        stream(rpc({"content": [{"type": "text", "text": "No scale"}], "isError": True})),
        Told("No scale", errors=(("ToolError", "No scale"),)),
    ),
    "a notification before the result": (
        stream(
            {"jsonrpc": "2.0", "method": "notifications/progress", "params": {"progress": 1}},
            rpc({"content": [{"type": "text", "text": "9 kg"}]}),
        ),
        Told("9 kg", others=("notifications/progress",)),
    ),
}
