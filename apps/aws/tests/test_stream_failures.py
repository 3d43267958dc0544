"""Failures that an answer tells although HTTP said 200, and words about errors that are none."""

from __future__ import annotations

import json

import pytest

from apps.aws.stream.failures import error_in
from apps.aws.tests.wire import parse, stream, told
from loom_events.kinds import JsonValue

JSON = "application/json"

FAILURES: dict[str, tuple[JsonValue, str, str]] = {
    "the SDK's object": (
        {"error": "boom", "error_type": "ValueError", "message": "An error occurred"},
        "ValueError",
        "boom",
    ),
    "a text": ({"error": "The budget is used up"}, "AgentError", "The budget is used up"),
    "a text and a code": ({"error": "Too many", "code": 429}, "429", "Too many"),
    "an object": ({"error": {"message": "Overloaded", "type": "overloaded_error"}}, "overloaded_error", "Overloaded"),
    "an object with a code": (
        {"error": {"message": "Bad key", "code": "invalid_api_key"}},
        "invalid_api_key",
        "Bad key",
    ),
    "an object with details": ({"error": {"reason": "x"}}, "AgentError", "x"),
    "an object that says nothing known": ({"error": {"a": 1}}, "AgentError", '{"a": 1}'),
    "JSON-RPC": (
        {"jsonrpc": "2.0", "id": 1, "error": {"code": -32601, "message": "Method not found"}},
        "-32601",
        "Method not found",
    ),
    "the name of an exception": ({"error": "ValueError", "message": "Bad key"}, "ValueError", "Bad key"),
    "Spring": (
        {"status": 500, "error": "Internal Server Error", "message": "No bus", "path": "/x"},
        "Internal Server Error",
        "No bus",
    ),
    "a problem": (
        {"type": "about:blank", "title": "Too many", "status": 429, "detail": "Try later"},
        "429",
        "Try later",
    ),
    "no success": ({"success": False, "message": "No seats"}, "AgentError", "No seats"),
    "an exception": ({"exception": "ValueError: bad"}, "AgentError", "ValueError: bad"),
    "a state": ({"state": "failed", "message": "Expired"}, "AgentError", "Expired"),
    "a flag beside a content": ({"is_error": True, "content": "Expired"}, "AgentError", "Expired"),
    "Google": ({"error": {"code": 429, "message": "Quota", "status": "EXHAUSTED"}}, "EXHAUSTED", "Quota"),
    "Google, in a list": ([{"error": {"code": 429, "message": "Quota", "status": "EXHAUSTED"}}], "EXHAUSTED", "Quota"),
    "fields": ({"errors": {"prompt": ["missing", "empty"]}}, "AgentError", "prompt: missing, empty"),
    "a fault": ({"fault": {"faultstring": "Policy"}}, "AgentError", "Policy"),
    "a gateway": ({"message": "Endpoint request timed out"}, "HTTPException", "Endpoint request timed out"),
    "a flag": ({"error": True, "message": "No luck"}, "AgentError", "No luck"),
    "a status": ({"status": "error", "message": "Expired"}, "AgentError", "Expired"),
    "a status and an error": ({"status": "error", "error": "Expired"}, "AgentError", "Expired"),
    "a status and a content": ({"status": "failed", "content": [{"text": "Expired"}]}, "AgentError", "Expired"),
    "a type": ({"type": "error", "message": "Down"}, "AgentError", "Down"),
    "a type and a content": ({"type": "error", "content": "Down"}, "AgentError", "Down"),
    "a type and a code": ({"type": "error", "code": "E7", "data": "Down"}, "E7", "Down"),
    "an event": ({"event": "error", "data": "Down"}, "AgentError", "Down"),
    "an event of Agno": ({"event": "RunError", "content": "Down"}, "AgentError", "Down"),
    "AG-UI": ({"type": "RUN_ERROR", "message": "Down", "code": "E7"}, "E7", "Down"),
    "Anthropic": ({"type": "error", "error": {"type": "api_error", "message": "Down"}}, "api_error", "Down"),
    "an error of OpenAI without its envelope": (
        {"message": "Bad key", "type": "invalid_request_error", "param": None, "code": None},
        "invalid_request_error",
        "Bad key",
    ),
    "OpenAI's responses": (
        {"type": "response.failed", "response": {"error": {"code": "x", "message": "Down"}}},
        "x",
        "Down",
    ),
    "a body of OpenAI's responses": (
        {"object": "response", "status": "failed", "error": {"code": "x", "message": "Down"}, "output": []},
        "x",
        "Down",
    ),
    "A2A": (
        {
            "jsonrpc": "2.0",
            "result": {"kind": "task", "status": {"state": "failed", "message": {"parts": [{"text": "Gone"}]}}},
        },
        "task_failed",
        "Gone",
    ),
    "MCP": (
        {"jsonrpc": "2.0", "result": {"content": [{"type": "text", "text": "No"}], "isError": True}},
        "ToolError",
        "No",
    ),
    "Lambda": ({"errorMessage": "Timed out", "errorType": "Sandbox.Timedout"}, "Sandbox.Timedout", "Timed out"),
    "Google's kit": ({"errorCode": "SAFETY", "errorMessage": "Refused"}, "SAFETY", "Refused"),
    "a proxy": ({"statusCode": 502, "body": "Bad gateway"}, "502", "Bad gateway"),
    "Bedrock": ({"throttlingException": {"message": "Slow down"}}, "ThrottlingException", "Slow down"),
    "Bedrock, in an event": (
        {"event": {"internalServerException": {"message": "Oh"}}},
        "InternalServerException",
        "Oh",
    ),
    "AWS": ({"__type": "com.amazon#ValidationException", "message": "Bad"}, "ValidationException", "Bad"),
    "boto": ({"Error": {"Code": "AccessDenied", "Message": "Not you"}}, "AccessDenied", "Not you"),
    "GraphQL": ({"data": None, "errors": [{"message": "One"}, {"message": "Two"}]}, "AgentError", "One; Two"),
    "a list of texts": ({"errors": ["One", "Two"]}, "AgentError", "One; Two"),
    "FastAPI, not found": ({"detail": "Not Found"}, "HTTPException", "Not Found"),
    "FastAPI, fields": (
        {"detail": [{"type": "missing", "loc": ["body", "input"], "msg": "Field required"}]},
        "RequestValidationError",
        "body.input: Field required",
    ),
}

NO_FAILURES: dict[str, JsonValue] = {
    "null": {"error": None, "result": "ok"},
    "an empty text": {"error": "", "result": "ok"},
    "a word for none": {"error": "none", "result": "ok"},
    "no": {"error": False, "result": "ok"},
    "zero": {"error": 0, "result": "ok"},
    "an empty list": {"errors": [], "result": "ok"},
    "an empty object": {"error": {}, "result": "ok"},
    "an answer about errors": {"result": "The log shows an error: 42 exceptions."},
    "a text about errors": "Error: this is what the log said",
    "a report with its errors": {"result": "Two lines are wrong.", "errors": ["line 1", "line 9"]},
    "a detail": {"detail": "The house has three rooms."},
    "a detail beside more": {"detail": "Not Found", "result": "ok"},
    "a status": {"status": "success", "result": "ok"},
    "the status of HTTP": {"statusCode": 200, "body": "ok"},
    "a tool that failed": {"type": "tool_result", "tool_use_id": "t", "status": "error", "content": "No"},
    "a message of a tool that failed": {"type": "tool", "content": "No", "tool_call_id": "t", "status": "error"},
    "a result of MCP": {"content": [{"type": "text", "text": "ok"}], "isError": False},
    "a task that is done": {"kind": "status-update", "status": {"state": "completed"}},
    "a response that is done": {"object": "response", "status": "completed", "error": None, "output": []},
    "no error message": {"errorMessage": None, "errorCode": None, "result": "ok"},
    "the end of Google's": {"author": "a", "errorCode": "STOP", "content": {"parts": [{"text": "ok"}]}},
    "a name with an exception": {"NoteException": "x", "result": "ok"},
    "no success, but an answer": {"success": False, "result": "There is no seat; shall I try Monday?"},
    "no exception": {"exception": None, "failed": [], "result": "ok"},
    "a word for null": {"error": "nil", "result": "ok"},
    "a status deep in the answer": {"result": "ok", "data": {"status": 404}},
    "a message": {"message": "The gateway is a door."},
    "a code": {"code": 7, "message": "ok"},
    "a run that ended": {"type": "result", "subtype": "success", "is_error": False, "result": "ok"},
}


@pytest.mark.parametrize(("value", "error_type", "message"), FAILURES.values(), ids=FAILURES.keys())
def test_a_failure_is_one_in_a_stream_and_in_a_body(value: JsonValue, error_type: str, message: str) -> None:
    expected = ((error_type, message),)
    streamed = told(parse(stream("Begun. ", value)))

    assert streamed.errors == expected
    assert streamed.text.startswith("Begun. ")
    assert told(parse(json.dumps(value).encode(), content_type=JSON)).errors == expected
    assert told(parse(json.dumps(value).encode() + b"\n", content_type="application/x-ndjson")).errors == expected


@pytest.mark.parametrize("value", NO_FAILURES.values(), ids=NO_FAILURES.keys())
def test_what_only_speaks_of_errors_is_none(value: JsonValue) -> None:
    assert error_in(value) is None
    assert told(parse(stream(value))).errors == ()
    assert told(parse(json.dumps(value).encode(), content_type=JSON)).errors == ()


@pytest.mark.parametrize(
    ("wire", "message"),
    [
        (b'event: error\ndata: {"message": "No model"}\n\n', "No model"),
        (b'event: error\ndata: {"error": "No model"}\n\n', "No model"),
        (b'event: error\ndata: {"error": {"message": "No model"}}\n\n', "No model"),
        (b'event: error\ndata: {"detail": "No model"}\n\n', "No model"),
        (b'event: error\ndata: "No model"\n\n', "No model"),
        (b"event: error\ndata: No model\n\n", "No model"),
        (b"event:error\r\ndata:No model\r\n\r\n", "No model"),
        (b'event: error\ndata: {"a": 1}\n\n', '{"a": 1}'),
        (b"event: run_error\ndata: No model\n\n", "No model"),
        (b"event: exception\ndata: No model\n\n", "No model"),
    ],
)
def test_the_name_of_a_server_sent_event_makes_it_a_failure(wire: bytes, message: str) -> None:
    told_of = told(parse(stream("Begun.") + wire + stream(" More.")))

    assert told_of.errors == (("AgentError", message),)
    assert told_of.text.startswith("Begun.")


def test_the_name_ends_with_its_event() -> None:
    assert told(parse(b'event: error\ndata: {"message": "No"}\n\ndata: {"message": "Yes"}\n\n')).text == "Yes"
    assert told(parse(b"event: error\n\ndata: Yes\n\n")).errors == ()


def test_what_was_said_beside_a_failure_is_kept() -> None:
    body = json.dumps({"answer": "Half of it.", "error": "The rest is lost"}).encode()
    told_of = told(parse(body, content_type=JSON))

    assert (told_of.text, told_of.errors) == ("Half of it.", (("AgentError", "The rest is lost"),))
