"""Asking AWS about many agents at once, within its quotas and in order."""

from __future__ import annotations

import logging
import threading
from collections import Counter, deque
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

from apps.agentcore.aws.connection import Connections
from apps.agentcore.exceptions import AgentRuntimeError
from apps.agentcore.importing.pace import description_pace
from apps.agentcore.services import Description, describe
from apps.aws.arn import RuntimeArn
from apps.aws.connection import Connection
from apps.aws.errors import ConnectFailedError, CredentialsError, ThrottledError
from apps.aws.retries import AGENTCORE
from apps.core.exceptions import LoomError

logger = logging.getLogger(__name__)

CONCURRENCY = 16
MAX_CONCURRENCY = 25  # the clients' pool has no more connections
# botocore has tried three times itself before each of these.
_MAX_THROTTLED_TRIES = 8
_MAX_FAILED_CONNECTS = 3


class DescriptionFailedError(LoomError):
    """Something in an answer of AWS that Loom did not expect; the log has the details."""

    code = "unexpected"


class _Reachability:
    """Which accounts and regions answer, so that a thousand agents do not each wait for the same dead line."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._failed_connects: Counter[str] = Counter()
        self._closed: dict[str, AgentRuntimeError] = {}
        self._refused: dict[Connection, AgentRuntimeError] = {}

    def closed(self, connection: Connection, region: str) -> AgentRuntimeError | None:
        """What closed the region, or all of the account."""
        return self._refused.get(connection) or self._closed.get(region)

    def note(self, connection: Connection, region: str, error: AgentRuntimeError | None) -> None:
        """Learn from a call: credentials fail for every region of an account, a connection after a few times for its
        region.
        """
        cause = None if error is None else error.__cause__
        with self._lock:
            if error is not None and isinstance(cause, CredentialsError):
                self._refused[connection] = error
            elif not isinstance(cause, ConnectFailedError):
                self._failed_connects[region] = 0
            else:
                self._failed_connects[region] += 1
                if error is not None and self._failed_connects[region] >= _MAX_FAILED_CONNECTS:
                    self._closed[region] = error


def describe_many(
    arns: Iterable[RuntimeArn], concurrency: int = CONCURRENCY
) -> Generator[Description | LoomError, None, None]:
    """Describe runtimes with `concurrency` threads, in the order of `arns`; a failure is an item like any other.

    `arns` is consumed as the answers are, never more than twice `concurrency` ahead. The threads touch no database.
    Blocks; closing the iterator early waits for the calls under way and makes no others.
    """
    reachability, connections = _Reachability(), Connections()
    under_way: deque[Future[Description | LoomError]] = deque()
    with _threads(concurrency) as pool:
        for arn in arns:
            under_way.append(pool.submit(_describe, arn, connections, reachability))
            if len(under_way) >= 2 * concurrency:
                yield under_way.popleft().result()
        while under_way:
            yield under_way.popleft().result()


@contextmanager
def _threads(count: int) -> Iterator[ThreadPoolExecutor]:
    pool = ThreadPoolExecutor(count, thread_name_prefix="describe")
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def _describe(arn: RuntimeArn, connections: Connections, reachability: _Reachability) -> Description | LoomError:
    """One description, tried again while AWS throttles. The top frame of a thread's work: never raises."""
    try:
        connection = connections.of(arn.account_id)
        pace = description_pace(connection, arn.region)
        for attempt in range(1, _MAX_THROTTLED_TRIES + 1):
            if closed := reachability.closed(connection, arn.region):
                return closed
            pace.wait()
            try:
                description = describe(arn, connection)
            except AgentRuntimeError as error:
                reachability.note(connection, arn.region, error)
                if not isinstance(error.__cause__, ThrottledError) or attempt == _MAX_THROTTLED_TRIES:
                    return error
                pace.slow_down(AGENTCORE.delay_after(attempt))
            else:
                reachability.note(connection, arn.region, None)
                pace.speed_up()
                return description
    except LoomError as error:
        return error
    except Exception:
        logger.exception("describe failed unexpectedly region=%s", arn.region)
    return DescriptionFailedError(
        "AWS's answer about this runtime could not be handled.", advice="The log of this process says where it failed."
    )
