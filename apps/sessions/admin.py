"""Conversations, invocations and recordings, to be read; prompts and answers on the page of one row, not in a list."""

from __future__ import annotations

from django.contrib import admin
from django.http import HttpRequest

from apps.core.admin import LargeTableAdmin, RecordAdmin
from apps.sessions.models import Invocation, Recording, RecordingBatch, Session


@admin.register(Session)
class SessionAdmin(LargeTableAdmin[Session]):
    """Sessions are started by a prompt and deleted by their service; a title or a tag may be mended here."""

    EDITABLE = ("title", "tags")

    list_display = ["runtime_session_id", "title", "agent", "qualifier", "owner", "created_at", "last_invoked_at"]
    list_select_related = ["agent", "owner"]
    search_fields = ["runtime_session_id", "title"]

    def get_readonly_fields(self, request: HttpRequest, obj: Session | None = None) -> list[str]:
        return [field.name for field in Session._meta.fields if field.name not in self.EDITABLE]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Session | None = None) -> bool:
        return False


@admin.register(Invocation)
class InvocationAdmin(RecordAdmin[Invocation]):
    list_display = ["id", "session", "number", "status", "http_status", "error_code", "requested_at", "completed_at"]
    list_select_related = ["session"]
    list_filter = ["status", "is_version_assumed"]
    search_fields = ["=request_id", "=session__runtime_session_id"]
    deferred_fields = ("prompt", "payload", "response_text", "error_message", "error_advice")


@admin.register(RecordingBatch)
class RecordingBatchAdmin(RecordAdmin[RecordingBatch]):
    list_display = ["id", "invocation_id", "first_sequence", "last_sequence"]
    deferred_fields = ("events",)


@admin.register(Recording)
class RecordingAdmin(RecordAdmin[Recording]):
    list_display = ["id", "invocation_id"]
    deferred_fields = ("events",)
