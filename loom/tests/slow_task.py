"""A task for a worker of the tests, that tells when it has begun."""

from __future__ import annotations

import time

from apps.core.notices.notices import notify

TOPIC = "slow-task"


def tell_and_rest(seconds: float) -> None:
    notify(TOPIC, "begun")
    time.sleep(seconds)
