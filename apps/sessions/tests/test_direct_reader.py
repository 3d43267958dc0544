"""A reader to whom the run itself writes: what he is told when his connection takes nothing, or he cannot be told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.sessions.engine import engine as engine_module
from apps.sessions.engine.run_stream import LiveStream
from apps.sessions.viewing.direct_reader import AT_ONCE, DirectReader
from loom_events.recorded import RecordedEvent

PAUSE_S = 3_600.0
RUN = 7


def encode(events: list[RecordedEvent]) -> bytes:
    return b"".join(b"%d," % event["seq"] for event in events)


class Line:
    """A connection: what came through it, by whom, and whether it takes anything."""

    def __init__(self) -> None:
        self.written = b""
        self.handed_on = b""
        self.is_free = True
        self.received = b""

    def write(self, data: bytes) -> bool:
        if self.is_free:
            self.written += data
            self.received += data
        return self.is_free

    def hand_on(self, events: list[RecordedEvent]) -> None:
        self.handed_on += encode(events)
        self.received += encode(events)


@pytest.fixture
def stream() -> LiveStream:
    stream = LiveStream(RUN)
    stream.is_stored = True
    return stream


def say(stream: LiveStream, count: int = 1) -> None:
    for _ in range(count):
        stream.append({"kind": "text", "text": "a"}, offset_ms=1.0)


async def turns(count: int = 5) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def read(
    reader: DirectReader, line: Line, *, gate: asyncio.Event | None = None, pause_s: float = PAUSE_S
) -> None:
    """As a response does: what is handed on is sent, which waits while the connection takes nothing."""
    async for events in reader.read_on(pause_s=pause_s, is_direct=True):
        if gate is not None:
            await gate.wait()
        line.hand_on(events)


Reading = Callable[..., tuple[DirectReader, Line, "asyncio.Task[None]"]]


@pytest.fixture
async def begin(stream: LiveStream, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Reading]:
    """Begin to read the run, which this process has."""
    monkeypatch.setitem(engine_module.engine._streams, RUN, stream)
    tasks = []

    def start(
        after: int = 0, encode: Callable[[list[RecordedEvent]], bytes] = encode, **options: object
    ) -> tuple[DirectReader, Line, asyncio.Task[None]]:
        line = Line()
        reader = DirectReader(RUN, after, encode=encode, write=line.write)
        task = asyncio.create_task(read(reader, line, **options))  # type: ignore[arg-type]
        tasks.append(task)
        return reader, line, task

    yield start
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_what_comes_is_written_in_the_turn_in_which_it_comes(stream: LiveStream, begin: Reading) -> None:
    say(stream, 2)
    _, line, task = begin()
    await turns()
    say(stream, 2)

    assert (line.handed_on, line.written) == (b"1,2,", b"3,4,")
    say(stream)
    stream.end()
    await task
    assert line.received == b"1,2,3,4,5,"


async def test_what_is_not_taken_is_handed_on_and_later_words_are_written_again(
    stream: LiveStream, begin: Reading
) -> None:
    gate = asyncio.Event()
    _, line, _ = begin(gate=gate)
    await turns()
    line.is_free = False
    say(stream, 3)
    await turns()
    line.is_free = True
    say(stream, 2)  # what was refused is still on its way: nothing may overtake it
    assert line.received == b""
    gate.set()
    await turns()
    say(stream)

    assert (line.handed_on, line.written) == (b"1,2,3,4,5,", b"6,")


async def test_who_has_fallen_behind_is_handed_a_little_at_a_time(stream: LiveStream, begin: Reading) -> None:
    sizes: list[int] = []
    say(stream, 3 * AT_ONCE + 1)
    reader, _, task = begin()
    task.cancel()
    async for events in reader.read_on(pause_s=PAUSE_S, is_direct=True):
        sizes.append(len(events))
        if len(sizes) == 4:
            stream.end()

    assert sizes == [AT_ONCE, AT_ONCE, AT_ONCE, 1]


async def test_a_reader_who_cannot_be_told_does_not_end_the_run(stream: LiveStream, begin: Reading) -> None:
    """He meets the fault himself, as soon as he is awake."""

    def encode_or_fail(events: list[RecordedEvent]) -> bytes:
        raise UnicodeEncodeError("utf-8", "\ud800", 0, 1, "surrogates not allowed")

    _, faulty, _ = begin(encode=encode_or_fail)
    _, line, _ = begin()
    await turns()
    say(stream)
    await turns()

    assert (line.written, faulty.written, faulty.handed_on) == (b"1,", b"", b"1,")


async def test_a_number_that_is_yet_to_come_is_waited_for(stream: LiveStream, begin: Reading) -> None:
    _, line, _ = begin(after=3)
    await turns()
    say(stream, 2)
    stream.append(*({"kind": "text", "text": "a"} for _ in range(3)), offset_ms=1.0)  # type: ignore[arg-type] # mypy

    assert (line.written, line.handed_on) == (b"4,5,", b"")


async def test_who_leaves_is_not_told_any_more(stream: LiveStream, begin: Reading) -> None:
    _, line, task = begin()
    await turns()
    say(stream)
    task.cancel()
    await asyncio.wait([task])
    say(stream)

    assert (line.received, stream._listeners) == (b"1,", [])


async def test_a_run_that_could_not_be_stored_yet_is_held_without_a_word(stream: LiveStream, begin: Reading) -> None:
    _, line, _ = begin()
    await turns()
    stream.hold()
    await turns()

    assert line.received == b""


STEPS = st.lists(st.sampled_from(["say", "say two", "block", "free", "turn", "let go"]), max_size=40)


@given(steps=STEPS)
def test_whatever_happens_each_event_comes_once_and_in_order(steps: list[str]) -> None:
    """However the run, the loop, and a connection that takes nothing for a while come together."""
    asyncio.run(_carry_out(steps))


async def _carry_out(steps: list[str]) -> None:
    stream, gate = LiveStream(RUN), asyncio.Event()
    stream.is_stored = True
    engine_module.engine._streams[RUN] = stream
    try:
        line = Line()
        reader = DirectReader(RUN, 0, encode=encode, write=line.write)
        task = asyncio.create_task(read(reader, line, gate=gate))
        for step in steps:
            if step.startswith("say"):
                say(stream, 2 if step == "say two" else 1)
            elif step in {"block", "free"}:
                line.is_free = step == "free"
                (gate.set if line.is_free else gate.clear)()
            elif step == "turn":
                await turns(1)
            else:
                gate.set()
                await turns(1)
                gate.clear()
        gate.set()
        stream.end()
        await task
        assert line.received == encode(stream.events)
        assert stream._listeners == []
    finally:
        del engine_module.engine._streams[RUN]
