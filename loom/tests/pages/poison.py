"""Attempts in the texts that no agent can reach but users and AWS can."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from django.utils import timezone

from loom.tests.evil_agent import EVIL
from loom.tests.fixtures import Loom
from loom.tests.visiting import manage, rows

WAITING = 4711  # the key of a prompt that waits, and those of rows of alerts


def poison(loom: Loom, folder: Path, session: str) -> None:
    """Write attempts into the texts that no agent can reach but users and AWS can."""
    poisoned = []
    for row in rows(loom, "agents.agent", "agentcore.runtime", "agent_sessions.session", "agent_sessions.invocation"):
        fields = {key: value for key, value in row.items() if key not in {"pk", "model"}}
        if row["model"] == "agents.agent":
            fields |= {"description": EVIL, "failure_reason": EVIL}
            fields["name"] = EVIL[:120] if fields["name"] == "evil_agent" else f"{fields['name']:_<60}"
        elif row["model"] == "agentcore.runtime":
            fields |= {"raw_metadata": {"evil": EVIL}}
        elif row["model"] == "agent_sessions.session":
            fields |= {"title": EVIL[:200], "former_tags": [EVIL]}
        elif fields["status"] == "failed":
            fields |= {"error_message": EVIL, "error_advice": EVIL, "error_code": EVIL[:100], "request_id": EVIL[:200]}
        poisoned.append({"model": row["model"], "pk": row["pk"], "fields": fields})
        if row.get("public_id") == session:
            waiting = {"session": row["pk"], "position": 1, "text": EVIL, "is_held": True}
            waiting["created_at"] = timezone.now().isoformat()
            poisoned.append({"model": "agent_sessions.queuedprompt", "pk": WAITING, "fields": waiting})
    poisoned += _poisoned_alerts(rows(loom, "agents.agent")[0]["pk"], rows(loom, "accounts.user")[0]["pk"])
    fixture = folder / "poison.json"
    fixture.write_text(json.dumps(poisoned))
    manage(loom, "loaddata", str(fixture))


def _poisoned_alerts(agent: int, owner: int) -> list[dict[str, Any]]:
    """A rule with a channel, an alert that fires, and a notice that did not arrive."""
    now = timezone.now().isoformat()
    bounds = {"window_s": 300, "alert": 0.05, "min_n": 20, "error_message": EVIL[:300], "next_at": "2126-01-01T00:00Z"}
    instants = {"since_at": now, "opened_at": now, "seen_at": now}
    found = {"value": 0.2, "low": 0.1, "high": 0.3, "n": 20, "worst": 0.2}
    tables: dict[str, dict[str, Any]] = {
        "alertchannel": {
            "owner": owner, "name": EVIL[:60], "kind": "webhook", "address": EVIL[:2000], "created_at": now
        },
        "alertrule": {"owner": owner, "name": EVIL[:120], "metric": "error_rate", "created_at": now, **bounds},
        "alertrulechannel": {"rule": WAITING, "channel": WAITING},
        "alert": {"rule": WAITING, "agent": agent, "state": "firing", "level": "alert", **found, **instants},
        "alertchange": {
            "alert": WAITING, "number": 1, "state": "firing", "level": "alert", "note": EVIL[:300], "at": now
        },
        "alertnotice": {
            "change": WAITING, "rule": WAITING, "channel": WAITING, "state": "dead", "error_message": EVIL[:300],
            "created_at": now,
        },
    }  # fmt: skip
    return [{"model": f"metrics.{name}", "pk": WAITING, "fields": fields} for name, fields in tables.items()]
