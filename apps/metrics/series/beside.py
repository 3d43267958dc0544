"""Side by side: one prompt to two to four targets at once, each in a conversation that can go on."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from apps.accounts.models import User
from apps.metrics.models import Plan
from apps.metrics.series.plans import DEFAULT_MINUTES, Asked, Limits, Target, cancel_plan, start_plan
from apps.metrics.series.running import advance_plan
from apps.metrics.series.services import DEFAULT_MAX_COST_USD
from apps.sessions.invoking import stop_invocation
from apps.sessions.models import Invocation

NAME_LENGTH = 80
SOURCE = Invocation.Source.SIDE_BY_SIDE


def limits_of(
    target_count: int, *, max_cost_usd: Decimal = DEFAULT_MAX_COST_USD, max_minutes: int = DEFAULT_MINUTES
) -> Limits:
    """All of them at once, and nobody's session ends."""
    return Limits(at_once=target_count, max_cost_usd=max_cost_usd, max_minutes=max_minutes, ends_session=False)


def send_beside(*, owner: User, prompt: str, targets: Sequence[Target], limits: Limits, request_key: str = "") -> Plan:
    """Send a prompt to all targets and return the plan, whose runs are queued. The same key again is the same plan.

    Raises what `start_plan` raises.
    """
    plan = start_plan(
        owner=owner,
        name=prompt.strip()[:NAME_LENGTH] or "…",
        source=SOURCE,
        targets=targets,
        prompts=[Asked(prompt)],
        limits=limits,
        request_key=request_key,
    )
    advance_plan(plan.pk)
    plan.refresh_from_db()
    return plan


def stop_beside(*, plan: Plan) -> int:
    """Stop whatever a plan has out, also where it is over already because a target failed; return how many that was."""
    cancel_plan(plan=plan)
    running = Invocation.objects.filter(plan_run__plan=plan, status__in=Invocation.UNFINISHED)
    stopped = sum(stop_invocation(invocation=run) for run in running.select_related("session__agent__runtime"))
    advance_plan(plan.pk)
    return stopped
