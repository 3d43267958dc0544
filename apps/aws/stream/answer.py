"""What one answer has said so far, and how a reader of a protocol says more.

A protocol may send the same words several times: piece by piece, then as a whole message, then in a list of all
messages, then as the result. Here they are said once: `say` takes the next piece, `whole` a complete message, of which
only what has not been said yet is said.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from apps.aws.stream.values import JsonObject, counts_of, json_text, storable
from loom_events.fold import UNREAD, UNREAD_MORE
from loom_events.kinds import JsonValue, RunEvent
from loom_events.storable import storable_text

MOST_KEPT = 200
"""So many values of an answer that are shown as they are; the rest of those not understood is counted."""

MOST_VALUE_CHARACTERS = 4_000

_MOST_MESSAGES = 10_000
_MOST_SPEAKERS = 1_000
_SHORT = 20  # characters up to which two messages may say the same by chance
_SLACK = 200  # characters by which a repeated message may differ in blanks
_HALVES = re.compile("[\x00\ud800-\udfff]")
_PAIR = re.compile("([\ud800-\udbff])([\udc00-\udfff])")


class Answer:
    """The events of one answer, to be taken in order, and what it takes to say nothing twice."""

    def __init__(self, max_characters: int) -> None:
        self.events: list[RunEvent] = []
        self.has_text = False
        self.is_thought_since_copy = False
        self.has_usage = False
        self.is_said_since_copy = False
        self.speaker = ""  # who of several says what comes, where they may speak at a time
        self.settle: Callable[[], None] | None = None  # what has to be said before anything else
        self._speaking: set[str] = set()  # who said something since the last copy of it
        self._open: list[str] = []  # the speakers that have begun and not ended; the first one is heard
        self._ended: set[str] = set()
        self._held: dict[str, list[Callable[[], None]]] = {}
        self._max_characters = max_characters
        self._said: list[str] = []  # every piece, as long as there are not too many: whoever repeats them is found
        self._said_length = 0
        self._is_trimmed = False
        self._message = ""
        self._messages: set[str] = set()
        self._wholes: set[int] = set()
        self._start = 0  # where in `_said` the message began that goes on
        self._start_length = 0
        self._last = (0, 0)  # where the message before it began
        self._is_apart = False  # the next piece begins a message of its own
        self._halves: dict[str, str] = {}
        self._later_usages: dict[str, tuple[int, int, int]] = {}
        self._kept_count = 0
        self._unread_count = 0

    def take(self) -> list[RunEvent]:
        """The events since the last time."""
        events, self.events = self.events, []
        return events

    def plain(self, text: str) -> list[RunEvent]:
        """`say` and `take` in one, for the next piece of a text, of which there are very many."""
        if self._is_apart or self._halves or self.settle or not text.isascii() or "\0" in text or not text:
            self.say(text)
            return self.take()
        self._said.append(text)
        self._said_length += len(text)
        self.has_text = self.is_said_since_copy = True
        if self._said_length > 2 * self._max_characters:
            self._trim()
        return [{"kind": "text", "text": text}]

    def say(self, text: str, message: str = "") -> None:
        """The next piece of the answer, unchanged; a message of another name begins a paragraph."""
        if self._must_wait(lambda: self.say(text, message)) or not text:
            return
        if self.settle is not None:
            self.settle()
        if message and message != self._message:
            self.begin(message)
        if not text.isascii() or "\0" in text or self._halves:
            text = self._characters("text", text)
        if not text:
            return
        if self._is_apart:
            self._is_apart = False
            if self.has_text:
                text = self._set_apart(text)
        self._said.append(text)
        self._said_length += len(text)
        self.has_text = True
        if self.speaker:
            self._speaking.add(self.speaker)
        else:
            self.is_said_since_copy = True
        self.events.append({"kind": "text", "text": text})
        if self._said_length > 2 * self._max_characters:
            self._trim()

    def begin(self, message: str) -> None:
        """A message of this name begins, or goes on."""
        if message == self._message:
            return
        self._message = message
        if message in self._messages:
            return
        if len(self._messages) >= _MOST_MESSAGES:
            self._messages.clear()
        self._messages.add(message)
        self._end_message()
        self._is_apart = True

    def is_message(self, message: str) -> bool:
        """Whether a message of this name has begun."""
        return message in self._messages

    def whole(self, text: str, message: str = "") -> None:
        """A complete message, of which only what has not been said yet is said."""
        words = _words(text)
        if not words or self._must_wait(lambda: self.whole(text, message)):
            return
        if self.settle is not None:
            self.settle()
        is_known = bool(message) and message in self._messages
        is_other = bool(message) and not is_known and bool(self._message) and len(words) < _SHORT
        if not is_other and (hash(words) in self._wholes or self._is_said(words)):
            self._messages.add(message)
            return
        if rest := self._rest(text, is_known=is_known and message == self._message, is_other=is_other):
            self.say(rest)
        elif not is_known:
            self._end_message()
            self._is_apart = True
            self._message = ""
            self.say(text, message)
        self._end_message()
        self._wholes.add(hash(words))
        self._message = message or self._message
        self._is_apart = True

    def unsaid(self, text: str) -> str:
        """What of a text has not been said yet: nothing, its end, or all of it."""
        words = _words(text)
        if words and (hash(words) in self._wholes or self._is_said(words)):
            return ""
        return self._rest(text, is_known=False, is_other=False) or text

    def part(self) -> None:
        """What comes next is a paragraph of its own."""
        if self.settle is not None:
            self.settle()
        self._end_message()
        self._is_apart = True

    def copy(self, text: str) -> None:
        """A complete message of a framework that may have sent it in pieces: said if nothing was since the last one."""
        is_said = self.speaker in self._speaking if self.speaker else self.is_said_since_copy
        if not is_said:
            self.whole(text)
        if not self.is_waiting():
            self.pause()
        self._speaking.discard(self.speaker)
        if not self.speaker:
            self.is_said_since_copy = False

    def enter(self, speaker: str) -> None:
        """Somebody begins to speak; who begins beside somebody else is heard when that one has ended."""
        if speaker and speaker not in self._open and len(self._open) < _MOST_SPEAKERS:
            self._open.append(speaker)

    def leave(self, speaker: str) -> None:
        """A speaker has ended."""
        if speaker in self._open:
            self._ended.add(speaker)
        while self._open and self._open[0] in self._ended:
            self._ended.discard(self._open.pop(0))
            if self._open:
                self._hear(self._open[0])

    def think(self, text: str) -> None:
        """The next piece of the model's reasoning."""
        if text := self._characters("reasoning", text):
            self.is_thought_since_copy = True
            self.events.append({"kind": "reasoning", "text": text})

    def say_inside(self, text: str, parent_id: str) -> None:
        """What is said inside a tool call, no part of the answer."""
        if text := storable_text(text):
            self.events.append({"kind": "text", "text": text, "parent_id": storable_text(parent_id)})

    def stop(self, reason: str) -> None:
        if reason:
            self.pause()
            self.events.append({"kind": "stop", "reason": storable_text(reason)})

    def usage(self, usage: JsonObject) -> None:
        """The token counts of one cycle, in whatever words."""
        self._usage(*counts_of(usage))

    def usage_so_far(self, usage: JsonObject, key: str) -> None:
        """Token counts that a protocol may repeat as they grow: the last count of each key counts."""
        counts = counts_of(usage)
        if any(counts[:2]) and (key in self._later_usages or len(self._later_usages) < _MOST_MESSAGES):
            known = self._later_usages.get(key, counts)
            given, written = counts[0] or known[0], counts[1] or known[1]
            self._later_usages[key] = (given, written, max(counts[2], given + written))

    def fail(self, error_type: str, message: str) -> None:
        self.events.append(
            {"kind": "error", "error_type": storable_text(error_type), "message": storable_text(message)}
        )

    def unread(self, value: JsonValue) -> None:
        """A value that nobody understood, kept for whoever looks."""
        if self._kept_count >= MOST_KEPT:
            self._unread_count += 1
        else:
            self.other(UNREAD, value)

    def other(self, name: str, value: JsonValue) -> None:
        """Something that only this agent knows; long values are cut, after some they are left out."""
        if self._kept_count >= MOST_KEPT:
            return
        self._kept_count += 1
        text = json_text(value)
        shown = value if len(text) <= MOST_VALUE_CHARACTERS else text[:MOST_VALUE_CHARACTERS] + "…"
        self.events.append({"kind": "other", "name": storable_text(name), "value": storable(shown)})

    def pause(self) -> None:
        """Something else happens between two pieces: what was said so far may come again as a whole."""
        if self.settle is not None:
            self.settle()
        if len(self._said) > self._start:
            self._end_message()

    def finish(self) -> None:
        """Nothing comes any more: what waited for more is said as it is."""
        if self.settle is not None:
            self.settle()
        for speaker in list(self._open):
            self.leave(speaker)
        if any(self._halves.values()):
            rests = {channel: "\N{REPLACEMENT CHARACTER}" for channel, half in self._halves.items() if half}
            self._halves.clear()
            if "text" in rests:
                self.say(rests["text"])
            if "reasoning" in rests:
                self.think(rests["reasoning"])
        for usage in self._later_usages.values():
            self._usage(*usage)
        self._later_usages.clear()
        if self._unread_count:
            self.events.append({"kind": "other", "name": UNREAD_MORE, "value": {"count": self._unread_count}})
            self._unread_count = 0

    def _usage(self, input_tokens: int, output_tokens: int, total_tokens: int) -> None:
        self.has_usage = True
        self.events.append(
            {
                "kind": "usage",
                "input_tokens": input_tokens,
                "output_tokens": output_tokens,
                "total_tokens": total_tokens,
            }
        )

    def is_waiting(self) -> bool:
        """Whether the speaker is heard only later."""
        return bool(self._open) and self.speaker in self._open and self.speaker != self._open[0]

    def _must_wait(self, act: Callable[[], None]) -> bool:
        """Keeps what a speaker does for later, where somebody else is heard."""
        if not self.speaker or not self.is_waiting():
            return False
        self._speaking.add(self.speaker)
        self._held.setdefault(self.speaker, []).append(act)
        return True

    def _hear(self, speaker: str) -> None:
        """What a speaker has said by now."""
        current, self.speaker = self.speaker, speaker
        held = self._held.pop(speaker, [])
        if held:
            self.part()
        for act in held:
            act()
        self.speaker = current

    def _set_apart(self, text: str) -> str:
        """The first piece of a message after another: a paragraph of its own."""
        last = self._said[-1] if self._said else ""
        self._end_message()
        if last.endswith("\n\n") or text.startswith("\n\n"):
            return text
        gap = "\n" if last.endswith("\n") or text.startswith("\n") else "\n\n"
        return gap + text

    def _end_message(self) -> None:
        if len(self._said) > self._start:
            self._wholes.add(hash(_words("".join(self._said[self._start :]))))
            self._last = (self._start, self._start_length)
        self._start = len(self._said)
        self._start_length = self._said_length

    def _is_said(self, words: str) -> bool:
        """Whether the message that goes on, or all that was said, is these words."""
        length = len(words)
        if self._said_length - self._start_length <= 2 * length + _SLACK and self._current_words() == words:
            return True
        return (
            not self._is_trimmed and self._said_length <= 2 * length + _SLACK and _words("".join(self._said)) == words
        )

    def _current_words(self) -> str:
        return _words("".join(self._said[self._start :]))

    def _rest(self, text: str, *, is_known: bool, is_other: bool) -> str:
        """What a whole adds to what was said of it; empty where it is another message."""
        if is_other:
            return ""
        for start, start_length in ((self._start, self._start_length), self._last, (0, 0)):
            if 0 < self._said_length - start_length < len(text) + _SLACK and (start or not self._is_trimmed):
                said, told = "".join(self._said[start:]).lstrip(), text.lstrip()
                if told.startswith(said) and (len(said.rstrip()) > 1 or is_known):
                    self._start, self._start_length, self._is_apart = start, start_length, False
                    return told[len(said) :]
        return ""

    def _trim(self) -> None:
        """Forget the first half of what was said: a whole of that length cannot come."""
        while self._said_length > self._max_characters:
            half = max(len(self._said) // 2, 1)
            self._said_length -= sum(map(len, self._said[:half]))
            del self._said[:half]
        self._is_trimmed = True
        self._start, self._start_length = len(self._said), self._said_length
        self._last = (self._start, self._start_length)

    def _characters(self, channel: str, text: str) -> str:
        """The text with halves of surrogate pairs joined across pieces, and what nobody can store replaced."""
        text = self._halves.pop(channel, "") + text
        if not _HALVES.search(text):
            return text
        text = _PAIR.sub(_joined, text)
        if "\ud800" <= text[-1] <= "\udbff":
            self._halves[channel] = text[-1]
            text = text[:-1]
        return storable_text(text)


def _words(text: str) -> str:
    """A text without its blanks, in which repetitions may differ."""
    return "".join(text.split())


def _joined(pair: re.Match[str]) -> str:
    return chr(0x10000 + ((ord(pair[1]) - 0xD800) << 10) + (ord(pair[2]) - 0xDC00))
