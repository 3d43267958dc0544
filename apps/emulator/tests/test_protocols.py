"""Bodies, addresses and headers that no SDK sends are answered in the form of their protocol, never with a 500."""

from __future__ import annotations

import json
from urllib.parse import quote

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from apps.emulator.account import EmulatedAccount
from apps.emulator.application import create_application
from apps.emulator.config import EmulatorConfig
from apps.emulator.tests.raw_requests import call_json, refusal_of, signed
from apps.emulator.tests.running_emulator import RunningEmulator

ID = "code_tutor-9sVbN3yRfK"
NO_OBJECTS = [
    b"[]",
    b'"text"',
    b"1",
    b"null",
    b"{",
    b"{}{}",
    b"no JSON",
    b" ",
    b"\xff\xfe",
    b'{"limit": NaN}',
    b'{"limit": Infinity}',
    b'{"limit": ' + b"9" * 5000 + b"}",
    b"[" * 100_000,
    b'{"a":' * 100_000,
]


@pytest.mark.parametrize("body", NO_OBJECTS, ids=range(len(NO_OBJECTS)))
def test_a_body_that_is_no_object_is_refused_in_each_protocol(emulator: RunningEmulator, body: bytes) -> None:
    for service, operation in (("logs", "DescribeLogGroups"), ("cloudwatch", "GetMetricData")):
        found = refusal_of(call_json(emulator, service, operation, body))
        assert (found.status, found.code) == (400, "SerializationException")
    answer = emulator.http.put("/runtimes/", content=body, headers=signed("bedrock-agentcore"))
    found = refusal_of(answer)
    assert (found.status, found.code, found.reason) == (400, "ValidationException", "CannotParse")


def test_no_body_is_an_empty_object(emulator: RunningEmulator) -> None:
    groups = call_json(emulator, "logs", "DescribeLogGroups", b"")
    created = emulator.http.put("/runtimes/", headers=signed("bedrock-agentcore"))

    assert groups.status_code == 200
    assert refusal_of(created).message.startswith("3 validation errors detected: Value null at 'agentRuntimeName'")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/runtimes/"),
        ("POST", f"/runtimes/{ID}/"),
        ("GET", f"/runtimes/{ID}"),
        ("PATCH", f"/runtimes/{ID}/"),
        ("GET", f"/runtimes/{ID}/nothing/"),
        ("GET", f"/runtimes/{ID}/invocations"),
        ("GET", "/"),
        ("POST", "/"),
        ("OPTIONS", "/"),
        ("GET", "/nothing"),
        ("POST", "/service/GraniteServiceVersion20100801/operation/GetMetricData"),
    ],
)
def test_another_address_or_method_is_an_unknown_operation(emulator: RunningEmulator, method: str, path: str) -> None:
    answer = emulator.http.request(method, path, headers=signed("bedrock-agentcore"))

    assert (answer.status_code, answer.headers["x-amzn-errortype"]) == (404, "UnknownOperationException")


@pytest.mark.parametrize(
    ("target", "content_type"),
    [
        ("Logs_20140328.StartQuery", "application/x-amz-json-1.1"),
        ("Logs_20140328.describeloggroups", "application/x-amz-json-1.1; charset=utf-8"),
        ("Logs_20140328.", "application/x-amz-json-1.1"),
        ("DescribeLogGroups", "application/json"),
        ("GraniteServiceVersion20100801.ListMetrics", "application/x-amz-json-1.0"),
    ],
)
def test_an_unknown_target_is_an_unknown_operation(emulator: RunningEmulator, target: str, content_type: str) -> None:
    headers = {"X-Amz-Target": target, "Content-Type": content_type, **signed("logs")}

    found = refusal_of(emulator.http.post("/", content=b"{}", headers=headers))

    assert (found.status, found.code) == (400, "UnknownOperationException")


@pytest.mark.parametrize("content_type", ["application/x-amz-json-1.1; charset=utf-8", "application/json", ""])
def test_the_target_alone_names_the_operation(emulator: RunningEmulator, content_type: str) -> None:
    headers = {"X-Amz-Target": "Logs_20140328.DescribeLogGroups", "Content-Type": content_type, **signed("logs")}

    assert emulator.http.post("/", content=b"{}", headers=headers).json().keys() >= {"logGroups"}


@pytest.mark.parametrize(
    ("runtime_id", "status"),
    [
        (quote("arn:aws:bedrock-agentcore:us-east-1:123456789012:runtime/" + ID, safe=""), 400),
        (quote("../" + ID, safe=""), 400),
        (quote("a b", safe=""), 400),
        (quote("ümlaut-0123456789"), 400),
        (ID.replace("-", "%2D"), 200),
        (ID.replace("-", "%252D"), 400),
        (ID[:-1], 400),
        (ID.replace("code", "Code"), 404),
    ],
)
def test_an_id_is_one_part_of_the_path_however_it_is_written(
    emulator: RunningEmulator, runtime_id: str, status: int
) -> None:
    answer = emulator.http.get(f"/runtimes/{runtime_id}/", headers=signed("bedrock-agentcore"))

    assert answer.status_code == status
    if status == 400:
        assert refusal_of(answer).code == "ValidationException"


@pytest.mark.parametrize("safe", ["", ":", ":/", "/"])
def test_an_arn_is_read_however_it_is_encoded(emulator: RunningEmulator, safe: str) -> None:
    arn = quote(emulator.arn("sentiment_scorer"), safe=safe)

    answer = emulator.http.post(f"/runtimes/{arn}/invocations", headers=signed("bedrock-agentcore"), json={})

    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("headers", "parameters", "place"),
    [
        ({"X-Amzn-Bedrock-AgentCore-Runtime-Session-Id": "s" * 32}, {}, "runtimeSessionId"),
        ({"X-Amzn-Bedrock-AgentCore-Runtime-Session-Id": "s" * 257}, {}, "runtimeSessionId"),
        ({"X-Amzn-Bedrock-AgentCore-Runtime-User-Id": "u" * 1025}, {}, "runtimeUserId"),
        ({"X-Amzn-Trace-Id": "t" * 129}, {}, "traceId"),
        ({"baggage": "b" * 8193}, {}, "baggage"),
        ({}, {"accountId": "12345"}, "accountId"),
    ],
)
def test_headers_of_an_invocation_are_bounded(
    emulator: RunningEmulator, headers: dict[str, str], parameters: dict[str, str], place: str
) -> None:
    url = f"/runtimes/{quote(emulator.arn('sentiment_scorer'), safe='')}/invocations"

    answer = emulator.http.post(url, params=parameters, headers={**signed("bedrock-agentcore"), **headers}, json={})

    found = refusal_of(answer)
    assert (found.status, found.code) == (400, "ValidationException")
    assert f"at '{place}' failed to satisfy constraint" in found.message


@pytest.mark.parametrize(
    ("account_id", "outcome"),
    [("123456789012", (200, None)), ("111122223333", (403, "AccessDeniedException"))],
)
def test_an_id_with_its_account_is_invoked(
    emulator: RunningEmulator, account_id: str, outcome: tuple[int, str | None]
) -> None:
    runtime_id = emulator.arn("sentiment_scorer").rpartition("/")[2]
    url = f"/runtimes/{runtime_id}/invocations"

    answer = emulator.http.post(url, params={"accountId": account_id}, headers=signed("bedrock-agentcore"), json={})

    assert (answer.status_code, answer.headers.get("x-amzn-errortype")) == outcome


def test_sts_answers_errors_in_its_own_protocol(emulator: RunningEmulator) -> None:
    unsigned = emulator.http.post("/", data={"Action": "GetCallerIdentity", "Version": "2011-06-15"})
    unknown = emulator.http.post("/", data={"Action": "<AssumeRole>"}, headers=signed("sts"))

    assert (unsigned.status_code, unsigned.headers["content-type"]) == (403, "text/xml; charset=utf-8")
    assert "<Code>MissingAuthenticationTokenException</Code>" in unsigned.text
    assert (unknown.status_code, "<Code>InvalidAction</Code>" in unknown.text) == (400, True)
    assert "operation &lt;AssumeRole&gt; for" in unknown.text


async def test_a_failure_of_the_emulator_is_answered_in_each_protocol() -> None:
    async def fail(request: Request) -> Response:
        raise RuntimeError("on purpose")

    application = create_application(EmulatedAccount(EmulatorConfig(seed=1), seed=1))
    application.router.routes.insert(0, Route("/{path:path}", fail, methods=["POST", "GET"]))
    transport = httpx.ASGITransport(application, raise_app_exceptions=False)
    json_headers = {"X-Amz-Target": "Logs_20140328.DescribeLogGroups", "Content-Type": "application/x-amz-json-1.1"}
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        logs = await client.post("/", headers=json_headers)
        sts = await client.post("/", data={"Action": "GetCallerIdentity"})
        rest = await client.get("/runtimes/")

    assert [answer.status_code for answer in (logs, sts, rest)] == [500, 500, 500]
    assert logs.json() == {"__type": "InternalServerException", "message": "An internal error occurred"}
    assert "<Type>Receiver</Type><Code>InternalServerException</Code>" in sts.text
    assert rest.headers["x-amzn-errortype"] == "InternalServerException"
    assert json.loads(rest.text) == {"message": "An internal error occurred"}
