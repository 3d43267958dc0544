"""A comparison and a bench for whoever walks all addresses."""

from __future__ import annotations

from decimal import Decimal

from apps.costs.services import make_budget
from apps.metrics.models import Bench, Plan, PlanPrompt, PlanTarget
from apps.sessions.models import Session


def make_bench(session: Session) -> Plan:
    """A bench of the session's owner, of which nothing was sent."""
    plan = make_comparison(session, source="bench")
    Bench.objects.create(plan=plan, rungs=[1, 2], pair_count=8, warm_up_count=0)
    return plan


def make_comparison(session: Session, source: str = "side_by_side") -> Plan:
    """A prompt of the session's owner for two endpoints, of which none was sent it."""
    plan = Plan.objects.create(
        owner=session.owner, name="Hi", source=source, state="done", until_at=session.created_at,
        created_at=session.created_at, budget=make_budget(owner=session.owner, name="Hi", limit_usd=Decimal(1)),
    )  # fmt: skip
    for position, name in enumerate(("DEFAULT", "other")):
        PlanTarget.objects.create(plan=plan, position=position, agent=session.agent, qualifier=name, reserved_usd=0)
    PlanPrompt.objects.create(plan=plan, position=0, text="Hi")
    return plan
