"""From what a run saw to answers: only what was observed, in words that do not claim more."""

from __future__ import annotations

from apps.awsverify.smoke.findings import OpenPoint, SmokeRun
from apps.awsverify.smoke.probes import SessionIdAnswer
from apps.awsverify.smoke.turns import BY_ENDPOINT_ARN, COLD, FOR_JSON, Turn

_INVALID = frozenset({"ValidationException", "ParamValidationError"})


def open_points(run: SmokeRun) -> list[OpenPoint]:
    """The eight questions, each with what this run saw of it."""
    no_lines, no_turn = "no usable log line", "the invocation was not made"
    unreadable = f"not readable: {run.metrics.error_code}" if run.metrics else "not asked"
    return [
        OpenPoint(
            "Which shape do the agent's log streams have, and does their name carry the session?", _shape(run), no_lines
        ),
        OpenPoint("Do the headers arrive before the first bytes?", _headers(run), no_turn),
        OpenPoint("Is an endpoint's ARN accepted as agentRuntimeArn?", _endpoint_arn(run), no_turn),
        OpenPoint("Is the request id of the response the one in the log?", _request_ids(run), no_lines),
        OpenPoint("Does Accept: application/json suppress the stream?", _accept(run), no_turn),
        OpenPoint("How long until CloudWatch has a line?", _ingestion(run), no_lines),
        OpenPoint("Which dimensions do AWS's own metrics have?", _metrics(run), unreadable),
        OpenPoint("How long may a session id be?", _session_ids(run.session_id_answers), "not asked"),
    ]


def _shape(run: SmokeRun) -> str | None:
    if run.log is None or not run.log.stream_kinds:
        return None
    names = {"session": "named after the session", "environment": "without the session in the name"}
    return ", ".join(f"{count} {names.get(kind, kind)}" for kind, count in sorted(run.log.stream_kinds.items()))


def _headers(run: SmokeRun) -> str | None:
    seen = [turn for turn in run.turns if turn.headers_ms is not None and turn.first_chunk_ms is not None]
    if not seen:
        return None
    return "by ms: " + ", ".join(f"{turn.name} {_gap_ms(turn):.0f}" for turn in seen)


def _gap_ms(turn: Turn) -> float:
    return (turn.first_chunk_ms or 0.0) - (turn.headers_ms or 0.0)


def _endpoint_arn(run: SmokeRun) -> str | None:
    turn = run.turn(BY_ENDPOINT_ARN)
    if turn is None:
        return None
    return f"yes, HTTP {turn.http_status}" if turn.headers_ms is not None else f"no: {turn.error_code}"


def _request_ids(run: SmokeRun) -> str | None:
    answered = {turn.request_id for turn in run.turns if turn.request_id}
    if run.log is None or not run.log.request_ids or not answered:
        return None
    same = answered & run.log.request_ids
    counts = f"{len(answered)} in responses, {len(run.log.request_ids)} in the log, {len(same)} in both"
    return f"{'yes' if same == answered else 'in part' if same else 'no'}: {counts}"


def _accept(run: SmokeRun) -> str | None:
    usual, for_json = run.turn(COLD), run.turn(FOR_JSON)
    if usual is None or for_json is None or not usual.content_type:
        return None
    if for_json.headers_ms is None:
        return f"the request failed: {for_json.error_code}"
    both = f"{usual.content_type!r} without, {for_json.content_type!r} with it"
    if not usual.is_stream:
        return f"not decided, this agent does not stream: {both}"
    return f"{'no' if for_json.is_stream else 'yes'}: {both}"


def _ingestion(run: SmokeRun) -> str | None:
    if run.log is None or not run.log.ingestion_ms:
        return None
    all_there = run.log.visible_after_ms
    found = "not all markers were settled"
    if all_there is not None:
        found = f"all markers were settled {all_there:.0f} ms after the first question"
    return f"{run.log.ingestion_text()}; {found}"


def _metrics(run: SmokeRun) -> str | None:
    if run.metrics is None or run.metrics.error_code:
        return None
    if not run.metrics.sets:
        return "none is listed yet; metrics of a new agent take some minutes"
    return "; ".join(
        f"{name} by {' or '.join('+'.join(names) or 'nothing' for names in sets)}"
        for name, sets in run.metrics.sets.items()
    )


def _session_ids(answers: list[SessionIdAnswer]) -> str | None:
    if not answers:
        return None
    return ", ".join(
        f"{answer.length}: {'refused' if answer.code in _INVALID else 'taken'} ({answer.code or 'accepted'})"
        for answer in answers
    )
