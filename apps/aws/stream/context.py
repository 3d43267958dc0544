"""What the readers of the protocols share: the answer, and messages in everybody's words."""

from __future__ import annotations

from collections.abc import Callable

from apps.aws.stream.answer import Answer
from apps.aws.stream.blocks import Content, call_in, content_of, result_in
from apps.aws.stream.calls import Calls
from apps.aws.stream.pieces import Pieces
from apps.aws.stream.values import JsonObject, dict_at, dicts_in, key_at, list_at, text_at
from loom_events.kinds import JsonValue

HUMANS = frozenset({"user", "human", "HumanMessage", "HumanMessageChunk", "ROLE_USER", "developer", "system",
    "SystemMessage", "SystemMessageChunk", "request"})  # fmt: skip
TOOLS = frozenset({"tool", "ToolMessage", "ToolMessageChunk", "function", "FunctionMessage"})
_MOST_AHEAD = 10_000  # characters; copies come right before or after what they are copies of
_RESULT_TYPES = frozenset({"tool_result", "function_call_output", "tool-return"})


class Ahead:
    """A text that was told by copies before what they are copies of came, which then tells only what is new."""

    def __init__(self) -> None:
        self._text = ""
        self._length = 0  # of it so much has come again

    @property
    def is_over(self) -> bool:
        return self._length == len(self._text)

    def tell(self, text: str) -> None:
        if len(self._text) < _MOST_AHEAD:
            self._text += text

    def news_in(self, text: str) -> str:
        """What of the next piece has not been told; all there was, where it turns out to be something else."""
        rest = self._text[self._length :]
        if rest.startswith(text):
            self._length += len(text)
            return ""
        news = text[len(rest) :] if text.startswith(rest) else self._text[: self._length] + text
        self._text, self._length = "", 0
        return news


class Context:
    """One stream as the readers see it."""

    def __init__(
        self,
        answer: Answer,
        pieces: Pieces,
        read: Callable[[JsonValue], None],
        say_found: Callable[[str, str], None],
        decode: Callable[[str], bool],
    ) -> None:
        self.answer = answer
        self.calls = Calls(answer)
        self.pieces = pieces
        self.read = read  # a value inside of a value, by the table again
        self.say_found = say_found  # a text that was found at a path
        self.decode = decode  # a text that may encode an event; tells whether it did
        self.event_name = ""  # of the server-sent event that is read
        self.last_scope = ""  # and who spoke before
        self.scope = ""  # the node of a graph that speaks
        self.last_call = ""  # the tool that was called last by an event without an id
        self.started_usage: JsonObject = {}  # what Anthropic counts before the answer
        self.ahead: dict[str, Ahead] = {}  # what copies told before what they are copies of, by what it is part of
        self.seen: set[str] = set()  # what a protocol wants to remember of its stream

    def tell(self, content: Content, message: str = "", *, is_whole: bool = True) -> None:
        """The parts of a message: the next ones, or all of it, of which only what is new is told."""
        answer = self.answer
        if content.reasoning and not (is_whole and answer.is_thought_since_copy):
            answer.think(content.reasoning)
        if content.text:
            if is_whole:
                answer.whole(content.text, message)
            else:
                answer.say(content.text, message)
        self.tell_tools(content)
        if is_whole:
            answer.is_thought_since_copy = False

    def tell_tools(self, content: Content) -> None:
        """The calls and results among the parts, and what nobody understood."""
        for call in content.calls:
            if not (call.tool_use_id or call.name):
                continue
            self.calls.call(call.tool_use_id, call.name, call.given)
        for result in content.results:
            self.calls.end(result.tool_use_id, result.status, result.text, result.name)
        for part in content.unread:
            self.answer.unread(part)

    def tell_message(self, message: JsonObject, *, is_whole: bool = True) -> None:
        """A message with a role, as nearly every protocol has it; what a person said is not told again."""
        role = role_of(message)
        if role in TOOLS:
            result = result_in(message)
            self.calls.end(result.tool_use_id or result.name, result.status, result.text, result.name)
            return
        content = content_of(message.get("content", message.get("parts")))
        content.calls += [call_in(call) for call in dicts_in(message.get("tool_calls", message.get("toolCalls")))]
        if role in HUMANS:
            content = Content(results=content.results)
        elif not content.reasoning:
            content.reasoning = text_at(message, "reasoning_content", "reasoning", "thinking")
        refusal = text_at(message, "refusal") or text_at(dict_at(message, "audio"), "transcript")
        content.text = content.text or refusal
        self.tell(content, key_at(message, "id", "messageId", "message_id"), is_whole=is_whole)

    def tell_messages(self, messages: list[JsonValue]) -> None:
        """A list of all messages, which may hold earlier turns: those after the last one of a person."""
        for message in latest(dicts_in(messages)):
            self.read(message) if is_langchain(message) else self.tell_message(message)


def role_of(message: JsonObject) -> str:
    return text_at(message, "role", "type", "kind", "author")


def is_langchain(message: JsonObject) -> bool:
    return "lc" in message or text_at(message, "type").endswith(("Message", "MessageChunk"))


def latest(messages: list[JsonObject]) -> list[JsonObject]:
    """The messages after the last one of a person; results of tools may come under the role of the user."""
    for index in range(len(messages) - 1, -1, -1):
        message = messages[index]
        if role_of(message) in HUMANS and not _has_results(message):
            return messages[index + 1 :]
    return messages


def _has_results(message: JsonObject) -> bool:
    parts = dicts_in(message.get("content")) + dicts_in(message.get("parts"))
    return any(
        "toolResult" in part or text_at(part, "type", "part_kind") in _RESULT_TYPES or "functionResponse" in part
        for part in parts
    )


def has_messages(value: JsonObject) -> bool:
    """Whether a dictionary holds messages: of LangChain, of Chat Completions, of anybody."""
    messages = list_at(value, "messages")
    return bool(messages) and all(isinstance(message, dict) for message in messages)
