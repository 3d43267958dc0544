from __future__ import annotations

import asyncio
from typing import Any

import pytest

from loom.web.request_slots import BusyError, RequestSlots, refuse


async def test_whoever_finds_no_free_slot_waits_for_one() -> None:
    slots = RequestSlots(2, wait_s=60)
    served: list[int] = []
    are_full = asyncio.Event()
    may_end = asyncio.Event()

    async def request(number: int) -> None:
        give_back = await slots.take()
        served.append(number)
        if len(served) == 2:
            are_full.set()
        await may_end.wait()
        give_back()

    async with asyncio.TaskGroup() as group:
        for number in range(4):
            group.create_task(request(number))
        await are_full.wait()
        assert served == [0, 1]
        may_end.set()

    assert served == [0, 1, 2, 3]


async def test_a_slot_that_is_given_back_twice_is_free_once() -> None:
    slots = RequestSlots(1, wait_s=0.05)
    give_back = await slots.take()
    give_back()
    await slots.take()
    give_back()

    with pytest.raises(BusyError):
        await slots.take()


@pytest.mark.parametrize(
    ("path", "content_type", "body"),
    [
        (
            "/api/agents",
            b"application/json",
            '{"error": "busy", "message": "Loom is busy with other requests.", "details": '
            '{"advice": "Try again in a few seconds.", "retryable": true, "retryAfter": 5}}',
        ),
        (
            "/agents/",
            b"text/plain; charset=utf-8",
            "Loom is busy with other requests. Try again in a few seconds.",
        ),
    ],
)  # fmt: skip
async def test_a_refusal_says_that_it_is_worth_trying_again(path: str, content_type: bytes, body: str) -> None:
    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await refuse({"path": path, "headers": []}, send, BusyError())

    assert sent[0]["status"] == 503
    assert dict(sent[0]["headers"]) == {
        b"content-type": content_type,
        b"cache-control": b"no-store",
        b"retry-after": b"5",
        b"content-length": str(len(body)).encode(),
    }
    assert sent[1]["body"].decode() == body
