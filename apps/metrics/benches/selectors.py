"""Every read of benches."""

from __future__ import annotations

from django.contrib.auth.models import AnonymousUser
from django.db.models import QuerySet

from apps.accounts.models import User
from apps.metrics.models import Bench, Plan
from apps.metrics.prompt_sets.selectors import plans_visible_to


def bench_plans_visible_to(user: User | AnonymousUser) -> QuerySet[Plan]:
    """The plans of benches that `user` may see."""
    return plans_visible_to(user).filter(bench__isnull=False)


def benches_visible_to(user: User | AnonymousUser) -> QuerySet[Bench]:
    """The benches that `user` may see, each with its plan: who may see that may see these."""
    plans = plans_visible_to(user).values("pk")
    return Bench.objects.filter(plan__in=plans).select_related("plan__owner", "plan__budget")
