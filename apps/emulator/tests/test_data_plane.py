from __future__ import annotations

import json
import socket
import threading
from datetime import datetime
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from botocore.exceptions import ClientError

from apps.emulator.agents.answers import CLAIMS, TRAVEL, TRAVEL_BRIEF, TUTOR
from apps.emulator.faults import STATUS_OF_CODE
from apps.emulator.tests.running_emulator import (
    RunningEmulator,
    new_session_id,
    running_emulator,
    text_of,
    wait_until,
)

SIGNED = {
    "Authorization": "AWS4-HMAC-SHA256 Credential=testing/20261120/us-east-1/bedrock-agentcore/aws4_request, "
    "SignedHeaders=host, Signature=00"
}
SESSION_HEADER = "X-Amzn-Bedrock-AgentCore-Runtime-Session-Id"


def test_an_answer_streams_as_the_sdk_frames_it(emulator: RunningEmulator) -> None:
    """S0-050, S1-004: the text arrives complete, in many chunks, and the record counts them."""
    session_id = new_session_id()

    answer, body = emulator.invoke("travel_concierge", "a weekend\nby train", runtimeSessionId=session_id)

    assert text_of(body) == TRAVEL[0].replace("{prompt}", "a weekend by train")
    assert (answer["statusCode"], answer["contentType"], answer["runtimeSessionId"]) == (
        200,
        "text/event-stream; charset=utf-8",
        session_id,
    )
    assert answer["traceId"].startswith("Root=1-")
    assert len(answer["ResponseMetadata"]["RequestId"]) == 36
    (record,) = emulator.truth(session_id)
    assert record["tokens_sent"] == body.count(b"\n\n")
    instants = [record[name] for name in ("received_at", "started_at", "first_byte_at", "last_byte_at")]
    assert instants == sorted(instants)
    assert {name: record[name] for name in ("session_id", "runtime_id", "qualifier", "version", "client_gone_at")} == {
        "session_id": session_id,
        "runtime_id": "travel_concierge-Xk29QmT7aB",
        "qualifier": "DEFAULT",
        "version": "3",
        "client_gone_at": None,
    }


def test_the_qualifier_chooses_the_version(emulator: RunningEmulator) -> None:
    session_id = new_session_id()

    _, body = emulator.invoke("travel_concierge", "Rome", runtimeSessionId=session_id, qualifier="prod")

    assert text_of(body) == TRAVEL_BRIEF[0].replace("{prompt}", "Rome")
    (record,) = emulator.truth(session_id)
    assert (record["qualifier"], record["version"]) == ("prod", "2")


def test_the_first_invocation_of_a_session_is_cold_and_the_next_warm(emulator: RunningEmulator) -> None:
    session_id = new_session_id()
    emulator.order_fault(kind="start_kind", start_kind="created", runtime_id="code_tutor-9sVbN3yRfK")

    _, first = emulator.invoke("code_tutor", "files", runtimeSessionId=session_id)
    _, second = emulator.invoke("code_tutor", "tests", runtimeSessionId=session_id)

    assert [text_of(first), text_of(second)] == [
        TUTOR[0].replace("{prompt}", "files"),
        TUTOR[1].replace("{prompt}", "tests"),
    ]
    assert [(record["start_kind"], record["is_cold"]) for record in emulator.truth(session_id)] == [
        ("created", True),
        ("reused", False),
    ]


def test_a_session_id_is_made_when_none_is_given(emulator: RunningEmulator) -> None:
    url = f"{emulator.url}/runtimes/{quote(emulator.arn('sentiment_scorer'), safe='')}/invocations"

    answer = httpx.post(url, headers=SIGNED, json={"prompt": "good, but slow and late"})

    assert answer.json() == {"sentiment": "negative", "score": -0.33, "words": 5, "language": "en"}
    (record,) = emulator.truth(answer.headers[SESSION_HEADER])
    assert (record["runtime_id"], record["tokens_sent"]) == ("sentiment_scorer-Aw8DkP4vGn", 1)


def test_a_json_agent_answers_one_body(emulator: RunningEmulator) -> None:
    client = emulator.client("bedrock-agentcore", "eu-west-1")

    answer = client.invoke_agent_runtime(
        agentRuntimeArn=emulator.arn("release_digest", "eu-west-1"), payload=json.dumps({"prompt": "v2"})
    )

    assert answer["contentType"] == "application/json"
    assert json.loads(answer["response"].read()) == {
        "result": "Three changes matter for “v2”: faster search, stricter uploads, a new export.",
        "note": "scripted demo answer",
    }


def test_an_agent_that_fails_half_way_says_so_at_status_200(emulator: RunningEmulator) -> None:
    answer, body = emulator.invoke("claims_intake", "hail damage")

    events = [json.loads(line.removeprefix("data: ")) for line in body.decode().splitlines() if line]
    assert answer["statusCode"] == 200
    assert "".join(events[:-1]) == CLAIMS[0].replace("{prompt}", "hail damage")
    assert events[-1] == {
        "error": "rate table of region 7 is not available",
        "error_type": "LookupError",
        "message": "An error occurred during streaming",
    }


@pytest.mark.parametrize("code", sorted(STATUS_OF_CODE))
def test_each_error_arrives_as_boto3_names_it(emulator: RunningEmulator, code: str) -> None:
    emulator.order_fault(kind="error", code=code, message=f"emulated {code}")

    with pytest.raises(ClientError) as caught:
        emulator.invoke("travel_concierge")

    response = caught.value.response
    assert response["Error"]["Code"] == code
    assert response["Error"]["Message"] == f"emulated {code}"
    assert response["ResponseMetadata"]["HTTPStatusCode"] == STATUS_OF_CODE[code]


def test_a_payload_that_the_agent_cannot_read_is_a_runtime_client_error(emulator: RunningEmulator) -> None:
    session_id = new_session_id()

    with pytest.raises(ClientError) as caught:
        emulator.invoke("travel_concierge", payload=b"{not json", runtimeSessionId=session_id)

    assert caught.value.response["Error"] == {
        "Code": "RuntimeClientError",
        "Message": "Received error (400) from runtime. Please check your CloudWatch logs for more information",
    }
    group = "/aws/bedrock-agentcore/runtimes/travel_concierge-Xk29QmT7aB-DEFAULT"
    lines = emulator.messages(group, filterPattern=f'"{session_id}"')
    assert [json.loads(line)["message"].split(" (")[0] for line in lines] == ["Invalid JSON in request"]


def test_a_runtime_that_does_not_start_is_a_runtime_client_error_and_starts_anew(emulator: RunningEmulator) -> None:
    session_id = new_session_id()
    emulator.order_fault(kind="start_failure", runtime_id="travel_concierge-Xk29QmT7aB")

    with pytest.raises(ClientError, match="An error occurred when starting the runtime"):
        emulator.invoke("travel_concierge", runtimeSessionId=session_id)
    emulator.invoke("travel_concierge", runtimeSessionId=session_id)

    records = emulator.truth(session_id)
    assert [record["started_at"] is None for record in records] == [True, False]
    assert records[1]["start_kind"] == "created"


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ({"qualifier": "staging"}, "ResourceNotFoundException"),
        (
            {"agentRuntimeArn": "arn:aws:bedrock-agentcore:us-east-1:123456789012:runtime/gone-0123456789"},
            "ResourceNotFoundException",
        ),
        (
            {"agentRuntimeArn": "arn:aws:bedrock-agentcore:eu-west-1:123456789012:runtime/release_digest-Hc7MxB5iZt"},
            "ResourceNotFoundException",
        ),
        (
            {"agentRuntimeArn": "arn:aws:bedrock-agentcore:us-east-1:111122223333:runtime/code_tutor-9sVbN3yRfK"},
            "AccessDeniedException",
        ),
        (
            {"agentRuntimeArn": "arn:aws:bedrock-agentcore:us-east-1:123456789012:runtime/code_tutor-9sVbN3yRfK:5"},
            "ValidationException",
        ),
        ({"runtimeSessionId": "this is not a session id, but it is long enough"}, "ValidationException"),
    ],
)
def test_what_does_not_exist_is_refused(emulator: RunningEmulator, arguments: dict[str, str], code: str) -> None:
    """S0-102 and the rules for ARNs and session ids."""
    valid = {"agentRuntimeArn": emulator.arn("code_tutor"), "payload": "{}"}

    with pytest.raises(ClientError) as caught:
        emulator.client("bedrock-agentcore").invoke_agent_runtime(**{**valid, **arguments})

    assert caught.value.response["Error"]["Code"] == code


def test_an_endpoint_arn_and_an_id_with_account_name_the_runtime_too(emulator: RunningEmulator) -> None:
    client = emulator.client("bedrock-agentcore")
    session_id = new_session_id()

    client.invoke_agent_runtime(
        agentRuntimeArn=f"{emulator.arn('travel_concierge')}/runtime-endpoint/prod",
        runtimeSessionId=session_id,
        payload="{}",
    )["response"].read()
    client.invoke_agent_runtime(
        agentRuntimeArn="travel_concierge-Xk29QmT7aB",
        accountId="123456789012",
        runtimeSessionId=session_id,
        payload="{}",
    )["response"].read()

    assert [record["qualifier"] for record in emulator.truth(session_id)] == ["prod", "DEFAULT"]


def test_a_payload_above_the_limit_is_refused(emulator: RunningEmulator) -> None:
    url = f"{emulator.url}/runtimes/{quote(emulator.arn('code_tutor'), safe='')}/invocations"

    answer = httpx.post(url, headers=SIGNED, content=iter([b"x" * 50_000_000, b"x" * 50_000_001]))

    assert (answer.status_code, answer.headers["x-amzn-errortype"]) == (400, "ValidationException")


def test_a_runtime_without_mmds_v2_cannot_be_invoked(emulator: RunningEmulator) -> None:
    """An update that does not speak of it keeps what was: assumed, for AWS's toolkit never sends it."""
    control = emulator.client("bedrock-agentcore-control")
    members: dict[str, Any] = {
        "agentRuntimeArtifact": {
            "containerConfiguration": {"containerUri": "123456789012.dkr.ecr.us-east-1.amazonaws.com/a:1"}
        },
        "roleArn": "arn:aws:iam::123456789012:role/AgentRuntimeRole",
        "networkConfiguration": {"networkMode": "PUBLIC"},
    }
    runtime_id = control.create_agent_runtime(agentRuntimeName="made_without_mmds", **members)["agentRuntimeId"]
    emulator.advance(10)
    emulator.invoke("made_without_mmds")
    control.update_agent_runtime(agentRuntimeId=runtime_id, **members)
    emulator.advance(10)
    emulator.invoke("made_without_mmds")
    off = {"requireMMDSV2": False}
    control.update_agent_runtime(agentRuntimeId=runtime_id, metadataConfiguration=off, **members)
    emulator.advance(10)

    with pytest.raises(ClientError, match="This runtime is not MMDSv2-enabled"):
        emulator.invoke("made_without_mmds")


@pytest.mark.parametrize("phase", ["slow_start", "hang"])
def test_a_client_that_leaves_before_the_first_byte_is_noticed_at_once(emulator: RunningEmulator, phase: str) -> None:
    session_id = new_session_id()
    emulator.order_fault(kind=phase, seconds=30, runtime_id="travel_concierge-Xk29QmT7aB")
    host, port = emulator.url.removeprefix("http://").split(":")
    path = f"/runtimes/{quote(emulator.arn('travel_concierge'), safe='')}/invocations"
    head = [f"POST {path} HTTP/1.1", f"Host: {host}:{port}", "Content-Length: 2", f"{SESSION_HEADER}: {session_id}"]
    head += [f"{name}: {value}" for name, value in SIGNED.items()]
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall("\r\n".join([*head, "", "{}"]).encode())
        wait_until(lambda: emulator.truth(session_id))
        if phase == "hang":
            wait_until(lambda: emulator.truth(session_id)[0]["started_at"])
        assert emulator.truth(session_id)[0]["client_gone_at"] is None

    wait_until(lambda: emulator.truth(session_id)[0]["client_gone_at"])
    (record,) = emulator.truth(session_id)
    assert (record["first_byte_at"], record["last_byte_at"], record["tokens_sent"]) == (None, None, 0)


def test_a_client_that_leaves_mid_stream_ends_the_answer(emulator: RunningEmulator) -> None:
    session_id = new_session_id()
    emulator.order_fault(kind="silence", seconds=30, after_chunks=3, session_id=session_id)

    answer = emulator.begin("travel_concierge", runtimeSessionId=session_id)
    wait_until(lambda: emulator.truth(session_id)[0]["tokens_sent"] == 3)
    answer["response"].close()

    wait_until(lambda: emulator.truth(session_id)[0]["client_gone_at"])
    (record,) = emulator.truth(session_id)
    assert (record["tokens_sent"], record["last_byte_at"]) == (3, None)


def test_an_answer_goes_on_when_its_silence_is_ended(emulator: RunningEmulator) -> None:
    session_id = new_session_id()
    emulator.order_fault(kind="silence", seconds=3_600, after_chunks=3, session_id=session_id)

    answer = emulator.begin("travel_concierge", runtimeSessionId=session_id)
    wait_until(lambda: emulator.truth(session_id)[0]["tokens_sent"] == 3)
    emulator.end_silences()

    assert answer["response"].read().count(b"\n\n") > 3
    assert emulator.truth(session_id)[0]["last_byte_at"] is not None


def test_a_cut_breaks_the_stream_without_an_end(emulator: RunningEmulator) -> None:
    session_id = new_session_id()
    emulator.order_fault(kind="cut", after_chunks=5, session_id=session_id)
    url = f"{emulator.url}/runtimes/{quote(emulator.arn('travel_concierge'), safe='')}/invocations"
    received = b""

    with (
        pytest.raises(httpx.RemoteProtocolError, match="incomplete chunked read"),
        httpx.stream("POST", url, headers={**SIGNED, SESSION_HEADER: session_id}, json={"prompt": "x"}) as answer,
    ):
        for part in answer.iter_raw():
            received += part

    assert received.count(b"\n\n") == 5
    (record,) = emulator.truth(session_id)
    assert (record["tokens_sent"], record["last_byte_at"], record["client_gone_at"]) == (5, None, None)


def test_a_second_invocation_while_the_first_is_provisioned_may_be_retried(emulator: RunningEmulator) -> None:
    """409 RetryableConflictException, and the same request succeeds later."""
    session_id = new_session_id()
    emulator.order_fault(kind="start_kind", start_kind="created", runtime_id="contract_reviewer-p4HwZ81LcE")
    emulator.order_fault(kind="slow_start", seconds=2, runtime_id="contract_reviewer-p4HwZ81LcE")
    first = threading.Thread(
        target=emulator.invoke, args=("contract_reviewer",), kwargs={"runtimeSessionId": session_id}
    )
    first.start()
    wait_until(lambda: emulator.truth(session_id))

    with pytest.raises(ClientError) as caught:
        emulator.invoke("contract_reviewer", runtimeSessionId=session_id)
    first.join()
    emulator.invoke("contract_reviewer", runtimeSessionId=session_id)

    assert caught.value.response["Error"] == {
        "Code": "RetryableConflictException",
        "Message": "Session operation in progress, please retry",
    }
    assert [record["start_kind"] for record in emulator.truth(session_id)] == ["created", None, "reused"]


def test_a_planted_shift_delays_the_endpoint_that_it_names() -> None:
    """What a bench of two endpoints is to find."""
    first_bytes: dict[str, list[float]] = {"DEFAULT": [], "prod": []}
    with running_emulator("--seed", "7", "--time-scale", "0.02", "--shifts", "code_tutor:prod=20000") as emulator:
        for qualifier, found in first_bytes.items():
            session_id = new_session_id()
            emulator.invoke("code_tutor", "Hi", runtimeSessionId=session_id, qualifier=qualifier)
            [record] = emulator.truth(session_id)
            begun, first = (datetime.fromisoformat(record[name]) for name in ("started_at", "first_byte_at"))
            found.append((first - begun).total_seconds())
    assert first_bytes["prod"][0] >= 0.4  # 20 s at this scale
    assert first_bytes["DEFAULT"][0] < first_bytes["prod"][0]
