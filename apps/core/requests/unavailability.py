"""What is no mistake of Loom's: its database cannot be reached, is full, or takes nothing for now.

Whoever asks gets 503 and is told when to try again; the log tells it once and not with every request.
"""

from __future__ import annotations

import logging
import sys
import time
from http import HTTPStatus
from typing import Any

from django.core.signals import got_request_exception
from django.db import InterfaceError, InternalError, OperationalError
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponseBase
from django.utils.translation import gettext as _

from apps.core.exceptions import LoomError
from apps.core.requests.middleware_modes import on_response
from apps.core.requests.refusals import refuse

QUIET_FOR_S = 30.0
# SQLite's own words for what a disk, a lock or a folder does; SQLITE_ERROR, among others, is a mistake of ours.
_FULL = frozenset({"SQLITE_FULL"})
_READ_ONLY = frozenset({"SQLITE_READONLY"})
_AWAY = frozenset(
    {"SQLITE_BUSY", "SQLITE_CANTOPEN", "SQLITE_IOERR", "SQLITE_LOCKED", "SQLITE_NOMEM", "SQLITE_PROTOCOL"}
)
# PostgreSQL's classes of states (its manual, appendix A): no connection, no resources, asked to stop, broken below.
_AWAY_CLASSES = frozenset({"08", "53", "57", "58"})
_DISK_FULL, _READ_ONLY_STATE, _LOCKED = "53100", "25006", frozenset({"40001", "40P01", "55P03"})


class UnavailableError(LoomError):
    """Loom's database does not do what is asked of it, for now."""

    code = "unavailable"
    http_status = HTTPStatus.SERVICE_UNAVAILABLE
    is_retryable = True
    retry_after_s = 5


def unavailability(error: BaseException | None) -> UnavailableError | None:
    """What to tell whoever asked when this error says that the database is away; None for any other error."""
    if not isinstance(error, OperationalError | InterfaceError | InternalError):
        return None
    cause: Any = error.__cause__ or error
    word = "_".join(str(getattr(cause, "sqlite_errorname", "")).split("_")[:2])
    state = str(getattr(cause, "sqlstate", None) or "")
    if word in _FULL or state == _DISK_FULL:
        return UnavailableError(
            _("The disk of Loom's database is full: nothing can be stored."),
            advice=_("Nothing was changed. Free some space on it and try again."),
        )
    if word in _READ_ONLY or state == _READ_ONLY_STATE:
        return UnavailableError(
            _("Loom's database can be read and not written."),
            advice=_("Nothing was changed. Let Loom's account write its file and folder, and try again."),
        )
    is_of_postgres = not word and not isinstance(error, InternalError) and (not state or state[:2] in _AWAY_CLASSES)
    if word in _AWAY or is_of_postgres or state in _LOCKED:
        return UnavailableError(
            _("Loom's database cannot be reached right now."), advice=_("Try again in a few seconds.")
        )
    return None


@receiver(got_request_exception, dispatch_uid="core.remember_unavailability")
def remember_unavailability(sender: Any, request: HttpRequest | None, **kwargs: Any) -> None:
    """Django asks from within the handling of the error, wherever in a request it came from."""
    if request is not None:
        request.unavailability = unavailability(sys.exc_info()[1])  # type: ignore[attr-defined]


@on_response
def unavailability_middleware(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    """Answer 503 where Django would say that Loom made a mistake."""
    found: UnavailableError | None = getattr(request, "unavailability", None)
    return refuse(request, found) if found is not None and response.status_code >= 500 else response


class OnceAnOutage(logging.Filter):
    """Leaves one line of all that is logged about a database that is away, until it has been there for a while.

    Everything that runs meets it, every second or with every request, each with two tracebacks that say the same.
    """

    def __init__(self) -> None:
        super().__init__()
        self._last_at = float("-inf")

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if isinstance(record.exc_info, tuple) else None
        found = unavailability(error)
        if found is None:
            return True
        is_first = time.monotonic() - self._last_at > QUIET_FOR_S
        self._last_at = time.monotonic()
        # The exception's text may quote values, its kind tells enough.
        record.msg, record.args = "%s (%s: %s)", (found, record.getMessage(), type(error).__name__)
        record.exc_info = record.exc_text = None
        return is_first
