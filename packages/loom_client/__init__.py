"""A typed client of Loom's API that needs nothing but the standard library.

from loom_client import Client

loom = Client("http://127.0.0.1:8000", token="loom_…")
for event in (run := loom.invoke(loom.find_agent("travel_concierge").id, "Two days in Ghent")):
    print(event.text, end="")
print(loom.latency(run.agent_id, run.session_id, wait_s=60).startup_latency_ms)
"""

from __future__ import annotations

from loom_client.alerting import Alert, AlertChannel, AlertNotice, AlertRule, Alerts
from loom_client.bench_calls import Bench, ListedBench
from loom_client.client import Client
from loom_client.compared import ComparedRun, ComparedTarget, Comparison, TargetComparison
from loom_client.environment_calls import ColdStarts, Environment, KeepWarm
from loom_client.errors import (
    AmbiguousAgentError,
    ApiError,
    ClientError,
    LostError,
    UnknownAgentError,
    UnreachableError,
)
from loom_client.events import Event
from loom_client.listed import DeletedRuns, ListedRun, RunRating, Runs, SavedView
from loom_client.log_report import LogCheck, LogReport
from loom_client.models import (
    Added,
    Gap,
    Invocation,
    KeptSession,
    Latency,
    LogLine,
    Logs,
    Plan,
    PromptSet,
    Queue,
    QueuedPrompt,
    Repeat,
    Session,
    StartSeries,
    Timeline,
    Unread,
    UnreadValue,
)
from loom_client.planned import Estimate, ListedPlan
from loom_client.registered import Agent, AgentOutcome, Endpoint
from loom_client.run import Run
from loom_client.taken_out import SharedLink, Verdict

__all__ = [
    "Added",
    "Agent",
    "AgentOutcome",
    "Alert",
    "AlertChannel",
    "AlertNotice",
    "AlertRule",
    "Alerts",
    "AmbiguousAgentError",
    "ApiError",
    "Bench",
    "Client",
    "ClientError",
    "ColdStarts",
    "ComparedRun",
    "ComparedTarget",
    "Comparison",
    "DeletedRuns",
    "Endpoint",
    "Environment",
    "Estimate",
    "Event",
    "Gap",
    "Invocation",
    "KeepWarm",
    "KeptSession",
    "Latency",
    "ListedBench",
    "ListedPlan",
    "ListedRun",
    "LogCheck",
    "LogLine",
    "LogReport",
    "Logs",
    "LostError",
    "Plan",
    "PromptSet",
    "Queue",
    "QueuedPrompt",
    "Repeat",
    "Run",
    "RunRating",
    "Runs",
    "SavedView",
    "Session",
    "SharedLink",
    "StartSeries",
    "TargetComparison",
    "Timeline",
    "UnknownAgentError",
    "UnreachableError",
    "Unread",
    "UnreadValue",
    "Verdict",
]
