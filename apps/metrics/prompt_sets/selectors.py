"""Every read of prompt sets and plans."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.db.models import Count, QuerySet

from apps.accounts.models import User
from apps.accounts.policy import subject_of, visible
from apps.metrics.models import Plan, PromptSet


def prompt_sets_visible_to(user: User | AnonymousUser) -> QuerySet[PromptSet]:
    """The prompt sets that `user` may see."""
    return PromptSet.objects.filter(visible(subject_of(user), PromptSet)).select_related("owner")


def with_counts(sets: QuerySet[PromptSet]) -> QuerySet[Any]:
    """Add `item_total` to each."""
    return sets.annotate(item_total=Count("items"))


def plans_visible_to(user: User | AnonymousUser) -> QuerySet[Plan]:
    """The plans that `user` may see."""
    return Plan.objects.filter(visible(subject_of(user), Plan)).select_related("owner", "prompt_set", "budget")
