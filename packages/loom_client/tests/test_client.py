"""The client against a server that answers badly on purpose."""

from __future__ import annotations

import json
from typing import Any

import pytest

from apps.aws.tests.loopback import Exchange, loopback
from loom_client import (
    AmbiguousAgentError,
    ApiError,
    Client,
    LostError,
    Run,
    UnknownAgentError,
    UnreachableError,
)
from loom_client.run import DELAYS_S

START = {"session_id": "s" * 36, "client_invoke_time": 1.0, "created": True, "invocation": 4}


def frame(number: int, name: str, data: dict[str, Any]) -> bytes:
    return f"id: {number}\nevent: {name}\ndata: {json.dumps(data)}\n\n".encode()


def quick(run: Run) -> Run:
    """Do not wait between tries."""
    run._sleep = lambda seconds: None
    return run


def agent(number: int, name: str) -> dict[str, Any]:
    texts = dict.fromkeys(("status", "region", "account_id", "origin", "version", "log_group"), "x")
    return {
        **texts, "id": number, "name": name, "arn": f"arn:{number}", "available_qualifiers": ["DEFAULT"],
        "invocation_count": 0, "endpoints": [], "obstacles": [], "of_a_later_version": 1,
    }  # fmt: skip


def test_a_stream_that_breaks_goes_on_after_the_last_event_and_is_sent_once() -> None:
    def serve(exchange: Exchange) -> None:
        exchange.start_stream()
        if exchange.number == 1:
            exchange.chunk(frame(1, "session_start", START) + frame(3, "chunk", {"text": "a"}))
            exchange.reset()
        elif exchange.number == 2:
            exchange.chunk(b": still running\n\n" + frame(5, "chunk", {"text": "b"}) + b"id: 6\nevent: chu")
            exchange.end_stream()
        else:
            exchange.chunk(frame(6, "chunk", {"text": "c"}) + frame(7, "session_end", {"session_id": "s" * 36}))
            exchange.end_stream()

    with loopback(serve) as server:
        run = quick(Client(server.url, "loom_x").invoke(7, "Hi", payload={"a": 1}))
        events = list(run)

    assert [event.number for event in events] == [1, 3, 5, 6, 7]
    assert (run.text, run.session_id, run.invocation, run.error) == ("abc", "s" * 36, 4, None)
    place = f"/api/agents/7/sessions/{'s' * 36}/events?invocation=4&since="
    assert [(request.method, request.path) for request in server.requests] == [
        ("POST", "/api/agents/7/invoke"), ("GET", f"{place}3"), ("GET", f"{place}5")
    ]  # fmt: skip
    assert json.loads(server.requests[0].body) == {
        "prompt": "Hi", "payload": {"a": 1}, "on_disconnect": "continue"
    }  # fmt: skip
    assert {request.headers["authorization"] for request in server.requests} == {"Bearer loom_x"}


def test_a_run_is_followed_with_what_is_no_text() -> None:
    def serve(exchange: Exchange) -> None:
        exchange.start_stream()
        exchange.chunk(frame(1, "session_start", START) + frame(2, "detail", {"kind": "usage"}))
        if exchange.number == 2:
            exchange.chunk(frame(3, "session_end", {"session_id": "s" * 36}))
        exchange.end_stream()

    with loopback(serve) as server:
        events = list(quick(Client(server.url).follow(7, "s" * 36, 4, detail=True)))

    assert [(event.name, event.data.get("kind")) for event in events if event.name == "detail"] == [
        ("detail", "usage"), ("detail", "usage")
    ]  # fmt: skip
    place = f"/api/agents/7/sessions/{'s' * 36}/events?invocation=4&since="
    assert [request.path for request in server.requests] == [f"{place}0&detail=1", f"{place}2&detail=1"]


def test_a_stream_that_breaks_before_its_first_event_is_asked_for_under_the_same_key() -> None:
    def serve(exchange: Exchange) -> None:
        if exchange.number < 2:
            exchange.hang_up()
            return
        exchange.start_stream()
        exchange.chunk(frame(1, "session_start", START) + frame(2, "error", {"message": "stopped"}))
        exchange.end_stream()

    with loopback(serve) as server:
        run = quick(Client(server.url).invoke(7, "Hi"))
        with pytest.raises(UnreachableError):
            next(run)
        rest = quick(run.again())
        names = [event.name for event in rest]

    assert names == ["session_start", "error"]
    assert rest.error == {"message": "stopped"}
    assert len({request.headers["idempotency-key"] for request in server.requests}) == 1


def test_a_stream_that_never_comes_back_is_lost() -> None:
    waited: list[float] = []

    def serve(exchange: Exchange) -> None:
        exchange.start_stream()
        if exchange.number == 1:
            exchange.chunk(frame(1, "session_start", START))
        exchange.end_stream()

    with loopback(serve) as server:
        run = Client(server.url).invoke(7, "Hi")
        run._sleep = waited.append
        with pytest.raises(LostError):
            list(run)

    assert waited == list(DELAYS_S)
    assert len(server.requests) == 1 + len(DELAYS_S)


def test_a_refusal_says_what_loom_said() -> None:
    body = {
        "error": "session_busy", "message": "This session is answering.",
        "details": {"advice": "Wait.", "retryable": True, "retryAfter": 3, "request_id": "r-1", "agentId": 7},
    }  # fmt: skip
    with loopback(lambda exchange: exchange.reply_json(body, 409)) as server, pytest.raises(ApiError) as raised:
        next(Client(server.url).invoke(7, "Hi"))

    error = raised.value
    assert (error.status, error.code, str(error), error.advice) == (
        409, "session_busy", "This session is answering.", "Wait."
    )  # fmt: skip
    assert (error.is_retryable, error.retry_after_s, error.request_id, error.details["agentId"]) == (True, 3, "r-1", 7)
    assert len(server.requests) == 1


@pytest.mark.parametrize("body", [b"<html>", b"[1]", b""])
def test_a_refusal_of_something_else_is_told_as_well(body: bytes) -> None:
    with loopback(lambda exchange: exchange.reply(502, body)) as server, pytest.raises(ApiError) as raised:
        Client(server.url).agents()

    assert (raised.value.status, str(raised.value)) == (502, "Loom answered with HTTP 502.")


def test_an_agent_is_found_by_id_name_or_arn() -> None:
    agents = [agent(1, "writer"), agent(2, "reader"), agent(3, "reader")]
    with loopback(lambda exchange: exchange.reply_json(agents)) as server:
        client = Client(server.url)
        assert [client.find_agent(text).id for text in ("writer", "3", "arn:2")] == [1, 3, 2]
        with pytest.raises(AmbiguousAgentError, match=r"2  arn:2\n  3  arn:3"):
            client.find_agent("reader")
        with pytest.raises(UnknownAgentError) as unknown:
            client.find_agent("nobody")
        assert str(unknown.value) == "No agent is called 'nobody'. Registered are: reader, writer."
        with pytest.raises(UnknownAgentError) as mistyped:
            client.find_agent("writter")
        assert str(mistyped.value) == "No agent is called 'writter'. Did you mean writer?"


@pytest.mark.parametrize(
    ("count", "said"),
    [
        (0, "No agent is called 'nobody'. None is registered."),
        (9, "No agent is called 'nobody'. 9 are registered; none is called like this."),
    ],
)
def test_a_name_that_is_like_none_is_answered_in_a_line(count: int, said: str) -> None:
    agents = [agent(number, f"writer_{number}") for number in range(count)]
    with loopback(lambda exchange: exchange.reply_json(agents)) as server, pytest.raises(UnknownAgentError) as unknown:
        Client(server.url).find_agent("nobody")
    assert str(unknown.value) == said


def test_nothing_that_answers_is_said_and_not_tried_again() -> None:
    with loopback(lambda exchange: exchange.hang_up()) as server:
        url = server.url
    with pytest.raises(UnreachableError, match=f"Nothing answers at {url}"):
        Client(url).agents()
    with pytest.raises(UnreachableError):
        next(Client(url).invoke(1, "Hi"))


@pytest.mark.parametrize("url", ["127.0.0.1:8000", "ftp://x", "http://", ""])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="looks like"):
        Client(url)


@pytest.mark.parametrize(
    ("name", "data", "count"),
    [
        ("session_end", {"session_id": "s", "unread_event_count": 5}, 5),
        ("session_end", {"session_id": "s"}, 0),
        ("error", {"message": "It broke.", "details": {"unread_event_count": 2}}, 2),
        ("error", {"message": "It broke.", "details": {}}, 0),
    ],
)
def test_a_run_knows_at_its_end_how_much_was_not_understood(name: str, data: dict[str, Any], count: int) -> None:
    def serve(exchange: Exchange) -> None:
        exchange.start_stream()
        exchange.chunk(frame(1, "session_start", START) + frame(3, name, data))
        exchange.end_stream()

    with loopback(serve) as server:
        run = Client(server.url).invoke(7, "Hi")
        assert run.unread_event_count == 0
        list(run)
    assert run.unread_event_count == count
