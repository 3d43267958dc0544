from __future__ import annotations

from django.contrib import admin

from apps.core.admin import RecordAdmin
from apps.overview.models import FirstSteps, Rating, SavedView


@admin.register(SavedView)
class SavedViewAdmin(RecordAdmin[SavedView]):
    """What somebody searches for is theirs: the query is not shown."""

    list_display = ["name", "owner", "created_at"]
    list_select_related = ["owner"]
    exclude = ["query"]


@admin.register(Rating)
class RatingAdmin(RecordAdmin[Rating]):
    """What somebody wrote of an answer may quote it: the note is not shown."""

    list_display = ["invocation_id", "owner", "thumb", "rated_at"]
    list_select_related = ["owner"]
    exclude = ["note"]
    raw_id_fields = ["invocation"]


@admin.register(FirstSteps)
class FirstStepsAdmin(RecordAdmin[FirstSteps]):
    """Deleting a row shows its user the first steps again."""

    list_display = ["user", "closed_at"]
    list_select_related = ["user"]
