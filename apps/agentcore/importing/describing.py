"""Asking AWS about many agents at once, within its quotas and in order."""

from __future__ import annotations

import logging
import threading
from collections import Counter, deque
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

from apps.agentcore.aws.connection import current_connection
from apps.agentcore.exceptions import AgentRuntimeError
from apps.agentcore.importing.pace import description_pace
from apps.agentcore.services import Description, describe
from apps.aws.arn import RuntimeArn
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
    """Which regions answer, so that a thousand agents do not each wait for the same dead line."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._failed_connects: Counter[str] = Counter()
        self._closed: dict[str, AgentRuntimeError] = {}
        self._refused: AgentRuntimeError | None = None

    def closed(self, region: str) -> AgentRuntimeError | None:
        """What closed the region, or everything."""
        return self._refused or self._closed.get(region)

    def note(self, region: str, error: AgentRuntimeError | None) -> None:
        """Learn from a call: credentials fail for every region, a connection after a few times for its own."""
        cause = None if error is None else error.__cause__
        with self._lock:
            if isinstance(cause, CredentialsError):
                self._refused = error
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
    reachability = _Reachability()
    under_way: deque[Future[Description | LoomError]] = deque()
    with _threads(concurrency) as pool:
        for arn in arns:
            under_way.append(pool.submit(_describe, arn, reachability))
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


def _describe(arn: RuntimeArn, reachability: _Reachability) -> Description | LoomError:
    """One description, tried again while AWS throttles. The top frame of a thread's work: never raises."""
    pace = description_pace(current_connection(), arn.region)
    try:
        for attempt in range(1, _MAX_THROTTLED_TRIES + 1):
            if closed := reachability.closed(arn.region):
                return closed
            pace.wait()
            try:
                description = describe(arn)
            except AgentRuntimeError as error:
                reachability.note(arn.region, error)
                if not isinstance(error.__cause__, ThrottledError) or attempt == _MAX_THROTTLED_TRIES:
                    return error
                pace.slow_down(AGENTCORE.delay_after(attempt))
            else:
                reachability.note(arn.region, None)
                pace.speed_up()
                return description
    except LoomError as error:
        return error
    except Exception:
        logger.exception("describe failed unexpectedly region=%s", arn.region)
    return DescriptionFailedError(
        "AWS's answer about this runtime could not be handled.", advice="The log of this process says where it failed."
    )
