from __future__ import annotations

import pytest
from django.db import IntegrityError, OperationalError

from apps.core.running.put_off import put_off_while_away


@put_off_while_away
def work(error: BaseException | None, done: list[str]) -> None:
    if error is not None:
        raise error
    done.append("it")


def test_a_task_is_done_as_ever() -> None:
    done: list[str] = []
    work(None, done)

    assert done == ["it"]
    assert (work.__module__, work.__name__) == (__name__, "work")  # by which the queue finds it


def test_one_that_finds_the_database_away_is_put_off_without_a_trace(caplog: pytest.LogCaptureFixture) -> None:
    work(OperationalError("server closed the connection"), [])

    (record,) = caplog.records
    assert record.getMessage() == "task put off name=work error=OperationalError"
    assert record.exc_info is None


@pytest.mark.parametrize("error", [IntegrityError("twice"), ValueError("wrong")])
def test_a_mistake_is_still_one(error: Exception) -> None:
    with pytest.raises(type(error)):
        work(error, [])
