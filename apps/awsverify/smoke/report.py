"""The report of a run: Markdown to read, JSON to compare; no content in it and, unless asked for, no account ids."""

from __future__ import annotations

import json
import platform
import re
from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from apps.awsverify.smoke.findings import SmokeRun
from apps.awsverify.smoke.open_points import open_points
from apps.awsverify.smoke.plan import PROMPT, SmokePlan
from apps.awsverify.smoke.turns import Turn

# An account id stands alone or between the colons of an ARN; the last part of a UUID behind a hyphen is none.
_ACCOUNT_ID = re.compile(r"(?<![\w.-])[0-9]{12}(?![\w-])")
_EMULATED = "Emulated. These figures come from the emulator on this machine and say nothing about AWS."


def write_report(plan: SmokePlan, run: SmokeRun, folder: Path, *, loom: str, with_account: bool) -> list[Path]:
    """Write both files into `folder`, which is made if need be; returns their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    values = as_json(plan, run, loom=loom)
    stem = folder / f"{run.started_at:%Y%m%dT%H%M%SZ}-{plan.arn.name}"
    texts = {
        ".md": "\n".join(_markdown(values)) + "\n",
        ".json": json.dumps(values, indent=2, ensure_ascii=False) + "\n",
    }
    paths = []
    for suffix, text in texts.items():
        path = stem.with_name(stem.name + suffix)
        path.write_text(text if with_account else without_accounts(text, plan.arn.account_id), encoding="utf-8")
        paths.append(path)
    return paths


def without_accounts(text: str, known: str) -> str:
    """Blot out the known account id wherever it stands, and everything else that has the form of one."""
    return _ACCOUNT_ID.sub("<account>", text.replace(known, "<account>"))


def as_json(plan: SmokePlan, run: SmokeRun, *, loom: str) -> dict[str, Any]:
    """Everything that was seen, as JSON values; durations in ms, instants in ISO 8601. `loom` says through which."""
    log = run.log
    return {
        "is_emulated": plan.is_emulated,
        "is_ok": run.is_ok,
        "started_at": run.started_at.isoformat(),
        "conditions": {
            "python": platform.python_version(),
            "boto3": version("boto3"),
            "aiobotocore": version("aiobotocore"),
            "loom": loom,
            "prompt": PROMPT,
            "max_invocations": plan.max_invocations,
            "log_wait_s": plan.log_wait_s,
            "poll_every_s": plan.poll_every_s,
        },
        "agent": _agent(plan, run),
        "runtime_session_id": run.runtime_session_id,
        "invocation_count": run.invocation_count,
        "steps": [asdict(step) for step in run.steps],
        "turns": [_turn(turn) for turn in run.turns],
        "log": None if log is None else {**asdict(log), "request_ids": sorted(log.request_ids)},
        "open_points": [asdict(point) for point in open_points(run)],
    }


def _agent(plan: SmokePlan, run: SmokeRun) -> dict[str, Any]:
    agent = run.agent
    values: dict[str, Any] = {"arn": plan.arn.runtime_arn, "qualifier": plan.qualifier}
    if agent is None:
        return {**values, "endpoints": {}}
    described = agent.raw_metadata
    lifecycle = described.get("lifecycleConfiguration", {})
    return values | {
        "name": agent.name,
        "version": agent.version,
        "status": agent.status,
        "protocol": agent.protocol,
        "platform_version": described.get("platformVersion"),
        "idle_timeout_s": lifecycle.get("idleRuntimeSessionTimeout"),
        "max_lifetime_s": lifecycle.get("maxLifetime"),
        "requires_mmdsv2": described.get("metadataConfiguration", {}).get("requireMMDSV2"),
        "artifact": sorted(described.get("agentRuntimeArtifact", {})),
        "endpoints": {endpoint.name: endpoint.live_version for endpoint in agent.endpoints},
    }


def _turn(turn: Turn) -> dict[str, Any]:
    values = asdict(turn)
    return {
        name: value.isoformat()
        if isinstance(value, datetime)
        else round(value, 3)
        if isinstance(value, float)
        else value
        for name, value in values.items()
    }


def _markdown(values: dict[str, Any]) -> Iterator[str]:
    agent = values["agent"]
    yield f"# Smoke run: {agent.get('name', agent['arn'])} ({agent['qualifier']})"
    yield ""
    if values["is_emulated"]:
        yield f"**{_EMULATED}**"
        yield ""
    outcome = "No step failed" if values["is_ok"] else "**A step failed**"
    yield f"{outcome}. {values['started_at']}, {values['invocation_count']} prompts, all of them the same:"
    yield f"“{values['conditions']['prompt']}”"
    yield f"Through {values['conditions']['loom']}."
    yield ""
    yield from _table(["agent", ""], [[name, _shown(value)] for name, value in agent.items()])
    yield "## Steps"
    yield ""
    yield from _table(
        ["step", "", "seen", "to do"],
        [[step["name"], step["state"], step["message"], step["advice"]] for step in values["steps"]],
    )
    yield "## Invocations"
    yield ""
    yield "Durations in ms from the send, on one clock, as Loom measured them. What has no number was asked past Loom."
    yield ""
    columns = ["name", "number", "status", "http_status", "headers_ms", "first_chunk_ms", "first_token_ms", "total_ms",
               "longest_gap_ms", "chunk_count", "byte_count", "content_type", "request_id"]  # fmt: skip
    yield from _table(columns, [[_shown(turn[column]) for column in columns] for turn in values["turns"]])
    if values["log"] is not None:
        yield from _log_markdown(values["log"])
    yield "## What AWS's documents leave open"
    yield ""
    yield from _table(
        ["question", "seen in this run"],
        [[point["question"], point["answer"] or f"nothing ({point['reason']})"] for point in values["open_points"]],
    )


def _log_markdown(log: dict[str, Any]) -> Iterator[str]:
    yield "## Start, from the log"
    yield ""
    yield f"Log group `{log['log_group']}`: {log['line_count']} lines; Loom read it {log['reading_count']} times."
    yield "`difference_ms` is between two clocks; where causality forbids it, the clocks differ."
    yield ""
    columns = ["turn", "state", "startup_ms", "difference_ms", "marker", "rank", "start_kind", "stream_began_ms"]
    yield from _table(columns, [[_shown(start[column]) for column in columns] for start in log["starts"]])


def _table(heads: list[str], rows: list[list[str]]) -> Iterator[str]:
    yield f"| {' | '.join(heads)} |"
    yield f"| {' | '.join('---' for _ in heads)} |"
    for row in rows:
        yield f"| {' | '.join(_cell(cell) for cell in row)} |"
    yield ""


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "&#124;")


def _shown(value: object) -> str:
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:.0f}"
    if isinstance(value, dict):
        return ", ".join(f"{name} → {_shown(inner)}" for name, inner in value.items())
    if isinstance(value, list):
        return ", ".join(_shown(inner) for inner in value)
    return str(value)
