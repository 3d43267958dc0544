"""The administration's lists and pages, and how those of every app behave."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from django.contrib import admin, messages
from django.db.models import Model, QuerySet
from django.http import HttpRequest

from apps.core.exceptions import LoomError
from apps.core.models import Notice, Process

RowT = TypeVar("RowT", bound=Model)

if TYPE_CHECKING:
    ModelAdmin = admin.ModelAdmin
else:

    class ModelAdmin(admin.ModelAdmin):
        """Django's, which takes its model's type when types are checked only."""

        def __class_getitem__(cls, model: type[Model]) -> type:
            return cls


def carry_out(
    request: HttpRequest, rows: QuerySet[RowT], act: Callable[[RowT], object], *, one: str, many: str
) -> None:
    """Do something to each of the chosen rows by its service; say for how many it was done, and why not for the others.

    `one` and `many` finish the sentence: "3 " + "agents are refreshed."
    """
    done = 0
    for row in rows:
        try:
            act(row)
        except LoomError as error:
            messages.error(request, f"{row}: {error} {error.advice}".rstrip())
        else:
            done += 1
    if done:
        messages.success(request, f"{done} {one if done == 1 else many}")


class LargeTableAdmin(ModelAdmin[RowT]):
    """A list that stays fast at 100,000 rows: newest first by key, no second count, and no wide column read."""

    deferred_fields: tuple[str, ...] = ()
    show_full_result_count = False
    list_per_page = 50
    ordering = ["-pk"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[RowT]:
        return super().get_queryset(request).defer(*self.deferred_fields)

    def has_operate_permission(self, request: HttpRequest) -> bool:
        """Whether actions may be taken that services carry out; the right to change stands for it."""
        return bool(request.user.has_perm(f"{self.opts.app_label}.change_{self.opts.model_name}"))


class RecordAdmin(LargeTableAdmin[RowT]):
    """Rows that Loom writes about what happened: to be read, never to be made, changed or deleted by hand."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: RowT | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: RowT | None = None) -> bool:
        return False


@admin.register(Process)
class ProcessAdmin(RecordAdmin[Process]):
    list_display = ["id", "kind", "host", "pid", "started_at", "beat_at", "ended_at"]
    list_filter = ["kind"]
    ordering = ["-started_at"]


@admin.register(Notice)
class NoticeAdmin(RecordAdmin[Notice]):
    list_display = ["id", "topic", "kind", "created_at"]
