"""The log group of one endpoint: may it be read, which streams does it have, and do its lines tell when a run began?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

from apps.aws.arn import RuntimeArn
from apps.aws.connection import Connection
from apps.aws.errors import AwsError
from apps.aws.logs.markers import Marker, parse_marker
from apps.aws.logs.reading import LogGroupNotFoundError, RuntimeLogs
from apps.aws.logs.streams import LogEvent, classify
from apps.awsverify.permissions.findings import Finding, failed_call
from apps.awsverify.permissions.policies import statement_for

READ_ACTION = "logs:FilterLogEvents"
STREAMS_ACTION = "logs:DescribeLogStreams"

LOOK_BACK = timedelta(hours=24)
MAX_PAGES = 5
# An endpoint may have thousands of streams, one for each environment; the newest days show their shape.
STREAMS_OF_A_DAY = 50
_SHARED_STREAMS = ("otel-rt-logs", "spans")

MEANING = {
    "session": "named after the session",
    "environment": "one of each environment",
    "otel": "OpenTelemetry",
    "vended": "of a log delivery",
    "other": "of another shape",
}


def check_logs(connection: Connection, arn: RuntimeArn, qualifier: str) -> list[Finding]:
    """Read the last day of the endpoint's log group, at most five pages, and the names of its newest streams."""
    section, group = arn.runtime_id, arn.log_group(qualifier)

    def failed(action: str, error: AwsError) -> Finding:
        return failed_call(
            error,
            section=section,
            action=action,
            statement=statement_for(action, arn),
            is_emulated=connection.origin == "emulator",
        )

    logs = RuntimeLogs(connection)
    findings: list[Finding] = []
    try:
        events: list[LogEvent] | None = _recent_events(logs, arn.region, group)
        findings.append(Finding(section, READ_ACTION, "ok", f"{group} can be read"))
    except LogGroupNotFoundError as error:
        # A refusal would have come first, so the permission is there.
        findings.append(Finding(section, READ_ACTION, "ok", "allowed"))
        findings.append(Finding(section, "log group", "warning", f"{group} does not exist yet", error.advice))
        return [*findings, *_permission_only(lambda: _streams(logs, arn.region, group), section, failed)]
    except AwsError as error:
        findings.append(failed(READ_ACTION, error))
        events = None
    try:
        kinds = _streams(logs, arn.region, group)
        findings += [Finding(section, STREAMS_ACTION, "ok", "allowed"), *_stream_findings(section, qualifier, kinds)]
    except AwsError as error:
        findings.append(failed(STREAMS_ACTION, error))
    if events is not None:
        findings.append(_marker_finding(section, qualifier, events))
    return findings


def _permission_only(
    describe: Callable[[], Counter[str]], section: str, failed: Callable[[str, AwsError], Finding]
) -> list[Finding]:
    """Try to list streams where there is no group: not to be found is an answer, a refusal is another."""
    try:
        describe()
    except LogGroupNotFoundError:
        return [Finding(section, STREAMS_ACTION, "ok", "allowed")]
    except AwsError as error:
        return [failed(STREAMS_ACTION, error)]
    return [Finding(section, STREAMS_ACTION, "ok", "allowed")]


def _recent_events(logs: RuntimeLogs, region: str, group: str) -> list[LogEvent]:
    start = datetime.now(UTC) - LOOK_BACK
    pages = logs.pages(region=region, log_group=group, start=start, max_pages=MAX_PAGES)
    return [event for page in pages for event in page.events]


def stream_names(logs: RuntimeLogs, region: str, group: str, last_day: date) -> list[str]:
    """The names of the streams of two days and of the shared ones, at most fifty of each, else those of the first."""
    prefixes = [f"{day:%Y/%m/%d}/" for day in (last_day, last_day - timedelta(days=1))]
    found = [
        stream.name
        for prefix in (*prefixes, *_SHARED_STREAMS)
        for stream in logs.streams(region=region, log_group=group, prefix=prefix, limit=STREAMS_OF_A_DAY)
    ]
    return found or [stream.name for stream in logs.streams(region=region, log_group=group, limit=STREAMS_OF_A_DAY)]


def _streams(logs: RuntimeLogs, region: str, group: str) -> Counter[str]:
    """How many streams of which kind there are among the newest."""
    names = stream_names(logs, region, group, datetime.now(UTC).date())
    return Counter(classify(name).kind for name in names)


def _stream_findings(section: str, qualifier: str, kinds: Counter[str]) -> list[Finding]:
    shown = ", ".join(f"{count} {MEANING.get(kind, kind)}" for kind, count in sorted(kinds.items()))
    if kinds["session"] or kinds["environment"]:
        streams = Finding(section, "log streams", "ok", f"{qualifier}: {shown}")
    else:
        message = f"{qualifier}: none that an agent writes{f', but {shown}' if shown else ''}"
        streams = Finding(section, "log streams", "warning", message, "Invoke the agent once, then check again.")
    if kinds["otel"]:
        return [streams, Finding(section, "observability", "ok", f"{qualifier}: an OpenTelemetry stream is there")]
    return [
        streams,
        Finding(
            section,
            "observability",
            "warning",
            f"{qualifier}: no OpenTelemetry stream (otel-rt-logs, spans) seen",
            "Loom measures without it. For traces, deploy with AGENT_OBSERVABILITY_ENABLED=true and "
            "aws-opentelemetry-distro.",
        ),
    ]


def _marker_finding(section: str, qualifier: str, events: list[LogEvent]) -> Finding:
    subject = "start markers"
    markers = [marker for event in events if (marker := parse_marker(event.message, event.at)) is not None]
    hours = LOOK_BACK // timedelta(hours=1)
    if markers:
        return Finding(section, subject, "ok", f"{qualifier}: {_counted(markers)} in the last {hours} h")
    if not events:
        message = f"{qualifier}: no log line in the last {hours} h"
        return Finding(section, subject, "warning", message, "Invoke the agent once, then check again.")
    return Finding(
        section,
        subject,
        "warning",
        f"{qualifier}: none in {len(events)} lines of the last {hours} h",
        "Startup latency falls back to the first log line, which enters no percentile. Let the agent's handler log "
        "“Agent invoked - Start time: <ISO time>”, or use AgentCore's SDK.",
    )


def _counted(markers: list[Marker]) -> str:
    counts = Counter((marker.rank, marker.name) for marker in markers)
    return ", ".join(f"“{name}” ×{count} (marker {rank})" for (rank, name), count in sorted(counts.items()))
