"""The administration's lists and pages, and how those of every app behave."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from django import forms
from django.contrib import admin, messages
from django.db.models import Model, QuerySet
from django.http import HttpRequest

from apps.core.models import LimitCount, Notice, Process, Tag
from apps.core.tables.bulk import apply

RowT = TypeVar("RowT", bound=Model)

if TYPE_CHECKING:
    ModelAdmin = admin.ModelAdmin
    ModelForm = forms.ModelForm
    StackedInline = admin.StackedInline
else:

    class _Typed:
        """Django's classes, which take their models' types when types are checked only."""

        def __class_getitem__(cls, _models: Any) -> type:
            return cls

    class ModelAdmin(_Typed, admin.ModelAdmin): ...

    class ModelForm(_Typed, forms.ModelForm): ...

    class StackedInline(_Typed, admin.StackedInline): ...


def service_action(
    model: type[RowT],
    description: str,
    act: Callable[[RowT], object],
    *,
    among: Callable[[QuerySet[RowT]], QuerySet[RowT]],
    done: str,
) -> Callable[[Any, HttpRequest, QuerySet[RowT]], None]:
    """An action that does something to each of the chosen rows by its service; it says for how many it was done, and
    why not for the others.

    `among` keeps the rows that it can be done to; `done` says what was: "3 agents " + "refreshed".
    """

    @admin.action(description=description, permissions=["operate"])
    def carry_out(model_admin: Any, request: HttpRequest, queryset: QuerySet[RowT]) -> None:
        outcomes = apply(among(queryset), act)
        for outcome in outcomes:
            if not outcome.is_done:
                messages.error(request, str(outcome))
        count = sum(outcome.is_done for outcome in outcomes)
        if count:
            noun = model._meta.verbose_name if count == 1 else model._meta.verbose_name_plural
            messages.success(request, f"{count} {noun} {done}.")
        if not outcomes:
            messages.warning(request, "Nothing was done: it does not apply to what is selected.")

    return carry_out


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
    list_display = ["id", "kind", "name", "host", "pid", "restart_count", "started_at", "beat_at", "ended_at"]
    list_filter = ["kind"]
    ordering = ["-started_at"]


@admin.register(Notice)
class NoticeAdmin(RecordAdmin[Notice]):
    list_display = ["id", "topic", "kind", "created_at"]


@admin.register(LimitCount)
class LimitCountAdmin(RecordAdmin[LimitCount]):
    list_display = ["key", "count", "until_at"]
    ordering = ["-until_at"]


@admin.register(Tag)
class TagAdmin(RecordAdmin[Tag]):
    list_display = ["name"]
    search_fields = ["name"]
    ordering = ["key"]
