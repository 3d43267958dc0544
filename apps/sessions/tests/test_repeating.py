"""The prompt of a run sent once more: here, in a fresh session, elsewhere, edited, with the prompts before it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.test import AsyncClient
from django.utils import timezone

from apps.accounts.models import User
from apps.agents.models import Agent
from apps.agents.services import archive_agent
from apps.core.exceptions import InvalidInputError, MissingError
from apps.core.models import Process
from apps.sessions.engine.engine import Engine, follow
from apps.sessions.invoking import invoke
from apps.sessions.models import Invocation, QueuedPrompt, Session
from apps.sessions.repeating import MOST_EARLIER, earlier_runs, repeat_here, run_edited
from apps.sessions.services import start_session
from apps.sessions.tests.waiting import wait_until


@pytest.fixture
async def agent(running_engine: Engine, demo_agent: Callable[[str], Agent]) -> Agent:
    return await sync_to_async(demo_agent)("travel_concierge")


@pytest.fixture
async def run(agent: Agent, alice: User) -> Invocation:
    """A run of alice's that is over, in a session with nothing else."""
    return await ended(await sync_to_async(start_session)(agent=agent, owner=alice), "Two days in Ghent")


async def ended(session: Session, prompt: str, **more: Any) -> Invocation:
    started = await sync_to_async(invoke)(session=session, prompt=prompt, **more)
    return await over(started)


async def over(run: Invocation) -> Invocation:
    async for _ in follow(run.pk):
        pass
    return await loaded(run.pk)


async def loaded(pk: int) -> Invocation:
    return await Invocation.objects.select_related("session__agent__runtime").aget(pk=pk)


class Api:
    """Somebody's way to repeat runs by the API."""

    def __init__(self, user: User | None) -> None:
        self._client = AsyncClient()
        if user is not None:
            self._client.force_login(user)

    async def repeat(self, run: Invocation, key: str = "", **body: Any) -> tuple[int, dict[str, Any]]:
        headers = {"Idempotency-Key": key} if key else {}
        answer = await self._client.post(
            f"/api/runs/{run.pk}/repeat", json.dumps(body), content_type="application/json", headers=headers
        )
        return answer.status_code, json.loads(answer.content)


@pytest.fixture
async def api(alice: User, agent: Agent) -> Api:
    return await sync_to_async(Api)(alice)


async def test_again_in_its_session(api: Api, run: Invocation) -> None:
    status, told = await api.repeat(run, key="k")
    repeated = await over(await Invocation.objects.aget(pk=told["id"]))

    assert (status, told) == (
        202,
        {
            "id": repeated.pk,
            "invocation": 2,
            "session_id": run.session.runtime_session_id,
            "session_public_id": str(run.session.public_id),
            "agent_id": run.session.agent_id,
            "qualifier": "DEFAULT",
            "url": run.session.get_absolute_url(),
            "repeated_from": run.pk,
            "waiting_count": 0,
        },
    )
    same = (repeated.prompt, repeated.payload, repeated.source, repeated.repeated_from_id, repeated.status)
    assert same == (run.prompt, run.payload, "api", run.pk, "completed")
    assert (await api.repeat(run, key="k"))[1] == told
    assert await Invocation.objects.acount() == 2


async def test_again_in_a_fresh_session(api: Api, run: Invocation) -> None:
    status, told = await api.repeat(run, is_fresh=True, key="k")
    assert status == 202 and told["invocation"] == 1
    assert (await api.repeat(run, is_fresh=True, key="k"))[1] == told

    repeated = await over(await Invocation.objects.aget(pk=told["id"]))
    assert repeated.session_id != run.session_id and repeated.repeated_from_id == run.pk
    assert (repeated.session.title, repeated.prompt) == (run.prompt, run.prompt)
    assert "Picking up from before" not in repeated.response_text  # it remembers nothing
    assert await Session.objects.acount() == 2


async def test_a_body_that_names_its_session_names_the_fresh_one(
    api: Api, agent: Agent, alice: User, host_kind: str
) -> None:
    if host_kind != "agentcore":
        return  # only its templates name sessions
    template = {"prompt": "{{prompt}}", "session": "{{session_id}}"}
    agent.runtime.payload_template = template
    await agent.runtime.asave()
    session = await sync_to_async(start_session)(agent=agent, owner=alice)
    run = await ended(session, "Two days in Ghent")
    own = await ended(session, "Own", payload='{"prompt": "own", "x":  1}')

    _, told = await api.repeat(run, is_fresh=True)
    repeated = await over(await Invocation.objects.aget(pk=told["id"]))
    assert json.loads(repeated.payload)["session"] == repeated.session.runtime_session_id != session.runtime_session_id
    _, told = await api.repeat(own, is_fresh=True)
    assert (await Invocation.objects.aget(pk=told["id"])).payload == '{"prompt": "own", "x":  1}'


async def test_on_another_endpoint_and_on_another_agent_in_a_fresh_session(
    api: Api, run: Invocation, demo_agent: Callable[[str], Agent]
) -> None:
    other = await sync_to_async(demo_agent)("sentiment_scorer")
    for body, expected in (
        ({"qualifier": "prod"}, (run.session.agent_id, "prod")),
        ({"agent_id": other.pk}, (other.pk, "DEFAULT")),
    ):
        status, told = await api.repeat(run, **body)
        assert (status, told["agent_id"], told["qualifier"]) == (202, *expected)
        repeated = await over(await Invocation.objects.aget(pk=told["id"]))
        assert (repeated.status, repeated.number, repeated.session_id != run.session_id) == ("completed", 1, True)


async def test_where_it_cannot_go(api: Api, run: Invocation, demo_agent: Callable[[str], Agent], bob: User) -> None:
    status, told = await api.repeat(run, qualifier="nowhere")
    assert (status, told["error"]) == (400, "unknown_qualifier")
    archived = await sync_to_async(demo_agent)("sentiment_scorer")
    await sync_to_async(archive_agent)(agent=archived)
    status, told = await api.repeat(run, agent_id=archived.pk)
    assert (status, told["error"], told["details"]["advice"]) == (
        409,
        "agent_unavailable",
        "Bring it back to invoke it.",
    )
    assert (await api.repeat(run, agent_id=10**6))[1]["message"] == "No agent 1000000."
    others = await sync_to_async(Api)(bob)
    assert (await others.repeat(run))[1]["message"] == f"No run {run.pk}."
    assert (await (await sync_to_async(Api)(None)).repeat(run))[0] == 401

    await Invocation.objects.filter(pk=run.pk).aupdate(content_removed_at=timezone.now(), prompt="", payload="")
    status, told = await api.repeat(run)
    assert (status, told["message"]) == (404, "What was sent then is not known any more.")
    assert await Invocation.objects.acount() == 1
    assert await Session.objects.acount() == 1


async def test_a_version_is_no_place_to_send_a_prompt_to(api: Api, run: Invocation) -> None:
    """AgentCore takes the names of endpoints; who names a version hears which of them lead there."""
    leading = {endpoint.live_version: endpoint.name async for endpoint in run.session.agent.endpoints.all()}
    version, name = next(iter(leading.items()))
    for asked, advice in ((version, "name one of them"), ("97", "No endpoint leads to version 97 now.")):
        status, told = await api.repeat(run, qualifier=asked)
        assert (status, told["error"]) == (400, "unknown_qualifier")
        assert "never by a version" in told["message"] and advice in told["details"]["advice"]
    assert name in (await api.repeat(run, qualifier=version))[1]["details"]["advice"]


async def test_a_session_that_answers_refuses_a_program_and_lets_a_person_queue(
    api: Api, run: Invocation, emulator: Any
) -> None:
    emulator.order(kind="silence", after_chunks=2, seconds=3_600)
    await sync_to_async(invoke)(session=run.session, prompt="Go on")

    status, told = await api.repeat(run)
    assert (status, told["error"]) == (409, "session_busy")
    assert await sync_to_async(repeat_here)(run=run, request_key="k") is False
    assert await sync_to_async(repeat_here)(run=run, request_key="k") is False
    waiting = await QueuedPrompt.objects.aget()
    assert (waiting.text, waiting.repeated_from_id) == (run.prompt, run.pk)


async def test_edited_it_begins_anew(api: Api, run: Invocation) -> None:
    status, told = await api.repeat(run, prompt="Three days in Ghent", key="k")
    repeated = await over(await Invocation.objects.aget(pk=told["id"]))

    assert (status, repeated.number, repeated.prompt) == (202, 1, "Three days in Ghent")
    assert (repeated.repeated_from_id, repeated.session_id != run.session_id) == (run.pk, True)
    status, refused = await api.repeat(run, prompt="Four days in Ghent", key="k")
    assert (status, refused["error"]) == (409, "request_key_reused")
    assert (await api.repeat(run, prompt="  "))[0] == 400


async def test_edited_with_the_prompts_before_it_each_becomes_a_run_in_order(
    running_engine: Engine, api: Api, run: Invocation
) -> None:
    process_id = running_engine.process_id
    assert process_id is not None
    await ended(run.session, "And in the rain?")
    last = await ended(run.session, "And on Monday?")
    await running_engine.close()
    await running_engine.start(process_id, takes=Process.Kind.WEB, room=5)

    status, told = await api.repeat(last, prompt="And on Tuesday?", has_earlier=True, key="k")
    assert (status, told["waiting_count"]) == (202, 2)
    assert (await api.repeat(last, prompt="And on Tuesday?", has_earlier=True, key="k"))[1] == told
    fresh = Invocation.objects.filter(session__public_id=told["session_public_id"]).order_by("number")

    async def are_answered() -> bool:
        return await fresh.filter(status="completed").acount() == 3

    await wait_until(are_answered, "all three are answered")
    found = [(row.number, row.prompt, row.repeated_from_id) async for row in fresh]
    before = [row.pk async for row in run.session.invocations.order_by("number")]
    assert found == [
        (1, "Two days in Ghent", before[0]), (2, "And in the rain?", before[1]), (3, "And on Tuesday?", before[2])
    ]  # fmt: skip
    assert not await QueuedPrompt.objects.aexists()


def test_what_came_before_has_to_be_known_and_of_a_size(make_session: Callable[..., Session], alice: User) -> None:
    session, now = make_session(), timezone.now()
    rows = [
        Invocation(session=session, number=number, status="completed", prompt=str(number), requested_at=now,
                   invoked_at=now, completed_at=now)
        for number in range(1, MOST_EARLIER + 3)
    ]  # fmt: skip
    runs = Invocation.objects.bulk_create(rows)
    assert [run.number for run in earlier_runs(runs[MOST_EARLIER])] == list(range(1, MOST_EARLIER + 1))
    with pytest.raises(InvalidInputError, match="More than 30"):
        run_edited(run=runs[-1], user=alice, prompt="Hi", has_earlier=True)
    Invocation.objects.filter(number=2).update(content_removed_at=now)
    with pytest.raises(MissingError):
        run_edited(run=runs[5], user=alice, prompt="Hi", has_earlier=True)
    assert Session.objects.count() == 1
