"""JSON-RPC and what comes in it: tasks and messages of A2A, results of MCP; A2A without the envelope as well."""

from __future__ import annotations

from apps.aws.stream.blocks import content_of
from apps.aws.stream.context import HUMANS, Context
from apps.aws.stream.values import JsonObject, dict_at, dicts_in, fenced, key_at, list_at, text_at

_A2A_KINDS = frozenset({"task", "message", "status-update", "artifact-update"})
_A2A_KEYS = frozenset({"task", "statusUpdate", "artifactUpdate", "status_update", "artifact_update"})


def is_jsonrpc(value: JsonObject) -> bool:
    return "jsonrpc" in value


def read_jsonrpc(value: JsonObject, context: Context) -> None:
    if "result" in value:
        context.read(value["result"])
    elif "error" not in value:
        params = dict_at(value, "params")
        context.answer.other(text_at(value, "method") or "notification", params)


def is_mcp(value: JsonObject) -> bool:
    has_content = isinstance(value.get("content"), list)
    return ("isError" in value and has_content) or "structuredContent" in value


def read_mcp(value: JsonObject, context: Context) -> None:
    content = content_of(value.get("content"))
    if content.is_empty and value.get("structuredContent") is not None:
        content.text = fenced(value["structuredContent"])
    context.tell(content)


def has_a2a_kind(value: JsonObject) -> bool:
    return text_at(value, "kind") in _A2A_KINDS


def is_a2a(value: JsonObject) -> bool:
    kind = value.get("kind")
    if isinstance(kind, str):
        return kind in _A2A_KINDS
    if len(value) == 1:
        key = next(iter(value))
        return key in _A2A_KEYS or (key == "message" and isinstance(dict_at(value, "message").get("parts"), list))
    if isinstance(value.get("artifact"), dict):
        return isinstance(dict_at(value, "artifact").get("parts"), list)
    return isinstance(dict_at(value, "status").get("state"), str) or _is_message(value)


def read_a2a(value: JsonObject, context: Context) -> None:
    kind = text_at(value, "kind")
    if not kind and len(value) == 1:
        value = dict_at(value, next(iter(value)))
        kind = text_at(value, "kind")
    if isinstance(value.get("artifact"), dict):
        _read_artifact(
            dict_at(value, "artifact"),
            context,
            is_next=value.get("append") is True or dict_at(value, "artifact").get("append") is True,
        )
    elif kind == "message" or (not kind and "parts" in value):
        _read_message(value, context)
    elif kind == "status-update" or "taskId" in value or "task_id" in value:
        _read_status(value, context)
    else:
        _read_task(value, context)


def _is_message(value: JsonObject) -> bool:
    role = text_at(value, "role")
    is_a2a = role in ("agent", "ROLE_AGENT") or "messageId" in value or "message_id" in value
    return is_a2a and isinstance(value.get("parts"), list)


def _read_artifact(artifact: JsonObject, context: Context, *, is_next: bool) -> None:
    """The next parts of an artifact, or all of them, which may have come before."""
    name = f"artifact:{key_at(artifact, 'artifactId', 'artifact_id', 'index', 'name')}"
    content = content_of(artifact.get("parts"))
    if is_next:
        context.tell(content, name, is_whole=False)
        return
    rest = context.answer.unsaid(content.text)
    if rest == content.text and not context.answer.is_message(name):
        context.answer.part()
        context.answer.begin(name)
    content.text = rest
    context.tell(content, name if rest else "", is_whole=False)


def _read_message(message: JsonObject, context: Context) -> None:
    if text_at(message, "role") not in HUMANS:
        context.tell(content_of(message.get("parts")), key_at(message, "messageId", "message_id"))


def _read_status(value: JsonObject, context: Context) -> None:
    """What an agent says while it works comes in pieces or as sentences; its last words may repeat them."""
    status = dict_at(value, "status")
    message = dict_at(status, "message")
    content = content_of(message.get("parts"))
    state = text_at(status, "state").removeprefix("TASK_STATE_").lower()
    if state in ("failed", "rejected", "canceled", "cancelled"):
        return  # the failure says it
    if state not in ("working", "submitted", ""):
        context.tell(content)
        return
    text, content.text = content.text, ""
    context.tell(content)
    context.pieces.add("a2a.status", text, may_be_sentence=True)


def _read_task(task: JsonObject, context: Context) -> None:
    """A whole task: its artifacts, its last words, and the agent's messages if there is neither."""
    artifacts = dicts_in(list_at(task, "artifacts"))
    for artifact in artifacts:
        _read_artifact(artifact, context, is_next=False)
    message = dict_at(task, "status", "message")
    if message:
        _read_status({"status": task["status"], "taskId": ""}, context)
    elif not artifacts:
        history = dicts_in(list_at(task, "history"))
        starts = [index for index, entry in enumerate(history) if text_at(entry, "role") in HUMANS]
        for entry in history[starts[-1] + 1 :] if starts else history:
            _read_message(entry, context)
