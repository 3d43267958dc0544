"""How fast the pages are with 100,000 invocations: python -m bench.pages [--invocations 100000] [--requests 15]

With --rows 1000000 only the lists and searches, over so many runs without their recordings.

Fills a throw-away SQLite database in bulk, as if a team of twelve agents had been busy for 30 days, lets the worker's
own step store the past hours, and asks for each page several times through Django's handler: middleware, views, queries
and templates, without the network. Prints a table and writes build/pages.json and the table of
docs/performance-pages.md. The exit status is 1 where a page fails, or takes longer than the limit.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import secrets
import statistics
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import django

# Settings are read when Django's modules are imported, so what follows comes first.
FOLDER = tempfile.TemporaryDirectory(prefix="bench-pages-")
os.environ.update(
    LOOM_ENVIRONMENT_FILE="",
    LOOM_AWS="emulator",
    SECRET_KEY=secrets.token_urlsafe(48),
    # Development's static files: production's names need collectstatic first, which takes longer than all the rest.
    DEBUG="1",
    AUTH_DISABLED="0",
    ALLOWED_HOSTS="testserver",
    LOG_LEVEL="error",
    DATABASE_URL=f"sqlite:///{FOLDER.name}/pages.db",
    DJANGO_SETTINGS_MODULE="loom.settings",
)
django.setup()

from django.conf import settings  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.db import connection  # noqa: E402
from django.test import Client  # noqa: E402
from django.utils import timezone  # noqa: E402

from apps.accounts.models import User  # noqa: E402
from apps.agentcore.models import Runtime  # noqa: E402
from apps.agentcore.runtime_rows import store_new  # noqa: E402
from apps.agents.models import Agent, Endpoint  # noqa: E402
from apps.core.models import Notice  # noqa: E402
from apps.metrics.figures.store_periods import settle_figures  # noqa: E402
from apps.metrics.models import Measurement  # noqa: E402
from apps.sessions.models import Invocation, Recording, RecordingBatch, SearchText, Session  # noqa: E402
from apps.sessions.pages.listing import SESSIONS  # noqa: E402
from bench.page_tables import lists, write_document  # noqa: E402

settings.DEBUG = False  # templates are cached, queries are not kept

TOP = Path(__file__).resolve().parent.parent
RESULT = TOP / "build" / "pages.json"
AGENTS = 12
DAYS = 30
SESSION_LENGTHS = (1, 1, 2, 2, 3, 4, 6, 8)
LONG_SESSION = 30
BATCH = 2000
LIMIT_MS = 200.0
LIST_LIMIT_MS = 150.0
ANSWER = "The cheapest train leaves at 08:12 and takes 2 h 40 min. " * 12


class Filler:
    """Puts rows into the empty database."""

    def __init__(self, count: int, *, has_recordings: bool = True) -> None:
        self._random = random.Random(7)
        self._has_recordings = has_recordings
        self.words = ["".join(self._random.choices("etaoinshrdlu", k=7)) for _ in range(5_000)]
        self._count = count
        self._end = datetime.now(UTC) - timedelta(minutes=10)
        self._start = self._end - timedelta(days=DAYS)
        self.owner = User.objects.create(email="bench@example.com", is_staff=True, is_superuser=True)
        self.member = User.objects.create(email="member@example.com")
        self.agents = [self._agent(number) for number in range(AGENTS)]
        self.long_session: Session | None = None

    def _agent(self, number: int) -> Agent:
        runtime_id = f"agent_{number}-AbCdEf{number:04d}"
        agent = Agent(
            origin="emulator",
            name=f"agent_{number}",
            status="READY",
            available_qualifiers=["DEFAULT", "prod"],
            version="3",
            registered_at=self._start,
            invocation_count=self._count // AGENTS,
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
        """Sessions of one to eight turns, evenly over the days, and a long one at the end."""
        made = 0
        while made < self._count:
            lengths: list[int] = []
            while sum(lengths) < BATCH and made + sum(lengths) < self._count:
                lengths.append(self._random.choice(SESSION_LENGTHS))
            lengths[-1] = min(lengths[-1], self._count - made - sum(lengths[:-1])) or 1
            self._store([self._at(made + sum(lengths[:index])) for index in range(len(lengths))], lengths)
            made += sum(lengths)
        sys.stdout.write(f"{made:,} invocations stored\n")
        self.long_session = self._store([self._end - timedelta(hours=3)], [LONG_SESSION])[0]

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


def pages(filler: Filler) -> dict[str, str]:
    """The address of each page by its name."""
    assert filler.long_session is not None, "the database was not filled"
    agent, session = filler.agents[0].pk, filler.long_session.public_id
    session_id = filler.long_session.runtime_session_id
    keys = ",".join(str(one.pk) for one in filler.agents)
    hour = (datetime.now(UTC) - timedelta(days=4)).replace(minute=0)
    custom = f"?range=custom&from={hour - timedelta(hours=5):%Y-%m-%dT%H:%M}&to={hour:%Y-%m-%dT%H:%M}"
    last_page = -(-Session.objects.count() // SESSIONS.page_size)
    return {
        "Agents": "/agents/",
        "Agents: figures of the list": f"/operate/agents/figures/?ids={keys}",
        "Agent": f"/agents/{agent}/",
        "Agent: figures, 30 days": f"/operate/agents/{agent}/figures/",
        "Agent: its sessions": f"/agents/{agent}/sessions/",
        "Agent: measure start": f"/agents/{agent}/measure/",
        "Sessions": "/sessions/",
        "Sessions, page 100": "/sessions/?page=100",
        "Sessions, last page": f"/sessions/?page={last_page}",
        "Sessions, searched": "/sessions/?q=cheapest",
        "Sessions, searched in vain": "/sessions/?q=zeppelin",
        "Session of 30 turns": f"/sessions/{session}/",
        "Session: latency panel": f"/operate/sessions/{session}/latency/",
        "Operate, 24 hours": "/operate/",
        "Operate, 7 days": "/operate/?range=7d",
        "Operate, 30 days": "/operate/?range=30d",
        "Operate, 30 days, one agent": f"/operate/?range=30d&agent={agent}",
        "Operate, 30 days, failed": "/operate/?range=30d&show=failed",
        "Operate, 5 hours of its own": f"/operate/{custom}",
        "API: agents": "/api/agents",
        "API: sessions of an agent": f"/api/agents/{agent}/sessions?limit=50",
        "API: the same, further on": f"/api/agents/{agent}/sessions?limit=50&offset=2000",
        "API: session of 30 turns": f"/api/agents/{filler.long_session.agent_id}/sessions/{session_id}",
        "Admin: agents": "/admin/agents/agent/",
        "Admin: sessions": "/admin/agent_sessions/session/",
        "Admin: invocations": "/admin/agent_sessions/invocation/",
        "Admin: recordings": "/admin/agent_sessions/recording/",
        "Admin: batches": "/admin/agent_sessions/recordingbatch/",
        "Admin: measurements": "/admin/metrics/measurement/",
        "Admin: notices": "/admin/core/notice/",
    }


def measure(user: User, addresses: dict[str, str], requests: int) -> list[dict[str, Any]]:
    """Ask for every page: once unmeasured, then `requests` times."""

    client = Client()
    client.force_login(user)
    rows = []
    for name, address in addresses.items():
        counted = _Counter()
        with connection.execute_wrapper(counted):
            response = client.get(address)
        if response.status_code != 200:
            raise SystemExit(f"{address} answered {response.status_code}")
        times = [_timed(client, address) for _ in range(requests)]
        walls, cpus = zip(*times, strict=True)
        row = {
            "page": name,
            "cpu_ms": round(statistics.median(cpus), 1),
            "wall_ms": round(statistics.median(walls), 1),
            "queries": counted.count,
            "kb": round(len(response.content) / 1024),
        }
        sys.stdout.write(
            f"{name:<34}{row['cpu_ms']:>8} ms  (on the clock {row['wall_ms']} ms, {row['queries']} queries)\n"
        )
        rows.append(row)
    return rows


class _Counter:
    """Counts the statements that pass it."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, execute: Callable[..., object], *arguments: object) -> object:
        self.count += 1
        return execute(*arguments)


def _timed(client: Client, address: str) -> tuple[float, float]:
    """Ask for a page; milliseconds on the clock, and of this process's CPU, SQLite included."""
    started, worked = time.perf_counter(), time.process_time()
    client.get(address)
    return (time.perf_counter() - started) * 1000, (time.process_time() - worked) * 1000


def _gauge_ms() -> float:
    """CPU milliseconds for a piece of work that is always the same: what else runs slows every page down likewise."""
    numbers = [random.random() for _ in range(100_000)]
    worked = time.process_time()
    sorted(numbers)
    return (time.process_time() - worked) * 1000


def measure_lists(count: int, requests: int) -> int:
    """Ask for the lists alone, as staff and as a member; 1 where one takes longer than the limit."""
    with FOLDER:
        call_command("migrate", verbosity=0)
        filler = Filler(count, has_recordings=False)
        filler.fill()
        addresses = lists(filler.agents[0].pk, filler.words[3])
        rows = measure(filler.owner, addresses, requests)
        sys.stdout.write("as a member, who sees a third of the sessions\n")
        rows += measure(filler.member, addresses, requests)
    slow = [row for row in rows if row["cpu_ms"] > LIST_LIMIT_MS]
    for row in slow:
        sys.stdout.write(f"{row['page']} takes {row['cpu_ms']} ms, which is more than {LIST_LIMIT_MS:g} ms\n")
    return 1 if slow else 0


def main() -> int:
    options = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    options.add_argument("--invocations", type=int, default=100_000)
    options.add_argument("--requests", type=int, default=15)
    options.add_argument("--no-document", action="store_true", help="leave docs/performance-pages.md as it is")
    options.add_argument("--rows", type=int, help="measure the lists alone, over so many runs")
    chosen = options.parse_args()
    if chosen.rows:
        return measure_lists(chosen.rows, chosen.requests)
    with FOLDER:
        call_command("migrate", verbosity=0)
        filler = Filler(chosen.invocations)
        filler.fill()
        started = time.perf_counter()
        hours = sum(iter(lambda: settle_figures(timezone.now()), 0))
        settle_s = time.perf_counter() - started
        sys.stdout.write(f"{hours} hours stored in {settle_s:.1f} s\n")
        addresses = pages(filler)
        rows = measure(filler.owner, addresses, chosen.requests)
        sys.stdout.write("as a member, who sees a third of the sessions\n")
        open_pages = {
            name: address
            for name, address in addresses.items()
            if not name.startswith("Admin") and "of 30 turns" not in name and "panel" not in name
        }
        member = measure(filler.member, open_pages, chosen.requests)
    conditions = (
        f"{chosen.invocations:,} invocations of {AGENTS} agents over {DAYS} days, SQLite in a file, medians of "
        f"{chosen.requests} requests through Django's handler after a first one: CPU time of the process, database "
        f"included, and time on the clock. The load of the machine was {os.getloadavg()[0]:.1f} on {os.cpu_count()} "
        f"cores, and sorting 100,000 random numbers took {_gauge_ms():.0f} ms (17 ms when it is quiet). A "
        f"member sees a third of the sessions. Python {platform.python_version()}, {datetime.now(UTC):%B %Y}."
    )
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps({"conditions": conditions, "staff": rows, "member": member}, indent=1) + "\n")
    if not chosen.no_document:
        write_document(rows, member, conditions)
    slow = [row for row in rows + member if row["cpu_ms"] > LIMIT_MS]
    for row in slow:
        sys.stdout.write(f"{row['page']} takes {row['cpu_ms']} ms, which is more than {LIMIT_MS:g} ms\n")
    return 1 if slow else 0


if __name__ == "__main__":
    sys.exit(main())
