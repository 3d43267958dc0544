"""The rows of some days once more for the days after them, made by SQLite itself: quicker by far than one by one."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.db import connection, models, transaction
from django.db.models import Max, Model

from apps.metrics.models import Measurement
from apps.sessions.models import Invocation, SearchText, Session

TABLES: tuple[type[Model], ...] = (Session, Invocation, Measurement, SearchText)
MOVED = (Session, Invocation)  # what the others are of


def repeat_rows(shift: timedelta, *, sessions: tuple[int, int], runs: tuple[int, int]) -> None:
    """Copy the first sessions with what is of them, later by `shift`; `sessions` and `runs` are how many there are of
    each, and how often they are there already, so that the keys of the copies follow.
    """
    (most, times), (most_runs, _) = sessions, runs
    where = {Session: f"id <= {most}", Invocation: f"id <= {most_runs}"}
    with transaction.atomic(), connection.cursor() as cursor:
        for model in TABLES:
            fields = model._meta.local_concrete_fields
            names = ", ".join(f'"{field.column}"' for field in fields)
            values = ", ".join(_value(field, shift, most * times, most_runs * times) for field in fields)
            table, condition = model._meta.db_table, where.get(model, f"invocation_id <= {most_runs}")
            # Names of our own models, and numbers.
            cursor.execute(f'INSERT INTO "{table}" ({names}) SELECT {values} FROM "{table}" WHERE {condition}')  # noqa: S608


def count_anew() -> None:
    """What PostgreSQL does by itself within minutes."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("VACUUM ANALYZE")


def highest(model: type[Model]) -> int:
    """The highest key of a table."""
    return int(model._default_manager.aggregate(highest=Max("pk"))["highest"] or 0)


def _value(field: models.Field[Any, Any], shift: timedelta, sessions: int, runs: int) -> str:
    column = f'"{field.column}"'
    target = field.related_model if field.is_relation else field.model if field.primary_key else None
    if target in MOVED:
        return f"{column} + {sessions if target is Session else runs}"
    if field.primary_key:
        return "NULL"  # the next one
    if isinstance(field, models.DateTimeField):
        return f"strftime('%Y-%m-%d %H:%M:%f', {column}, '+{shift.total_seconds()} seconds')"
    if isinstance(field, models.UUIDField):
        return "lower(hex(randomblob(16)))"
    return "lower(hex(randomblob(20)))" if field.name == "runtime_session_id" else column
