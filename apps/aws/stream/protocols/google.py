"""Events of Google's Agent Development Kit and chunks of Gemini: `content.parts`, in camel or snake case."""

from __future__ import annotations

from apps.aws.stream.blocks import Call, Content, Result, content_of
from apps.aws.stream.context import Context
from apps.aws.stream.values import JsonObject, dict_at, dicts_in, key_at, text_at

_EVENT_KEYS = frozenset({"author", "invocationId", "invocation_id", "usageMetadata", "usage_metadata", "turnComplete",
    "turn_complete", "partial", "actions"})  # fmt: skip
_REASONS = {"STOP": "end_turn", "MAX_TOKENS": "max_tokens", "SAFETY": "content_filtered"}


def is_google(value: JsonObject) -> bool:
    if isinstance(value.get("candidates"), list) or isinstance(value.get("promptFeedback"), dict):
        return True
    if isinstance(dict_at(value, "content").get("parts"), list):
        return True
    return len(_EVENT_KEYS & value.keys()) > 1


def read_google(value: JsonObject, context: Context) -> None:
    candidates = dicts_in(value.get("candidates"))
    if candidates or "candidates" in value or "promptFeedback" in value:
        if reason := text_at(dict_at(value, "promptFeedback"), "blockReason"):
            context.answer.fail(reason, "The model refused the prompt.")
        for candidate in candidates[:1]:
            context.tell(_content(candidate), is_whole=False)
            _end(candidate, context)
        context.answer.usage_so_far(_usage(value), key_at(value, "responseId", "response_id"))
        return
    role = text_at(dict_at(value, "content"), "role")
    content = _content(value)
    if text_at(value, "author") == "user" or (role == "user" and not content.results):
        return
    is_next = value.get("partial") is True
    if is_next:  # the next piece, or all so far
        context.pieces.add("google", content.text)
        content.text = ""
    context.tell(content, is_whole=not is_next)
    if not is_next and (usage := _usage(value)):
        context.answer.usage(usage)


def _content(value: JsonObject) -> Content:
    """The parts, code that was run among them."""
    parts = dict_at(value, "content").get("parts")
    plain = [part for part in dicts_in(parts) if not _code(part) and not _outcome(part)]
    content = content_of(plain)  # type: ignore[arg-type]
    for part in dicts_in(parts):
        if code := _code(part):
            content.calls.append(Call("", "code_execution", text_at(code, "code")))
        if outcome := _outcome(part):
            is_ok = text_at(outcome, "outcome") in ("", "OUTCOME_OK", "OK")
            content.results.append(Result("", "success" if is_ok else "error", text_at(outcome, "output")))
    return content


def _code(part: JsonObject) -> JsonObject:
    return dict_at(part, "executableCode") or dict_at(part, "executable_code")


def _outcome(part: JsonObject) -> JsonObject:
    return dict_at(part, "codeExecutionResult") or dict_at(part, "code_execution_result")


def _usage(value: JsonObject) -> JsonObject:
    return dict_at(value, "usageMetadata") or dict_at(value, "usage_metadata")


def _end(candidate: JsonObject, context: Context) -> None:
    reason = text_at(candidate, "finishReason", "finish_reason")
    context.answer.stop(_REASONS.get(reason, reason.lower()))
