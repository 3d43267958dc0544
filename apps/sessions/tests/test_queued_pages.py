"""Pages of a run that waits in the queue: its place, that it begins, and that it can be stopped before."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from asgiref.sync import sync_to_async
from django.test import Client
from django.utils import timezone

from apps.accounts.models import User
from apps.core.models import Process
from apps.sessions.engine.engine import Engine
from apps.sessions.engine.queue import claim_queued
from apps.sessions.invoking import Request, enqueue
from apps.sessions.models import Invocation, Session
from apps.sessions.tests.talking import PROMPT, Talker

MakeSession = Callable[..., Session]


async def take_next(engine: Engine) -> Invocation:
    """Take the run that is next out of the queue, without sending it."""
    assert engine.process_id is not None
    [(taken, _)] = await sync_to_async(claim_queued)(engine.process_id, Process.Kind.WEB, 1)
    return taken


async def queue(session: Session) -> Invocation:
    return await sync_to_async(enqueue)(session=session, request=Request(PROMPT))


async def test_every_page_of_a_queued_run_says_its_place_and_sees_it_begin_and_end(
    pages: Any, talk: Session, make_session: MakeSession, talker: Talker, running_engine: Engine, alice: User
) -> None:
    await queue(await sync_to_async(make_session)(agent=talk.agent))
    run = await queue(talk)
    first = await pages(talk, alice)
    second = await pages(talk, alice, f"page=2&last=0&at={run.pk}::0&environment=none")
    for page in (first, second):
        assert "In the queue, place 2" in await page.read_until("<article")

    await take_next(running_engine)
    for page in (first, second):
        assert "In the queue, place 1" in await page.read_until("<article")
        assert "In use." not in "".join(page.messages)
    running_engine.launch(await take_next(running_engine), is_claimed=True)
    for page in (first, second):
        begun = await page.read_until("Streaming")
        assert "In the queue" not in begun and "Waiting for the agent to start" in begun
        await page.read_until("In use. After the answer AgentCore keeps it")
    talker.say("word ")
    for page in (first, second):
        await page.read_until("word")
    talker.end()
    for page in (first, second):
        await page.read_until("Completed")
        await page.read_until("AgentCore keeps it until")
        await page.join()  # it was not closed meanwhile


async def test_a_run_that_is_stopped_in_the_queue_says_that_it_was_never_sent(
    pages: Any, talk: Session, talker: Talker, alice: User
) -> None:
    run = await queue(talk)
    page = await pages(talk, alice)
    await page.read_until("In the queue, place 1")
    await page.send(action="stop")

    turn = await page.read_until("Stopped before it reached the agent")
    assert "Loom closed the connection" not in turn and "first token" not in turn and "Resend" in turn
    environment = await page.read_until('data-part="environment"')
    assert "None yet. The first prompt that reaches the agent gets one." in environment
    await run.arefresh_from_db()
    assert (run.status, run.invoked_at) == ("stopped", None)
    await page.join()


def test_what_is_queued_after_the_end_of_a_session_leaves_its_environment_ended(
    talk: Session, client: Client, alice: User
) -> None:
    ended_at = timezone.now() - timedelta(minutes=1)
    sent_at = ended_at - timedelta(minutes=1)
    talk.invocations.create(
        number=1, status="completed", prompt=PROMPT, requested_at=sent_at, invoked_at=sent_at, completed_at=sent_at
    )
    Session.objects.filter(pk=talk.pk).update(last_invoked_at=sent_at, ended_at=ended_at)
    enqueue(session=Session.objects.get(pk=talk.pk), request=Request(PROMPT))
    client.force_login(alice)

    page = client.get(talk.get_absolute_url()).content.decode()
    assert "In the queue, place 1" in page and "AWS accepted the end of this session" in page
    assert "AgentCore keeps it until" not in page and "In use." not in page
