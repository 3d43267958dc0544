"""The list of agents as a file."""

from __future__ import annotations

from collections.abc import Callable

from apps.agents.models import Agent
from apps.core.tables.export import CsvColumn
from apps.overview.agents.listing import week_of


def _week(name: str) -> Callable[[Agent], object]:
    return lambda agent: week_of(agent)[name]


CSV: tuple[CsvColumn[Agent], ...] = (
    CsvColumn("id", lambda agent: agent.pk),
    CsvColumn("name", lambda agent: agent.name),
    CsvColumn("kind", lambda agent: agent.kind),
    CsvColumn("origin", lambda agent: agent.origin),
    CsvColumn("arn", lambda agent: agent.runtime.arn if hasattr(agent, "runtime") else ""),
    CsvColumn("region", lambda agent: agent.runtime.region if hasattr(agent, "runtime") else ""),
    CsvColumn("status", lambda agent: agent.status),
    CsvColumn("version", lambda agent: agent.version),
    CsvColumn("endpoints", lambda agent: " ".join(endpoint.name for endpoint in agent.endpoints.all())),
    CsvColumn("tags", lambda agent: ", ".join(tag.name for tag in agent.tags.all())),
    CsvColumn("owner", lambda agent: agent.owner.email if agent.owner else ""),
    CsvColumn("invocation_count", lambda agent: agent.invocation_count),
    CsvColumn("last_invoked_at", lambda agent: agent.last_invoked_at),
    CsvColumn("registered_at", lambda agent: agent.registered_at),
    CsvColumn("archived_at", lambda agent: agent.removed_at),
    CsvColumn("runs_7d", _week("run_count")),
    CsvColumn("error_rate_7d", _week("error_rate")),
    CsvColumn("ttft_cold_p50_ms_7d", _week("ttft_cold_ms")),
    CsvColumn("ttft_warm_p50_ms_7d", _week("ttft_warm_ms")),
    CsvColumn("startup_p50_ms_7d", _week("startup_ms")),
    CsvColumn("cost_usd_7d", _week("cost_usd")),
)
