"""What a process tells another one of its running answers, over a real Unix socket."""

from __future__ import annotations

import asyncio
import os
import socket
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import uuid4

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.sessions.engine.relay import YOUNG_S, Relay, Relayed, folder
from apps.sessions.engine.run_stream import LiveStream
from loom_events.kinds import RunEvent
from loom_events.recorded import RecordedEvent

PATIENCE_S = 60.0


@pytest.fixture(autouse=True)
def own_folder(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where temporary files are, for this test alone; its name is short, as that of a socket has to be."""
    tmp_path_factory.getbasetemp()  # chosen once for all tests, and not in here
    with tempfile.TemporaryDirectory(prefix="relay-", dir="/tmp") as name:
        monkeypatch.setattr(tempfile, "tempdir", name)
        yield Path(name)


class Owner:
    """A process that answers, as far as its relay goes."""

    def __init__(self) -> None:
        self.id = uuid4()
        self.streams: dict[int, LiveStream] = {}
        self.relay = Relay(self.streams.get)

    def answer(self, invocation_id: int) -> LiveStream:
        stream = self.streams[invocation_id] = LiveStream(invocation_id)
        return stream

    def end(self, invocation_id: int) -> None:
        self.streams.pop(invocation_id).end()


@pytest_asyncio.fixture
async def owner() -> AsyncIterator[Owner]:
    made = Owner()
    await made.relay.open(made.id)
    yield made
    await made.relay.close()


def say(stream: LiveStream, *texts: str) -> None:
    said: list[RunEvent] = [{"kind": "text", "text": text} for text in texts]
    stream.append(*said, offset_ms=1.0)


async def collect(relayed: Relayed | None) -> list[RecordedEvent]:
    assert relayed is not None
    return [event async for events in relayed.events(None) for event in events]


async def test_every_event_comes_once_and_in_order_as_it_happens(owner: Owner) -> None:
    stream = owner.answer(7)
    say(stream, "a", "b\ud800")  # half a character is carried like any other
    relayed = await Relayed.open(owner.id, 7, 1)
    assert relayed is not None
    told = relayed.events(None)

    assert await anext(told) == stream.events[1:]
    say(stream, "c")
    assert await anext(told) == stream.events[2:]
    owner.end(7)
    assert [events async for events in told] == []


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    batches=st.lists(st.integers(1, 1500), min_size=1, max_size=6),
    places=st.lists(st.integers(0, 4000), min_size=1, max_size=4),
    pauses=st.lists(st.booleans(), min_size=6, max_size=6),
)
def test_whoever_follows_from_wherever_gets_what_is_missing(
    batches: list[int], places: list[int], pauses: list[bool]
) -> None:
    async def scenario() -> None:
        owner = Owner()
        await owner.relay.open(owner.id)
        stream = owner.answer(7)
        opened = [await Relayed.open(owner.id, 7, place) for place in places]
        following = [asyncio.create_task(collect(relayed)) for relayed in opened]
        for count, pauses_here in zip(batches, pauses, strict=False):
            say(stream, *("x" * count))
            await asyncio.sleep(0.001 if pauses_here else 0)
        owner.end(7)
        found = await asyncio.wait_for(asyncio.gather(*following), PATIENCE_S)
        assert found == [stream.events[place:] for place in places]
        await owner.relay.close()

    asyncio.run(scenario())


async def test_who_reads_slowly_misses_nothing_and_costs_no_memory(owner: Owner) -> None:
    stream = owner.answer(7)
    relayed = await Relayed.open(owner.id, 7, 0)
    for _ in range(200):
        say(stream, "x" * 10_000)
        await asyncio.sleep(0)
    owner.end(7)

    assert await collect(relayed) == stream.events


async def test_a_run_that_is_not_there_and_a_process_that_is_not_there(owner: Owner) -> None:
    assert await Relayed.open(owner.id, 8, 0) is None
    assert await Relayed.open(uuid4(), 8, 0) is None
    assert await Relayed.open(None, 8, 0) is None


async def test_a_process_goes_on_under_another_id(owner: Owner) -> None:
    say(owner.answer(7), "a")
    before, owner.id = owner.id, uuid4()
    owner.relay.renew(owner.id)

    assert await Relayed.open(before, 7, 0) is None
    relayed = await Relayed.open(owner.id, 7, 0)
    assert relayed is not None
    relayed.close()


async def test_silence_is_told_and_a_process_that_stands_still_is_left(owner: Owner) -> None:
    owner.answer(7)
    relayed = await Relayed.open(owner.id, 7, 0)
    assert relayed is not None
    assert await anext(relayed.events(0.5)) == []

    # Its loop does not turn any more: the connection is taken by the kernel, and nobody answers.
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as frozen:
        frozen_id = uuid4()
        frozen.bind(str(folder() / frozen_id.hex))
        frozen.listen()
        assert await Relayed.open(frozen_id, 7, 0) is None


async def test_what_killed_processes_left_is_removed(own_folder: Path, owner: Owner) -> None:
    old, young = folder() / uuid4().hex, folder() / uuid4().hex
    for path in (old, young):
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as killed:
            killed.bind(str(path))
    long_ago = time.time() - YOUNG_S - 1
    os.utime(old, (long_ago, long_ago))
    os.utime(folder() / owner.id.hex, (long_ago, long_ago))
    another = Owner()
    await another.relay.open(another.id)
    await another.relay.close()

    assert {path.name for path in folder().iterdir()} == {young.name, owner.id.hex}


async def test_a_folder_of_others_is_not_entered(own_folder: Path) -> None:
    folder().chmod(0o755)
    owner = Owner()
    await owner.relay.open(owner.id)
    say(owner.answer(7), "a")

    assert await Relayed.open(owner.id, 7, 0) is None
    assert list((own_folder / f"loom-{os.getuid()}").iterdir()) == []
    await owner.relay.close()
