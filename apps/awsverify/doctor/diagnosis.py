"""What an answer of CloudWatch means for the lines that are missed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from statistics import median
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from apps.agentcore.logs.pages import USUAL_DELAY
from apps.aws.arn import RuntimeArn
from apps.aws.errors import AccessDeniedError, AwsError, ThrottledError
from apps.aws.logs.reading import LogGroupNotFoundError
from apps.aws.logs.spans import SPANS_GROUP
from apps.aws.logs.streams import classify
from apps.awsverify.doctor.looking import Asked, Seen, look
from apps.awsverify.doctor.results import LogCheck, LogReport
from apps.awsverify.permissions.logs import MEANING, READ_ACTION, STREAMS_ACTION
from apps.awsverify.permissions.policies import statement_for

_NAMES_SHOWN = 3
_OWN_KINDS = frozenset({"session", "environment"})


def diagnose(asked: Asked) -> LogReport:
    """Look once, and say of each possible cause whether it is one; blocks for some calls of CloudWatch."""
    seen = look(asked)
    return LogReport(
        origin=seen.connection.origin,
        region=asked.agent.runtime.region,
        log_group=asked.log_group,
        qualifier=asked.qualifier,
        start_at=seen.start_at,
        end_at=seen.end_at,
        checks=tuple(_checks(seen)),
        session_id=asked.session.runtime_session_id if asked.session else "",
        invocation=asked.run.number if asked.run else None,
    )


def _checks(seen: Seen) -> Iterator[LogCheck]:
    yield _group(seen)
    yield _permission(seen, "read", _("May Loom read its lines?"), READ_ACTION, seen.events)
    yield _permission(seen, "list", _("May Loom list its streams?"), STREAMS_ACTION, seen.streams)
    if seen.has_named_stream is not None:
        yield _named_stream(seen)
    yield _streams(seen)
    yield _lines(seen)
    if seen.asked.session is not None:
        yield _own_lines(seen)
    yield _delay(seen)
    yield _spans(seen)


def _group(seen: Seen) -> LogCheck:
    name, group = _("Does the log group exist?"), {"group": seen.asked.log_group}
    answers = (seen.events, seen.streams)
    if any(isinstance(answer, LogGroupNotFoundError) for answer in answers):
        return LogCheck(
            "group", name, "failed", _("%(group)s does not exist.") % group,
            _("AWS makes it with the first invocation of the endpoint. If there was one, the agent’s execution role "
              "may not write logs: it lacks the statement below."),
            "agent", writing_statement(seen.asked.agent.runtime.parsed_arn),
        )  # fmt: skip
    if any(isinstance(answer, list) for answer in answers):
        return LogCheck("group", name, "ok", _("%(group)s exists.") % group)
    return LogCheck("group", name, "unknown", _("Nobody could be asked: see the permissions."))


def _permission(seen: Seen, key: str, name: str, action: str, answer: object) -> LogCheck:
    """A refusal comes before everything else, so any other answer of the service shows that there is none."""
    if not isinstance(answer, AwsError) or isinstance(answer, LogGroupNotFoundError):
        return LogCheck(key, name, "ok", _("%(action)s is allowed.") % {"action": action})
    said = f"{answer.code}: {answer.message}"
    if answer.request_id:
        said = _("%(said)s (AWS request id %(id)s)") % {"said": said, "id": answer.request_id}
    if isinstance(answer, AccessDeniedError):
        advice = _("Add the statement below to the policy of the role or user that Loom uses.")
        return LogCheck(
            key, name, "failed", said, advice, "loom", statement_for(action, seen.asked.agent.runtime.parsed_arn)
        )
    if isinstance(answer, ThrottledError):
        reason = _("AWS limits the rate of requests just now: %(said)s") % {"said": said}
        return LogCheck(key, name, "unknown", reason, _("Check again in a minute."))
    return LogCheck(key, name, "unknown", said, answer.advice)


def _named_stream(seen: Seen) -> LogCheck:
    name, stream = _("Is there the stream that the agent’s settings name?"), seen.asked.agent.runtime.log_stream
    if seen.has_named_stream is True:
        return LogCheck("setting", name, "ok", _("Only %(stream)s is read, and it exists.") % {"stream": stream})
    if seen.has_named_stream is False:
        return LogCheck(
            "setting", name, "failed",
            _("Only %(stream)s is read, and there is no such stream.") % {"stream": stream},
            _("Correct “Log stream” in the agent’s settings, or empty it: then all streams are read."),
        )  # fmt: skip
    return LogCheck("setting", name, "unknown", _("The streams could not be listed."))


def _streams(seen: Seen) -> LogCheck:
    name = _("Do the streams look like those of a runtime?")
    if isinstance(seen.streams, AwsError):
        return LogCheck("streams", name, "unknown", _("The streams could not be listed."))
    if not seen.streams:
        return LogCheck(
            "streams", name, "failed", _("The log group has no stream: nothing was ever written to it."),
            _("Invoke the agent once. If that was done, its execution role may not write: it lacks the statement."),
            "agent", writing_statement(seen.asked.agent.runtime.parsed_arn),
        )  # fmt: skip
    kinds = Counter(classify(stream).kind for stream in seen.streams)
    shapes = ", ".join(f"{MEANING.get(kind, kind)} ({count})" for kind, count in sorted(kinds.items()))
    if _OWN_KINDS & set(kinds):
        return LogCheck("streams", name, "ok", _("Seen: %(shapes)s.") % {"shapes": shapes})
    names = ", ".join(seen.streams[:_NAMES_SHOWN])
    return LogCheck(
        "streams", name, "failed",
        _("None is named as a runtime names them (2026/11/20/[runtime-logs…]…). Seen: %(shapes)s: %(names)s.")
        % {"shapes": shapes, "names": names},
        _("What an agent writes to a stream of its own is not known to belong to a session. Let it print to standard "
          "output, or give that stream as “Log stream” in the agent’s settings."),
    )  # fmt: skip


def _lines(seen: Seen) -> LogCheck:
    name = _("Are there lines of this time?")
    if isinstance(seen.events, AwsError):
        return LogCheck("lines", name, "unknown", _("The lines could not be read."))
    if seen.events:
        reason = ngettext("%(count)d line was found.", "%(count)d lines were found.", len(seen.events))
        return LogCheck("lines", name, "ok", reason % {"count": len(seen.events)})
    if seen.is_early:
        return LogCheck("lines", name, "unknown", _("None so far: the last prompt was sent moments ago."), _wait())
    return LogCheck(
        "lines", name, "failed", _("None: nothing was written between these instants, or it is gone."),
        _("Does the agent print anything? Python buffers its output: set PYTHONUNBUFFERED=1. Lines older than the log "
          "group’s retention are deleted."),
    )  # fmt: skip


def _own_lines(seen: Seen) -> LogCheck:
    name, counts = _("Do lines belong to this session?"), {"own": len(seen.own_lines), "all": len(seen.lines)}
    if seen.own_lines:
        return LogCheck("session", name, "ok", _("%(own)d of %(all)d lines do.") % counts)
    if not seen.lines:
        return LogCheck("session", name, "unknown", _("There is no line to tell it by."))
    if seen.is_early:
        return LogCheck("session", name, "unknown", _("None of %(all)d lines so far.") % counts, _wait())
    return LogCheck(
        "session", name, "failed",
        _("None of %(all)d lines names this session, and no stream is named after it.") % counts,
        _("Agents on the AgentCore SDK 1.0 or newer write the session’s id by themselves. Others should write JSON "
          "lines with “sessionId”."),
    )  # fmt: skip


def _delay(seen: Seen) -> LogCheck:
    name = _("How late does CloudWatch show lines?")
    lines = seen.own_lines or seen.lines
    if not lines:
        advice = _wait() if seen.is_early and isinstance(seen.events, list) else ""
        return LogCheck("delay", name, "unknown", _("There is no line to measure it by."), advice)
    late = sorted(max((line.ingested_at - line.at).total_seconds(), 0.0) for line in lines)
    said = _("CloudWatch had them %(middle).1f s (median) to %(most).1f s after they were written.") % {
        "middle": median(late), "most": late[-1],
    }  # fmt: skip
    if timedelta(seconds=median(late)) <= USUAL_DELAY:
        return LogCheck("delay", name, "ok", said)
    return LogCheck("delay", name, "failed", said, _("That is unusual: does the agent hold its output back?"))


def _spans(seen: Seen) -> LogCheck:
    """Lines are found without them, so that nothing here is a cause."""
    name, told = _("Do the agent’s own spans come?"), seen.spans
    counts = {"found": told.found_count, "all": told.run_count, "group": told.log_group or SPANS_GROUP}
    if not told.run_count:
        return LogCheck("spans", name, "unknown", _("There is no run of this time whose trace is known."))
    if told.found_count:
        said = _("Those of %(found)d of the %(all)d newest runs are in %(group)s.") % counts
        return LogCheck("spans", name, "ok", said)
    if told.is_cut:
        return LogCheck("spans", name, "unknown", _("None in the first five pages of lines; there are more."))
    if isinstance(told.error, LogGroupNotFoundError):
        return LogCheck(
            "spans", name, "unknown", _("%(group)s does not exist: Transaction Search is off.") % counts,
            _("Lines are found without. For the agent’s own spans in a timeline, switch it on in CloudWatch (Settings, "
              "X-Ray traces, Transaction Search)."),
        )  # fmt: skip
    if told.error is not None:
        found = _permission(seen, "spans", name, READ_ACTION, told.error)
        arn = seen.asked.agent.runtime.parsed_arn
        statement = statement_for(READ_ACTION, arn, "spans") if found.statement is not None else None
        return replace(found, state="unknown", statement=statement)
    if seen.is_early:
        return LogCheck("spans", name, "unknown", _("None of %(all)d runs so far.") % counts, _wait())
    return LogCheck(
        "spans", name, "unknown", _("%(group)s can be read, and has none of the %(all)d newest runs.") % counts,
        _("Lines are found without. Deploy the agent with AGENT_OBSERVABILITY_ENABLED=true and "
          "aws-opentelemetry-distro: then it sends its spans."),
    )  # fmt: skip


def _wait() -> str:
    minutes = USUAL_DELAY // timedelta(minutes=1)
    return _("CloudWatch now and then takes up to %(minutes)d minutes. Check again then.") % {"minutes": minutes}


def writing_statement(arn: RuntimeArn) -> Mapping[str, Any]:
    """What an agent's execution role needs to write its logs."""
    groups = f"arn:{arn.partition}:logs:{arn.region}:{arn.account_id}:log-group:/aws/bedrock-agentcore/runtimes/*"
    return {
        "Sid": "AgentLogs",
        "Effect": "Allow",
        "Action": ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"],
        "Resource": [groups, f"{groups}:log-stream:*"],
    }
