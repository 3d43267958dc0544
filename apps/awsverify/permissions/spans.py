"""The agents' own spans: does the account keep them, and may they be read? Loom does without, so nothing here fails."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from apps.aws.arn import RuntimeArn
from apps.aws.connection import Connection
from apps.aws.errors import AwsError
from apps.aws.logs.reading import LogGroupNotFoundError, RuntimeLogs
from apps.aws.logs.spans import SPANS_GROUP
from apps.awsverify.permissions.findings import Finding, failed_call
from apps.awsverify.permissions.policies import statement_for

READ_ACTION = "logs:FilterLogEvents"
SUBJECT = "spans"
_LOOK_BACK = timedelta(hours=1)


def check_spans(connection: Connection, arn: RuntimeArn) -> Finding:
    """Ask for one span of the last hour."""
    start = datetime.now(UTC) - _LOOK_BACK
    try:
        RuntimeLogs(connection).filter_page(region=arn.region, log_group=SPANS_GROUP, start=start, limit=1)
    except LogGroupNotFoundError:
        message = f"{SPANS_GROUP} does not exist in {arn.region}: Transaction Search is off"
        advice = (
            "Loom measures without it. For the agent's own spans in the timeline of a run, switch it on in CloudWatch "
            "(Settings, X-Ray traces, Transaction Search), or let an administrator call "
            "xray:UpdateTraceSegmentDestination with CloudWatchLogs."
        )
        return Finding(arn.runtime_id, SUBJECT, "warning", message, advice)
    except AwsError as error:
        refused = failed_call(
            error,
            section=arn.runtime_id,
            action=READ_ACTION,
            statement=statement_for(READ_ACTION, arn, "spans"),
            is_emulated=connection.origin == "emulator",
        )
        return replace(refused, subject=SUBJECT, state="warning", message=f"{SPANS_GROUP}: {refused.message}")
    return Finding(arn.runtime_id, SUBJECT, "ok", f"{SPANS_GROUP} can be read")
