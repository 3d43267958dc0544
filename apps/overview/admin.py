from __future__ import annotations

from django.contrib import admin

from apps.core.admin import RecordAdmin
from apps.overview.models import SavedView


@admin.register(SavedView)
class SavedViewAdmin(RecordAdmin[SavedView]):
    """What somebody searches for is theirs: the query is not shown."""

    list_display = ["name", "owner", "created_at"]
    list_select_related = ["owner"]
    exclude = ["query"]
