"""Django's web sessions, found by a statement that is built once: every request with a cookie asks for one."""

from __future__ import annotations

from typing import Any

from django.contrib.sessions.backends import db
from django.utils import timezone

from apps.core.prepared import Select, slot


def _model() -> Any:
    return db.SessionStore.get_model_class()


_unexpired = Select(
    lambda: _model().objects.filter(
        session_key=slot(_model(), "session_key"), expire_date__gt=slot(_model(), "expire_date")
    )
)


def live_session(key: str | None) -> Any:
    """The row of the web session with this key; None where there is none, or it has expired."""
    return next(iter(_unexpired(session_key=key, expire_date=timezone.now())), None)


class SessionStore(db.SessionStore):
    """The engine of `settings.SESSION_ENGINE`; its rows are those of Django's own."""

    def _get_session_from_db(self) -> Any:
        found = live_session(self.session_key)
        if found is None:
            self._session_key = None  # whoever goes on with it gets a new one
        return found
