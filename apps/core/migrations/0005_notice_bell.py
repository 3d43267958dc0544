"""PostgreSQL tells who listens that there are new notices, whoever writes them and in whichever way."""

from __future__ import annotations

from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps

MAKE = (
    """
    CREATE FUNCTION loom_notice_bell() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        PERFORM pg_notify('loom_notices', '');
        RETURN NULL;
    END $$
    """,
    """
    CREATE TRIGGER loom_notice_bell AFTER INSERT ON core_notice
    FOR EACH STATEMENT EXECUTE FUNCTION loom_notice_bell()
    """,
)
REMOVE = ("DROP TRIGGER loom_notice_bell ON core_notice", "DROP FUNCTION loom_notice_bell()")


def make_bell(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    if schema_editor.connection.vendor == "postgresql":
        for statement in MAKE:
            schema_editor.execute(statement)


def remove_bell(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    if schema_editor.connection.vendor == "postgresql":
        for statement in REMOVE:
            schema_editor.execute(statement)


class Migration(migrations.Migration):
    dependencies = [("core", "0004_limit_count")]

    operations = [migrations.RunPython(make_bell, remove_bell)]
