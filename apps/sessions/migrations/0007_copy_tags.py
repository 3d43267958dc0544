"""Copy the tags of sessions out of their rows. The way back only deletes the copies: the column is always written too."""

from __future__ import annotations

import unicodedata
from typing import Any

from django.db import migrations

AT_ONCE = 1000
NAME_LENGTH = 40


class TagsNotCopiedError(Exception):
    """Nothing was kept: start the migration again, and report it if it fails again."""


def names_by_key(stored: Any) -> dict[str, str]:
    """The names of one session's tags in their order, by what makes two the same tag.

    The administration took any JSON: what is no word or number is left out, and a long word is cut.
    """
    found: dict[str, str] = {}
    for value in stored if isinstance(stored, list) else []:
        if isinstance(value, str | int | float) and not isinstance(value, bool):
            signs = (" " if unicodedata.category(sign) in {"Cc", "Cs"} else sign for sign in str(value))
            name = " ".join(unicodedata.normalize("NFC", "".join(signs)).split())[:NAME_LENGTH].strip()
            if name:
                found.setdefault(unicodedata.normalize("NFC", name).casefold(), name)
    return found


def copy_to_rows(apps: Any, schema_editor: Any) -> None:
    """Give each session its tags as rows, and count them."""
    alias = schema_editor.connection.alias
    sessions = apps.get_model("agent_sessions", "Session").objects.using(alias).exclude(former_tags=[])
    links = apps.get_model("agent_sessions", "SessionTag").objects.using(alias)
    tags = apps.get_model("core", "Tag").objects.using(alias)
    expected = last = 0
    while chunk := list(sessions.filter(pk__gt=last).order_by("pk").values_list("pk", "former_tags")[:AT_ONCE]):
        wanted = [(pk, names_by_key(stored)) for pk, stored in chunk]
        names: dict[str, str] = {}
        for _, of_session in reversed(wanted):
            names |= of_session  # the oldest session decides how a tag is written
        tags.bulk_create((tags.model(name=name, key=key) for key, name in names.items()), ignore_conflicts=True)
        ids = dict(tags.filter(key__in=names).values_list("key", "pk"))
        rows = [links.model(session_id=pk, tag_id=ids[key]) for pk, of_session in wanted for key in of_session]
        links.bulk_create(rows)
        expected += len(rows)
        last = chunk[-1][0]
    copied = links.count()
    if copied != expected:
        raise TagsNotCopiedError(f"Sessions have {expected} tags, but {copied} were copied. Nothing was changed.")


def delete_rows(apps: Any, schema_editor: Any) -> None:
    apps.get_model("agent_sessions", "SessionTag").objects.using(schema_editor.connection.alias).all().delete()


class Migration(migrations.Migration):

    dependencies = [
        ('agent_sessions', '0006_session_tags'),
    ]

    operations = [
        migrations.RunPython(copy_to_rows, delete_rows),
    ]
