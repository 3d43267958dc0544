"""The tokens with which a list goes on: opaque, bound to what they were made for, good for a day."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Sequence
from typing import Any, TypeVar

from apps.emulator.clock import Clock

# CloudWatch Logs: "The token expires after 24 hours." AgentCore says nothing; here it does the same.
LIFETIME_S = 24 * 3600
CHECKSUM_BYTES = 12
Item = TypeVar("Item")


class PageTokenError(ValueError):
    """Not a token, one of another list, one that was changed, or one that is too old."""


class PageTokens:
    """Makes and reads tokens. The checksum is no secret: it finds what was changed on the way."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def make(self, purpose: Sequence[str | None], position: object) -> str:
        """Return a token for `position` (a JSON value) of the list that `purpose` names."""
        text = json.dumps([purpose, position, self._clock.age()], separators=(",", ":")).encode()
        return base64.urlsafe_b64encode(_checksum(text) + text).decode()

    def read(self, token: str, purpose: Sequence[str | None]) -> Any:
        """Return the position in a token; raises PageTokenError."""
        try:
            content = base64.b64decode(token.encode("ascii"), altchars=b"-_", validate=True)
        except (binascii.Error, UnicodeError) as error:
            raise PageTokenError("not a page token") from error
        checksum, text = content[:CHECKSUM_BYTES], content[CHECKSUM_BYTES:]
        if checksum != _checksum(text):
            raise PageTokenError("not a page token")
        made_for, position, made_at = json.loads(text)
        if made_for != list(purpose) or self._clock.age() - made_at > LIFETIME_S:
            raise PageTokenError("a token of another list, or too old")
        return position

    def cut(
        self, items: Sequence[Item], size: int, token: str | None, purpose: Sequence[str | None]
    ) -> tuple[Sequence[Item], dict[str, str]]:
        """Return the page that a token asks for, and the member nextToken if more follow; raises PageTokenError."""
        start = 0 if token is None else int(self.read(token, purpose))
        end = start + size
        return items[start:end], {"nextToken": self.make(purpose, end)} if end < len(items) else {}


def _checksum(text: bytes) -> bytes:
    return hashlib.blake2b(text, digest_size=CHECKSUM_BYTES, person=b"page token").digest()
