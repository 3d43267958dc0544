"""Which secrets there are and what they are used for. No value is shown, or can be typed here."""

from __future__ import annotations

from django.contrib import admin
from django.http import HttpRequest

from apps.core.admin import RecordAdmin
from apps.vault.models import Secret, SecretUse


@admin.register(Secret)
class SecretAdmin(RecordAdmin[Secret]):
    list_display = ["name", "owner", "key_id", "changed_at", "last_used_at"]
    list_select_related = ["owner"]
    search_fields = ["name", "owner__email"]
    exclude = ["ciphertext"]
    deferred_fields = ("ciphertext",)

    def has_delete_permission(self, request: HttpRequest, obj: Secret | None = None) -> bool:
        """What still uses it keeps it: that is said instead."""
        return bool(request.user.has_perm("vault.delete_secret"))


@admin.register(SecretUse)
class SecretUseAdmin(RecordAdmin[SecretUse]):
    list_display = ["secret", "what", "use_count", "last_at"]
    list_select_related = ["secret"]
    search_fields = ["secret__name", "what"]
