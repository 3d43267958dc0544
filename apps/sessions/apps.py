from __future__ import annotations

from typing import Any

from django.apps import AppConfig


class SessionsConfig(AppConfig):
    name = "apps.sessions"
    label = "agent_sessions"  # "sessions" belongs to django.contrib.sessions
    verbose_name = "Sessions"

    def ready(self) -> None:
        from apps.core.notices import topics  # noqa: PLC0415 -- app ready
        from apps.sessions.selectors import may_follow_session  # noqa: PLC0415 -- app ready
        from apps.sessions.signals import runs_queued  # noqa: PLC0415 -- app ready

        topics.register("session.", may_follow_session)
        runs_queued.connect(look_into_queue, dispatch_uid="sessions.look_into_queue")


def look_into_queue(**kwargs: Any) -> None:
    """Let the engine of this process look into the queue, where it has one that was started, and tell the others."""
    from apps.core.notices.notices import notify  # noqa: PLC0415 -- needs the models
    from apps.sessions.engine.engine import engine  # noqa: PLC0415 -- needs the models
    from apps.sessions.engine.queue import QUEUE_TOPIC  # noqa: PLC0415 -- needs the models

    engine.look_into_queue()
    notify(QUEUE_TOPIC, "queued")
