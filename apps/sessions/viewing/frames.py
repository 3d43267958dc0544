"""A message to a page, and its bytes: made once, however many viewers take them.

A message is a JSON object whose `kind` says what to do with the rest: `words` and `answer` go on with an answer, `turn`
and `end` bring a whole turn, `state`, `environment` and `composer` what stands beside it, the others tell something.
`static/js/frames.js` names the fields. What an agent wrote stands inside of texts and cannot look like a field.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from json.encoder import encode_basestring as quoted

from apps.sessions.viewing.places import Place

SHORT_PAYLOAD, LONG_PAYLOAD = 125, 65_535


@dataclass(slots=True, eq=False)
class Frame:
    """A message to a page, shared by all viewers; `place` is what the page shows then, None where that is unchanged."""

    text: str
    place: Place | None = None
    is_delta: bool = False  # it only goes on with an answer: who has not read it can be sent a larger one later
    is_end: bool = False
    is_failure: bool = False
    _data: bytes | None = field(default=None, init=False, repr=False)

    @property
    def data(self) -> bytes:
        """The message as it goes over the wire; raises UnicodeEncodeError where it is none that could."""
        if self._data is None:
            self._data = text_frame(self.text)
        return self._data


def message(kind: str, **fields: str | int) -> str:
    """A message of that kind; `kind` comes first."""
    return json.dumps({"kind": kind, **fields}, ensure_ascii=False, separators=(",", ":"))


def words_message(at: str, html: str) -> str:
    """What most messages are: words that go on with the open end. `at` is the place that the page then shows."""
    return f'{{"kind":"words","at":"{at}","html":{quoted(html)}}}'


def text_frame(text: str) -> bytes:
    """A whole text message as a server sends it (RFC 6455, 5.2): in one frame, not masked, not compressed."""
    payload = text.encode()
    size = len(payload)
    if size <= SHORT_PAYLOAD:
        head = bytes((0x81, size))
    elif size <= LONG_PAYLOAD:
        head = b"\x81\x7e" + size.to_bytes(2, "big")
    else:
        head = b"\x81\x7f" + size.to_bytes(8, "big")
    return head + payload
