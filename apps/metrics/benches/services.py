"""Benches as they are asked for; a bench is a plan, so `series.running` takes it on and `series.plans` ends it."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from apps.accounts.models import User
from apps.core.exceptions import InvalidInputError
from apps.costs.runtime import ENDING, prices, rounded_up
from apps.metrics.models import Bench, Plan
from apps.metrics.series.ladder import Ladder
from apps.metrics.series.planning import Order
from apps.metrics.series.plans import DEFAULT_MINUTES, MAX_MINUTES, MAX_RUNS, Asked, Limits, Target, store_plan
from apps.metrics.series.services import DEFAULT_MAX_COST_USD, HIGHEST_MAX_COST_USD, typical_answer
from apps.metrics.series.shifts import LEAST_OF_LOOK
from apps.sessions.engine.host import check_agent
from apps.sessions.invoking import check_prompt, check_request_key
from apps.sessions.models import Invocation

logger = logging.getLogger(__name__)

NAME_LENGTH = 120
DEFAULT_RUNGS = (1, 2, 5)
MAX_RUNGS = 5
MAX_AT_ONCE = 10
LEAST_PAIRS, DEFAULT_PAIRS, MAX_PAIRS = LEAST_OF_LOOK, 40, 200
DEFAULT_WARM_UP, MAX_WARM_UP = 2, 20
HIGHEST_SEED = 2**31 - 1


@dataclass(frozen=True, slots=True)
class BenchAsked:
    """What is measured, how, and where it ends; the second target is told as so much more than the first."""

    first: Target
    second: Target
    prompt: str
    metric: str = Bench.Metric.TTFT
    start: str = Bench.Start.WARM
    rungs: Sequence[int] = DEFAULT_RUNGS
    pairs: int = DEFAULT_PAIRS
    warm_up: int = DEFAULT_WARM_UP
    stops_early: bool = True
    max_cost_usd: Decimal = DEFAULT_MAX_COST_USD
    max_minutes: int = DEFAULT_MINUTES
    seed: int | None = None

    @property
    def targets(self) -> list[Target]:
        return [self.first, self.second]

    @property
    def is_warm(self) -> bool:
        return self.start == Bench.Start.WARM

    @property
    def run_count(self) -> int:
        return Ladder(tuple(self.rungs), self.pairs, self.warm_up, self.is_warm).run_count


def run_may_cost_usd(target: Target, *, is_warm: bool) -> Decimal:
    """What one run may cost at most, if its agent answers as it did lately. A session that is kept waits between its
    runs about as long as it answers: twice as many are kept as runs are out.
    """
    if not hasattr(target.agent, "runtime"):
        return Decimal(0)
    answer = typical_answer(target.agent)
    return rounded_up(prices().session_usd(answer, idle=ENDING + (answer if is_warm else timedelta())))


def estimate_usd(asked: BenchAsked) -> Decimal:
    """What a bench costs at most, by the same, if no rung ends early."""
    each = sum((run_may_cost_usd(target, is_warm=asked.is_warm) for target in asked.targets), Decimal(0))
    return each * (asked.run_count // 2)


def start_bench(*, owner: User, asked: BenchAsked, request_key: str = "") -> Bench:
    """Ask for a bench; `running` begins it. The same key again gives the same bench.

    May block for one refresh of an agent. Raises InvalidInputError for what cannot be done or would cost too much.
    """
    check_request_key(request_key)
    earlier = _of_request(owner, request_key)
    if earlier is not None:
        return earlier
    check_bench(asked)
    for target in asked.targets:
        check_agent(target.agent, target.qualifier)
    estimate = estimate_usd(asked)
    if estimate > asked.max_cost_usd:
        raise InvalidInputError(
            _("This bench may cost up to $%(estimate)s, which is more than $%(allowed)s.")
            % {"estimate": estimate, "allowed": f"{asked.max_cost_usd:f}"},
            advice=_("Take fewer pairs or rungs, or allow a higher cost."),
        )
    try:
        bench = _store(owner, asked, request_key)
    except IntegrityError:  # the same request, sent twice at once
        return Bench.objects.select_related("plan").get(plan__owner=owner, plan__request_key=request_key)
    logger.info("bench asked for id=%s runs=%d", bench.plan_id, asked.run_count)
    return bench


def _of_request(owner: User, request_key: str) -> Bench | None:
    if not request_key:
        return None
    plan = Plan.objects.filter(owner=owner, request_key=request_key).select_related("bench").first()
    if plan is not None and not hasattr(plan, "bench"):
        raise InvalidInputError(
            _("Another request was sent with this key."), advice=_("Give every request a key of its own.")
        )
    return plan.bench if plan is not None else None


def _store(owner: User, asked: BenchAsked, request_key: str) -> Bench:
    """Write the plan and what makes it a bench, both or neither: whoever takes it on sees both."""
    limits = Limits(
        repeats=asked.run_count // 2,
        order=Order.RANDOM,
        seed=asked.seed,
        at_once=max(asked.rungs),
        max_cost_usd=asked.max_cost_usd,
        max_minutes=asked.max_minutes,
        ends_session=not asked.is_warm,
    )
    named = [f"{target.agent.name} · {target.qualifier}" for target in asked.targets]
    with transaction.atomic():
        plan = store_plan(
            owner=owner,
            name=" / ".join(named)[:NAME_LENGTH],
            source=Invocation.Source.BENCH,
            targets=asked.targets,
            each_usd=[run_may_cost_usd(target, is_warm=asked.is_warm) for target in asked.targets],
            prompts=[Asked(asked.prompt)],
            limits=limits,
            request_key=request_key,
        )
        return Bench.objects.create(
            plan=plan,
            metric=asked.metric,
            start=asked.start,
            rungs=list(asked.rungs),
            pair_count=asked.pairs,
            warm_up_count=asked.warm_up,
            stops_early=asked.stops_early,
        )


def check_bench(asked: BenchAsked) -> None:
    """Raise InvalidInputError for what no bench can be."""
    rungs = list(asked.rungs)
    problem = ""
    if not asked.prompt.strip():
        problem = _("There is no prompt to send.")
    elif asked.metric not in Bench.Metric.values or asked.start not in Bench.Start.values:
        problem = _("A bench measures ttft or total, cold or warm.")
    elif not 1 <= len(rungs) <= MAX_RUNGS or not all(1 <= rung <= MAX_AT_ONCE for rung in rungs):
        problem = _("A ladder has 1 to %(rungs)s rungs, of 1 to %(most)s runs at once.") % {
            "rungs": MAX_RUNGS, "most": MAX_AT_ONCE,
        }  # fmt: skip
    elif rungs != sorted(set(rungs)):
        problem = _("A ladder goes up: each rung has more runs at once than the one before.")
    elif not LEAST_PAIRS <= asked.pairs <= MAX_PAIRS:
        problem = _("A rung has %(least)s to %(most)s pairs.") % {"least": LEAST_PAIRS, "most": MAX_PAIRS}
    elif not 0 <= asked.warm_up <= MAX_WARM_UP:
        problem = _("A rung is warmed up with 0 to %(most)s runs of each target.") % {"most": MAX_WARM_UP}
    elif asked.run_count > MAX_RUNS:
        problem = _("That is more than %(count)s runs.") % {"count": f"{MAX_RUNS:,}"}
    elif not 0 < asked.max_cost_usd <= HIGHEST_MAX_COST_USD:
        problem = _("The highest cost is above 0 and at most %(usd)s US dollars.") % {"usd": HIGHEST_MAX_COST_USD}
    elif not 1 <= asked.max_minutes <= MAX_MINUTES:
        problem = _("A plan has 1 to %(count)s minutes.") % {"count": MAX_MINUTES}
    elif asked.seed is not None and not 0 <= asked.seed <= HIGHEST_SEED:
        problem = _("A seed is a whole number from 0 to 2147483647.")
    if problem:
        raise InvalidInputError(problem)
    check_prompt(asked.prompt)
