"""Budgets of agents and people: what they count, whom they refuse, and that a running answer is stopped."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import pytest_asyncio
from asgiref.sync import sync_to_async
from django.utils import timezone
from django_q.models import OrmQ

from apps.accounts.models import User
from apps.agents.models import Agent
from apps.core.exceptions import InvalidInputError
from apps.core.models import Process
from apps.core.running import processes
from apps.costs.models import Budget, BudgetPeriod, TokenPrice
from apps.costs.services import BudgetExceededError
from apps.metrics.spending import budgets, tasks
from apps.metrics.spending.guard import BudgetGuard, budget_guard
from apps.metrics.spending.selectors import budget_states
from apps.metrics.tests.runs import make_run
from apps.sessions.engine import guards
from apps.sessions.engine.engine import Engine, engine
from apps.sessions.engine.recording import Pending, finish_invocation
from apps.sessions.invoking import Request, enqueue, start_invocation
from apps.sessions.models import Invocation, Session
from apps.sessions.services import start_session

pytestmark = pytest.mark.django_db
DOLLAR = Decimal(1)
MakeSession = Callable[..., Session]


def state_of(budget: Budget) -> tuple[str, Decimal | None]:
    (state,) = budget_states([Budget.objects.get(pk=budget.pk)])
    return state.state, state.spent_usd


def finish(session: Session, usd: Decimal | None, **told: Any) -> Invocation:
    """A run that ends now and of which it was told what it cost."""
    invocation = start_invocation(session=session, prompt="go", process_id=None)
    now = timezone.now()
    fields = {"invoked_at": now, "cost_usd": usd, "cost_source": "reported" if usd is not None else None, **told}
    assert finish_invocation(
        None, Pending(invocation.pk, [], fields), status=told.get("status", "completed"), completed_at=now
    )
    return Invocation.objects.get(pk=invocation.pk)


def of_agent(carol: User, session: Session, period: str = "day", usd: Decimal = DOLLAR, **more: Any) -> Budget:
    return budgets.limit_spending(
        owner=carol, scope="agent", scope_id=session.agent_id, period=period, limit_usd=usd, **more
    )


def test_it_counts_what_runs_cost_and_refuses_the_next_when_it_is_spent(carol: User, make_session: MakeSession) -> None:
    session = make_session()
    other = make_session()
    budget = of_agent(carol, session)

    finish(session, Decimal("0.79"))
    assert state_of(budget) == ("open", Decimal("0.79"))
    finish(other, Decimal(5))
    finish(session, Decimal("0.01"))
    assert state_of(budget) == ("nearly spent", Decimal("0.80"))
    finish(session, Decimal("0.30"))
    assert state_of(budget) == ("spent", Decimal("1.10"))

    with pytest.raises(BudgetExceededError, match=r"\$1\.10 of \$1\.00 a day"):
        start_invocation(session=session, prompt="more", process_id=None)
    with pytest.raises(BudgetExceededError):
        enqueue(session=session, request=Request("more"))
    assert start_invocation(session=other, prompt="others go on", process_id=None).pk


def test_most_and_all_of_it_are_told_once_each(carol: User, session: Session, caplog: Any) -> None:
    budget = of_agent(carol, session)
    caplog.set_level("WARNING")
    for usd in ("0.85", "0.05", "0.20"):
        finish(session, Decimal(usd))
    row = BudgetPeriod.objects.get(budget=budget)

    said = [record.getMessage().split(" id=")[0] for record in caplog.records if "budget" in record.getMessage()]
    assert said == ["budget nearly spent", "budget spent"]
    assert row.warned_at is not None and row.exceeded_at is not None and row.warned_at < row.exceeded_at


def test_the_next_day_begins_with_nothing_spent(carol: User, session: Session) -> None:
    budget = of_agent(carol, session)
    yesterday = budget.period_start(timezone.now().astimezone(UTC)) - timedelta(days=1)
    BudgetPeriod.objects.update(spent_micros=2_000_000, start_at=yesterday)

    assert state_of(budget) == ("open", Decimal(0))
    assert start_invocation(session=session, prompt="go", process_id=None).pk


def test_a_run_of_unknown_cost_counts_nothing(carol: User, session: Session) -> None:
    budget = of_agent(carol, session)
    run = make_run(session, invoked_at=None, completed_at=timezone.now())

    budgets.count_run(run)
    assert state_of(budget) == ("open", Decimal(0))


def test_a_new_one_counts_what_was_spent_in_its_period_before(carol: User, session: Session) -> None:
    finish(session, Decimal("0.50"))
    make_run(session, requested_at=timezone.now() - timedelta(days=40), cost_usd=Decimal(9))

    assert state_of(of_agent(carol, session)) == ("open", Decimal("0.50"))
    assert state_of(of_agent(carol, session, "total", Decimal(10))) == ("nearly spent", Decimal("9.50"))


def test_a_higher_limit_lets_runs_begin_again_at_once(carol: User, session: Session) -> None:
    budget = of_agent(carol, session)
    finish(session, Decimal(2))

    budgets.change_budget(budget=budget, limit_usd=Decimal(10), name="Ten")

    assert state_of(budget) == ("open", Decimal(2))
    assert start_invocation(session=session, prompt="go", process_id=None).pk
    budget.refresh_from_db()
    assert (budget.name, BudgetPeriod.objects.get(budget=budget).exceeded_at) == ("Ten", None)


def test_the_runs_of_a_person_are_held_wherever_they_go(alice: User, bob: User, make_session: MakeSession) -> None:
    mine, theirs = make_session(), make_session(owner=bob)
    budgets.limit_spending(owner=alice, scope="owner", scope_id=alice.pk, period="month", limit_usd=DOLLAR)
    finish(mine, DOLLAR)

    with pytest.raises(BudgetExceededError, match="a month"):
        start_invocation(session=make_session(), prompt="go", process_id=None)
    assert start_invocation(session=theirs, prompt="go", process_id=None).pk


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"scope": "planet"}, "The scope is one of"),
        ({"period": "year"}, "The period is one of"),
        ({"scope_id": 4711}, "nothing with the key 4711"),
        ({"scope_id": None}, "nothing with the key"),
        ({"limit_usd": Decimal(0)}, "more than 0"),
        ({"limit_usd": Decimal(-1)}, "between 0"),
        ({"limit_usd": Decimal("NaN")}, "between 0"),
        ({"limit_usd": Decimal(2_000_000)}, "between 0"),
    ],
)
def test_what_is_no_budget_is_refused(carol: User, session: Session, change: dict[str, Any], told: str) -> None:
    asked = {"scope": "agent", "scope_id": session.agent_id, "period": "day", "limit_usd": DOLLAR, **change}

    with pytest.raises(InvalidInputError, match=told):
        budgets.limit_spending(owner=carol, **asked)
    assert not Budget.objects.exists()


@pytest.mark.parametrize("scope", ["all", "agent", "owner"])
def test_nobody_but_staff_limits_others(alice: User, bob: User, session: Session, scope: str) -> None:
    key = {"all": None, "agent": session.agent_id, "owner": bob.pk}[scope]

    with pytest.raises(budgets.BudgetRefusedError):
        budgets.limit_spending(owner=alice, scope=scope, scope_id=key, period="day", limit_usd=DOLLAR)


def test_without_budgets_a_run_asks_once_whether_there_are_any(
    session: Session, django_assert_num_queries: Any
) -> None:
    with django_assert_num_queries(1):
        budget_guard.before(session)
    with django_assert_num_queries(1):
        assert budget_guard.watch(Invocation(pk=1, session=session)) is None


# --- while a run goes on ------------------------------------------------------------------------------------------


@pytest_asyncio.fixture
async def running_engine(transactional_db: None, emulator: Any) -> AsyncIterator[Engine]:
    process = await sync_to_async(processes.register)(Process.Kind.WEB)
    await engine.start(process.pk)
    yield engine
    await engine.close(drain_s=0)


async def answered(running: Engine, session: Session) -> Invocation:
    invocation = await sync_to_async(start_invocation)(
        session=session, prompt="Two days", process_id=running.process_id
    )
    stream = running.launch(invocation)
    assert stream.task is not None
    await asyncio.wait_for(asyncio.shield(stream.task), 60)
    return await Invocation.objects.select_related("session").aget(pk=invocation.pk)


async def test_a_run_is_stopped_at_the_first_event_beyond_its_limit(
    running_engine: Engine, demo_agent: Callable[[str], Agent], carol: User, settings: Any
) -> None:
    settings.AGENTCORE_VCPU_HOUR_USD = Decimal(36_000)  # ten dollars a second for each vCPU
    agent = await sync_to_async(demo_agent)("travel_concierge")
    session = await sync_to_async(start_session)(agent=agent, owner=carol)
    budget = await sync_to_async(of_agent)(carol, session, "run", DOLLAR, ends_session=True)

    run = await answered(running_engine, session)

    assert (run.status, run.error_code) == ("stopped", "stopped_by_loom")
    assert budget.name in run.error_message and "estimate" in run.error_message
    assert run.response_text  # what came until then is kept
    assert not guards.watches
    assert not budget_guard.stopped
    assert [task.name() async for task in OrmQ.objects.all() if task.name() == "end session"] == ["end session"]
    await sync_to_async(tasks.end_stopped_session)(session.pk)
    await session.arefresh_from_db()
    assert session.ended_at is not None


async def test_a_run_that_others_have_left_nothing_ends_its_session_too(
    running_engine: Engine, demo_agent: Callable[[str], Agent], carol: User
) -> None:
    """Its own cost is far below the limit, and what was counted is as well."""
    agent = await sync_to_async(demo_agent)("travel_concierge")
    session = await sync_to_async(start_session)(agent=agent, owner=carol)
    budget = await sync_to_async(of_agent)(carol, session, ends_session=True)
    other = await sync_to_async(budget_guard.watch)(Invocation(pk=4711, session=session, kind="agentcore"))
    assert other is not None
    other._budgets[0].running = 2_000_000.0

    run = await answered(running_engine, session)
    other._budgets[0].running = 0.0
    other.close()

    assert (run.status, run.error_code, budget.name in run.error_message) == ("stopped", "stopped_by_loom", True)
    assert [task.name() async for task in OrmQ.objects.all() if task.name() == "end session"] == ["end session"]


async def test_one_that_was_queued_is_refused_when_its_turn_comes(
    running_engine: Engine, demo_agent: Callable[[str], Agent], carol: User
) -> None:
    agent = await sync_to_async(demo_agent)("travel_concierge")
    session = await sync_to_async(start_session)(agent=agent, owner=carol)
    queued = await sync_to_async(enqueue)(session=session, request=Request("later"))
    budget = await sync_to_async(of_agent)(carol, session)
    await BudgetPeriod.objects.filter(budget=budget).aupdate(spent_micros=1_000_000)
    claimed = await sync_to_async(
        lambda: Invocation.objects.filter(pk=queued.pk).update(status="pending", process=running_engine.process_id)
    )()
    assert claimed
    run = await Invocation.objects.select_related("session__agent__runtime", "repeated_from__session").aget(
        pk=queued.pk
    )

    stream = running_engine.launch(run, is_claimed=True)
    assert stream.task is not None
    await asyncio.wait_for(asyncio.shield(stream.task), 60)

    ended = await Invocation.objects.aget(pk=queued.pk)
    assert (ended.status, ended.error_code, ended.invoked_at) == ("failed", "budget_exceeded", None)


def watched(guard: BudgetGuard, session: Session, number: int) -> Any:
    watch = guard.watch(Invocation(pk=number, session=session, kind="agentcore"))
    assert watch is not None
    watch._began_s = 0.0  # long ago: it has cost much
    return watch


@pytest.mark.django_db(transaction=True)
async def test_what_other_runs_of_the_process_cost_so_far_counts(carol: User, session: Session, settings: Any) -> None:
    settings.AGENTCORE_VCPU_HOUR_USD = Decimal("0.0895")
    guard = BudgetGuard()
    await sync_to_async(of_agent)(carol, session, "day", Decimal("0.000001"))
    first, second = [await sync_to_async(watched)(guard, session, number) for number in (1, 2)]

    assert first.reason_to_stop([]) is not None
    assert second.reason_to_stop([]) is not None
    first.close()
    second.close()
    assert not guard._left


def test_tokens_cost_what_their_model_does(carol: User, session: Session) -> None:
    since = datetime(2026, 1, 1, tzinfo=UTC)
    TokenPrice.objects.create(provider="x", model="m", since_at=since, input_usd=2, output_usd=10, source="a test")
    of_agent(carol, session)
    watch = BudgetGuard().watch(Invocation(pk=1, session=session, kind="local", model="m"))
    assert watch is not None

    async def look() -> None:
        usage: Any = {"kind": "usage", "input_tokens": 1_000, "output_tokens": 100, "total_tokens": 1_100, "seq": 1}
        watch.reason_to_stop([usage, usage])

    asyncio.run(look())
    assert watch.micros == pytest.approx(2 * (1_000 * 2 + 100 * 10))


def test_a_budget_that_is_deleted_holds_nobody_any_more(carol: User, session: Session) -> None:
    budget = of_agent(carol, session, "run", Decimal("0.000001"))
    guard = BudgetGuard()
    watch = watched(guard, session, 1)
    budgets.delete_budget(budget=budget)
    watch._budgets[0].read()

    async def look() -> str | None:
        return watch.reason_to_stop([])  # type: ignore[no-any-return]

    assert asyncio.run(look()) is None


def test_an_end_of_a_session_that_aws_refuses_is_logged(
    demo_agent: Callable[[str], Agent], alice: User, emulator: Any, caplog: Any
) -> None:
    session = start_session(agent=demo_agent("travel_concierge"), owner=alice)
    emulator.order(kind="error", operation="StopRuntimeSession", code="AccessDeniedException", status=403)

    tasks.end_stopped_session(session.pk)
    tasks.end_stopped_session(4711)  # deleted meanwhile

    assert "session of a spent budget not ended" in caplog.text
    session.refresh_from_db()
    assert session.ended_at is None
