"""Taking plans on: each run that ends is judged and settled, and lets the next begin.

Whichever process hears of an end looks at the rows and does what comes next; the worker looks at what nobody heard of.
Everything here may happen twice at once: a run exists once by its place, what it may cost is reserved once by its key.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import timedelta

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.agents.selectors import in_use
from apps.core.exceptions import LoomError
from apps.costs.services import BudgetExceededError, release, reserve, settle
from apps.metrics.checks.deciding import Answer, decide
from apps.metrics.models import Bench, Plan, PlanPrompt, PlanRun, PlanTarget
from apps.metrics.series.planning import Order, Step, due, failed_in_a_row, steps
from apps.metrics.series.plans import finish_plan
from apps.metrics.series.stopping import next_of, sessions_needed
from apps.sessions.engine.host import check_agent
from apps.sessions.invoking import Request, enqueue, stop_invocation
from apps.sessions.models import Invocation, Session
from apps.sessions.selectors import events_after
from apps.sessions.services import end_session, start_session

logger = logging.getLogger(__name__)

# After as many failures one after the other the rest would most likely only cost.
FAILURES_IN_A_ROW = 5
RESERVED_FOR = timedelta(hours=12)  # longer than any run; what nobody settles is free again after it
PURPOSES = {
    Invocation.Source.PROMPT_SET.value: Session.Purpose.PROMPT_SET,
    Invocation.Source.BENCH.value: Session.Purpose.BENCH,
}
State = Plan.State


def advance_plan(plan_id: int) -> None:
    """Do what comes next in a plan, if it is its turn; blocks while a session is ended."""
    plan = Plan.objects.select_related("owner", "budget", "bench").filter(pk=plan_id, state=State.RUNNING).first()
    if plan is None:
        return
    try:
        _advance(plan)
    except LoomError as error:
        finish_plan(plan=plan, state=State.FAILED, message=error.text())
    except Exception:
        finish_plan(plan=plan, state=State.FAILED, message=_("Loom failed; its log says how."))
        raise


def advance_all_plans() -> int:
    """Take every active plan of this mode on; return how many there are."""
    others = PlanTarget.objects.exclude(in_use("agent__")).values("plan")
    active = Plan.objects.filter(state=State.RUNNING).exclude(pk__in=others).values_list("pk", flat=True)
    for plan_id in active:
        advance_plan(plan_id)
    return len(active)


def next_steps(plan: Plan, targets: int, prompts: int, begun: Mapping[int, bool]) -> list[Step] | None:
    """What of a plan begins now, where `begun` says of each place whether it is over; None where nothing is left."""
    bench = bench_of(plan)
    if bench is not None:
        return next_of(bench, begun)
    order = Order(plan.order)
    planned = steps(targets=targets, prompts=prompts, repeats=plan.repeat_count, order=order, seed=plan.seed)
    return None if len(begun) == len(planned) else due(planned, begun, at_once=plan.at_once)


def bench_of(plan: Plan) -> Bench | None:
    """What a plan is asked for beside its runs, where it is a latency bench."""
    return plan.bench if hasattr(plan, "bench") else None


def _advance(plan: Plan) -> None:
    """Judge what has ended and begin what comes next. Of the runs that were judged before only the state is read: a
    plan of thousands is taken on at the end of each of them.
    """
    targets = list(plan.targets.select_related("agent__runtime"))
    prompts = list(plan.prompts.values_list("pk", flat=True))
    is_cancelled = plan.cancel_requested_at is not None
    waiting = plan.runs.filter(has_passed=None).select_related("invocation__session__agent__runtime", "prompt")
    for run in waiting.order_by("place"):
        if is_cancelled and run.invocation.is_unfinished:
            stop_invocation(invocation=run.invocation)
            run.invocation.refresh_from_db()  # one that was only queued is over by now
        if not run.invocation.is_unfinished:
            conclude(plan, run)
    columns = ("place", "has_passed", "invocation__status", "target")
    found = list(plan.runs.order_by("place").values_list(*columns))
    begun = {place: has_passed is not None for place, has_passed, _status, _target in found}
    judged = [(target, status) for _place, has_passed, status, target in found if has_passed is not None]
    over = (State.CANCELLED, "") if is_cancelled else _reason_to_finish(plan, judged)
    if over is None:
        waiting_steps = next_steps(plan, len(targets), len(prompts), begun)
        over = _begin_all(plan, waiting_steps or [], targets, prompts)
        if over is None and waiting_steps is None:
            over = (State.DONE, "")
    if over is not None and not plan.runs.filter(has_passed=None).exists():
        _end_kept_sessions(plan)
        finish_plan(plan=plan, state=over[0], message=over[1])


def _reason_to_finish(plan: Plan, judged: Sequence[tuple[int, str]]) -> tuple[Plan.State, str] | None:
    """Why a plan ends early, by how its runs ended: of a bench those of either target alone, as it needs both."""
    by_target = [[one for one in judged if one[0] == target] for target in dict(judged)]
    for runs in by_target if bench_of(plan) is not None else [judged]:
        if failed_in_a_row([status == Invocation.Status.COMPLETED for _target, status in runs], FAILURES_IN_A_ROW):
            return State.FAILED, _(
                "%(count)s runs failed one after the other, so Loom stopped there: the rest would most likely only "
                "cost."
            ) % {"count": FAILURES_IN_A_ROW}
    if timezone.now() >= plan.until_at:
        return State.DONE, _("The time that this plan was given is over; no further run began.")
    return None


def _begin_all(
    plan: Plan, waiting: Sequence[Step], targets: Sequence[PlanTarget], prompts: Sequence[int]
) -> tuple[Plan.State, str] | None:
    """Begin these runs, as far as the cost allows; return the end of the plan where it does not."""
    texts = PlanPrompt.objects.in_bulk([prompts[step.prompt] for step in waiting])
    for step in waiting:
        target = targets[step.target]
        check_agent(target.agent, target.qualifier)  # may ask AWS: not while a transaction is open
        try:
            _begin(plan, step, target, texts[prompts[step.prompt]])
        except BudgetExceededError:
            return State.DONE, _("One more run could exceed the highest cost, so Loom stopped there.")
    return None


def _begin(plan: Plan, step: Step, target: PlanTarget, prompt: PlanPrompt) -> None:
    """Reserve what a run may cost and queue it in a session of its own: all of it or nothing, and once."""
    now = timezone.now()
    with transaction.atomic():
        # Who asks at the same time waits here, and then sees what was begun.
        Plan.objects.select_for_update().filter(pk=plan.pk).first()
        if plan.runs.filter(place=step.place).exists():
            return
        reserve(budget=plan.budget, usd=target.reserved_usd, key=key_of(step.place), now=now, lasting=RESERVED_FOR)
        session = _kept_session(plan, step, target) or start_session(
            agent=target.agent,
            owner=plan.owner,
            qualifier=target.qualifier,
            title=prompt.text,
            purpose=PURPOSES.get(plan.source, Session.Purpose.CONVERSATION),
        )
        invocation = enqueue(session=session, request=Request(prompt.text, source=Invocation.Source(plan.source)))
        PlanRun.objects.create(
            plan=plan, place=step.place, target=target, prompt=prompt, repeat=step.repeat, invocation=invocation
        )


def _kept_session(plan: Plan, step: Step, target: PlanTarget) -> Session | None:
    """The session that a run of a warm bench goes on with; None where it begins one: of any other plan each does."""
    bench = bench_of(plan)
    if bench is None or bench.start == Bench.Start.COLD:
        return None
    kept = Session.objects.filter(pk__in=_sessions_of(plan, target), ended_at=None, deleted_at=None)
    if kept.count() < sessions_needed(bench, step):
        return None
    return kept.exclude(invocations__status__in=Invocation.UNFINISHED).order_by("pk").first()


def _sessions_of(plan: Plan, target: PlanTarget | None = None) -> QuerySet[PlanRun, int]:
    runs = plan.runs.all() if target is None else plan.runs.filter(target=target)
    return runs.order_by().values_list("invocation__session", flat=True)


def _end_kept_sessions(plan: Plan) -> None:
    """Let go of the environments that a warm bench has kept; what the host refuses ends at its idle timeout."""
    if bench_of(plan) is None or plan.ends_session:
        return
    for session in Session.objects.filter(pk__in=_sessions_of(plan), ended_at=None).select_related("agent__runtime"):
        _end_session(plan, session)


def _end_session(plan: Plan, session: Session) -> None:
    try:
        end_session(session=session)
    except LoomError as error:
        logger.warning("session of a plan not ended plan=%s error=%s", plan.pk, type(error).__name__)


def key_of(place: int) -> str:
    return f"run {place}"


def conclude(plan: Plan, run: PlanRun) -> None:
    """Judge a run that is over, settle what it cost, and let go of its environment where that is asked for."""
    invocation = run.invocation
    if invocation.invoked_at is None or invocation.is_unsent:
        release(budget=plan.budget, key=key_of(run.place))
    else:
        settle(budget=plan.budget, key=key_of(run.place), usd=invocation.cost_usd)
    has_passed, findings = judge(invocation, run.prompt.checks)
    PlanRun.objects.filter(pk=run.pk, has_passed=None).update(has_passed=has_passed, findings=findings)
    run.has_passed, run.findings = has_passed, findings
    if plan.ends_session and invocation.has_reached_agent and not invocation.session.is_ended:
        _end_session(plan, invocation.session)


def judge(invocation: Invocation, checks: Sequence[dict[str, object]]) -> tuple[bool, list[dict[str, object]]]:
    """Whether a run that is over has passed, and what each check found. One without an answer has not passed."""
    if invocation.status != Invocation.Status.COMPLETED:
        return False, [{"kind": "run", "has_passed": False, "reason": f"the run {invocation.status}"}]
    found = decide(
        checks,
        Answer(
            text=invocation.response_text,
            events=events_after(invocation.pk) if any(check["kind"] == "tool_called" for check in checks) else (),
            ttft_ms=invocation.time_to_first_token_ms,
            cost_usd=invocation.cost_usd,
        ),
    )
    return all(finding.has_passed for finding in found), [finding.as_json() for finding in found]
