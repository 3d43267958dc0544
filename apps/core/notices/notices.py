"""Tell every web process that a topic changed, and from there the sockets that follow it.

Without `REDIS_URL` a notice is a row, written in the transaction of the change itself, and each web process tails the
table. With it, the channel layer carries it. Either way a notice may be lost: the rows are the truth, and every page is
right after a reload.
"""

from __future__ import annotations

import hashlib
import logging
from datetime import datetime, timedelta

from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.conf import settings
from django.db import transaction

from apps.core.models import Notice
from apps.core.notices.changes import changes
from apps.core.prepared import Insert

logger = logging.getLogger(__name__)

KEPT_FOR = timedelta(minutes=10)
_insert_notice = Insert(Notice)


def group_name(topic: str) -> str:
    """Return the channel layer's group of a topic: a digest, because the name of a group is short and plain."""
    return f"notice.{hashlib.blake2b(topic.encode(), digest_size=20).hexdigest()}"


def notify(topic: str, kind: str) -> None:
    """Tell whoever follows `topic` (at most 100 characters) that it changed, once the caller's transaction commits.

    Consumers in the group `group_name(topic)` get `{"type": "notice", "topic": topic, "kind": kind}`. A kind like
    `started:17` names the row that it is about, for those who may know it already.
    """
    if not settings.REDIS_URL:
        _insert_notice(Notice(topic=topic, kind=kind))
        changes.look_after_commit()
        return
    # robust: an unreachable Redis is logged; what the caller has committed stays done.
    transaction.on_commit(lambda: async_to_sync(deliver)(topic, kind), robust=True)


def is_layer_away(error: BaseException) -> bool:
    """Whether the channel layer failed because its Redis cannot be reached, for now."""
    return isinstance(error, ConnectionError) or type(error).__module__ == "redis.exceptions"


def prune(now: datetime) -> None:
    """Delete notices older than `KEPT_FOR`."""
    Notice.objects.filter(created_at__lt=now - KEPT_FOR).delete()


async def deliver(topic: str, kind: str) -> None:
    """Hand a notice to the channel layer, and so to whoever is in the group of its topic."""
    layer = get_channel_layer()
    assert layer is not None, "settings.CHANNEL_LAYERS names no default"
    await layer.group_send(group_name(topic), {"type": "notice", "topic": topic, "kind": kind})
