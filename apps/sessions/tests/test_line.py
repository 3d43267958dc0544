"""The order of what a viewer is told, whatever the viewer, the broadcast and the consumer do meanwhile."""

from __future__ import annotations

import asyncio
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from apps.sessions.tests.viewing import text_of
from apps.sessions.viewing.credit import Credit
from apps.sessions.viewing.frames import Frame
from apps.sessions.viewing.line import Line

LIMIT = 60
# A frame with so many letters is put; the viewer stops reading, or reads again; the consumer has to look at something
# else first; the event loop goes on by a turn.
STEPS = st.lists(st.sampled_from([0, 3, 30, "pause", "read", "due", "turn"]), min_size=20, max_size=100)


class Viewer:
    """A connection whose server takes ready frames while its viewer reads, and waits in `send` while it does not."""

    def __init__(self) -> None:
        self.reads = asyncio.Event()
        self.reads.set()
        self.messages: list[str] = []

    async def send(self, message: dict[str, Any]) -> None:
        await self.reads.wait()
        self.messages.append(message["text"])

    def write(self, frame: bytes) -> bool:
        if self.reads.is_set():
            self.messages.append(text_of(frame))
        return self.reads.is_set()


class Following:
    """A line with the task that sends, as the consumer has it; the numbers of what was told by a catch-up count."""

    def __init__(self, *, takes_ready_frames: bool, limit: int = LIMIT) -> None:
        self.viewer = Viewer()
        self.line = Line(
            self.viewer.send, self.viewer.write if takes_ready_frames else None, limit, Credit(is_limited=False)
        )
        self.put_count = 0
        self.is_due = False
        self.task = asyncio.ensure_future(self._send())

    def put(self, size: int) -> None:
        self.line.put(Frame(f"{self.put_count} {'w' * size}"))
        self.put_count += 1

    def look(self) -> None:
        self.is_due = True
        self.line.wake()

    async def _send(self) -> None:
        outbox = self.line.outbox
        while True:
            await self.line.wait()
            while self.is_due or outbox or outbox.has_overflowed:
                if outbox.has_overflowed:
                    outbox.clear()
                    await self.line.send(f"all below {self.put_count}")
                if self.is_due:
                    self.is_due = False
                    await asyncio.sleep(0)  # asks the database
                    await self.line.send("looked")
                if outbox:
                    await self.line.send(outbox.take().text)


@given(steps=STEPS)
def test_every_frame_is_told_once_and_in_order_however_things_interleave(
    takes_ready_frames: bool, steps: list[int | str]
) -> None:
    async def carry_out() -> None:
        following = Following(takes_ready_frames=takes_ready_frames)
        for step in steps:
            if isinstance(step, int):
                following.put(step)
            elif step == "due":
                following.look()
            elif step == "turn":
                await asyncio.sleep(0)
            elif step == "pause":
                following.viewer.reads.clear()
            else:
                following.viewer.reads.set()
        following.viewer.reads.set()
        for _ in range(3 * len(steps) + 5):
            await asyncio.sleep(0)
        following.task.cancel()

        told = 0
        for message in following.viewer.messages:
            if message.startswith("all below "):
                caught_up = int(message.removeprefix("all below "))
                assert caught_up >= told
                told = caught_up
            elif message != "looked":
                assert int(message.split()[0]) == told
                told += 1
        assert told == following.put_count

    asyncio.run(carry_out())


async def test_a_frame_is_gone_at_once_where_nothing_waits_and_waits_behind_what_is_due() -> None:
    following = Following(takes_ready_frames=True)
    await asyncio.sleep(0)
    following.put(1)
    assert following.viewer.messages == ["0 w"]  # without a turn of the event loop
    following.look()
    following.put(2)
    assert following.viewer.messages == ["0 w"]
    for _ in range(5):
        await asyncio.sleep(0)
    assert following.viewer.messages == ["0 w", "looked", "1 ww"]
    following.put(3)
    assert following.viewer.messages[-1] == "2 www"
    following.task.cancel()


async def test_how_long_a_viewer_has_not_read_counts_from_what_is_being_sent() -> None:
    following = Following(takes_ready_frames=True)
    await asyncio.sleep(0)
    following.put(1)
    assert following.line.waited_s == 0
    following.viewer.reads.clear()
    following.put(1)
    await asyncio.sleep(0.01)
    assert following.line.waited_s > 0
    following.viewer.reads.set()
    await asyncio.sleep(0.01)
    assert (following.line.waited_s, following.viewer.messages) == (0, ["0 w", "1 w"])
    following.task.cancel()
