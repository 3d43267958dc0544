"""The spans of a request, as the account's group of them holds them."""

from __future__ import annotations

import json
from typing import Any

from apps.emulator.tests.running_emulator import RunningEmulator, new_session_id


def spans_of(emulator: RunningEmulator, trace_header: str) -> list[dict[str, Any]]:
    digits = trace_header.removeprefix("Root=1-").replace("-", "")
    page = emulator.client("logs").filter_log_events(logGroupName="aws/spans", filterPattern=f'"{digits}"')
    return [json.loads(event["message"]) for event in page["events"]]


def test_a_request_s_spans_go_to_the_account_s_group_by_the_trace_that_its_answer_names(
    emulator: RunningEmulator,
) -> None:
    session_id = new_session_id()
    response, body = emulator.invoke("inventory_analyst", "screws", runtimeSessionId=session_id)
    spans = spans_of(emulator, response["traceId"])

    by_id = {span["spanId"]: span for span in spans}
    nesting = sorted(
        (span["name"], by_id[span["parentSpanId"]]["name"] if "parentSpanId" in span else "") for span in spans
    )
    agent, cycle = "invoke_agent inventory_analyst", "execute_event_loop_cycle"
    assert nesting == sorted([
        ("POST /invocations", ""), (agent, "POST /invocations"), *[(cycle, agent)] * 3, *[("chat", cycle)] * 3,
        ("execute_tool query_stock", cycle), ("execute_tool list_deliveries", cycle),
    ])  # fmt: skip
    for span in spans:
        inside = by_id.get(span.get("parentSpanId", ""), span)
        assert inside["startTimeUnixNano"] <= span["startTimeUnixNano"] <= span["endTimeUnixNano"]
        assert span["endTimeUnixNano"] <= inside["endTimeUnixNano"]
        assert span["durationNano"] == span["endTimeUnixNano"] - span["startTimeUnixNano"]
    tool = next(span for span in spans if span["name"] == "execute_tool query_stock")
    assert tool["attributes"]["gen_ai.tool.call.id"].encode() in body
    assert {span["attributes"]["session.id"] for span in spans} == {session_id}


def test_the_spans_that_an_error_ends_have_failed(emulator: RunningEmulator) -> None:
    response, _ = emulator.invoke("claims_intake", "screws")
    spans = spans_of(emulator, response["traceId"])
    assert {span["name"]: span["status"]["code"] for span in spans} == {
        "POST /invocations": "ERROR", "invoke_agent claims_intake": "ERROR", "chat": "ERROR",
    }  # fmt: skip
