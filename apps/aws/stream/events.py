"""How one value of an agent's stream becomes events of `loom_events`.

Agents on AgentCore send what their framework yields: strings, Bedrock's Converse events, the callback dictionaries of
Strands Agents, the events of some protocol. `protocols.table` says who reads what; what has no name is looked through
for a text, and what nobody understands is kept as `unread`. Strings may hold all of it once more: as JSON, framed as
server-sent events, or as Python writes it.
"""

from __future__ import annotations

import json

from apps.aws.stream.answer import Answer
from apps.aws.stream.blocks import content_of
from apps.aws.stream.context import Context, latest
from apps.aws.stream.encoded import DONE, ENCODED, FIRST_SIGNS, frames_in
from apps.aws.stream.failures import error_in
from apps.aws.stream.pieces import Pieces, found, is_piece, is_silent
from apps.aws.stream.plain import BEDROCK, DATA, JSON_SIGNS, STRINGS, piece_in
from apps.aws.stream.protocols import langchain, typed
from apps.aws.stream.protocols.table import DISCRIMINATORS, Reader, reader_of
from apps.aws.stream.reprs import read_bytes, read_repr
from apps.aws.stream.values import JsonObject, UnreadableJsonError, dicts_in, read_json, storable, text_at
from loom_events.kinds import JsonValue, RunEvent

_DEEPEST = 8
_MOST_SHAPES = 100
_MOST_ENCODINGS = 2  # so often a string is looked into for what it encodes
_THOUGHT_KEYS = ("reasoning_content", "reasoning", "thinking", "thought")
_NESTED_KEYS = ("result", "response", "output", "message", "data", "payload", "chunk", "event", "value", "body")
_ERROR_WORDS = frozenset({
    "error", "errors", "message", "detail", "errorMessage", "error_message", "reason", "statusCode", "body", "type",
    "event", "status", "code", "errorText", "msg",
})  # fmt: skip


class StreamReader:
    """Turns the values of one stream into events; it remembers what was said and what kind of stream it is."""

    def __init__(self, max_characters: int, *, is_body: bool = False) -> None:
        self._answer = Answer(max_characters)
        self._pieces = Pieces(self._answer, max_characters)
        self._context = Context(self._answer, self._pieces, self._read_value, self._say_found, self._decode)
        self._is_body = is_body
        self.plain = ""  # of what kind of text the next value is the next piece of, if it looks like the one before
        self._is_plain_raw = False  # the same where it is no JSON
        self._readers: dict[tuple[object, ...], Reader | None] = {}
        self._is_raw: bool | None = None  # whether the first that came was no JSON
        self._has_raw = False
        self._null_count = 0
        self._is_quoted: bool | None = None  # whether the first string was JSON itself
        self._encoding = 0
        self._depth = 0
        self._is_failure_told = False

    def read(self, value: JsonValue, raw: str, event_name: str = "") -> list[RunEvent]:
        """The events of one value; `raw` is the text it was read from."""
        if not event_name and (plain := self._plain_text(value)) is not None:
            return self._answer.plain(plain)
        self._context.event_name = event_name
        self.plain, self._is_plain_raw = "", False
        self._read_other(value, raw)
        return self._answer.take()

    def read_piece(self, data: bytes) -> list[RunEvent] | None:
        """The events of JSON that is the next piece of a text; None, and nothing is taken, where `read` has to see."""
        text = piece_in(data, self.plain)
        return None if text is None else self._answer.plain(text)

    def read_raw(self, text: str, event_name: str = "") -> list[RunEvent]:
        """The events of a text that was no JSON."""
        if self._is_plain_raw and not event_name and not (text[0] in FIRST_SIGNS and ENCODED.match(text)):
            return self._answer.plain(text)
        self._has_raw, self.plain, self._is_plain_raw = True, "", False
        if self._is_raw is None:
            self._is_raw = True
            self._answer.say("null" * self._null_count)
        if event_name and self._read_named(text, event_name):
            return self._answer.take()
        if text[0] in FIRST_SIGNS and text[0] != '"' and ENCODED.match(text) and self._read_encoded(text):
            return self._answer.take()
        self._is_plain_raw = True
        self._answer.say(text)
        return self._answer.take()

    def read_body(self, value: JsonValue, raw: str) -> list[RunEvent]:
        """The events of a body that is one JSON value: the value with what is to show of it, and what else it tells."""
        if isinstance(value, (int, float)):
            self._answer.say(raw.strip())
        elif value is not None:
            self._read_value(value)
        events = self.finish()
        text = "".join(event["text"] for event in events if event["kind"] == "text" and "parent_id" not in event)
        errors = [event for event in events if event["kind"] == "error"]
        rest = [event for event in events if event["kind"] not in ("text", "error")]
        if not (events or found(value)):
            text = json.dumps(storable(value), ensure_ascii=False, indent=2)  # it says nothing but itself
        return [*rest, {"kind": "json", "value": storable(value), "text": text}, *errors]

    def keep(self, value: JsonValue) -> list[RunEvent]:
        """A value that cannot be understood."""
        self._answer.unread(value)
        return self._answer.take()

    def finish(self) -> list[RunEvent]:
        """At the end: what still waited to be said."""
        self._answer.finish()
        return self._answer.take()

    def _plain_text(self, value: JsonValue) -> str | None:
        """The text of a value that is the next piece of a text and nothing else, as nearly every one is; "" for a copy.

        What is plain is decided by the value before it, which came the long way.
        """
        if isinstance(value, str):
            if self.plain is not STRINGS or not value or (value[0] in FIRST_SIGNS and ENCODED.match(value)):
                return None
            return value
        if not isinstance(value, dict):
            return None
        event = value.get("event")
        if isinstance(event, dict):
            block = event.get("contentBlockDelta") if len(event) == 1 else None
            delta = block.get("delta") if isinstance(block, dict) else None
            text = delta.get("text") if isinstance(delta, dict) and len(delta) == 1 else None
            return text if isinstance(text, str) and self.plain is BEDROCK else None
        text = value.get("data") if len(value) > 1 else value.get("data", value.get("chunk"))
        if not isinstance(text, str) or not (len(value) == 1 or ("delta" in value and "type" not in value)):
            return None
        if len(value) > 1 and self.plain is BEDROCK and "error" not in value:
            return ""  # what Strands repeats of the event before
        return text if self.plain is DATA and text[:1] not in JSON_SIGNS and "error" not in value else None

    def _read_other(self, value: JsonValue, raw: str) -> None:
        if isinstance(value, dict):
            if self._is_raw and not value:
                self._answer.say(raw)
                return
            self._is_raw = self._is_raw or False
            if not self._read_dict(value):
                self._unread(value, raw)
            self.plain = self._kind_of(value)
        elif isinstance(value, list):
            if self._read_list(value):
                return
            if dicts_in(value):
                self._unread(value, raw)
            else:
                self._answer.say(raw)
        elif isinstance(value, str):
            if not self._read_named(value, self._context.event_name):
                self._read_string_or_raw(value, raw)
        elif value is None and not self._has_raw:
            self._null_count += self._is_raw is None
        else:
            self._answer.say(raw)

    def _read_string_or_raw(self, value: str, raw: str) -> None:
        """A JSON string, which in a stream of raw text is a word in quotation marks."""
        if self._is_raw:
            self._answer.say(raw)
        else:
            self._is_raw = False
            self._read_string(value)

    def _read_string(self, text: str) -> None:
        if not text or text.strip() == DONE:
            return
        if text[0] in FIRST_SIGNS and ENCODED.match(text) and self._read_encoded(text):
            return
        self._is_quoted = self._is_quoted or False
        self.plain = "" if self._is_quoted else STRINGS
        self._answer.say(text)

    def _read_value(self, value: JsonValue) -> None:
        """A value inside of another one."""
        if self._depth >= _DEEPEST:
            self._unread(value, "")
            return
        self._depth += 1
        try:
            if isinstance(value, dict):
                understood = self._read_dict(value)
            elif isinstance(value, list):
                understood = self._read_list(value)
            elif isinstance(value, str):
                self._read_string(value)
                understood = True
            else:
                understood = value is None
            if not understood:
                self._unread(value, "")
        finally:
            self._depth -= 1

    def _read_dict(self, value: JsonObject) -> bool:
        """Reads a dictionary; tells whether it was understood."""
        if not self._is_failure_told and (error := error_in(value, self._context.event_name)):
            self._is_failure_told = True
            try:
                self._read_failed(value, error["message"])
            finally:
                self._is_failure_told = False
            self._answer.events.append(error)
            return True
        if reader := self._reader_of(value):
            reader(value, self._context)
            return True
        return self._read_unnamed(value)

    def _reader_of(self, value: JsonObject) -> Reader | None:
        """`reader_of`, remembered for dictionaries without others in them whose keys and names are the same."""
        shape: list[object] = []
        for key, inner in value.items():
            kind = inner.__class__
            if kind is dict or kind is list:
                return reader_of(value)
            shape += (key, inner if kind is str and key in DISCRIMINATORS else kind)
        known = tuple(shape)
        if known not in self._readers:
            if len(self._readers) >= _MOST_SHAPES:
                self._readers.clear()
            self._readers[known] = reader_of(value)
        return self._readers[known]

    def _kind_of(self, value: JsonObject) -> str:
        """Whether pieces like this one may be said without looking at them for long."""
        if self._answer.settle is not None or self._is_raw:
            return ""
        if "bedrock" in self._context.seen:
            return "" if self._context.ahead else BEDROCK
        if len(value) == 1 and isinstance(value.get("chunk"), str):
            return DATA
        return DATA if isinstance(value.get("data"), str) and "type" not in value and "event" not in value else ""

    def _read_failed(self, value: JsonObject, message: str) -> None:
        """What an answer that failed says besides."""
        if reader := reader_of(value):
            reader(value, self._context)
            return
        rest = {key: inner for key, inner in value.items() if key not in _ERROR_WORDS}
        text = found(rest)
        if text and text[1] not in ("", message) and not self._context.event_name:
            self._pieces.add(text[0], text[1])

    def _read_unnamed(self, value: JsonObject) -> bool:
        """A dictionary of a shape that has no name: the text in it, if there is one."""
        for key in _NESTED_KEYS:
            inner = value.get(key)
            if isinstance(inner, dict) and reader_of(inner):
                self._read_value(inner)
                if not self._answer.has_usage:
                    typed.read_usage(value, self._context, is_beside=True)
                return True
            if isinstance(inner, list) and langchain.read_list(inner, self._context):
                return True
        if "chunk" in value and (text := found(value["chunk"])):
            self._answer.say(text[1])
            return True
        if not (name := typed.name_of(value, self._context)) and (thought := text_at(value, *_THOUGHT_KEYS)):
            self._answer.think(thought)
        if name:
            if typed.read_typed(value, self._context):
                return True
        elif text := found(value):
            typed.read_usage(value, self._context)
            self._say_found(*text)
            return True
        is_thought = not name and text_at(value, *_THOUGHT_KEYS) != ""
        return typed.read_usage(value, self._context) or self._read_inner(value) or is_thought or is_silent(value)

    def _read_inner(self, value: JsonObject) -> bool:
        """The text one level down, under a name that only the agent knows: of a node, a step, a part."""
        texts = {key: text for key, inner in value.items() if isinstance(inner, dict) and (text := found(inner))}
        for key, (path, said) in texts.items():
            self._say_found(f"{key}.{path}", said)
        return bool(texts)

    def _read_list(self, values: list[JsonValue]) -> bool:
        items = dicts_in(values)
        if langchain.read_list(values, self._context):
            return True
        if any(reader_of(item) for item in items) or (items and error_in(items[0])):
            for item in latest(items):
                self._read_value(item)
            return True
        content = content_of(values) if len(items) == len(values) else None
        if content and not content.unread and not content.is_empty:
            self._context.tell(content, is_whole=False)
            return True
        text = found(values)
        if text:
            self._say_found(*text)
        return text is not None

    def _say_found(self, path: str, text: str) -> None:
        """A text found at a path, which may be JSON once more."""
        if not self._decode(text):
            self._pieces.add(path, text)

    def _decode(self, text: str) -> bool:
        return text[:1] in ("{", "[") and self._read_encoded(text)

    def _read_named(self, text: str, event_name: str) -> bool:
        """A text under the name of a server-sent event: a failure, a thought, the whole at the end."""
        if not event_name:
            return False
        if error := error_in(text, event_name):
            self._answer.events.append(error)
            return True
        self._context.event_name = event_name
        return typed.read_text(text, self._context)

    def _read_encoded(self, text: str) -> bool:
        """Reads what a string encodes: JSON, server-sent events, a Python value; tells whether it did."""
        if self._encoding >= _MOST_ENCODINGS:
            return False
        self._encoding += 1
        try:
            return self._read_framed(text) or self._read_json_text(text) or self._read_python(text)
        finally:
            self._encoding -= 1

    def _read_json_text(self, text: str) -> bool:
        if text[0] not in '{["':
            return False
        try:
            value = read_json(text.strip())
        except UnreadableJsonError:
            return False
        if isinstance(value, str):
            if self._is_quoted is None:
                self._is_quoted = True
            if self._is_quoted:
                self._read_string(value)
            return self._is_quoted
        if isinstance(value, dict):
            return self._is_event(value) and self._read_dict(value)
        return isinstance(value, list) and self._is_list_of_events(value) and self._read_list(value)

    def _is_event(self, value: JsonObject) -> bool:
        """Whether a dictionary that came as a text is an event, not JSON that the agent wants to show."""
        if error_in(value) or reader_of(value):
            return True
        return is_piece(value)

    def _is_list_of_events(self, values: list[JsonValue]) -> bool:
        return any(reader_of(item) for item in dicts_in(values))

    def _read_python(self, text: str) -> bool:
        if text[0] == "b" and (said := read_bytes(text)) is not None:
            self._read_string(said)
            return True
        value, has_objects = read_repr(text)
        if isinstance(value, dict):
            if "type" not in value and text.startswith("content=") and not isinstance(value.get("content"), dict):
                value = {"type": "AIMessageChunk", **value}
            # `Label(text='Hi')` may be code that the agent shows, its name is no name of an event.
            is_event = bool(reader_of(value)) or (
                not text.startswith(f"{value.get('type')}(") and self._is_event(value)
            )
            if is_event:
                return self._read_dict(value)
            if has_objects:
                self._answer.unread(text)  # nobody writes the address of an object into an answer
            return has_objects
        return isinstance(value, list) and self._is_list_of_events(value) and self._read_list(value)

    def _read_framed(self, text: str) -> bool:
        """An agent that yields its own `data: …` lines has them framed once more by the SDK."""
        frames = frames_in(text)
        outer = self._context.event_name
        for name, data in frames or ():
            self._context.event_name = name
            self._read_frame(data, name)
        self._context.event_name = outer
        return frames is not None

    def _read_frame(self, data: str, name: str) -> None:
        try:
            value = read_json(data)
        except UnreadableJsonError:
            value = None
        if isinstance(value, (dict, list)):
            self._read_other(value, data)
        else:
            text = value if isinstance(value, str) else data
            if not self._read_named(text, name):
                self._answer.say(text)

    def _unread(self, value: JsonValue, raw: str) -> None:
        """Nobody understood it: a word of a stream of raw text, else kept for whoever looks."""
        if self._is_raw and raw:
            self._answer.say(raw)
        elif not self._is_body:
            self._answer.unread(value)
