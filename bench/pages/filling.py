"""Rows as if a team had been busy for 30 days: agents, sessions of one to eight turns, their runs and measurements."""

from __future__ import annotations

import random
import sys
import time
import uuid
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from django.db import connection
from django.utils import timezone

from apps.accounts.models import User
from apps.agentcore.models import Runtime
from apps.agentcore.runtime_rows import store_new
from apps.agents.models import Agent, Endpoint
from apps.core.models import Notice
from apps.core.search import create_index, drop_index
from apps.metrics.figures.store_periods import settle_figures
from apps.metrics.models import Measurement
from apps.metrics.spending.days import settle_costs
from apps.sessions.models import Invocation, Recording, RecordingBatch, SearchText, Session
from bench.pages.repeating import count_anew, highest, repeat_rows

DAYS = 30
SESSION_LENGTHS = (1, 1, 2, 2, 3, 4, 6, 8)
LONG_SESSION = 30
BATCH = 2000
MANY = 200_000  # from so many on a part of them is made, and copied for the days after it
PARTS = 10
ANSWER = "The cheapest train leaves at 08:12 and takes 2 h 40 min. " * 12


class Filler:
    """Puts rows into the empty database, or finds those that it put there before."""

    def __init__(self, count: int, *, agents: int = 12, has_recordings: bool = True, days: int = DAYS) -> None:
        self._random = random.Random(7)
        self._has_recordings = has_recordings
        self.words = ["".join(self._random.choices("etaoinshrdlu", k=7)) for _ in range(5_000)]
        self._count = count
        self._agent_count = agents
        self._end = datetime.now(UTC) - timedelta(minutes=10)
        self._days = days
        self._start = self._end - timedelta(days=days)
        self.owner, self._is_new = User.objects.get_or_create(
            email="bench@example.com", defaults={"is_staff": True, "is_superuser": True}
        )
        self.member, _ = User.objects.get_or_create(email="member@example.com")
        if self._is_new:
            self.agents = [self._agent(number) for number in range(agents)]
        else:
            self.agents = list(Agent.objects.order_by("pk").select_related("runtime"))

    def _agent(self, number: int) -> Agent:
        runtime_id = f"agent_{number}-AbCdEf{number:04d}"
        agent = Agent(
            origin="emulator",
            name=f"agent_{number}",
            status="READY",
            available_qualifiers=["DEFAULT", "prod"],
            version="3",
            registered_at=self._start,
            invocation_count=self._count // self._agent_count,
            last_invoked_at=self._end,
        )
        runtime = Runtime(
            agent=agent,
            arn=f"arn:aws:bedrock-agentcore:us-east-1:123456789012:runtime/{runtime_id}",
            runtime_id=runtime_id,
            region="us-east-1",
            account_id="123456789012",
            log_group=f"/aws/bedrock-agentcore/runtimes/{runtime_id}-DEFAULT",
            last_refreshed_at=self._end,
        )
        store_new(runtime)
        Endpoint.objects.bulk_create(
            Endpoint(agent=agent, name=name, live_version=version, status="READY")
            for name, version in (("DEFAULT", "3"), ("prod", "2"))
        )
        return agent

    def fill(self) -> None:
        """Sessions of one to eight turns, evenly over the days, and a long one at the end; then what the worker makes
        of them: the index of words, past hours, costs of days.
        """
        if self._is_new:
            self._fill()
        self._settle()

    def _fill(self) -> None:
        started = time.perf_counter()
        drop_index(SearchText)  # made at once afterwards, which is quicker than row by row
        parts = PARTS if connection.vendor == "sqlite" and self._count >= MANY else 1
        made = self._make(self._count // parts)
        sessions, runs = highest(Session), highest(Invocation)
        for part in range(1, parts):
            repeat_rows(part * timedelta(days=self._days) / parts, sessions=(sessions, part), runs=(runs, part))
        self._store([self._end - timedelta(hours=3)], [LONG_SESSION])
        sys.stdout.write(f"{made * parts:,} invocations stored in {time.perf_counter() - started:.0f} s\n")
        create_index(SearchText)
        sys.stdout.write(f"indexed after {time.perf_counter() - started:.0f} s\n")

    def _make(self, count: int) -> int:
        """The first so many, one after the other; return how many."""
        made = 0
        while made < count:
            lengths: list[int] = []
            while sum(lengths) < BATCH and made + sum(lengths) < count:
                lengths.append(self._random.choice(SESSION_LENGTHS))
            lengths[-1] = min(lengths[-1], count - made - sum(lengths[:-1])) or 1
            self._store([self._at(made + sum(lengths[:index])) for index in range(len(lengths))], lengths)
            made += sum(lengths)
        return made

    def _settle(self) -> None:
        started = time.perf_counter()
        hours = sum(iter(lambda: settle_figures(timezone.now()), 0))
        sys.stdout.write(f"{hours} hours stored in {time.perf_counter() - started:.1f} s\n")
        while settle_costs(timezone.now()):
            pass
        count_anew()

    @property
    def long_session(self) -> Session:
        """That of `LONG_SESSION` turns, which was stored last."""
        return Session.objects.filter(invocations__number=LONG_SESSION).latest("pk")

    def add(self, at: datetime) -> None:
        """One more run."""
        self._store([at], [1])

    def _at(self, index: int) -> datetime:
        return self._start + (self._end - self._start) * min(1.0, index / self._count)

    def _store(self, starts: list[datetime], lengths: list[int]) -> list[Session]:
        sessions = Session.objects.bulk_create(
            Session(
                agent=self._random.choice(self.agents),
                runtime_session_id=str(uuid.uuid4()),
                qualifier=self._random.choice(("DEFAULT", "DEFAULT", "prod")),
                owner=self._random.choice((self.owner, self.owner, self.member)),
                title="When does the cheapest train to Lyon leave?",
                created_at=start,
                last_invoked_at=start + timedelta(minutes=length),
            )
            for start, length in zip(starts, lengths, strict=True)
        )
        runs = Invocation.objects.bulk_create(
            self._invocation(session, number, start + timedelta(minutes=number - 1))
            for session, start, length in zip(sessions, starts, lengths, strict=True)
            for number in range(1, length + 1)
        )
        Measurement.objects.bulk_create(self._measurement(run) for run in runs)
        SearchText.objects.bulk_create(SearchText(invocation=run, text=self._text(run)) for run in runs)
        if not self._has_recordings:
            return sessions
        Recording.objects.bulk_create(self._recording(run) for run in runs)
        # A batch goes when its recording is compacted, a notice after a day; here neither does.
        RecordingBatch.objects.bulk_create(
            RecordingBatch(invocation=run, first_sequence=1, last_sequence=1, events=[]) for run in runs
        )
        Notice.objects.bulk_create(Notice(topic=run.session.topic, kind="finished") for run in runs)
        return sessions

    def _text(self, run: Invocation) -> str:
        """What the worker would write; a zeppelin in every five thousandth."""
        rare = "zeppelin" if run.pk % 5_000 == 0 else ""
        return f"{run.prompt} {' '.join(self._random.choices(self.words, k=40))} {rare}".casefold()

    @staticmethod
    def _recording(run: Invocation) -> Recording:
        events = [
            {"seq": 1, "offset_ms": 0.0, "kind": "invoked", "at": run.requested_at.isoformat(), "attempt": 1},
            {"seq": 2, "offset_ms": 900.0, "kind": "text", "text": run.response_text},
        ]
        return Recording(invocation=run, events=events)

    def _invocation(self, session: Session, number: int, sent_at: datetime) -> Invocation:
        ttft_s = self._random.lognormvariate(1.0 if number == 1 else -0.8, 0.4)
        ended_at = sent_at + timedelta(seconds=ttft_s + self._random.lognormvariate(1.5, 0.5))
        status = self._random.choices(("completed", "failed", "stopped", "interrupted"), (95, 3, 1.5, 0.5))[0]
        tokens_in, tokens_out = self._random.randint(200, 4_000), self._random.randint(20, 900)
        return Invocation(
            session=session,
            number=number,
            status=status,
            prompt="When does the cheapest train to Lyon leave?",
            payload='{"prompt": "When does the cheapest train to Lyon leave?"}',
            response_text=ANSWER,
            requested_at=sent_at,
            invoked_at=sent_at,
            headers_at=sent_at + timedelta(seconds=ttft_s * 0.9),
            first_chunk_at=sent_at + timedelta(seconds=ttft_s),
            first_token_at=sent_at + timedelta(seconds=ttft_s),
            completed_at=ended_at,
            http_status=200,
            content_type="text/event-stream",
            request_id=str(uuid.uuid4()),
            error_code="RuntimeClientError" if status == "failed" else "",
            chunk_count=60,
            byte_count=4000,
            input_token_count=tokens_in,
            output_token_count=tokens_out,
            cost_usd=Decimal(tokens_in * 3 + tokens_out * 15) / 1_000_000,
            cost_source="priced",
            version=self._random.choice(("2", "3", "3")),
            last_sequence=2,
        )

    def _measurement(self, run: Invocation) -> Measurement:
        is_found = self._random.random() < 0.93
        assert run.first_token_at and run.invoked_at
        ttft = run.first_token_at - run.invoked_at
        return Measurement(
            invocation=run,
            state="measured" if is_found else "not_found",
            start_kind="created" if run.number == 1 else "reused",
            log_group=run.session.agent.runtime.log_group,
            log_stream="2026/11/20/[runtime-logs]9f2d",
            agent_started_at=run.invoked_at + ttft * 0.8 if is_found else None,
            marker_rank=2 if is_found else None,
            marker="Returning streaming response" if is_found else "",
            high_ms=ttft.total_seconds() * 1000,
            log_event_count=4,
            tries=2 if is_found else 14,
        )
