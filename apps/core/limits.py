"""How often something may be tried within a time, counted for all processes together: in Redis if there is one, else in
rows. Never in the memory of a process, of which there are several, and which forgets when it is restarted.
"""

from __future__ import annotations

import hashlib
import logging
import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any, TypeVar

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from apps.core.models import LimitCount

logger = logging.getLogger(__name__)

REDIS_TIMEOUT_S = 2.0
_ONE_TRY = timedelta(seconds=1)

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Limit:
    """So many tries of one subject, from its first one on, within `per`."""

    name: str
    count: int
    per: timedelta


def take(limit: Limit, subject: str) -> int | None:
    """Count a try before it is made; in how many seconds the next is allowed where this one is not, else None."""
    key = _key(limit, subject)
    return _counted(lambda: _take_in_redis(limit, key), lambda: _take_in_rows(limit, key))


def give_back(limit: Limit, subject: str) -> None:
    """Forget a try that was none, such as a sign-in with the right password.

    Where Redis went or came back since it was taken, another count is one off until its time is over.
    """
    key = _key(limit, subject)
    _counted(lambda: _give_back_in_redis(limit, key), lambda: _give_back_in_rows(key))


def prune(now: datetime) -> None:
    """Delete the counts whose time is over."""
    LimitCount.objects.filter(until_at__lt=now).delete()


def _key(limit: Limit, subject: str) -> str:
    """A digest: neither an address nor the name of an account is stored, and none is too long."""
    return hashlib.blake2b(f"{limit.name}\0{subject}".encode(errors="replace"), digest_size=24).hexdigest()


def _counted(in_redis: Callable[[], Result], in_rows: Callable[[], Result]) -> Result:
    if settings.REDIS_URL:
        try:
            return in_redis()
        except Exception as error:
            if type(error).__module__ != "redis.exceptions":
                raise
            logger.warning("limit counted in rows: Redis does not answer error=%s", type(error).__name__)
    return in_rows()


def _give_back_in_rows(key: str) -> None:
    LimitCount.objects.filter(key=key, count__gt=0).update(count=F("count") - 1)


def _take_in_rows(limit: Limit, key: str) -> int | None:
    now = timezone.now()
    with transaction.atomic():
        # In one step: between two, `prune` could delete the row.
        rows = LimitCount.objects.select_for_update()
        row, _ = rows.get_or_create(key=key, defaults={"count": 0, "until_at": now + limit.per})
        if row.until_at <= now:
            row.count, row.until_at = 0, now + limit.per
        if row.count >= limit.count:
            return max(1, math.ceil((row.until_at - now) / _ONE_TRY))
        row.count += 1
        row.save(update_fields=["count", "until_at"])
    return None


def _redis() -> Any:
    return _client(str(settings.REDIS_URL))


@cache
def _client(url: str) -> Any:
    import redis  # noqa: PLC0415 -- only where it is used

    return redis.Redis.from_url(url, socket_timeout=REDIS_TIMEOUT_S, socket_connect_timeout=REDIS_TIMEOUT_S)


def _take_in_redis(limit: Limit, key: str) -> int | None:
    count, left_s = _add_in_redis(limit, key, 1)
    return max(1, left_s) if count > limit.count else None


def _give_back_in_redis(limit: Limit, key: str) -> None:
    _add_in_redis(limit, key, -1)


def _add_in_redis(limit: Limit, key: str, change: int) -> tuple[int, int]:
    """The count afterwards, and for how many seconds it counts. In one step, so that none is left that never ends."""
    with _redis().pipeline() as pipe:
        pipe.set(key, 0, ex=int(limit.per.total_seconds()), nx=True)
        pipe.incrby(key, change)
        pipe.ttl(key)
        _, count, left_s = pipe.execute()
    return int(count), int(left_s)
