"""What is asked for: the address of each page by its name."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from apps.sessions.models import Session
from apps.sessions.pages.listing import SESSIONS
from bench.pages.filling import Filler


def pages(filler: Filler) -> dict[str, str]:
    """The address of each page by its name."""
    long_session = filler.long_session
    agent, session, session_id = filler.agents[0].pk, long_session.public_id, long_session.runtime_session_id
    hour = (datetime.now(UTC) - timedelta(days=4)).replace(minute=0)
    custom = f"?range=custom&from={hour - timedelta(hours=5):%Y-%m-%dT%H:%M}&to={hour:%Y-%m-%dT%H:%M}"
    last_page = -(-Session.objects.count() // SESSIONS.page_size)
    return {
        "Agents": "/agents/",
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
        "API: session of 30 turns": f"/api/agents/{long_session.agent_id}/sessions/{session_id}",
        "Admin: agents": "/admin/agents/agent/",
        "Admin: sessions": "/admin/agent_sessions/session/",
        "Admin: invocations": "/admin/agent_sessions/invocation/",
        "Admin: recordings": "/admin/agent_sessions/recording/",
        "Admin: batches": "/admin/agent_sessions/recordingbatch/",
        "Admin: measurements": "/admin/metrics/measurement/",
        "Admin: notices": "/admin/core/notice/",
    }


def lists(agent: int, word: str) -> dict[str, str]:
    """The lists and searches that have to stay fast with a million runs."""
    return {
        "Runs": "/runs/",
        "Runs: of an agent": f"/runs/?agent={agent}",
        "Runs: of an agent, slowest": f"/runs/?agent={agent}&sort=-total",
        "Runs: of an endpoint and version": "/runs/?qualifier=prod&version=2",
        "Runs: failed": "/runs/?status=failed",
        "Runs: stopped": "/runs/?status=stopped",
        "Runs: running": "/runs/?status=running",
        "Runs: of a source that there is none of": "/runs/?source=task",
        "Runs: cold": "/runs/?start=cold",
        "Runs: with one error": "/runs/?error=RuntimeClientError",
        "Runs: of one day": "/runs/?range=24h",
        "Runs: slowest": "/runs/?sort=-ttft",
        "Runs: fastest of an agent": f"/runs/?sort=total&agent={agent}",
        "Runs: a word of all": "/runs/?q=cheapest",
        "Runs: two words of all, of an agent": f"/runs/?q=cheapest+lyon&agent={agent}",
        "Runs: a word of all, that failed": "/runs/?q=train&status=failed",
        "Runs: a word of one in a hundred": f"/runs/?q={word}",
        "Runs: a rare word": "/runs/?q=zeppelin",
        "Runs: a word of none": "/runs/?q=submarine",
        "Runs: two letters": "/runs/?q=qx",
        "Runs: a word, slowest first": "/runs/?q=cheapest&sort=-total",
        "API: runs": "/api/runs",
        "API: runs, a word of all": "/api/runs?q=cheapest",
        "Sessions": "/sessions/",
        "Sessions, page 100": "/sessions/?page=100",
        "Sessions: failed": "/sessions/?status=failed",
        "Sessions: of an agent": f"/sessions/?agent={agent}",
        "Sessions: by title": "/sessions/?sort=title",
        "Sessions: a word of all": "/sessions/?q=cheapest",
        "Sessions: a rare word": "/sessions/?q=zeppelin",
        "Sessions: a word of none": "/sessions/?q=submarine",
        "Agent": f"/agents/{agent}/",
        "Agent: its sessions": f"/agents/{agent}/sessions/",
        "Agents": "/agents/",
        "Costs": "/costs/",
        "API: sessions of an agent": f"/api/agents/{agent}/sessions?limit=50",
    }


def parts(filler: Filler) -> dict[str, str]:
    """The parts of the dashboards and of the comparison, which are measured as nobody asked for them before."""
    one, two = (agent.pk for agent in filler.agents[:2])
    found = {}
    for span in ("24h", "7d", "30d"):
        found[f"Overview, {span}"] = f"/operate/?range={span}"
        found[f"Overview, {span}: drawings"] = f"/operate/drawings/?range={span}"
    return found | {
        "Overview, 7d: up to date": "/operate/live/?range=7d&refresh=5",
        "Overview, 30d: failed": "/operate/?range=30d&show=failed",
        "Overview, 24h, one agent": f"/operate/?range=24h&agent={one}",
        "Overview, 7d, one agent": f"/operate/?range=7d&agent={one}",
        "Overview, 7d, one agent: drawings": f"/operate/drawings/?range=7d&agent={one}",
        "Overview, 30d, one agent": f"/operate/?range=30d&agent={one}",
        "Overview, 30d, one agent: drawings": f"/operate/drawings/?range=30d&agent={one}",
        "Agent: figures, 30 days": f"/operate/agents/{one}/figures/",
        "Targets to choose from": "/compare/targets/",
        "Two versions compared": f"/compare/targets/?target={one}:DEFAULT:2&target={one}:DEFAULT:3",
        "Six targets compared": "/compare/targets/?" + "&".join(f"target={agent.pk}::" for agent in filler.agents[:6]),
        "API: two agents compared": f"/api/compare?target={one}&target={two}",
    }
