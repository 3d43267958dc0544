"""Parts of pages that are made once for everybody who looks at the same: a process keeps what it made.

A part is made anew when a run began or ended since, but not more often than every `FRESH_S`, and at the latest after
`LONGEST_S`: ranges that end now move on, and starts are read from logs. Who asks while it is made waits for it:
a hundred open pages cost what one costs. Nothing here is of one reader: what depends on who asks is not kept.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import blake2b
from threading import Lock

from django.utils.safestring import SafeString

from apps.sessions.models import Invocation

FRESH_S = 4.0
LONGEST_S = 60.0
MOST_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a page as HTML, and a short name of what is in it."""

    html: SafeString
    digest: str


@dataclass(slots=True)
class _Place:
    """Where one part is kept; its lock is held while it is made."""

    lock: Lock = field(default_factory=Lock)
    part: Part | None = None
    newest: object = None
    made_at: float = 0.0

    def holds(self, now: float, newest: Callable[[], object]) -> bool:
        age = now - self.made_at
        return self.part is not None and (age < FRESH_S or (age < LONGEST_S and self.newest == newest()))


class Keeper:
    """Keeps parts by their keys, those that were asked for last, up to `MOST_BYTES` of them."""

    def __init__(self, most_bytes: int = MOST_BYTES, clock: Callable[[], float] = time.monotonic) -> None:
        self.made_count = 0
        self._most_bytes = most_bytes
        self.clock = clock
        self._lock = Lock()
        self._places: OrderedDict[object, _Place] = OrderedDict()

    def part(self, key: object, make: Callable[[], SafeString]) -> Part:
        """The part of this key, as it is kept or made now."""
        with self._lock:
            place = self._places.setdefault(key, _Place())
            self._places.move_to_end(key)
        with place.lock:
            now = self.clock()
            if place.part is None or not place.holds(now, newest_change):
                newest = newest_change()
                html = make()
                place.part = Part(html, blake2b(html.encode(), digest_size=9).hexdigest())
                place.newest, place.made_at = newest, now
                self.made_count += 1
            part = place.part
        self._forget()
        return part

    def clear(self) -> None:
        with self._lock:
            self._places.clear()

    def _forget(self) -> None:
        """Let go of what was not asked for longest, until the rest is small enough."""
        with self._lock:
            sizes = {key: len(place.part.html) for key, place in self._places.items() if place.part is not None}
            total = sum(sizes.values())
            for key in list(sizes)[:-1]:
                if total <= self._most_bytes:
                    return
                total -= sizes[key]
                del self._places[key]


def newest_change() -> object:
    """Another value as soon as a run began or ended; two look-ups in indexes."""
    begun = Invocation.objects.order_by("-pk").values_list("pk", flat=True).first()
    ended = Invocation.objects.exclude(completed_at=None).order_by("-completed_at")
    return begun, ended.values_list("completed_at", flat=True).first()


parts = Keeper()
