"""Conversations, invocations and recordings, to be read; prompts and answers on the page of one row, not in a list."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin import EmptyFieldListFilter
from django.db.models import QuerySet
from django.http import HttpRequest

from apps.core.admin import LargeTableAdmin, RecordAdmin, service_action
from apps.core.exceptions import InvalidInputError
from apps.core.tags import normalised
from apps.sessions.exceptions import SessionBusyError
from apps.sessions.indexing import mark_sessions_due
from apps.sessions.invoking import stop_invocation
from apps.sessions.keeping import delete_session, restore_session
from apps.sessions.models import (
    Invocation,
    InvocationTag,
    QueuedPrompt,
    Recording,
    RecordingBatch,
    SearchDue,
    SearchProgress,
    SearchText,
    Session,
    SessionTag,
)
from apps.sessions.selectors import tags_by_session
from apps.sessions.services import end_session, set_session_tags

if TYPE_CHECKING:
    ModelForm = forms.ModelForm[Session]
else:
    ModelForm = forms.ModelForm  # which takes its model's type when types are checked only


class SessionForm(ModelForm):
    """A session's title, and its tags as a list."""

    tags = forms.JSONField(required=False, max_length=2_000, help_text='A list as ["one", "two"].')

    class Meta:
        model = Session
        fields = ("title",)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial["tags"] = tags_by_session([self.instance.pk])[self.instance.pk]

    def clean_tags(self) -> list[str]:
        names = self.cleaned_data["tags"] or []
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise forms.ValidationError('Tags are a list of words: ["one", "two"].')
        try:
            return normalised(names)
        except InvalidInputError as error:
            raise forms.ValidationError(error.text()) from error


@admin.register(Session)
class SessionAdmin(LargeTableAdmin[Session]):
    """Sessions are started by a prompt; a title or a tag may be mended here. Deleting is the service's: not while one
    answers, gone for everybody else at once, and an hour later really, with all that was recorded and measured.
    """

    form = SessionForm
    exclude = ["former_tags"]
    list_display = ["runtime_session_id", "title", "agent", "qualifier", "owner", "created_at", "last_invoked_at",
                    "deleted_at"]  # fmt: skip
    list_select_related = ["agent", "owner"]
    list_filter = [(at, EmptyFieldListFilter) for at in ("ended_at", "archived_at", "deleted_at")]
    search_fields = ["=runtime_session_id", "=public_id", "title"]
    actions = ["end", "restore"]

    # Stops what they answer and frees their environments.
    end = service_action(
        Session,
        "End the selected sessions on AWS",
        lambda session: end_session(session=session),
        among=lambda sessions: sessions.select_related("agent__runtime").filter(ended_at=None),
        done="ended",
    )
    # For as long as they are kept after their deletion.
    restore = service_action(
        Session,
        "Bring the selected deleted sessions back",
        lambda session: restore_session(session=session),
        among=lambda sessions: sessions.exclude(deleted_at=None),
        done="there again",
    )

    def get_readonly_fields(self, request: HttpRequest, obj: Session | None = None) -> list[str]:
        return [field.name for field in Session._meta.fields if field.name not in {"title", "former_tags"}]

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """The tags, by their service: Django's own way knows no rows between."""
        if "title" in form.changed_data:
            mark_sessions_due([form.instance.pk])
        if "tags" in form.changed_data:
            set_session_tags(session=form.instance, names=form.cleaned_data["tags"])

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

    list_display = ["session", "position", "is_held", "source", "created_at"]
    list_select_related = ["session"]
    search_fields = ["session__runtime_session_id", "request_key"]
    exclude = ["text", "payload"]


@admin.register(SessionTag)
class SessionTagAdmin(RecordAdmin[SessionTag]):
    list_display = ["session", "tag"]
    list_select_related = ["session", "tag"]
    search_fields = ["tag__name"]


@admin.register(InvocationTag)
class InvocationTagAdmin(RecordAdmin[InvocationTag]):
    list_display = ["invocation_id", "tag"]
    list_select_related = ["tag"]
    search_fields = ["tag__name"]


@admin.register(SearchText)
class SearchTextAdmin(RecordAdmin[SearchText]):
    """What of a run can be found; the text itself is the conversation's and is not shown."""

    list_display = ["invocation_id"]
    exclude = ["text"]
    deferred_fields = ("text",)


@admin.register(SearchDue)
class SearchDueAdmin(RecordAdmin[SearchDue]):
    list_display = ["invocation_id", "due_at"]


@admin.register(SearchProgress)
class SearchProgressAdmin(RecordAdmin[SearchProgress]):
    list_display = ["below", "index_bytes", "measured_at"]
