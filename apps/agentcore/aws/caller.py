"""Who AWS says we are, asked at most every five minutes, and whether an agent's ARN names another account."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from functools import cache, partial

from apps.agentcore.account_exceptions import AccountDisabledError
from apps.agentcore.aws.connection import connection_of, current_connection
from apps.agents.models import Agent
from apps.aws.connection import Connection
from apps.aws.errors import AwsError
from apps.aws.identity import Identity, identity

logger = logging.getLogger(__name__)

KEPT_S = 300


class Caller:
    """The identity behind some credentials, remembered for five minutes by this process."""

    def __init__(self, ask: Callable[[], Identity]) -> None:
        self._ask = ask
        self._known: Identity | None = None
        self._words = "account not known yet"
        self._asked_at: float | None = None
        self._lock = threading.Lock()

    def identity(self) -> Identity:
        """Who AWS says we are. Blocks for a call; raises AwsError, after which the next one asks again."""
        with self._lock:
            if self._known is not None and self._is_fresh():
                return self._known
        return self._find_out()

    def description(self) -> tuple[str, threading.Thread | None]:
        """What is known now, in words, and the thread that finds out more, if this call started one. Never waits."""
        with self._lock:
            if self._is_fresh():
                return self._words, None
            # Failed or not, nobody asks again for five minutes.
            self._asked_at = time.monotonic()
            words = self._words
        thread = threading.Thread(target=self._find_out_quietly, name="aws-caller", daemon=True)
        thread.start()
        return words, thread

    def _is_fresh(self) -> bool:
        return self._asked_at is not None and time.monotonic() - self._asked_at < KEPT_S

    def _find_out(self) -> Identity:
        try:
            found = self._ask()
        except AwsError as error:
            self._keep(None, f"account unknown: {error.code}")
            raise
        self._keep(found, f"{found.account_id} · {found.role}")
        return found

    def _find_out_quietly(self) -> None:
        try:
            self._find_out()
        except AwsError as error:
            logger.warning("caller unknown code=%s", error.code)

    def _keep(self, known: Identity | None, words: str) -> None:
        with self._lock:
            self._known, self._words, self._asked_at = known, words, time.monotonic()


@cache
def _caller_of(connection: Connection) -> Caller:
    return Caller(partial(identity, connection))


def caller() -> Caller:
    """The one behind the credentials in use."""
    return _caller_of(current_connection())


def foreign_account(agent: Agent) -> str | None:
    """The account of whoever signs for an agent where its own is another, None where they are the same or AWS does not
    say.

    Such an agent was registered with other credentials. Loom must not guess: only a known difference is told.
    """
    try:
        own = _caller_of(connection_of(agent.runtime)).identity().account_id
    except AccountDisabledError:
        return None
    except AwsError as error:
        logger.warning("account not compared agent=%s code=%s", agent.pk, error.code)
        return None
    return own if own != agent.runtime.account_id else None
