"""Plans as they are asked for, cancelled and over; `running` takes them on."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.accounts.models import User
from apps.agents.models import Agent
from apps.core.exceptions import InvalidInputError
from apps.costs.models import Budget
from apps.costs.runtime import prices, rounded_up
from apps.costs.services import make_budget
from apps.metrics.models import Plan, PlanPrompt, PlanTarget, PromptSet
from apps.metrics.series.planning import Order
from apps.metrics.series.services import (
    DEFAULT_MAX_COST_USD,
    HIGHEST_MAX_COST_USD,
    idle_after,
    typical_answer,
)
from apps.sessions.engine.host import check_agent
from apps.sessions.invoking import check_prompt, check_request_key
from apps.sessions.models import Invocation

logger = logging.getLogger(__name__)

MAX_TARGETS = 4
MAX_REPEATS = 20
MAX_RUNS = 2_000
MAX_AT_ONCE = 4
DEFAULT_MINUTES = 120
MAX_MINUTES = 24 * 60


@dataclass(frozen=True, slots=True)
class Target:
    """Where prompts are sent to."""

    agent: Agent
    qualifier: str = "DEFAULT"


@dataclass(frozen=True, slots=True)
class Asked:
    """A prompt, with what is wanted of its answer."""

    text: str
    checks: Sequence[dict[str, Any]] = ()


@dataclass(frozen=True, slots=True)
class Limits:
    """How a plan goes about its runs, and where it ends early."""

    repeats: int = 1
    order: Order = Order.INTERLEAVED
    seed: int | None = None
    at_once: int = 1
    max_cost_usd: Decimal = DEFAULT_MAX_COST_USD
    max_minutes: int = DEFAULT_MINUTES
    ends_session: bool = True


def run_may_cost_usd(target: Target, *, ends_session: bool) -> Decimal:
    """What one run of a target may cost at most on AgentCore, if its agent answers as it did lately; 0 for an agent
    whose environments cost nothing.
    """
    if not hasattr(target.agent, "runtime"):
        return Decimal(0)
    idle = idle_after(target.agent, ends_session=ends_session)
    return rounded_up(prices().session_usd(typical_answer(target.agent), idle=idle))


def estimate_usd(targets: Sequence[Target], prompt_count: int, limits: Limits) -> Decimal:
    """What a plan costs at most, by the same."""
    each = sum((run_may_cost_usd(target, ends_session=limits.ends_session) for target in targets), Decimal(0))
    return each * prompt_count * limits.repeats


def start_plan(
    *,
    owner: User,
    name: str,
    source: Invocation.Source,
    targets: Sequence[Target],
    prompts: Sequence[Asked],
    limits: Limits,
    prompt_set: PromptSet | None = None,
    request_key: str = "",
) -> Plan:
    """Ask for a plan; `running` begins it. The same key again gives the same plan.

    May block for one refresh of an agent. Raises InvalidInputError for what cannot be done or would cost too much.
    """
    check_request_key(request_key)
    if request_key and (earlier := Plan.objects.filter(owner=owner, request_key=request_key).first()) is not None:
        return earlier
    _check(targets, prompts, limits)
    for target in targets:
        check_agent(target.agent, target.qualifier)
    estimate = estimate_usd(targets, len(prompts), limits)
    if estimate > limits.max_cost_usd:
        raise InvalidInputError(
            _("These runs may cost up to $%(estimate)s, which is more than $%(allowed)s.")
            % {"estimate": estimate, "allowed": f"{limits.max_cost_usd:f}"},
            advice=_("Take fewer prompts, targets or repeats, or allow a higher cost."),
        )
    each = [run_may_cost_usd(target, ends_session=limits.ends_session) for target in targets]
    try:
        plan = store_plan(
            owner=owner, name=name, source=source, targets=targets, each_usd=each, prompts=prompts, limits=limits,
            prompt_set=prompt_set, request_key=request_key,
        )  # fmt: skip
    except IntegrityError:  # the same request, sent twice at once
        return Plan.objects.get(owner=owner, request_key=request_key)
    logger.info("plan asked for id=%s source=%s runs=%d", plan.pk, source, run_count(targets, len(prompts), limits))
    return plan


def store_plan(
    *,
    owner: User,
    name: str,
    source: Invocation.Source,
    targets: Sequence[Target],
    each_usd: Sequence[Decimal],
    prompts: Sequence[Asked],
    limits: Limits,
    prompt_set: PromptSet | None = None,
    request_key: str = "",
) -> Plan:
    """Write a plan that was looked at, all of it or nothing; `each_usd` is what a run of each target may cost.

    Raises IntegrityError where the same owner has asked with this key.
    """
    now = timezone.now()
    with transaction.atomic():
        plan = Plan.objects.create(
            owner=owner,
            prompt_set=prompt_set,
            budget=make_budget(owner=owner, name=name, limit_usd=limits.max_cost_usd),
            name=name,
            source=source,
            repeat_count=limits.repeats,
            order=limits.order.value,
            seed=secrets.randbelow(2**31) if limits.seed is None else limits.seed,
            at_once=limits.at_once,
            ends_session=limits.ends_session,
            until_at=now + timedelta(minutes=limits.max_minutes),
            request_key=request_key,
            created_at=now,
        )
        PlanTarget.objects.bulk_create(
            PlanTarget(plan=plan, position=at, agent=target.agent, qualifier=target.qualifier, reserved_usd=usd)
            for at, (target, usd) in enumerate(zip(targets, each_usd, strict=True))
        )
        PlanPrompt.objects.bulk_create(
            PlanPrompt(plan=plan, position=position, text=prompt.text, checks=list(prompt.checks))
            for position, prompt in enumerate(prompts)
        )
    return plan


def run_count(targets: Sequence[Target], prompt_count: int, limits: Limits) -> int:
    """How many runs a plan has."""
    return len(targets) * prompt_count * limits.repeats


def _check(targets: Sequence[Target], prompts: Sequence[Asked], limits: Limits) -> None:
    problem = ""
    if not 1 <= len(targets) <= MAX_TARGETS:
        problem = _("Choose one to %(count)s targets.") % {"count": MAX_TARGETS}
    elif len({(target.agent.pk, target.qualifier) for target in targets}) != len(targets):
        problem = _("Each target can be chosen once.")
    elif not prompts or any(not prompt.text.strip() for prompt in prompts):
        problem = _("There is no prompt to send.")
    elif not 1 <= limits.repeats <= MAX_REPEATS:
        problem = _("Each prompt is sent 1 to %(count)s times.") % {"count": MAX_REPEATS}
    elif run_count(targets, len(prompts), limits) > MAX_RUNS:
        problem = _("That is more than %(count)s runs.") % {"count": f"{MAX_RUNS:,}"}
    elif not 1 <= limits.at_once <= MAX_AT_ONCE:
        problem = _("One to %(count)s runs are out at once.") % {"count": MAX_AT_ONCE}
    elif not 0 < limits.max_cost_usd <= HIGHEST_MAX_COST_USD:
        problem = _("The highest cost is above 0 and at most %(usd)s US dollars.") % {"usd": HIGHEST_MAX_COST_USD}
    elif not 1 <= limits.max_minutes <= MAX_MINUTES:
        problem = _("A plan has 1 to %(count)s minutes.") % {"count": MAX_MINUTES}
    elif limits.seed is not None and not 0 <= limits.seed < 2**31:
        problem = _("A seed is a whole number from 0 to 2147483647.")
    if problem:
        raise InvalidInputError(problem)
    for prompt in prompts:
        check_prompt(prompt.text)


def cancel_plan(*, plan: Plan) -> None:
    """Ask for the end of a plan; what it has found stays."""
    Plan.objects.filter(pk=plan.pk, state=Plan.State.RUNNING, cancel_requested_at=None).update(
        cancel_requested_at=timezone.now()
    )


def finish_plan(*, plan: Plan, state: Plan.State, message: str = "") -> bool:
    """Write the end of a plan; False where it was ended already."""
    active = Plan.objects.filter(pk=plan.pk, state=Plan.State.RUNNING)
    is_ended = bool(active.update(state=state, message=message, finished_at=timezone.now()))
    if is_ended:
        logger.info("plan %s id=%s", state, plan.pk)
    return is_ended


def remove_expired_plan_prompts(now: datetime) -> int:
    """Take the prompts of plans that are over for CONTENT_RETENTION_DAYS, and what their checks quote, and the names of
    those that are named by their prompt; what they found stays. Return how many.
    """
    days = settings.CONTENT_RETENTION_DAYS
    if days is None:
        return 0
    over = Plan.objects.filter(finished_at__lte=now - timedelta(days=days)).exclude(state=Plan.State.RUNNING)
    named = over.filter(source=Invocation.Source.SIDE_BY_SIDE).exclude(name="")
    Budget.objects.filter(pk__in=named.values("budget")).update(name="")
    named.update(name="")
    return PlanPrompt.objects.filter(plan__in=over).exclude(text="").update(text="", checks=[])
