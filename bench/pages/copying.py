"""The rows of a kept SQLite file, put into an empty PostgreSQL by COPY: quicker than to make them once more."""

from __future__ import annotations

import sqlite3
import sys
import time
from pathlib import Path

from django.apps import apps
from django.core.management.color import no_style
from django.db import connection, transaction

from apps.accounts.models import User
from apps.core.search import create_index, drop_index
from apps.sessions.models import SearchText

ROWS_AT_ONCE = 5_000


def copy_rows(file: Path) -> None:
    """Copy every table of Loom's, unless somebody did; SQLite's texts are what PostgreSQL reads as well."""
    if User.objects.exists():
        return
    started = time.perf_counter()
    drop_index(SearchText)
    source = sqlite3.connect(f"file:{file}?mode=ro", uri=True)
    models = [
        model for model in apps.get_models(include_auto_created=True) if model._meta.managed and not model._meta.proxy
    ]
    with transaction.atomic():
        with connection.cursor() as cursor:
            names = ", ".join(f'"{model._meta.db_table}"' for model in models)
            cursor.execute(f"TRUNCATE {names}")  # what migrations have put there
        for model in models:
            _copy_table(
                source, model._meta.db_table, [str(field.column) for field in model._meta.local_concrete_fields]
            )
        with connection.cursor() as cursor:
            for statement in connection.ops.sequence_reset_sql(no_style(), models):
                cursor.execute(statement)
    sys.stdout.write(f"copied in {time.perf_counter() - started:.0f} s\n")
    create_index(SearchText)
    sys.stdout.write(f"indexed after {time.perf_counter() - started:.0f} s\n")


def _copy_table(source: sqlite3.Connection, table: str, columns: list[str]) -> None:
    names = ", ".join(f'"{column}"' for column in columns)
    rows = source.execute(f'SELECT {names} FROM "{table}"')  # noqa: S608 -- names of our own models
    with connection.cursor() as cursor, cursor.copy(f'COPY "{table}" ({names}) FROM STDIN') as copy:
        while batch := rows.fetchmany(ROWS_AT_ONCE):
            for row in batch:
                copy.write_row(row)
