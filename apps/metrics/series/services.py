"""Every change of start series but their runs: asked for, cancelled, over."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from apps.accounts.models import User
from apps.agents.models import Agent
from apps.core.exceptions import ConflictError, InvalidInputError
from apps.costs.runtime import ENDING, prices, rounded_up
from apps.metrics.models import StartSeries
from apps.sessions.engine.host import check_agent
from apps.sessions.invoking import check_prompt, check_request_key
from apps.sessions.models import Invocation, Session

logger = logging.getLogger(__name__)

DEFAULT_COUNT = 20
MAX_COUNT = 100
MAX_AT_ONCE = 50  # what one process answers at a time
DEFAULT_MAX_COST_USD = Decimal("1.00")
HIGHEST_MAX_COST_USD = Decimal(1000)
# Assumed of an agent that has answered nothing yet.
ASSUMED_ANSWER = timedelta(seconds=60)
RECENT_SESSIONS = 20
DEMO_KEY = "demo "  # with it begins the request key of what nobody asked for by hand
CANCELLED_BEFORE = "Cancelled before it began."


class SeriesActiveError(ConflictError):
    """An agent's start is measured by one series at a time: two would warm each other's pool."""

    code = "start_series_active"


@dataclass(frozen=True, slots=True)
class Plan:
    """What a series is to do."""

    count: int = DEFAULT_COUNT
    qualifier: str = "DEFAULT"
    prompt: str = ""
    has_warm_turn: bool = True
    ends_session: bool = True
    max_cost_usd: Decimal = DEFAULT_MAX_COST_USD
    is_at_once: bool = False

    @property
    def turn_count(self) -> int:
        """How many prompts each session is sent; those that begin at once one."""
        return 2 if self.has_warm_turn and not self.is_at_once else 1


def idle_after(agent: Agent, *, ends_session: bool) -> timedelta:
    """How long an environment stays after its last answer; where none is kept, no longer than to end it."""
    if ends_session or not hasattr(agent, "runtime"):
        return ENDING
    return timedelta(milliseconds=agent.runtime.idle_timeout_ms)


def typical_answer(agent: Agent) -> timedelta:
    """The longest answer in the agent's newest sessions, or an assumption where there is none."""
    # The newest by their key, in which the agent's index is ordered: to sort all of its runs by time takes long.
    sessions = Session.objects.filter(agent=agent, deleted_at=None).order_by("-pk")
    newest = sessions.values_list("pk", flat=True)[:RECENT_SESSIONS]
    runs = Invocation.objects.filter(session__in=list(newest)).values_list("status", "invoked_at", "completed_at")
    # Sifted here: asked for a status, SQLite takes the index of that and reads every run that has it.
    spans = [
        completed_at - invoked_at
        for status, invoked_at, completed_at in runs
        if status == Invocation.Status.COMPLETED and invoked_at and completed_at
    ]
    return max(spans, default=ASSUMED_ANSWER)


def estimate_usd(*, agent: Agent, plan: Plan, answer: timedelta | None = None) -> Decimal:
    """What a series costs at most, if the agent answers as it did lately; `answer` is `typical_answer`, if known."""
    busy = (answer or typical_answer(agent)) * plan.turn_count
    idle = idle_after(agent, ends_session=plan.ends_session)
    return rounded_up(plan.count * prices().session_usd(busy, idle=idle))


def start_series(*, agent: Agent, owner: User, plan: Plan, request_key: str = "") -> StartSeries:
    """Ask for a series; `advancing` begins it. The same key again gives the same series.

    May block for one refresh of the agent. Raises SeriesActiveError, InvalidInputError for what cannot be done or would
    cost too much, and what `start_session` raises.
    """
    check_request_key(request_key)
    if request_key:
        earlier = StartSeries.objects.filter(owner=owner, request_key=request_key).first()
        if earlier is not None:
            return earlier
    check_agent(agent, plan.qualifier)
    check_prompt(plan.prompt)
    _check_plan(plan)
    estimate = estimate_usd(agent=agent, plan=plan)
    if estimate > plan.max_cost_usd:
        raise InvalidInputError(
            f"{plan.count} sessions may cost up to ${estimate}, which is more than ${plan.max_cost_usd:f}.",
            advice="Take fewer sessions, end each session, or allow a higher cost.",
        )
    try:
        with transaction.atomic():
            # Whoever comes second waits here and then sees the first one's series.
            Agent.objects.select_for_update().get(pk=agent.pk)
            if StartSeries.objects.filter(agent=agent, state__in=StartSeries.ACTIVE).exists():
                raise SeriesActiveError(
                    f"The start of {agent.name} is being measured already.",
                    advice="Wait for that series, or cancel it.",
                )
            series = StartSeries.objects.create(
                agent=agent,
                owner=owner,
                qualifier=plan.qualifier,
                prompt=plan.prompt,
                count=plan.count,
                has_warm_turn=plan.turn_count > 1,
                ends_session=plan.ends_session,
                is_at_once=plan.is_at_once,
                max_cost_usd=plan.max_cost_usd,
                estimated_cost_usd=estimate,
                request_key=request_key,
                created_at=timezone.now(),
            )
    except IntegrityError:
        # The same request, sent twice at once.
        return StartSeries.objects.get(owner=owner, request_key=request_key)
    logger.log(_log_level(series), "start series asked for id=%s agent=%s count=%d", series.pk, agent.pk, series.count)
    return series


def _check_plan(plan: Plan) -> None:
    if not plan.prompt.strip():
        raise InvalidInputError("A start is measured with a prompt.", advice="Give the prompt that each session sends.")
    if not 1 <= plan.count <= MAX_COUNT:
        raise InvalidInputError(f"A series has 1 to {MAX_COUNT} sessions.")
    if plan.is_at_once and plan.count > MAX_AT_ONCE:
        raise InvalidInputError(
            f"At most {MAX_AT_ONCE} sessions begin at once.",
            advice="Take fewer, or let them begin one after the other.",
        )
    if not 0 < plan.max_cost_usd <= HIGHEST_MAX_COST_USD:
        raise InvalidInputError(f"The highest cost is above 0 and at most {HIGHEST_MAX_COST_USD} US dollars.")


def cancel_series(*, series: StartSeries) -> None:
    """Ask for the end of a series; what was measured stays. One that nobody has taken up is over at once."""
    now = timezone.now()
    rows = StartSeries.objects.filter(pk=series.pk)
    rows.filter(state=StartSeries.State.QUEUED).update(
        state=StartSeries.State.CANCELLED, finished_at=now, message=CANCELLED_BEFORE
    )
    rows.filter(state=StartSeries.State.RUNNING, cancel_requested_at=None).update(cancel_requested_at=now)


def finish_series(*, series: StartSeries, state: StartSeries.State, message: str) -> bool:
    """Write the end of a series; False where it was ended already."""
    count = series.not_ended_count or 0
    if count:
        sessions = "One session" if count == 1 else f"{count} sessions"
        message = f"{message} {sessions} could not be ended; AgentCore does so at the idle timeout.".strip()
    active = StartSeries.objects.filter(pk=series.pk, state__in=StartSeries.ACTIVE)
    is_ended = bool(active.update(state=state, message=message, finished_at=timezone.now()))
    if is_ended:
        logger.log(_log_level(series), "start series %s id=%s", state, series.pk)
    return is_ended


def _log_level(series: StartSeries) -> int:
    return logging.DEBUG if series.request_key.startswith(DEMO_KEY) else logging.INFO


def remove_expired_prompts(now: datetime) -> int:
    """Take the prompts of series that are over for CONTENT_RETENTION_DAYS; figures stay. Return how many."""
    days = settings.CONTENT_RETENTION_DAYS
    if days is None:
        return 0
    expired = StartSeries.objects.filter(finished_at__lte=now - timedelta(days=days)).exclude(
        state__in=StartSeries.ACTIVE
    )
    return expired.exclude(prompt="").update(prompt="")


def spent_usd(*, series: StartSeries, now: datetime) -> Decimal:
    """What a series has cost so far at most, by how long its sessions worked."""
    return rounded_up(_spent(series, now)[0])


def would_exceed(*, series: StartSeries, begun: int) -> bool:
    """Whether one session more than the `begun` ones could cost more than the series may, by how long those took."""
    spent, known = _spent(series)
    return bool(begun and known) and spent / begun * (begun + 1) > series.max_cost_usd


def _spent(series: StartSeries, now: datetime | None = None) -> tuple[Decimal, int]:
    """The cost of the runs whose length is known, and how many those are; with `now` of those that are out as well."""
    times = series.runs.values_list("is_warm", "invocation__invoked_at", "invocation__completed_at")
    runs = [(is_warm, sent_at, ended_at or now) for is_warm, sent_at, ended_at in times]
    spans = [ended_at - sent_at for _, sent_at, ended_at in runs if sent_at and ended_at]
    begun = sum(not is_warm for is_warm, sent_at, _ in runs if sent_at)
    idle = idle_after(series.agent, ends_session=series.ends_session)
    return prices().session_usd(sum(spans, timedelta()), idle=idle * begun), len(spans)
