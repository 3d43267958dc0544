"""The report for people (aligned lines, no colour) and for programs (JSON values)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from apps.awsverify.permissions.findings import CheckReport, Finding


def as_text(report: CheckReport) -> str:
    """The report as lines: one for each finding, below it what to do, at the end the statements that mend it."""
    return "\n".join(_lines(report))


def as_json(report: CheckReport) -> dict[str, Any]:
    """The report as JSON values; `statements` are ready for a policy document."""
    return {
        "origin": report.origin,
        "region": report.region,
        "account": report.account,
        "role": report.role,
        "is_ok": report.is_ok,
        "findings": [
            {
                "section": finding.section,
                "subject": finding.subject,
                "state": finding.state,
                "message": finding.message,
                "advice": finding.advice,
                "action": finding.action,
            }
            for finding in report.findings
        ],
        "statements": report.statements,
    }


def _lines(report: CheckReport) -> Iterator[str]:
    yield _heading(report)
    width = max(len(finding.subject) for finding in report.findings)
    section = None
    for finding in report.findings:
        if finding.section != section:
            section = finding.section
            yield ""
            yield section
        yield f"  {finding.state:<9} {finding.subject:<{width}}  {finding.message}"
        if finding.advice and finding.state != "ok":
            yield f"  {'':<9} {'':<{width}}  → {finding.advice}"
    if report.statements:
        yield ""
        yield "Add to the policy of the role or user:"
        yield json.dumps(report.statements, indent=2)
    yield ""
    yield _closing(report.findings)


def _heading(report: CheckReport) -> str:
    if report.origin == "emulator":
        return f"Emulated: this looks at the emulator on this machine ({report.region}); it says nothing about AWS."
    who = f", account {report.account}, {report.role}" if report.account else ""
    return f"AWS, {report.region}{who}"


def _closing(findings: Sequence[Finding]) -> str:
    counts = {
        state: sum(finding.state == state for finding in findings) for state in ("ok", "warning", "missing", "untested")
    }
    return ", ".join(f"{count} {state}" for state, count in counts.items() if count)
