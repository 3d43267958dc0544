"""Failures that an answer tells although HTTP said 200."""

from __future__ import annotations

import re
from functools import lru_cache

from apps.aws.stream.pieces import found_text
from apps.aws.stream.values import JsonObject, dict_at, dicts_in, json_text, key_at, text_at
from loom_events.kinds import ErrorEvent, JsonValue
from loom_events.storable import storable_text

_ERROR_NAMES = re.compile(r"(?i)(.*[._/-])?(error|exception|failure|fatal)|run_?error|.*(RunError|_error)")
_NO_ERROR = frozenset({
    "", "none", "null", "no", "false", "0", "ok", "n/a", "na", "-", "undefined", "no error", "success", "no errors",
    "nil",
})  # fmt: skip
_NAME_KEYS = frozenset({"type", "event", "kind"})
_LONGEST_NAME = 80
_HOLDERS = frozenset({"response.failed", "multiagent_result", "workflow_finished"})  # the failure is in what they hold
_FAILED_STATES = frozenset({"failed", "rejected", "canceled", "cancelled"})
_BAD_STATUS = frozenset({"error", "failed", "failure"})
_REFUSALS = frozenset({"not found", "method not allowed", "internal server error", "unauthorized", "forbidden",
    "not authenticated", "service unavailable", "bad request", "too many requests", "bad gateway",
    "could not validate credentials", "invalid authentication credentials", "request timeout",
    "endpoint request timed out", "missing authentication token", "limit exceeded", "gateway timeout"})  # fmt: skip
_WORDS = frozenset({"message", "msg", "detail", "reason", "content", "text", "title", "exception", "description"})
_TOOL_KEYS = frozenset({
    "toolUseId", "tool_use_id", "tool_call_id", "toolCallId", "tool_name", "toolName", "tool_id", "tool", "node_id",
})  # fmt: skip
_NAME = re.compile(r"[A-Za-z_][\w.]{2,80}")
_EXCEPTION = re.compile(r"[a-z][A-Za-z]*Exception")
_MARKS = frozenset({
    "error", "Error", "errors", "status", "type", "event", "kind", "detail", "errorMessage", "errorCode",
    "error_message", "error_code", "isError", "is_error", "statusCode", "force_stop", "__type", "errorType",
    "error_type", "jsonrpc", "statusUpdate", "status_update", "task", "success", "ok", "exception", "state", "failed",
    "fault", "status_code",
})  # fmt: skip


def error_in(value: JsonValue, sse_event_name: str = "") -> ErrorEvent | None:
    """The failure that a value tells, in the form of any protocol; None for a value that tells none."""
    if sse_event_name and _is_error_name(sse_event_name):
        return _named(value)
    if not isinstance(value, dict) or _is_unmarked(value):
        return None
    if value.keys() & _TOOL_KEYS or "tool" in text_at(value, "type", "event", "kind").lower():
        return None  # that a tool failed is for the agent to deal with
    for form in (_error_key, _typed, _status, _exception, _lambda, _http, _errors, _detail, _inner, _flag):
        if error := form(value):
            return error
    return None


def _is_unmarked(value: JsonObject) -> bool:
    for key in value:
        if key.endswith("Exception"):
            return False
    if len(value) == 1 and "message" in value:
        return False
    marks = _MARKS & value.keys()
    if not marks <= _NAME_KEYS:
        return False
    # Nearly every event has a name, and nearly none that of a failure.
    for key in marks:
        name = value[key]
        if not isinstance(name, str) or name in _HOLDERS or _is_error_name(name):
            return False
    return True


@lru_cache(maxsize=256)
def _is_error_name(name: str) -> bool:
    return name not in _HOLDERS and _ERROR_NAMES.fullmatch(name[:_LONGEST_NAME]) is not None


def _event(error_type: str, message: str) -> ErrorEvent:
    return {
        "kind": "error",
        "error_type": storable_text(error_type or "AgentError"),
        "message": storable_text(message or error_type or "The agent reports an error without a word about it."),
    }


_TYPE_KEYS = ("error_type", "errorType", "type", "__type", "Code", "code", "error_code", "errorCode", "status", "name")
_NO_TYPES = frozenset({"error", "exception", "run_error", "failed", "failure", "about:blank"})


def _named(value: JsonValue) -> ErrorEvent:
    """What comes under the name of an error is one, whatever it looks like."""
    if isinstance(value, dict):
        return error_in(value) or _event(_type_in(value), _message_in(value) or json_text(value))
    return _event("", value if isinstance(value, str) else "" if value is None else json_text(value))


def _type_in(value: JsonObject) -> str:
    names = [text_at(value, key) for key in _TYPE_KEYS]
    found = next((name for name in names if name and name.lower() not in _NO_TYPES), "") or key_at(value, *_TYPE_KEYS)
    return "" if found.lower() in _NO_TYPES else found.rpartition("#")[2]


def _message_in(value: JsonObject) -> str:
    text = text_at(value, "message", "Message", "error_message", "errorMessage", "errorText", "detail", "msg", "reason",
        "description", "error", "content", "text", "data", "details", "title", "cause", "faultstring",
        "exception")  # fmt: skip
    if text:
        return text
    for key in ("error", "data", "payload", "content", "detail", "message", "cause"):
        inner = value.get(key)
        if isinstance(inner, dict) and inner:
            return _message_in(inner) or json_text(inner)
        if isinstance(inner, list) and inner:
            return found_text(inner) or json_text(inner)
    return ""


def _error_key(value: JsonObject) -> ErrorEvent | None:
    """`error` as the SDK's text, as an object of OpenAI, Anthropic or JSON-RPC, or as a flag beside a message."""
    error = value.get("error", value.get("Error")) or dict_at(value, "last_error") or dict_at(value, "fault")
    message = text_at(value, "message", "detail", "msg")
    if isinstance(error, str):
        if error.strip().lower() in _NO_ERROR:
            return _event(text_at(value, "error_type"), _message_in(value)) if text_at(value, "error_type") else None
        if (
            message
            and not text_at(value, "error_type")
            and (_NAME.fullmatch(error) or key_at(value, "status", "statusCode", "status_code")[:1] in ("4", "5"))
        ):
            return _event(error, message)  # the name of an exception or of a status, and what it is about
        return _event(text_at(value, "error_type", "errorType") or key_at(value, "code"), error)
    if isinstance(error, dict) and error:
        return _event(_type_in(error) or text_at(value, "error_type"), _message_in(error) or json_text(error))
    if isinstance(error, list) and error:
        return _event("", found_text(error) or json_text(error))
    if error is True or (isinstance(error, (int, float)) and error and message):
        return _event(_type_in(value), _message_in(value))
    return None


def _typed(value: JsonObject) -> ErrorEvent | None:
    """`{"type": "error"}`, AG-UI's RUN_ERROR, an error object without its envelope; `event` and `kind` likewise."""
    for key in ("type", "event", "kind"):
        name = text_at(value, key)
        if name and _is_error_name(name):
            message = _message_in(value)
            if key == "type" and name.endswith("_error"):
                return _event(name, message) if message else None
            if payload := dict_at(value, "payload"):
                return _named(payload)
            rest = {other: inner for other, inner in value.items() if other != key}
            return _event(_type_in(rest), message)
    return None


def _status(value: JsonObject) -> ErrorEvent | None:
    """`status` as a word, and as the state of a task of A2A."""
    status = value.get("status", value.get("state"))
    if isinstance(status, str):
        failed = status.lower() in _BAD_STATUS
        if value.get("object") == "response":
            return _event("response_failed", "The response failed.") if status == "failed" else None
        if failed and isinstance(value.get("results"), dict):
            return _event("MultiAgentFailed", _failed_nodes(value))
        return _event(_type_in({**value, "status": ""}), _message_in(value)) if failed else None
    if isinstance(status, dict):
        state = text_at(status, "state").removeprefix("TASK_STATE_").lower()
        if state in _FAILED_STATES:
            message = status.get("message")
            parts = message.get("parts") if isinstance(message, dict) else message
            return _event(f"task_{state}", found_text(parts) or f"The task was {state}.")
    return None


def _failed_nodes(value: JsonObject) -> str:
    messages = [
        f"{name}: {text_at(dict_at(node, 'result'), 'message') or 'failed'}"
        for name, node in dict_at(value, "results").items()
        if isinstance(node, dict) and text_at(node, "status") == "failed"
    ]
    return "; ".join(messages) or "A node of the graph failed."


def _exception(value: JsonObject) -> ErrorEvent | None:
    """Bedrock's exceptions inside a stream, and AWS's error bodies."""
    for key, inner in value.items():
        if _EXCEPTION.fullmatch(key) and (isinstance(inner, dict) or (isinstance(inner, str) and inner)):
            message = inner if isinstance(inner, str) else _message_in(inner)
            return _event(key[0].upper() + key[1:], message)
    if text_at(value, "__type"):
        return _event(_type_in(value), _message_in(value))
    if value.get("force_stop") is True:
        return _event("ForceStop", text_at(value, "force_stop_reason") or "The agent was stopped by force.")
    return None


def _lambda(value: JsonObject) -> ErrorEvent | None:
    """`errorMessage` of Lambda and of Google's Agent Development Kit."""
    message = text_at(value, "errorMessage", "error_message")
    if message:
        return _event(key_at(value, "errorType", "errorCode", "error_code", "error_type"), message)
    code = key_at(value, "errorCode", "error_code")
    return _event(code, code) if code and code not in ("0", "STOP") and code.lower() not in _NO_ERROR else None


def _http(value: JsonObject) -> ErrorEvent | None:
    """The answer of a proxy: a status and a body."""
    for key in ("statusCode", "status_code", "status"):
        status = value.get(key)
        if isinstance(status, int) and 400 <= status < 600:
            message = text_at(value, "detail") or _message_in(value) or text_at(value, "body")
            return _event(str(status), message) if message or key != "status" else None
    return None


def _errors(value: JsonObject) -> ErrorEvent | None:
    """GraphQL's list, unless there is an answer beside it that may speak of errors."""
    errors = value.get("errors")
    if isinstance(errors, dict) and errors and not found_text({**value, "errors": None, "message": None}):
        fields = (f"{name}: {found_text(wrong) or _plain(wrong)}" for name, wrong in errors.items())
        return _event("", "; ".join(fields))
    if not isinstance(errors, list) or not errors or found_text({**value, "errors": None}):
        return None
    messages = [item for item in errors if isinstance(item, str)] + [_message_in(item) for item in dicts_in(errors)]
    first = next(iter(dicts_in(errors)), {})
    return _event(_type_in(first), "; ".join(filter(None, messages)) or json_text(errors))


def _plain(value: JsonValue) -> str:
    texts = [item for item in value if isinstance(item, str)] if isinstance(value, list) else []
    return ", ".join(texts) or json_text(value)


def _flag(value: JsonObject) -> ErrorEvent | None:
    """A flag or an exception, and no answer beside it but the words about what went wrong."""
    exception = text_at(value, "exception")
    if exception.lower() in _NO_ERROR:
        is_failed = value.get("is_error") is True or value.get("failed") is True
        if not is_failed and value.get("success") is not False and value.get("ok") is not False:
            return None
    words = {key: inner for key, inner in value.items() if key not in _WORDS}
    return None if found_text(words) else _event(_type_in(value), _message_in(value))


def _detail(value: JsonObject) -> ErrorEvent | None:
    """Refusals that are nothing but a detail: words of HTTP from FastAPI or a gateway, or fields that are wrong."""
    detail = value.get("detail", value.get("message"))
    if len(value) > 1 or detail is None:
        return None
    if isinstance(detail, str) and detail.strip(" .").lower() in _REFUSALS:
        return _event("HTTPException", detail)
    wrong = [item for item in dicts_in(detail) if "msg" in item and "loc" in item]
    if not wrong:
        return None
    fields = (
        f"{'.'.join(str(step) for step in loc) if isinstance(loc := item['loc'], list) else loc}: "
        f"{text_at(item, 'msg')}"
        for item in wrong
    )
    return _event("RequestValidationError", "; ".join(fields))


def _inner(value: JsonObject) -> ErrorEvent | None:
    """Failures one level down: an event of Bedrock, a result of JSON-RPC, a response that OpenAI gave up."""
    if value.get("isError") is True and "content" in value:
        return _event("ToolError", found_text(value["content"]) or "The tool reports an error.")
    if value.get("is_error") is True and ("subtype" in value or value.get("type") == "result"):
        return _event(text_at(value, "subtype"), _message_in({**value, "error": value.get("result")}))
    if value.get("type") == "response.failed":
        inner = dict_at(value, "response")
        return error_in(inner) or _event("response_failed", "The response failed.")
    if text_at(value, "event", "type") == "workflow_finished":
        return error_in(dict_at(value, "data"))
    for key in ("event", "result", "task", "statusUpdate", "status_update"):
        inner = dict_at(value, key)
        if inner and (key != "result" or "jsonrpc" in value or "status" in inner) and (error := error_in(inner)):
            return error
    return None
