"""The engine against the emulator over real HTTP, with a real database."""

from __future__ import annotations

import asyncio
import gc
import logging
import weakref
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from asgiref.sync import sync_to_async

from apps.core.exceptions import LoomError
from apps.core.models import Notice, Process
from apps.core.running import processes
from apps.sessions.engine.engine import Engine, follow
from apps.sessions.exceptions import ShuttingDownError
from apps.sessions.invoking import invoke, stop_invocation
from apps.sessions.models import Invocation, RecordingBatch
from apps.sessions.selectors import events_after
from apps.sessions.services import end_session
from apps.sessions.tests.clock import Clock
from apps.sessions.tests.talking import Talker
from apps.sessions.tests.waiting import PATIENCE_S, wait_until
from loom_events.recorded import RecordedEvent

Begin = Callable[..., Invocation]


async def collect(invocation_id: int, after: int = 0) -> list[RecordedEvent]:
    return [event async for events in follow(invocation_id, after) for event in events]


async def reload(invocation: Invocation) -> Invocation:
    return await Invocation.objects.select_related("session__agent").aget(pk=invocation.pk)


async def run(
    running_engine: Engine, begin: Begin, *args: Any, **kwargs: Any
) -> tuple[Invocation, list[RecordedEvent]]:
    invocation = await sync_to_async(begin)(*args, **kwargs)
    running_engine.launch(invocation)
    events = await asyncio.wait_for(collect(invocation.pk), PATIENCE_S)
    return await reload(invocation), events


async def test_a_run_is_streamed_recorded_and_timed(running_engine: Engine, begin: Begin, emulator: Any) -> None:
    """S0-056, S0-057, S0-060."""
    invocation, events = await run(running_engine, begin)

    assert invocation.status == "completed"
    assert [event["seq"] for event in events] == list(range(1, invocation.last_sequence + 1))
    assert [event["kind"] for event in events[:2]] == ["invoked", "headers"]
    assert "".join(event["text"] for event in events if event["kind"] == "text") == invocation.response_text
    assert "Two days in Ghent" in invocation.response_text
    stored = await sync_to_async(events_after)(invocation.pk)
    assert stored == events
    truth = emulator.invocations(invocation.session.runtime_session_id)[0]
    assert invocation.invoked_at and invocation.first_chunk_at and invocation.completed_at
    received_at, last_byte_at = (datetime.fromisoformat(truth[name]) for name in ("received_at", "last_byte_at"))
    assert invocation.invoked_at <= received_at < invocation.first_chunk_at <= invocation.completed_at
    assert last_byte_at <= invocation.completed_at
    assert invocation.http_status == 200 and invocation.request_id and invocation.byte_count > 500
    assert invocation.session.agent.invocation_count == 1
    assert invocation.session.agent.last_invoked_at == invocation.requested_at


async def test_whoever_comes_late_sees_all_of_it_once(running_engine: Engine, begin: Begin) -> None:
    invocation = await sync_to_async(begin)()
    stream = running_engine.launch(invocation)
    early = asyncio.create_task(collect(invocation.pk))
    async for _ in follow(invocation.pk):
        if len(stream.events) > 20:
            break
    late, from_ten = await asyncio.gather(collect(invocation.pk), collect(invocation.pk, after=10))

    assert late == await early == await collect(invocation.pk)  # the last one reads the recording
    assert from_ten == late[10:]


async def test_tokens_arrive_one_after_another_and_not_at_the_end(
    running_engine: Engine, begin_talk: Begin, talker: Talker
) -> None:
    invocation = await sync_to_async(begin_talk)()
    running_engine.launch(invocation)
    words, seen = ["one ", "two ", "three"], []
    talker.say(words[0])
    async for events in follow(invocation.pk):
        seen += [event["text"] for event in events if event["kind"] == "text"]
        if seen == words:
            talker.end()
        elif seen:
            talker.say(words[len(seen)])  # not before the last one has come

    assert seen == words


async def test_stop_closes_the_upstream_and_keeps_what_had_arrived(
    running_engine: Engine, begin: Begin, emulator: Any
) -> None:
    emulator.order(kind="silence", after_chunks=20, seconds=3_600)
    invocation = await sync_to_async(begin)()
    running_engine.launch(invocation)
    seen: list[RecordedEvent] = []
    async for events in follow(invocation.pk):
        seen += events
        if any(event["kind"] == "text" for event in seen):
            running_engine.stop(invocation.pk)

    stopped = await reload(invocation)
    assert stopped.status == "stopped"
    assert stopped.response_text == "".join(event["text"] for event in seen if event["kind"] == "text")
    truth = await truth_when(emulator, stopped.session.runtime_session_id, "client_gone_at")
    assert truth["tokens_sent"] > 0


async def truth_when(emulator: Any, session_id: str, field: str) -> dict[str, Any]:
    """What really happened to the session's first invocation, once `field` is known."""
    found: list[dict[str, Any]] = []

    async def is_known() -> bool:
        found[:] = await asyncio.to_thread(emulator.invocations, session_id)
        return bool(found) and found[0][field] is not None

    await wait_until(is_known, f"{field} is known")
    return found[0]


@pytest.mark.agentcore
async def test_stop_before_the_first_byte_works_too_and_the_next_prompt_at_once(
    running_engine: Engine, begin: Begin, emulator: Any
) -> None:
    emulator.order(kind="hang", seconds=3_600)
    invocation = await sync_to_async(begin)("contract_reviewer")
    session_id = invocation.session.runtime_session_id
    running_engine.launch(invocation)
    await truth_when(emulator, session_id, "received_at")
    running_engine.stop(invocation.pk)
    await collect(invocation.pk)

    stopped = await reload(invocation)
    assert (stopped.status, stopped.response_text, stopped.first_chunk_at) == ("stopped", "", None)
    assert (await truth_when(emulator, session_id, "client_gone_at"))["first_byte_at"] is None
    emulator.clear()  # it may have been stopped before it came to hang
    following, _ = await run(running_engine, begin, session=invocation.session)
    assert (following.status, following.number) == ("completed", 2)


async def test_a_stop_request_in_the_row_reaches_the_process_that_runs_it(
    running_engine: Engine, begin: Begin, emulator: Any
) -> None:
    emulator.order(kind="silence", after_chunks=20, seconds=3_600)
    invocation = await sync_to_async(begin)()
    running_engine.launch(invocation)
    async for _ in follow(invocation.pk):
        await Invocation.objects.filter(pk=invocation.pk).aupdate(stop_requested_at=invocation.requested_at)

    assert (await reload(invocation)).status == "stopped"


async def test_an_error_event_at_http_200_fails_the_run_and_keeps_the_text(
    running_engine: Engine, begin: Begin
) -> None:
    invocation, _ = await run(running_engine, begin, "claims_intake")

    assert (invocation.status, invocation.http_status) == ("failed", 200)
    assert invocation.error_code and invocation.error_message and invocation.response_text


async def test_a_json_body_has_no_first_token(running_engine: Engine, begin: Begin) -> None:
    invocation, events = await run(running_engine, begin, "sentiment_scorer")

    assert invocation.status == "completed"
    assert invocation.content_type.startswith("application/json")
    assert invocation.first_token_at is None and invocation.first_chunk_at is not None
    assert [event["kind"] for event in events] == ["invoked", "headers", "json"]


async def test_tools_and_usage_are_kept(running_engine: Engine, begin: Begin) -> None:
    invocation, events = await run(running_engine, begin, "inventory_analyst")

    kinds = {event["kind"] for event in events}
    assert {"tool", "tool_input", "tool_result", "text", "usage"} <= kinds
    assert (invocation.input_token_count or 0) > 0 and (invocation.output_token_count or 0) > 0
    assert "event_loop_cycle" not in invocation.response_text


@pytest.mark.agentcore
async def test_an_agent_that_aws_does_not_know_fails_with_advice(running_engine: Engine, begin: Begin) -> None:
    invocation = await sync_to_async(begin)()
    agent = invocation.session.agent
    agent.runtime.arn = agent.runtime.arn[:-10] + "AAAAAAAAAA"
    running_engine.launch(invocation)
    await asyncio.wait_for(collect(invocation.pk), PATIENCE_S)

    failed = await reload(invocation)
    assert (failed.status, failed.http_status, failed.error_code) == ("failed", 404, "ResourceNotFoundException")
    assert failed.error_advice and failed.request_id


async def test_the_recording_is_written_while_the_run_goes_on(
    running_engine: Engine, begin: Begin, emulator: Any
) -> None:
    emulator.order(kind="silence", after_chunks=20, seconds=3_600)
    invocation = await sync_to_async(begin)()
    stream = running_engine.launch(invocation)

    async def is_recorded() -> bool:
        return await RecordingBatch.objects.filter(last_sequence__gte=3).aexists()

    await wait_until(is_recorded, "text is recorded")
    assert not stream.ended.is_set()
    stored = await sync_to_async(events_after)(invocation.pk)
    assert stored == stream.events[: len(stored)]
    assert (await reload(invocation)).status == "streaming"
    running_engine.stop(invocation.pk)
    await collect(invocation.pk)


async def test_two_sessions_do_not_mix(running_engine: Engine, begin: Begin) -> None:
    first, second = await sync_to_async(begin)(prompt="Bruges"), await sync_to_async(begin)(prompt="Namur")
    running_engine.launch(first)
    running_engine.launch(second)
    await asyncio.gather(collect(first.pk), collect(second.pk))

    one, two = await reload(first), await reload(second)
    assert "Bruges" in one.response_text and "Namur" not in one.response_text
    assert "Namur" in two.response_text and "Bruges" not in two.response_text


async def test_close_waits_for_what_ends_and_interrupts_the_rest(
    running_engine: Engine, begin_talk: Begin, talker: Talker, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="apps.sessions.engine.engine")
    clock = Clock()
    short, long = await sync_to_async(begin_talk)("short"), await sync_to_async(begin_talk)("long")
    for invocation in (short, long):
        running_engine.launch(invocation)
        talker.say("so far", to=invocation.prompt)
    async for events in follow(long.pk):
        if events[-1]["kind"] == "text":
            break
    closing = asyncio.create_task(running_engine.close(drain_s=300))

    async def is_waiting() -> bool:
        return "draining runs=2" in caplog.messages

    async def has_ended() -> bool:
        return (await reload(short)).status == "completed"

    await wait_until(is_waiting, "it waits for the runs")
    talker.end("short")
    await wait_until(has_ended, "the short one has ended")
    assert not closing.done()
    await clock.advance(300)
    await asyncio.wait_for(closing, PATIENCE_S)

    cut = await reload(long)
    assert (cut.status, cut.error_code, cut.response_text) == ("interrupted", "interrupted", "so far")
    assert cut.last_sequence == len(await sync_to_async(events_after)(cut.pk))


@pytest.mark.parametrize("status", ["stopped", "interrupted"])
async def test_a_run_that_was_taken_away_is_not_overwritten(
    running_engine: Engine, begin_talk: Begin, talker: Talker, status: str
) -> None:
    invocation = await sync_to_async(begin_talk)()
    running_engine.launch(invocation)
    async for _ in follow(invocation.pk):
        await Invocation.objects.filter(pk=invocation.pk).aupdate(status=status, error_message="declared dead")
        talker.say("too late")

    taken = await reload(invocation)
    assert (taken.status, taken.error_message, taken.response_text) == (status, "declared dead", "")


async def test_stop_asked_for_in_this_process_does_not_wait_for_the_recorder(
    running_engine: Engine, begin: Begin, emulator: Any
) -> None:
    emulator.order(kind="silence", after_chunks=5, seconds=3_600)
    invocation = await sync_to_async(begin)()
    stream = running_engine.launch(invocation)
    await truth_when(emulator, invocation.session.runtime_session_id, "first_byte_at")
    assert await sync_to_async(stop_invocation, thread_sensitive=False)(invocation=invocation)
    assert stream.is_cancelled

    await collect(invocation.pk)
    assert (await reload(invocation)).status == "stopped"
    await truth_when(emulator, invocation.session.runtime_session_id, "client_gone_at")


async def test_ending_a_session_stops_its_run_and_frees_its_environment(
    running_engine: Engine, begin: Begin, emulator: Any
) -> None:
    emulator.order(kind="silence", after_chunks=5, seconds=3_600)
    invocation = await sync_to_async(begin)()
    session = invocation.session
    running_engine.launch(invocation)
    await truth_when(emulator, session.runtime_session_id, "first_byte_at")
    await asyncio.to_thread(end_session, session=session)

    stopped = await reload(invocation)
    assert (stopped.status, stopped.session.is_ended) == ("stopped", True)
    assert stopped.completed_at and stopped.session.ended_at and stopped.completed_at <= stopped.session.ended_at
    assert await Notice.objects.filter(topic=session.topic, kind="ended").aexists()
    following, _ = await run(running_engine, begin, session=stopped.session)
    assert (following.status, following.session.is_ended) == ("completed", False)
    truth = await asyncio.to_thread(emulator.invocations, session.runtime_session_id)
    assert [record["start_kind"] == "reused" for record in truth] == [False, False]


async def test_a_session_that_aws_does_not_know_is_over_too(running_engine: Engine, begin: Begin) -> None:
    invocation, _ = await run(running_engine, begin)
    session = invocation.session
    for _ in range(2):  # the second time nothing is there any more
        await asyncio.to_thread(end_session, session=session)

    assert (await reload(invocation)).session.is_ended


async def test_a_refusal_of_aws_leaves_the_session_as_it_was(
    running_engine: Engine, begin: Begin, emulator: Any
) -> None:
    invocation, _ = await run(running_engine, begin)
    emulator.order(kind="error", operation="StopRuntimeSession", code="AccessDeniedException")
    with pytest.raises(LoomError):
        await asyncio.to_thread(end_session, session=invocation.session)

    assert (await reload(invocation)).session.ended_at is None


async def test_a_process_that_is_ending_takes_no_new_prompt(
    running_engine: Engine, begin_talk: Begin, talker: Talker
) -> None:
    invocation = await sync_to_async(begin_talk)()
    running_engine.launch(invocation)
    closing = asyncio.create_task(running_engine.close(drain_s=300))

    async def is_closing() -> bool:
        return not running_engine.is_accepting()

    await wait_until(is_closing, "the engine takes no new runs")
    with pytest.raises(ShuttingDownError):
        await asyncio.to_thread(invoke, session=invocation.session, prompt="one more")

    talker.end()
    await asyncio.wait_for(closing, PATIENCE_S)
    assert (await reload(invocation)).status == "completed"
    assert await Invocation.objects.acount() == 1


async def test_a_stream_is_forgotten_after_its_end(running_engine: Engine, begin: Begin) -> None:
    invocation = await sync_to_async(begin)()
    stream = weakref.ref(running_engine.launch(invocation))
    await collect(invocation.pk)

    async def is_forgotten() -> bool:
        gc.collect()
        return stream() is None

    await wait_until(is_forgotten, "nothing holds the stream")
    assert running_engine.stream(invocation.pk) is None


async def test_a_process_under_a_new_id_goes_on_with_what_nobody_ended(
    running_engine: Engine, begin_talk: Begin, talker: Talker
) -> None:
    kept, taken = await sync_to_async(begin_talk)("kept"), await sync_to_async(begin_talk)("taken")
    for invocation in (kept, taken):
        running_engine.launch(invocation)
        talker.say("so far", to=invocation.prompt)
        async for events in follow(invocation.pk):
            if events[-1]["kind"] == "text":
                break
    await Invocation.objects.filter(pk=taken.pk).aupdate(status="interrupted")
    new = await sync_to_async(processes.register)(Process.Kind.WEB)
    await running_engine.renew(new.pk)
    await collect(taken.pk)  # it is lost at once, however silent
    talker.say(", and on", to="kept")
    talker.end("kept")
    await collect(kept.pk)

    went_on = await reload(kept)
    assert (went_on.status, went_on.process_id, running_engine.process_id) == ("completed", new.pk, new.pk)
    assert went_on.response_text == "so far, and on"
    assert went_on.last_sequence == len(await sync_to_async(events_after)(kept.pk))
    assert ((await reload(taken)).status, (await reload(taken)).process_id) == ("interrupted", taken.process_id)
