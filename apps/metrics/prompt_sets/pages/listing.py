"""The list of prompt sets: which are found, in which order, and what a row tells."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Lower
from django.utils.translation import gettext_lazy as _

from apps.accounts.models import User
from apps.core.tables.columns import Column, Columns
from apps.core.tables.filters import Choice, Choices
from apps.core.tables.table import Table
from apps.metrics.models import Plan, PromptSet, PromptSetItem

OWNERS_AT_MOST = 200


def _search(sets: QuerySet[PromptSet], text: str) -> QuerySet[PromptSet]:
    """Keep the sets whose name, or one of whose prompts, holds each word."""
    for word in text.split():
        held = PromptSetItem.objects.filter(prompt_set=OuterRef("pk"), prompt__icontains=word)
        sets = sets.filter(Q(name__icontains=word) | Exists(held))
    return sets


def _owners(sets: QuerySet[PromptSet]) -> Choices:
    """Whose sets they are: one only, for whoever sees none but their own."""
    users = User.objects.filter(pk__in=sets.order_by().values("owner")).order_by("email")
    return [(str(pk), email) for pk, email in users.values_list("pk", "email")[:OWNERS_AT_MOST]]


def _with_state(sets: QuerySet[PromptSet]) -> QuerySet[Any]:
    """Add what a row shows: how many prompts, and the newest plan."""
    newest = Plan.objects.filter(prompt_set=OuterRef("pk")).order_by("-pk")
    return sets.annotate(
        item_total=Count("items"),
        plan_id=Subquery(newest.values("pk")[:1]),
        plan_state=Subquery(newest.values("state")[:1]),
        replayed_at=Subquery(newest.values("created_at")[:1]),
    )


def _read(keys: Iterable[Any]) -> dict[Any, PromptSet]:
    return _with_state(PromptSet.objects.select_related("owner")).in_bulk(list(keys))


SETS: Table[PromptSet] = Table(
    label=_("Search prompt sets"),
    columns=Columns(
        Column("name", _("Prompt set"), Lower("name")),
        Column("made", _("Made"), F("created_at"), starts_down=True),
        default="-made",
        ties=("-pk",),
    ),
    search=_search,
    filters=(Choice("owner", _("Owner"), _("Anybody’s"), "owner", values=_owners, offered_from=2),),
    read=_read,
)
