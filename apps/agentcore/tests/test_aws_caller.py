from __future__ import annotations

import pytest

from apps.agentcore.aws.caller import Caller
from apps.aws.errors import CredentialsError
from apps.aws.identity import Identity


def test_the_account_is_asked_for_once_and_no_page_waits() -> None:
    asked: list[bool] = []

    def ask() -> Identity:
        asked.append(True)
        return Identity(account_id="111122223333", arn="arn:aws:sts::111122223333:assumed-role/LoomReader/s")

    caller = Caller(ask)
    first, thread = caller.description()
    assert thread is not None
    thread.join(timeout=60)

    assert first == "account not known yet"
    assert caller.description() == ("111122223333 · role LoomReader", None)
    assert asked == [True]


def test_credentials_that_do_not_work_are_told() -> None:
    def ask() -> Identity:
        raise CredentialsError("The session of the profile has ended.", code="ExpiredToken")

    caller = Caller(ask)
    _, thread = caller.description()
    assert thread is not None
    thread.join(timeout=60)

    assert caller.description()[0] == "account unknown: ExpiredToken"


def test_who_waits_and_who_does_not_share_what_is_known() -> None:
    """The frame of a page and the comparison of accounts ask AWS once between them."""
    asked: list[bool] = []

    def ask() -> Identity:
        asked.append(True)
        return Identity(account_id="111122223333", arn="arn:aws:iam::111122223333:user/alice")

    caller = Caller(ask)

    assert caller.identity().account_id == caller.identity().account_id == "111122223333"
    assert caller.description() == ("111122223333 · user/alice", None)
    assert asked == [True]


def test_who_waits_is_not_told_an_old_refusal() -> None:
    """Credentials that were mended count at once where somebody waits for the answer."""
    answers: list[Identity | CredentialsError] = [
        CredentialsError("The session of the profile has ended.", code="ExpiredToken"),
        Identity(account_id="111122223333", arn="arn:aws:iam::111122223333:root"),
    ]

    def ask() -> Identity:
        answer = answers.pop(0)
        if isinstance(answer, CredentialsError):
            raise answer
        return answer

    caller = Caller(ask)

    with pytest.raises(CredentialsError):
        caller.identity()
    assert caller.description() == ("account unknown: ExpiredToken", None)
    assert caller.identity().account_id == "111122223333"
    assert caller.description() == ("111122223333 · root", None)
