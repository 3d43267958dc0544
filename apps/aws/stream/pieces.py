"""Answers of a shape that nobody has described: texts found under the usual names, and what they add up to."""

from __future__ import annotations

import re

from apps.aws.stream.answer import Answer
from apps.aws.stream.blocks import content_of
from apps.aws.stream.values import JsonObject, text_at
from loom_events.kinds import JsonValue

KEYS = (
    "result", "response", "output", "answer", "final_answer", "final_output", "final_response", "completion",
    "generated_text", "generation", "outputText", "output_text", "content", "text", "delta", "token", "data", "reply",
    "chunk", "message", "messages", "body", "raw", "payload", "agent_response", "value", "outputs", "choices",
    "artifact", "parts", "summary", "results", "msg",
)  # fmt: skip
_SILENT_KEYS = frozenset({
    "done", "id", "timestamp", "ts", "time", "seq", "sequence", "session_id", "sessionId", "is_final", "finished",
    "ping", "status", "state", "success", "ok", "heartbeat", "keepalive", "run_id", "thread_id", "request_id",
    "model", "created", "object", "last_error",
})  # fmt: skip
_WELL = frozenset({
    "ok", "success", "true", "running", "started", "streaming", "completed", "complete", "done", "processing",
    "in_progress", "connected", "ready", "finished", "alive", "healthy", "working", "thinking", "starting", "queued",
})  # fmt: skip
_PIECE_KEYS = frozenset(KEYS) | _SILENT_KEYS | {"type", "event", "kind", "role", "index", "name", "usage", "metadata",
    "status", "finish_reason", "stop_reason", "conversation_id", "message_id", "node", "agent", "source"}  # fmt: skip
_SENDERS = frozenset({"User", "user", "Human", "human"})
_DEEPEST = 5
_MOST_PATHS = 100
_SENTENCE_END = re.compile(r"[.!?…:]$")
_ANSWER_NAME = re.compile(
    r"(?!(?:error|reasoning|thinking|thought|user|human|input|query|question|prompt|system|status|log|debug|warning|tool|source|file|search|cited)"
    r"(?:_|[A-Z]))[a-z]\w{0,40}(?:_(?:response|answer|output|result|text|message|reply|chunk|content|completion)"
    r"|Response|Answer|Output|Result|Text|Message|Reply|Chunk|Content|Completion)"
)
_OTHERS = frozenset({"user", "human", "system", "developer", "HumanMessage", "SystemMessage", "tool", "ToolMessage"})


def found(value: JsonValue, depth: int = 0) -> tuple[str, str] | None:
    """The obvious text inside a value with the path to it; an empty one where there is no better, None for no text."""
    if isinstance(value, str):
        return "", value
    if depth == _DEEPEST:
        return None
    if isinstance(value, list):
        return _found_in_list(value, depth)
    if not isinstance(value, dict) or _is_others(value):
        return None
    empty: tuple[str, str] | None = None
    for key in KEYS:
        if key == "results" and not isinstance(value.get(key), dict):
            continue  # of a search
        if key in value and (inner := found(value[key], depth + 1)) is not None:
            path = (f"{key}.{inner[0]}", inner[1])
            if inner[1]:
                return path
            empty = empty or path
    return _found_by_ending(value, depth) if empty is None else empty


def _found_by_ending(value: JsonObject, depth: int) -> tuple[str, str] | None:
    """The text where names begin with a capital, as .NET and Go write them, or only end like one of the usual."""
    if any(key[:1].isupper() for key in value):
        lowered = {f"{key[:1].lower()}{key[1:]}": inner for key, inner in value.items()}
        if lowered.keys() != value.keys() and (inner := found(lowered, depth)) is not None:
            return inner
    for key, text in value.items():
        if isinstance(text, str) and _ANSWER_NAME.fullmatch(key):
            return key, text
    return None


def found_text(value: JsonValue) -> str:
    text = found(value)
    return text[1] if text else ""


def _is_others(value: JsonObject) -> bool:
    """Whether a message is a person's or a tool's."""
    return (text_at(value, "role") or text_at(value, "type")) in _OTHERS or text_at(value, "sender") in _SENDERS


def _found_in_list(values: list[JsonValue], depth: int) -> tuple[str, str] | None:
    """The texts of a list of parts; a list of anything else is no answer."""
    if not any(isinstance(value, dict) for value in values):
        return None
    content = content_of(values)
    if content.text and not content.unread and not any("role" in value for value in values if isinstance(value, dict)):
        return "[]", content.text
    texts = [
        text[1] for value in values if isinstance(value, dict) and (text := _found_in_part(value, depth)) is not None
    ]
    return ("[]", "".join(texts)) if texts else None


def _found_in_part(part: JsonObject, depth: int) -> tuple[str, str] | None:
    content = content_of(part)
    if content.text and not content.unread:
        return None if _is_others(part) else ("", content.text)
    if content.calls or content.results or content.reasoning:
        return None
    return found(part, depth + 1)


def is_silent(value: JsonObject) -> bool:
    """Whether a dictionary says how the stream goes on and nothing else."""
    state = value.get("status", value.get("state", "ok"))
    return value.keys() <= _SILENT_KEYS and isinstance(state, (str, bool)) and str(state).lower() in _WELL


def is_piece(value: JsonObject) -> bool:
    """Whether a dictionary is a text and what stands beside one, nothing that somebody could want to see as it is."""
    return value.keys() <= _PIECE_KEYS and found(value) is not None


class Pieces:
    """What was found at the paths of the events so far.

    An agent that streams sends the next piece, or all that it has so far, or first the one and at the end the other.
    Which it is shows with the third event at the latest: until then a second piece that begins with the first waits.
    """

    def __init__(self, answer: Answer, max_characters: int) -> None:
        self._answer = answer
        self._max_characters = max_characters
        self._paths: dict[str, _Path] = {}
        self._waiting: _Path | None = None

    def add(self, path: str, text: str, *, may_be_sentence: bool = False) -> None:
        """The next piece at a path; sentences, where an agent may send such, are paragraphs."""
        if not text:
            return
        known = self._paths.get(path)
        if self._waiting is not None and self._waiting is not known:
            self.settle()
        if known is None:
            self._begin(path, text)
            return
        rest = known.rest(text)
        self._wait_for(known if known.waiting else None)
        if known.is_anew or (rest and may_be_sentence and _are_sentences(known.last, rest)):
            known.is_anew = False
            self._answer.part()
        known.last = rest or known.last
        if rest:
            self._answer.say(rest, path)

    def whole(self, path: str, text: str) -> None:
        """A text that is said to be the whole."""
        if path in self._paths:
            self.add(path, text)
        else:
            self._answer.whole(text)

    def settle(self) -> None:
        """Something else comes: what waits is taken as the whole that its beginning looks like."""
        waiting = self._waiting
        self._wait_for(None)
        if waiting is not None and (rest := waiting.settle()):
            self._answer.say(rest)

    def _wait_for(self, path: _Path | None) -> None:
        self._waiting = path
        self._answer.settle = None if path is None else self.settle

    def _begin(self, path: str, text: str) -> None:
        if len(self._paths) < _MOST_PATHS:
            self._paths[path] = _Path(text, self._max_characters)
        rest = self._answer.unsaid(text)
        if rest == text:
            self._answer.say(text, path)
        elif rest:
            self._answer.say(rest)


class _Path:
    """The pieces at one path, and whether each is the next one or all so far."""

    def __init__(self, first: str, max_characters: int) -> None:
        self.waiting: list[str] = []
        self.is_anew = False
        self.last = first
        self._is_growing: bool | None = None
        self._pieces = [first]
        self._length = len(first)
        self._max_characters = max_characters

    def rest(self, text: str) -> str:
        """What is new in the next text."""
        if self._is_growing:
            return self._grown(text)
        if self._is_growing is None:
            return self._undecided(text)
        if self._pieces and len(text) >= self._length > 0 and text.startswith("".join(self._pieces)):
            rest = text[self._length :]  # after all the pieces comes the whole
            self._is_growing = True
            self._pieces, self._length = [text], len(text)
            return rest
        if self._pieces and 2 * len(text) >= self._length and _is_same("".join(self._pieces), text):
            return ""
        self._keep(text)
        return text

    def settle(self) -> str:
        last = self.waiting[-1] if self.waiting else ""
        self.waiting = []
        if not last:
            return ""
        rest = last[self._length :]
        self._pieces, self._length = [last], len(last)
        return rest

    def _undecided(self, text: str) -> str:
        last = self.waiting[-1] if self.waiting else self._pieces[0]
        if not text.startswith(last):
            pieces, self.waiting, self._is_growing = [*self.waiting, text], [], False
            for piece in pieces:
                self._keep(piece)
            return "".join(pieces)
        if self.waiting and len(text) > len(last) > len(self._pieces[0]):
            rest = text[self._length :]
            self.waiting, self._is_growing = [], True
            self._pieces, self._length = [text], len(text)
            return rest
        self.waiting.append(text)
        return ""

    def _grown(self, text: str) -> str:
        """All so far once more; a text that does not go on with it begins another one."""
        said = self._pieces[0]
        self._pieces, self._length = [text], len(text)
        if text.startswith(said):
            return text[len(said) :]
        if said.startswith(text) or _is_same(said, text):
            self._pieces, self._length = [said], len(said)
            return ""
        self._is_growing = None
        self.is_anew = True
        return text

    def _keep(self, text: str) -> None:
        self._length += len(text)
        if self._length > self._max_characters:
            self._pieces = []  # no event can be as long
        elif self._pieces:
            self._pieces.append(text)


def _are_sentences(said: str, text: str) -> bool:
    """Whether these are two sentences rather than pieces of one: of several words, ended, begun with a capital."""
    return bool(_SENTENCE_END.search(said)) and text[0].isupper() and " " in said.strip() and " " in text.strip()


def _is_same(said: str, text: str) -> bool:
    return len(said) > 1 and "".join(said.split()) == "".join(text.split())
