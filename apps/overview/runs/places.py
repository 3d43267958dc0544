"""Where a page of runs begins: the last row of the page before, written as in an address."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db.models import F, Q

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TIME = re.compile(r"t(\d{1,17})-(\d{1,18})", re.ASCII)
_KEY = re.compile(r"k(\d{1,18})", re.ASCII)
_VALUE = re.compile(r"v(-?\d{1,18}(?:\.\d{1,20})?(?:e[+-]?\d{1,3})?|none)_(\d{1,18})", re.ASCII)


@dataclass(frozen=True, slots=True)
class InTime:
    """A place in the order of time, the newest first."""

    at: datetime
    key: int

    def __str__(self) -> str:
        return f"t{(self.at - _EPOCH) // timedelta(microseconds=1)}-{self.key}"

    @property
    def after(self) -> Q:
        """What comes after it. The first condition is what an index is asked for."""
        older = Q(requested_at__lt=self.at) | Q(requested_at=self.at, pk__lt=self.key)
        return Q(requested_at__lte=self.at) & older

    @property
    def before_and_here(self) -> Q:
        """What comes before it, and it."""
        newer = Q(requested_at__gt=self.at) | Q(requested_at=self.at, pk__gte=self.key)
        return Q(requested_at__gte=self.at) & newer


@dataclass(frozen=True, slots=True)
class ByKey:
    """A place in what a search finds, the newest first."""

    key: int

    def __str__(self) -> str:
        return f"k{self.key}"


@dataclass(frozen=True, slots=True)
class ByValue:
    """A place in the order of the column `value`, in which rows without one come last."""

    value: float | None
    key: int

    def __str__(self) -> str:
        return f"v{'none' if self.value is None else repr(self.value)}_{self.key}"

    def after(self, *, is_down: bool) -> Q:
        """What comes after it."""
        same = Q(value__isnull=True) if self.value is None else Q(value=self.value)
        following = same & Q(pk__lt=self.key)
        if self.value is None:
            return following
        further = Q(value__lt=self.value) if is_down else Q(value__gt=self.value)
        return further | following | Q(value__isnull=True)


Place = InTime | ByKey | ByValue

NEWEST = F("requested_at").desc(), F("pk").desc()


def read_place(text: str) -> Place | None:
    """The place that an address names; None where it names none."""
    if found := _TIME.fullmatch(text):
        try:
            return InTime(_EPOCH + timedelta(microseconds=int(found[1])), int(found[2]))
        except OverflowError:
            return None
    if found := _KEY.fullmatch(text):
        return ByKey(int(found[1]))
    if found := _VALUE.fullmatch(text):
        value = None if found[1] == "none" else float(found[1])
        return None if value is not None and not math.isfinite(value) else ByValue(value, int(found[2]))
    return None
