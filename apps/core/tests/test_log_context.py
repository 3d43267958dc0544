from __future__ import annotations

import asyncio
import logging
import re
from contextvars import Context

import pytest

from apps.core import log_context


def record(message: str = "something", **extra: object) -> logging.LogRecord:
    made = logging.getLogger("test").makeRecord("test", logging.INFO, "", 0, message, (), None, extra=extra)
    assert log_context.AddFields().filter(made)
    return made


def test_what_is_said_stands_beside_each_line_of_a_task_and_of_no_other() -> None:
    async def request(name: str) -> str:
        log_context.say(request=name)
        await asyncio.sleep(0)
        return await asyncio.to_thread(lambda: record().request)  # type: ignore[attr-defined]

    async def both() -> list[str]:
        return list(await asyncio.gather(request("one"), request("two")))

    assert Context().run(asyncio.run, both()) == ["one", "two"]
    assert not hasattr(Context().run(record), "request")


def test_a_line_itself_goes_before_what_stands_beside_it() -> None:
    def say() -> logging.LogRecord:
        log_context.say(agent=1, session=2)
        return record(agent=3)

    found = Context().run(say)
    assert (found.agent, found.session) == (3, 2)  # type: ignore[attr-defined]


@pytest.mark.parametrize("given", ["abc-123", "Root=1-67891233-abcdef012345678912345678", "a" * 64])
def test_the_id_that_a_request_brings_is_kept(given: str) -> None:
    assert log_context.request_id(given) == given


@pytest.mark.parametrize("given", ["", "a" * 65, "two words", "line\nbreak", "\x1b[31m", "ä"])
def test_an_id_that_could_forge_a_line_is_not(given: str) -> None:
    assert re.fullmatch(r"[0-9a-f]{16}", log_context.request_id(given))


def test_people_read_the_request_behind_the_line() -> None:
    formatter = log_context.PrettyFormatter("{levelname} {message}", style="{")

    def say() -> str:
        log_context.say(request="r-1")
        return formatter.format(record("hello"))

    assert Context().run(say) == "INFO hello request=r-1"
    assert formatter.format(Context().run(record, "hello")) == "INFO hello"
