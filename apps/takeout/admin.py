"""Shared links, to be looked at and revoked; the address itself is known to nobody here."""

from __future__ import annotations

from django.contrib import admin

from apps.core.admin import RecordAdmin, service_action
from apps.takeout.models import SharedLink
from apps.takeout.services import revoke_link


@admin.register(SharedLink)
class SharedLinkAdmin(RecordAdmin[SharedLink]):
    list_display = ["shown", "session", "made_by", "created_at", "expires_at", "last_opened_at", "revoked_at"]
    list_select_related = ["session", "made_by"]
    list_filter = [("revoked_at", admin.EmptyFieldListFilter)]
    search_fields = ["shown", "made_by__email", "=session__runtime_session_id"]
    exclude = ["digest"]
    actions = ["revoke"]

    revoke = service_action(
        SharedLink,
        "Revoke the selected links",
        lambda link: revoke_link(link=link),
        among=lambda links: links.filter(revoked_at=None),
        done="revoked",
    )
