"""Rows of every kind for the schema of the landed version: the same in every run, and the same for 60 as for the first
60 of 100,000. `models` is that version's registry, so nothing here knows the models of today.
"""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from itertools import cycle
from random import Random
from typing import Any

from loom.tests.upgrades.runs import ENDED, Runs

END = datetime(2025, 11, 20, 12, tzinfo=UTC)
SESSIONS_AT_ONCE = 1000
LENGTHS = (1, 3, 2, 5, 1, 8)
SERIES_STATES = ("queued", "running", "done", "cancelled", "failed", "interrupted")
# origin, status, authorizer, protocol, archived
AGENTS = (
    ("emulator", "READY", "iam", "HTTP", False),
    ("emulator", "READY", "iam", "MCP", False),
    ("aws", "READY", "iam", "HTTP", False),
    ("emulator", "UPDATE_FAILED", "iam", "HTTP", False),
    ("emulator", "READY", "jwt", "HTTP", False),
    ("emulator", "READY", "iam", "HTTP", True),
    ("aws", "READY", "jwt", "A2A", True),
    ("aws", "UPDATING", "iam", "HTTP", False),
)


class Filler:
    """Stores rows through the models of a registry."""

    def __init__(self, models: Any) -> None:
        self._models = models
        self._random = Random(7)
        self.users = self._users()
        self.agents = [self._agent(number, *kind) for number, kind in enumerate(AGENTS, start=1)]
        self.processes = self._processes()

    def _of(self, label: str, name: str) -> Any:
        return self._models.get_model(label, name).objects

    def _uuid(self) -> uuid.UUID:
        return uuid.UUID(int=self._random.getrandbits(128), version=4)

    def _users(self) -> list[Any]:
        users: list[Any] = self._of("accounts", "User").bulk_create(
            self._models.get_model("accounts", "User")(
                email=f"{name}@example.com", first_name=name.title(), password="!" + "x" * 40, date_joined=END,
                is_staff=name == "staff", is_superuser=name == "staff", is_active=name != "gone",
            )
            for name in ("staff", "member1", "member2", "gone")
        )  # fmt: skip
        group = self._of("auth", "Group").create(name="Operators")
        users[1].groups.add(group)
        Token = self._models.get_model("accounts", "Token")
        self._of("accounts", "Token").bulk_create(
            Token(
                user=user, name=f"{scope} of {user.email}", scope=scope, digest=f"{user.pk}{scope}".ljust(64, "0"),
                shown=f"loom_{scope}", created_at=END, expires_at=END + timedelta(days=90),
                revoked_at=END if scope == "manage" else None, last_used_at=None if scope == "read" else END,
            )
            for user in users for scope in ("read", "invoke", "manage")
        )  # fmt: skip
        return users

    def _agent(self, number: int, origin: str, status: str, authorizer: str, protocol: str, is_archived: bool) -> Any:
        runtime_id = f"landed_{number}-AbCdEf{number:04d}"
        is_failed = status == "UPDATE_FAILED"
        agent = self._of("agents", "Agent").create(
            arn=f"arn:aws:bedrock-agentcore:eu-central-1:123456789012:runtime/{runtime_id}", origin=origin,
            runtime_id=runtime_id, name=f"landed_{number}", description=f"Nº {number}: „Zahlen“ & <b>", status=status,
            failure_reason="The image could not be pulled." if is_failed else "", region="eu-central-1",
            account_id="123456789012", log_group=f"/aws/bedrock-agentcore/runtimes/{runtime_id}-DEFAULT",
            available_qualifiers=["DEFAULT", "prod"],
            raw_metadata={"networkConfiguration": {"networkMode": "VPC" if number % 2 else "PUBLIC"}, "n": number},
            version=str(number), protocol=protocol, idle_timeout_ms=900_000 + number, max_lifetime_ms=3_600_000,
            platform_version="V2" if number % 2 else "", authorizer_kind=authorizer,
            payload_template={"prompt": "{{prompt}}", "agent": number}, read_timeout_ms=60_000 + number,
            retry_unproven=number % 3 == 0, registered_by=self.users[number % 4] if number % 5 else None,
            registered_at=END - timedelta(days=40), last_refreshed_at=END - timedelta(hours=number),
            removed_at=END if is_archived else None, last_invoked_at=END - timedelta(minutes=number),
            invocation_count=number * 10,
        )  # fmt: skip
        Endpoint = self._models.get_model("agents", "Endpoint")
        self._of("agents", "Endpoint").bulk_create(
            Endpoint(agent=agent, name=name, live_version=live, target_version=target, status=state)
            for name, live, target, state in (("DEFAULT", str(number), "", "READY"), ("prod", "1", "2", "UPDATING"))
        )
        self._of("metrics", "LogGroupSweep").create(
            account_id="123456789012", region="eu-central-1", log_group=agent.log_group,
            lease_until=END if number % 2 else None, started_from_at=END - timedelta(hours=1), next_token="t" * number,
        )  # fmt: skip
        return agent

    def _processes(self) -> list[Any]:
        return [
            self._of("core", "Process").create(
                id=self._uuid(), kind=kind, host="old.example.com", pid=1000 + number, started_at=END,
                beat_at=END + timedelta(minutes=number), ended_at=ended,
            )
            for number, (kind, ended) in enumerate((("web", None), ("worker", END), ("web", END)))
        ]  # fmt: skip

    def fill(self, count: int) -> None:
        """Sessions of one to eight runs, until there are `count` runs; then what is counted of them."""
        lengths = cycle(LENGTHS)
        made = sessions = 0
        while made < count:
            some: list[int] = []
            while len(some) < SESSIONS_AT_ONCE and made < count:
                some.append(min(next(lengths), count - made))
                made += some[-1]
            self._store(sessions, some)
            sessions += len(some)
        self._spans()
        self._series()
        for label, name in (("metrics", "Measurement"), ("core", "Notice")):
            self._of(label, name).update(created_at=END)  # they take the present for it
        self._of("metrics", "Measurement").update(updated_at=END)

    def _store(self, first: int, lengths: list[int]) -> None:
        Session = self._models.get_model("agent_sessions", "Session")
        sessions = Session.objects.bulk_create(
            self._session(Session, number) for number in range(first, first + len(lengths))
        )
        Runs(self._models, self.processes).store(sessions, lengths)
        Notice = self._models.get_model("core", "Notice")
        Notice.objects.bulk_create(Notice(topic=f"session.{one.public_id}", kind="finished") for one in sessions[::3])

    def _session(self, Session: Any, number: int) -> Any:  # noqa: N803 -- a class
        created_at = END - timedelta(minutes=20) * (number % 2000)
        return Session(
            public_id=self._uuid(), agent=self.agents[number % len(AGENTS)], runtime_session_id=str(self._uuid()),
            is_own_id=number % 7 != 0, qualifier="prod" if number % 5 == 0 else "DEFAULT",
            owner=self.users[number % 3], title=("", "Wohin fährt der Zug? 🚆", f"Question {number}")[number % 3],
            tags=([], ["red"], ["red", "ünï, code"])[number % 3],
            purpose="measure_start" if number % 6 == 4 else "conversation",
            request_key=f"key-{number}" if number % 4 == 1 else "", created_at=created_at,
            last_invoked_at=None if number % 11 == 10 else created_at + timedelta(minutes=9),
            ended_at=created_at + timedelta(minutes=10) if number % 9 == 2 else None,
        )  # fmt: skip

    def _spans(self) -> None:
        FigureSpan = self._models.get_model("metrics", "FigureSpan")
        tally = [{"completed": 3, "failed": 1}, {"measured": 2}, {"ttft cold": "6AMAAA==", "ttft warm": ""}]
        FigureSpan.objects.bulk_create(
            FigureSpan(
                origin=origin, length=length, start_at=END.replace(hour=0) - timedelta(hours=length * (number + 1)),
                invocation_count=4, groups=[[self.agents[0].pk, "DEFAULT", "1", tally]],
                totals=[[self.agents[0].pk, tally], [None, tally]],
            )
            for origin in ("emulator", "aws") for length in (1, 24) for number in range(3)
        )  # fmt: skip

    def _series(self) -> None:
        """A series in each state, that which is done with its runs."""
        Series = self._models.get_model("metrics", "StartSeries")  # noqa: N806 -- a class
        series = Series.objects.bulk_create(
            Series(
                agent=self.agents[0], state=state, owner=self.users[number % 2], prompt=f"Start {number}",
                qualifier="DEFAULT", count=4, has_warm_turn=number % 2 == 0, ends_session=True, max_cost_usd="1.2500",
                estimated_cost_usd=f"0.{number:04d}", request_key=f"series-{number}" if number % 2 else "",
                process=self.processes[0] if state == "running" else None, created_at=END,
                started_at=None if state == "queued" else END, finished_at=END if number > 1 else None,
                cancel_requested_at=END if state == "cancelled" else None, message="Too dear." * (state == "failed"),
            )
            for number, state in enumerate(SERIES_STATES)
        )  # fmt: skip
        firsts = self._of("agent_sessions", "Invocation").filter(
            session__purpose="measure_start", number__lte=2, status__in=ENDED
        )
        Run = self._models.get_model("metrics", "StartSeriesRun")  # noqa: N806 -- a class
        keys = sorted(firsts.values_list("session_id", "number", "pk"))[:8]
        positions = {session: position for position, session in enumerate(dict.fromkeys(key[0] for key in keys), 1)}
        Run.objects.bulk_create(
            Run(series=series[2], invocation_id=key, position=positions[session], is_warm=number == 2)
            for session, number, key in keys
        )


def fill(models: Any, count: int) -> None:
    """Store `count` invocations and all that belongs to them."""
    Filler(models).fill(count)
