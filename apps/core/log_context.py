"""What every line of the log says beside its words: which request it belongs to, and which run.

Set once where a request or a run begins, it is found by whatever logs on its behalf, in threads of it too. Ids and
counts alone: no prompt, no answer and no credential reaches a log.
"""

from __future__ import annotations

import logging
import re
import secrets
from collections.abc import Mapping
from contextvars import ContextVar
from types import MappingProxyType

_NOTHING: Mapping[str, object] = MappingProxyType({})
_fields: ContextVar[Mapping[str, object]] = ContextVar("fields of the log", default=_NOTHING)
_GIVEN = re.compile(r"[A-Za-z0-9._:/=+-]{1,64}")


def say(**fields: object) -> None:
    """Say this beside whatever is logged from here on, in this task and what it starts."""
    _fields.set({**_fields.get(), **fields})


def request_id(given: str) -> str:
    """The id of a request: the one that a proxy or a program gave it, or a new one where that is none."""
    return given if _GIVEN.fullmatch(given) else secrets.token_hex(8)


class AddFields(logging.Filter):
    """Gives a record what is said beside it; what the line itself says goes before."""

    def filter(self, record: logging.LogRecord) -> bool:
        for name, value in _fields.get().items():
            if not hasattr(record, name):
                setattr(record, name, value)
        return True


class PrettyFormatter(logging.Formatter):
    """A line for people; behind it the request that it belongs to."""

    def format(self, record: logging.LogRecord) -> str:
        line, lf, trace = super().format(record).partition("\n")
        found = getattr(record, "request", None)
        return f"{line} request={found}{lf}{trace}" if found else f"{line}{lf}{trace}"
