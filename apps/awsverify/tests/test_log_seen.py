from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import pytest

from apps.aws.tests.loopback import Exchange, loopback
from apps.awsverify.smoke.log_seen import LogSeen, SessionPlace, see_log
from apps.awsverify.smoke.turns import Turn
from loom_client import Client

SESSION = "s" * 36
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
GROUP = "/aws/bedrock-agentcore/runtimes/my_agent-AbCdEf1234-DEFAULT"


def latency(**known: Any) -> dict[str, Any]:
    """An answer of Loom's API about the first run, of which nothing is known but what is given."""
    unknown = dict.fromkeys(
        ("client_duration_ms", "time_to_first_token_ms", "startup_latency_ms", "cold_start_latency_ms", "low_ms",
         "high_ms", "is_cold", "agent_start_time_iso", "marker_rank")
    )  # fmt: skip
    return {
        **unknown, "session_id": SESSION, "qualifier": "DEFAULT", "invocation": 1, "status": "complete",
        "state": "waiting", "start_kind": "created", "start_kind_reason": "", "source": "", "log_group": GROUP,
        "log_stream": "", "error": "", "error_code": "", "tries": 1,
        "client_invoke_time_iso": "2026-11-20T12:00:00Z", **known,
    }  # fmt: skip


def found(rank: int, state: str, tries: int) -> dict[str, Any]:
    return latency(
        state=state, marker_rank=rank, source=f"marker {rank}", agent_start_time_iso="2026-11-20T12:00:00.250Z",
        startup_latency_ms=250.0, tries=tries,
    )  # fmt: skip


def see(answers: list[dict[str, Any]], wait_s: float = 60) -> LogSeen:
    """Ask a Loom that gives these answers in turn, the last one for ever, and has no lines."""

    def serve(exchange: Exchange) -> None:
        if urlsplit(exchange.request.path).path.endswith("/latency"):
            exchange.reply_json(answers.pop(0) if len(answers) > 1 else answers[0])
        else:
            exchange.reply_json({"log_group": GROUP, "log_stream": "", "events": [], "has_more": False})

    turn = Turn("cold", number=1, invoked_at=NOON, headers_ms=200.0)
    with loopback(serve) as server:
        place = SessionPlace(7, SESSION, "DEFAULT")
        return see_log(Client(server.url), place, [turn], wait_s=wait_s, poll_every_s=0.001)


def test_a_weaker_line_is_not_reported_while_a_stronger_one_may_arrive() -> None:
    """Lines of one start reach CloudWatch one by one, the best not first."""
    seen = see([latency(), found(2, "provisional", 1), found(2, "provisional", 2), found(1, "measured", 3)])

    assert [(start.rank, start.state, start.startup_ms) for start in seen.starts] == [(1, "measured", 250.0)]
    assert (seen.reading_count, seen.has_measured_all) == (3, True)
    assert seen.visible_after_ms is not None


@pytest.mark.parametrize(("rank", "is_measured"), [(2, True), (4, False)])
def test_what_does_not_settle_in_time_is_reported_as_what_it_is(rank: int, is_measured: bool) -> None:
    seen = see([found(rank, "provisional", 1)], wait_s=0)

    assert [(start.rank, start.state) for start in seen.starts] == [(rank, "provisional")]
    assert (seen.visible_after_ms, seen.has_measured_all) == (None, is_measured)


def test_a_refusal_ends_the_wait_and_a_group_that_is_not_made_yet_does_not() -> None:
    missing = latency(error_code="ResourceNotFoundException", error="The group does not exist.")
    refused = latency(error_code="AccessDeniedException", error="You may not.", tries=2)
    seen = see([missing, refused, found(1, "measured", 3)])

    assert (seen.error_code, seen.error_message, seen.reading_count) == ("AccessDeniedException", "You may not.", 2)
    assert seen.advice.startswith("check_aws says")
