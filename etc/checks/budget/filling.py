"""Rows for the pages to show: of every kind some, and as many again when asked."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.utils import timezone

from apps.accounts.models import User
from apps.accounts.services import create_token
from apps.agentcore.accounts.services import add_account
from apps.agentcore.aws.connection import current_connection
from apps.agentcore.models import AwsAccount
from apps.agentcore.services import Description, register_agent, store_described
from apps.agents.models import Agent, Endpoint
from apps.aws.agentcore import AgentCoreClient
from apps.aws.arn import RuntimeArn
from apps.aws.control import EndpointDescription, RuntimeDescription, list_runtimes
from apps.core.models import Notice
from apps.costs.models import Budget
from apps.costs.services import make_budget
from apps.metrics.figures.store_periods import settle_figures
from apps.metrics.models import (
    Alert,
    AlertChange,
    AlertChannel,
    AlertNotice,
    AlertRule,
    Bench,
    Measurement,
    Plan,
    PlanPrompt,
    PlanRun,
    PlanTarget,
    PromptSetItem,
    StartSeries,
    StartSeriesRun,
)
from apps.metrics.prompt_sets.reading import Prompt
from apps.metrics.prompt_sets.services import make_prompt_set
from apps.metrics.spending.budgets import limit_spending
from apps.metrics.spending.days import settle_costs
from apps.sessions.models import Invocation, Recording, RecordingBatch, Session
from apps.sessions.services import start_session
from apps.takeout.models import SharedLink
from apps.takeout.services import share_session
from apps.vault.services import store_secret, use_secret

DEMO_AGENT = "travel_concierge"  # the emulator answers for it, where a page asks AWS
STATUSES = (Invocation.Status.COMPLETED, Invocation.Status.FAILED, Invocation.Status.STOPPED)
# From the first rows on some are in this hour, some in one whose figures are stored, some in a day that is: the pages
# read these in different statements, and what is measured must be the same at every time of the day.
AGES = (timedelta(hours=30), timedelta(0), timedelta(hours=5))
EVENTS: list[dict[str, Any]] = [
    {"seq": 1, "offset_ms": 0.0, "kind": "invoked", "at": "2026-11-20T10:00:00+00:00", "attempt": 1},
    {"seq": 2, "offset_ms": 90.0, "kind": "headers", "http_status": 200, "content_type": "text/event-stream"},
    {"seq": 3, "offset_ms": 100.0, "kind": "text", "text": "The *cheapest* train leaves at 08:12."},
]


@dataclass
class Filling:
    """What was stored: the staff member who looks, and the objects that the pages are about."""

    viewer: User = field(init=False)
    agent: Agent = field(init=False)
    session: Session = field(init=False)
    series: StartSeries = field(init=False)
    plan: Plan = field(init=False)
    prompt_set_item: int = field(init=False)
    comparison: Plan = field(init=False)
    bench: Plan = field(init=False)
    notice: AlertNotice = field(init=False)
    link: SharedLink = field(init=False)
    link_token: str = field(init=False)
    budget: Budget = field(init=False)
    account: AwsAccount = field(init=False)
    count: int = 0

    def __post_init__(self) -> None:
        self.now = timezone.now()
        self.viewer = User.objects.create(email="viewer@example.com", is_staff=True, is_superuser=True)
        arns = {runtime.name: runtime.arn for runtime in list_runtimes(current_connection(), "us-east-1")}
        self.agent = register_agent(arn=arns[DEMO_AGENT], user=self.viewer)
        self.session = start_session(agent=self.agent, owner=self.viewer, title="The one that is looked at")
        self.series = self._series(self.viewer)
        self.plan = self._plan()
        self.prompt_set_item = PromptSetItem.objects.get(prompt_set=self.plan.prompt_set).pk
        self.comparison = self._comparison(self.viewer)
        self._compare(self.comparison)
        self.bench = self._bench(self.viewer)
        self.notice = self._alert(0)
        self.link, self.link_token = share_session(session=self.session, user=self.viewer)
        self.budget = self._limit(self.viewer)
        role = "arn:aws:iam::444455556666:role/loom-access"
        self.account = add_account(label="production", role_arn=role, regions=["us-east-1", "eu-west-1"])
        asyncio.run(self._begin_log_group())

    @staticmethod
    def _limit(owner: User) -> Budget:
        """A budget that no run here comes near."""
        return limit_spending(owner=owner, scope="owner", scope_id=owner.pk, period="day", limit_usd=Decimal(1_000))

    async def _begin_log_group(self) -> None:
        """One run on the emulator, without which there is no log to read."""
        data_plane = AgentCoreClient(current_connection())
        try:
            answer = await data_plane.invoke(
                self.agent.runtime.parsed_arn, qualifier="DEFAULT", payload=b'{"prompt": "When does it leave?"}',
                runtime_session_id=self.session.runtime_session_id,
            )  # fmt: skip
            async for _ in answer.chunks():
                pass
        finally:
            await data_plane.close()

    def grow(self, count: int) -> None:
        """Store `count` more of everything that can be many, everywhere where it can."""
        for number in range(self.count + 1, self.count + count + 1):
            self._grow(number)
        self.count += count
        while settle_figures(self.now):
            pass

    def _grow(self, number: int) -> None:
        owner = User.objects.create(email=f"owner{number}@example.com")
        create_token(user=owner, scope="read", life=timedelta(days=1))
        Notice.objects.create(topic=self.session.topic, kind="finished")
        Endpoint.objects.create(agent=self.agent, name=f"stage{number}", live_version="1", status="READY")
        other = store_described(description=_description(number), user=owner)
        self._turn(self.session, number)
        for agent in (self.agent, other):
            session = start_session(agent=agent, owner=owner, title=f"Question {number}")
            for turn in (1, 2):
                self._turn(session, turn)
        self._series(owner)
        self._measured(number, owner)
        self._planned(number, owner)
        self._limit(owner)
        while settle_costs(self.now):
            pass
        self._alert(number)

    def _turn(self, session: Session, number: int) -> Invocation:
        sent_at = self.now - AGES[number % len(AGES)] - timedelta(minutes=number)
        run = Invocation.objects.create(
            session=session, number=number, status=STATUSES[number % len(STATUSES)], prompt="When does it leave?",
            response_text="The *cheapest* train leaves at 08:12.", requested_at=sent_at, invoked_at=sent_at,
            headers_at=sent_at + timedelta(milliseconds=90), first_chunk_at=sent_at + timedelta(milliseconds=95),
            first_token_at=sent_at + timedelta(milliseconds=100), completed_at=sent_at + timedelta(seconds=2),
            http_status=200, content_type="text/event-stream", error_code="RuntimeClientError", version="1",
            last_sequence=len(EVENTS),
        )  # fmt: skip
        Recording.objects.create(invocation=run, events=EVENTS)
        RecordingBatch.objects.create(invocation=run, first_sequence=1, last_sequence=1, events=[])
        Measurement.objects.create(
            invocation=run, state="measured", start_kind="created", log_group="/aws/bedrock-agentcore/runtimes/x",
            agent_started_at=sent_at + timedelta(milliseconds=80), marker_rank=2, high_ms=100.0,
        )  # fmt: skip
        Session.objects.filter(pk=session.pk).update(last_invoked_at=self.now)
        return run

    def _series(self, owner: User) -> StartSeries:
        return StartSeries.objects.create(
            agent=self.agent, owner=owner, state="done", prompt="When does it leave?", count=1, max_cost_usd=1,
            estimated_cost_usd=0, created_at=self.now, started_at=self.now, finished_at=self.now,
        )  # fmt: skip

    def _measured(self, position: int, owner: User) -> None:
        """One more start in the series that is looked at."""
        session = start_session(agent=self.agent, owner=owner, purpose=Session.Purpose.MEASURE_START)
        StartSeriesRun.objects.create(series=self.series, invocation=self._turn(session, 1), position=position)

    def _plan(self) -> Plan:
        made = make_prompt_set(owner=self.viewer, name="Trips", prompts=[Prompt("When does it leave?")])
        budget = make_budget(owner=self.viewer, name="Trips", limit_usd=Decimal(1))
        plan = Plan.objects.create(
            owner=self.viewer, prompt_set=made, budget=budget, name="Trips", source="prompt_set", state="done",
            until_at=self.now, created_at=self.now,
        )  # fmt: skip
        for position, name in enumerate(("DEFAULT", "other")):
            PlanTarget.objects.create(plan=plan, position=position, agent=self.agent, qualifier=name, reserved_usd=0)
        return plan

    def _comparison(self, owner: User, source: str = "side_by_side") -> Plan:
        """A prompt for two endpoints."""
        budget = make_budget(owner=owner, name="When does it leave?", limit_usd=Decimal(1))
        plan = Plan.objects.create(
            owner=owner, budget=budget, name="When does it leave?", source=source, state="done",
            until_at=self.now, created_at=self.now,
        )  # fmt: skip
        PlanPrompt.objects.create(plan=plan, position=0, text="When does it leave?")
        for position, name in enumerate(("DEFAULT", "other")):
            PlanTarget.objects.create(plan=plan, position=position, agent=self.agent, qualifier=name, reserved_usd=0)
        return plan

    def _bench(self, owner: User) -> Plan:
        """Two endpoints measured against each other."""
        plan = self._comparison(owner, source="bench")
        Bench.objects.create(plan=plan, rungs=[1, 2, 5], pair_count=40, warm_up_count=2)
        return plan

    def _measured_pair(self, number: int) -> None:
        """One more pair of the bench that is looked at."""
        prompt = self.bench.prompts.get()
        for target in self.bench.targets.all():
            session = start_session(agent=self.agent, owner=self.viewer, purpose=Session.Purpose.BENCH)
            PlanRun.objects.create(
                plan=self.bench, place=2 * number + target.position, target=target, prompt=prompt, repeat=0,
                has_passed=True, invocation=self._turn(session, 1),
            )  # fmt: skip

    def _compare(self, plan: Plan) -> None:
        """An answer of each of its targets, in sessions that lists leave out: what those cost stays comparable."""
        prompt = plan.prompts.get()
        for target in plan.targets.all():
            session = start_session(agent=self.agent, owner=plan.owner, purpose=Session.Purpose.PROMPT_SET)
            PlanRun.objects.create(
                plan=plan, place=target.position + 1, target=target, prompt=prompt, repeat=0, has_passed=True,
                invocation=self._turn(session, 3),
            )  # fmt: skip

    @property
    def compared(self) -> list[int]:
        """The runs of the comparison that is looked at."""
        return list(self.comparison.runs.order_by("place").values_list("invocation_id", flat=True))

    def _alert(self, number: int) -> AlertNotice:
        """A rule with a channel and a secret, an alert with its change, and a notice of it that did not arrive."""
        secret = store_secret(owner=self.viewer, name=f"Key {number}", value="sesame")
        use_secret(secret=secret, what="a page", now=self.now)
        channel = AlertChannel.objects.create(
            owner=self.viewer, name=f"Ops {number}", kind="webhook", address="https://example.com", secret=secret,
            created_at=self.now,
        )  # fmt: skip
        rule = AlertRule.objects.create(
            owner=self.viewer, name=f"Errors {number}", metric="error_rate", agent=self.agent, window_s=300, alert=0.05,
            min_n=20, created_at=self.now, next_at=self.now + timedelta(days=1),
        )  # fmt: skip
        rule.channels.add(channel)
        alert = Alert.objects.create(
            rule=rule, agent=self.agent, state="firing", level="alert", value=0.2, low=0.1, high=0.3, n=20,
            since_at=self.now, opened_at=self.now, seen_at=self.now,
        )  # fmt: skip
        change = AlertChange.objects.create(
            alert=alert, number=1, state="firing", level="alert", by=self.viewer, at=self.now
        )
        return AlertNotice.objects.create(
            change=change, rule=rule, channel=channel, state="dead", created_at=self.now, error_message="503"
        )

    def _planned(self, number: int, owner: User) -> None:
        """One more prompt in the set and the plan that are looked at, with its runs, and one more set and plan."""
        prompt_set = self.plan.prompt_set
        assert prompt_set is not None
        PromptSetItem.objects.create(prompt_set=prompt_set, position=number, prompt="When does it leave?")
        prompt = PlanPrompt.objects.create(plan=self.plan, position=number, text="When does it leave?")
        for target in self.plan.targets.all():
            session = start_session(agent=self.agent, owner=owner, purpose=Session.Purpose.PROMPT_SET)
            PlanRun.objects.create(
                plan=self.plan, place=2 * number + target.position, target=target, prompt=prompt, repeat=0,
                invocation=self._turn(session, 1), has_passed=bool(number % 2),
            )  # fmt: skip
        make_prompt_set(owner=self.viewer, name=f"Trips {number}", prompts=[Prompt("When does it leave?")])
        Plan.objects.create(
            owner=self.viewer, prompt_set=prompt_set, budget=self.plan.budget, name="Trips", source="prompt_set",
            state="done", until_at=self.now, created_at=self.now,
        )  # fmt: skip
        self._comparison(owner)
        self._bench(owner)
        self._measured_pair(number)


def _description(number: int) -> Description:
    """What AWS would say of a runtime that nobody runs."""
    arn = RuntimeArn.parse(
        f"arn:aws:bedrock-agentcore:us-east-1:123456789012:runtime/agent_{number}-AbCdEf{number:04d}"
    )
    now = timezone.now()
    runtime = RuntimeDescription(
        arn=arn.runtime_arn, runtime_id=arn.runtime_id, name=arn.name, version="1", status="READY",
        failure_reason=None, description="", protocol="HTTP", idle_timeout_s=900, max_lifetime_s=28_800,
        platform_version=None, authorizer_kind="iam", requires_mmdsv2=True, created_at=now, updated_at=now, raw={},
    )  # fmt: skip
    endpoint = EndpointDescription(
        name="DEFAULT", arn=arn.endpoint_arn("DEFAULT"), live_version="1", target_version=None, status="READY",
        description="",
    )  # fmt: skip
    return Description(arn=arn, runtime=runtime, endpoints=[endpoint])
