"""What stands in the tables: for each column of the landed version a checksum over all rows."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from django.db import DatabaseError

from loom.tests.upgrades import landed

CHUNK = 2000


def checksums() -> dict[str, str]:
    """The number of rows of each table, and a checksum of each column with the keys of its rows."""
    found: dict[str, str] = {}
    for model in landed.models().get_models(include_auto_created=True):
        if model._meta.app_label in landed.LEAVES:
            found |= _of_table(model)
    return found


def tags() -> dict[str, list[str]]:
    """The tags of each session that has some, as the present version reads them."""
    from apps.sessions.models import Session  # noqa: PLC0415 -- needs the app registry
    from apps.sessions.selectors import tags_by_session  # noqa: PLC0415

    found = tags_by_session(list(Session.objects.values_list("pk", flat=True)))
    return {str(pk): names for pk, names in found.items() if names}


def former_tags() -> dict[str, list[str]]:
    """The same as the landed version stored them."""
    sessions = landed.models().get_model("agent_sessions", "Session").objects.exclude(tags=[])
    return {str(pk): names for pk, names in sessions.values_list("pk", "tags")}


def _of_table(model: Any) -> dict[str, str]:
    table = model._meta.db_table
    names = [field.attname for field in model._meta.concrete_fields]
    digests = {name: hashlib.sha256() for name in names}
    count = 0
    try:
        for row in model._default_manager.order_by("pk").values_list("pk", *names).iterator(chunk_size=CHUNK):
            count += 1
            for name, value in zip(names, row[1:], strict=True):
                digests[name].update(json.dumps([row[0], value], default=str, sort_keys=True).encode())
    except DatabaseError as error:
        raise AssertionError(f"{table} has lost a column: say here where its values are now. {error}") from error
    return {table: f"{count} rows", **{f"{table}.{name}": digest.hexdigest() for name, digest in digests.items()}}
