"""What is typed ahead: in its order, once each, changed and taken back in time, and held by a stop."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.test import AsyncClient
from django.utils import timezone

from apps.accounts.models import User
from apps.core.exceptions import InvalidInputError, MissingError
from apps.sessions.engine.engine import Engine
from apps.sessions.engine.recording import Pending, finish_invocation
from apps.sessions.exceptions import QueueFullError, RequestKeyReusedError
from apps.sessions.invoking import Request, start_invocation, stop_invocation
from apps.sessions.models import Invocation, QueuedPrompt, Session
from apps.sessions.tests.memory_host import MemoryHost
from apps.sessions.tests.queueing import MakeSession, echo, taker, talk  # noqa: F401 -- fixtures
from apps.sessions.tests.waiting import wait_until
from apps.sessions.typed_ahead import (
    MOST_AHEAD,
    add_prompt,
    ahead_of,
    change_prompt,
    move_prompt,
    remove_prompt,
    remove_prompts,
    send_next,
    send_or_add,
)


def texts(session: Session) -> list[str]:
    return [prompt.text for prompt in ahead_of(session).prompts]


@pytest.fixture
def busy(make_session: Callable[..., Session]) -> Session:
    """A session that answers, and ends only when a test says so."""
    session = make_session()
    start_invocation(session=session, prompt="Go", process_id=None)
    return session


def end(session: Session, status: str = "completed") -> None:
    run = session.invocations.get(status__in=Invocation.UNFINISHED)
    assert finish_invocation(None, Pending(run.pk, []), status=status, completed_at=timezone.now())


def added(session: Session, *prompts: str) -> list[int]:
    waiting = [add_prompt(session=session, request=Request(prompt, key=prompt)) for prompt in prompts]
    assert all(isinstance(prompt, QueuedPrompt) for prompt in waiting)
    return [prompt.pk for prompt in waiting]


def test_prompts_are_moved_changed_and_taken_back(busy: Session) -> None:
    one, two, three = added(busy, "one", "two", "three")

    assert [prompt.pk for prompt in move_prompt(session=busy, prompt_id=three, place=1)] == [three, one, two]
    assert texts(busy) == ["three", "one", "two"]
    move_prompt(session=busy, prompt_id=three, place=99)
    move_prompt(session=busy, prompt_id=one, place=2)
    change_prompt(session=busy, prompt_id=two, text="two, said better")
    assert texts(busy) == ["two, said better", "one", "three"]
    remove_prompt(session=busy, prompt_id=one)
    assert texts(busy) == ["two, said better", "three"]

    end(busy)
    assert texts(busy) == ["three"]
    assert [run.prompt for run in busy.invocations.order_by("number")] == ["Go", "two, said better"]
    for change in (
        lambda: change_prompt(session=busy, prompt_id=two, text="too late"),
        lambda: move_prompt(session=busy, prompt_id=two, place=1),
        lambda: remove_prompt(session=busy, prompt_id=two),
    ):
        with pytest.raises(MissingError, match="does not wait any more"):
            change()
    assert remove_prompts(session=busy) == 1
    end(busy)
    assert not ahead_of(busy).prompts and busy.invocations.count() == 2


def test_nothing_and_too_much_is_refused(busy: Session) -> None:
    waiting = added(busy, *(f"prompt {number}" for number in range(MOST_AHEAD)))
    with pytest.raises(QueueFullError):
        add_prompt(session=busy, request=Request("one too many"))
    assert add_prompt(session=busy, request=Request("prompt 3", key="prompt 3")).pk == waiting[3]
    with pytest.raises(RequestKeyReusedError):
        add_prompt(session=busy, request=Request("another", key="prompt 3"))
    for text in ("  ", ""):
        with pytest.raises(InvalidInputError, match="empty"):
            add_prompt(session=busy, request=Request(text))
        with pytest.raises(InvalidInputError, match="empty"):
            change_prompt(session=busy, prompt_id=waiting[0], text=text)
    with pytest.raises(InvalidInputError, match="stays a prompt"):
        change_prompt(session=busy, prompt_id=waiting[0], text="{}", is_payload=True)


def test_a_prompt_that_was_sent_by_another_way_meanwhile_is_not_sent_again(busy: Session) -> None:
    added(busy, "one", "two")
    end(busy)  # "one" is a run now
    assert isinstance(add_prompt(session=busy, request=Request("one", key="one")), Invocation)
    QueuedPrompt.objects.create(session=busy, position=1, text="one", request_key="one", created_at=timezone.now())
    assert texts(busy) == ["one", "two"]

    end(busy)

    assert [run.prompt for run in busy.invocations.order_by("number")] == ["Go", "one", "two"]
    assert not ahead_of(busy).prompts


def test_a_body_waits_as_it_is(busy: Session) -> None:
    body = '{"question":  "Wo?"}'
    prompt = add_prompt(session=busy, request=Request("", payload=body))
    change_prompt(session=busy, prompt_id=prompt.pk, text=body.replace("Wo", "Wann"))
    end(busy)

    assert busy.invocations.latest("number").payload == '{"question":  "Wann?"}'


def test_a_stop_holds_what_waits_until_a_person_lets_it_go(busy: Session) -> None:
    added(busy, "one", "two")
    assert not ahead_of(busy).is_held
    end(busy, "stopped")

    assert texts(busy) == ["one", "two"] and ahead_of(busy).is_held
    assert busy.invocations.count() == 1
    added(busy, "three")  # behind them, and held as they are
    assert texts(busy) == ["one", "two", "three"]

    # A prompt of the composer goes out at once; what is held stays so after it.
    start_invocation(session=busy, prompt="first of all", process_id=None)
    end(busy)
    assert texts(busy) == ["one", "two", "three"]

    sent = send_next(session=busy)
    assert sent is not None and (sent.number, sent.prompt, sent.status) == (3, "one", "queued")
    assert not ahead_of(busy).is_held
    end(busy)
    assert texts(busy) == ["three"]
    assert send_next(session=busy) is None  # it follows by itself
    end(busy)
    assert texts(busy) == []
    end(busy)
    assert send_next(session=busy) is None


def test_an_end_of_another_kind_lets_the_next_one_go(busy: Session) -> None:
    added(busy, "one", "two")
    for status in ("failed", "interrupted"):
        end(busy, status)
    assert texts(busy) == []


async def test_what_waits_is_answered_in_its_order_and_a_stop_by_a_person_holds_it(
    taker: Engine,  # noqa: F811
    talk: MakeSession,  # noqa: F811
    echo: MemoryHost,  # noqa: F811
) -> None:
    echo.gates = [asyncio.Event()]
    session = await sync_to_async(talk)()
    put = sync_to_async(send_or_add)
    first = await put(session=session, request=Request("first"))
    assert isinstance(first, Invocation)
    for prompt in ("second", "third"):
        assert isinstance(await put(session=session, request=Request(prompt)), QueuedPrompt)

    async def is_over(number: int) -> bool:
        runs = Invocation.objects.filter(number=number, status__in=Invocation.FINISHED)
        return await runs.aexists()

    await sync_to_async(stop_invocation)(invocation=first)
    await wait_until(lambda: is_over(1), "the first is stopped")
    assert await sync_to_async(texts)(session) == ["second", "third"]
    echo.gates[0].set()
    assert await sync_to_async(send_next)(session=session)
    await wait_until(lambda: is_over(3), "both others are answered")

    said = [(run.status, run.response_text) async for run in Invocation.objects.order_by("number")]
    assert said == [("stopped", ""), ("completed", "second"), ("completed", "third")]


# --- over JSON ----------------------------------------------------------------------------------------------------


class Queue:
    """The queue of a session, as a program sees it."""

    def __init__(self, session: Session, user: User | None) -> None:
        self._client = AsyncClient()
        if user is not None:
            self._client.force_login(user)
        self._url = f"/api/agents/{session.agent_id}/sessions/{session.runtime_session_id}/queue"

    async def call(self, method: str, rest: str = "", body: object = None, key: str = "") -> tuple[int, Any]:
        headers = {"Idempotency-Key": key} if key else {}
        data = "" if body is None else json.dumps(body)
        call = self._client.generic(method, self._url + rest, data, content_type="application/json", headers=headers)
        answer = await call
        return answer.status_code, json.loads(answer.content) if answer.content else None

    async def prompts(self) -> list[str]:
        _, found = await self.call("GET")
        assert [item["position"] for item in found["items"]] == list(range(1, len(found["items"]) + 1))
        return [item["prompt"] or json.dumps(item["payload"]) for item in found["items"]]


@pytest.mark.django_db(transaction=True)
async def test_a_program_queues_moves_and_takes_back(busy: Session, alice: User, bob: User) -> None:
    queue = await sync_to_async(Queue)(busy, alice)
    status, one = await queue.call("POST", body={"prompt": "one"}, key="k1")
    assert (status, one["id"], one["queued"]["position"], one["queued"]["prompt"]) == (202, None, 1, "one")
    assert (await queue.call("POST", body={"prompt": "one"}, key="k1"))[1] == one
    _, two = await queue.call("POST", body={"payload": {"a": [1]}})
    assert await queue.prompts() == ["one", '{"a": [1]}']

    status, found = await queue.call("PATCH", f"/{two['queued']['id']}", {"payload": {"a": [2]}, "position": 1})
    assert (status, [item["payload"] for item in found["items"]]) == (200, [{"a": [2]}, None])
    assert (found["is_held"], found["next"], found["limit"]) == (False, None, 10)
    assert (await queue.call("PATCH", f"/{one['queued']['id']}", {"prompt": " "}))[0] == 400
    assert (await queue.call("DELETE", f"/{two['queued']['id']}"))[0] == 204
    assert (await queue.call("DELETE", f"/{two['queued']['id']}"))[0] == 404
    assert await queue.prompts() == ["one"]
    assert (await queue.call("POST", "/send"))[1] == {"id": None, "invocation": None}

    await sync_to_async(end)(busy, "stopped")
    assert (await queue.call("GET"))[1]["is_held"] is True
    status, sent = await queue.call("POST", "/send")
    assert (status, sent["invocation"]) == (202, 2)
    assert await queue.prompts() == []
    await queue.call("POST", body={"prompt": "again"})
    assert (await queue.call("DELETE"))[1] == {"removed_count": 1}

    for stranger, expected in ((bob, 404), (None, 401)):
        others = await sync_to_async(Queue)(busy, stranger)
        for method, rest in (("GET", ""), ("POST", ""), ("DELETE", ""), ("POST", "/send"), ("DELETE", "/1")):
            body = {"prompt": "Hi"} if method == "POST" else None
            assert (await others.call(method, rest, body))[0] == expected


@pytest.mark.django_db(transaction=True)
async def test_a_free_session_answers_at_once_and_a_full_queue_is_told(
    make_session: Callable[..., Session], alice: User
) -> None:
    session = await sync_to_async(make_session)()
    queue = await sync_to_async(Queue)(session, alice)
    status, first = await queue.call("POST", body={"prompt": "first"}, key="k")
    assert (status, first["queued"], first["invocation"]) == (202, None, 1)
    assert (await queue.call("POST", body={"prompt": "first"}, key="k"))[1] == first
    for number in range(MOST_AHEAD):
        assert (await queue.call("POST", body={"prompt": str(number)}))[0] == 202

    status, refused = await queue.call("POST", body={"prompt": "too many"})
    assert (status, refused["error"], refused["details"]["retryable"]) == (409, "queue_full", True)
    assert (await queue.call("POST", body={}))[0] == 400
