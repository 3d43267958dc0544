"""The report for people on a terminal, and for programs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from apps.awsverify.doctor.results import LogReport

_WHOSE = {"loom": "the role or user that Loom uses", "agent": "the agent's execution role"}


def as_json(report: LogReport) -> dict[str, Any]:
    """The report as JSON values, under the keys of the API."""
    return {
        "origin": report.origin,
        "region": report.region,
        "log_group": report.log_group,
        "qualifier": report.qualifier,
        "session_id": report.session_id,
        "invocation": report.invocation,
        "start_at": report.start_at.isoformat(),
        "end_at": report.end_at.isoformat(),
        "is_ok": report.is_ok,
        "checks": [
            {
                "key": check.key,
                "name": check.name,
                "state": check.state,
                "reason": check.reason,
                "advice": check.advice,
                "grantee": check.grantee,
                "statement": check.statement,
            }
            for check in report.checks
        ],
    }


def as_text(report: LogReport) -> str:
    """One line a check, below it what to do, at the end the statements to copy."""
    return "\n".join(_lines(report))


def _lines(report: LogReport) -> Iterator[str]:
    is_emulated = report.origin == "emulator"
    yield "Emulated: this says nothing about AWS." if is_emulated else f"AWS, {report.region}"
    yield f"{report.log_group}, {report.start_at:%Y-%m-%d %H:%M:%S} to {report.end_at:%Y-%m-%d %H:%M:%S} UTC"
    yield ""
    for check in report.checks:
        yield f"  {check.state:<8} {check.name} {check.reason}"
        if check.advice and check.state != "ok":
            yield f"  {'':<8} → {check.advice}"
    for check in report.checks:
        if check.statement is not None:
            yield ""
            yield f"Add to the policy of {_WHOSE[check.grantee]}:"
            yield json.dumps(check.statement, indent=2)
