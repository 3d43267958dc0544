"""The index of words as a step of a migration; apart, as nothing else needs what migrations are made with."""

from __future__ import annotations

from typing import Any

from django.db.migrations.operations.base import Operation

from apps.core.search import create_index, drop_index


class TextIndex(Operation):
    """In a migration: the index of the column `text` of a model. Where the database cannot have one, there is none.

    A migration that changes the table later makes the index anew: SQLite copies the table then, without its triggers.
    """

    reduces_to_sql = False

    def __init__(self, model_name: str) -> None:
        self.model_name = model_name

    def state_forwards(self, app_label: str, state: Any) -> None:
        """Models do not know of it."""

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        create_index(to_state.apps.get_model(app_label, self.model_name), schema_editor.connection.alias)

    def database_backwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        drop_index(from_state.apps.get_model(app_label, self.model_name), schema_editor.connection.alias)

    def describe(self) -> str:
        return f"Index the words of {self.model_name}"
