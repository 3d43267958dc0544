"""Conversations, invocations and recordings, to be read; prompts and answers on the page of one row, not in a list."""

from __future__ import annotations

from collections.abc import Iterable

from django.contrib import admin, messages
from django.contrib.admin import EmptyFieldListFilter
from django.db.models import QuerySet
from django.http import HttpRequest

from apps.core.admin import LargeTableAdmin, RecordAdmin, service_action
from apps.sessions.exceptions import SessionBusyError
from apps.sessions.invoking import stop_invocation
from apps.sessions.models import Invocation, QueuedPrompt, Recording, RecordingBatch, Session
from apps.sessions.services import delete_session, end_session


@admin.register(Session)
class SessionAdmin(LargeTableAdmin[Session]):
    """Sessions are started by a prompt; a title or a tag may be mended here. Deleting is the service's: not while one
    answers, and with all that was recorded and measured.
    """

    EDITABLE = ("title", "tags")

    list_display = ["runtime_session_id", "title", "agent", "qualifier", "owner", "created_at", "last_invoked_at"]
    list_select_related = ["agent", "owner"]
    list_filter = [("ended_at", EmptyFieldListFilter)]
    search_fields = ["=runtime_session_id", "=public_id", "title"]
    actions = ["end"]

    # Stops what they answer and frees their environments.
    end = service_action(
        Session,
        "End the selected sessions on AWS",
        lambda session: end_session(session=session),
        among=lambda sessions: sessions.select_related("agent__runtime").filter(ended_at=None),
        done="ended",
    )

    def get_readonly_fields(self, request: HttpRequest, obj: Session | None = None) -> list[str]:
        return [field.name for field in Session._meta.fields if field.name not in self.EDITABLE]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def get_deleted_objects(
        self, objs: Iterable[Session], request: HttpRequest
    ) -> tuple[list[str], dict[str, int], set[str], list[str]]:
        """What the question before deleting lists: sessions by name, what goes with them by number."""
        sessions = list(objs)
        runs = Invocation.objects.filter(session__in=sessions)
        answering = runs.filter(status__in=Invocation.UNFINISHED).select_related("session")
        counts = {"sessions": len(sessions), "invocations, with recordings and measurements": runs.count()}
        return (
            [str(session) for session in sessions],
            counts,
            set(),
            [f"{run.session} is answering" for run in answering],
        )

    def delete_model(self, request: HttpRequest, obj: Session) -> None:
        self.delete_queryset(request, Session.objects.filter(pk=obj.pk))

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Session]) -> None:
        for session in queryset:
            try:
                delete_session(session=session)
            except SessionBusyError as error:  # a prompt came after the question
                messages.error(request, f"{session} was not deleted. {error.text()}")


@admin.register(Invocation)
class InvocationAdmin(RecordAdmin[Invocation]):
    list_display = ["id", "session", "number", "status", "http_status", "error_code", "requested_at", "completed_at"]
    list_select_related = ["session"]
    list_filter = ["status", "is_version_assumed"]
    search_fields = ["=request_id", "=session__runtime_session_id"]
    deferred_fields = ("prompt", "payload", "response_text", "error_message", "error_advice")
    actions = ["stop"]

    # Asks the processes that run them; what has arrived is kept.
    stop = service_action(
        Invocation,
        "Stop the selected invocations",
        lambda run: stop_invocation(invocation=run),
        among=lambda runs: runs.filter(status__in=Invocation.UNFINISHED),
        done="asked to stop",
    )


@admin.register(RecordingBatch)
class RecordingBatchAdmin(RecordAdmin[RecordingBatch]):
    list_display = ["id", "invocation_id", "first_sequence", "last_sequence"]
    deferred_fields = ("events",)


@admin.register(Recording)
class RecordingAdmin(RecordAdmin[Recording]):
    list_display = ["id", "invocation_id"]
    deferred_fields = ("events",)


@admin.register(QueuedPrompt)
class QueuedPromptAdmin(RecordAdmin[QueuedPrompt]):
    """What was typed ahead; the text itself is the conversation's and is not shown."""

    list_display = ["session", "position", "source", "created_at"]
    list_select_related = ["session"]
    search_fields = ["session__runtime_session_id", "request_key"]
    exclude = ["text"]
