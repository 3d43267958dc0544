"""A message to a page, and its bytes: made once, however many viewers take them."""

from __future__ import annotations

from dataclasses import dataclass, field

from apps.sessions.viewing.places import Place

SHORT_PAYLOAD, LONG_PAYLOAD = 125, 65_535


@dataclass(slots=True, eq=False)
class Frame:
    """A message to a page, shared by all viewers; `place` is what the page shows then, None where that is unchanged."""

    html: str
    place: Place | None = None
    is_end: bool = False
    is_failure: bool = False
    _data: bytes | None = field(default=None, init=False, repr=False)

    @property
    def data(self) -> bytes:
        """The message as it goes over the wire; raises UnicodeEncodeError where it is none that could."""
        if self._data is None:
            self._data = text_frame(self.html)
        return self._data


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
