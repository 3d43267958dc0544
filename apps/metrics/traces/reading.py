"""Which lines of CloudWatch belong to the traces of some runs: where they may be, and how they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from apps.aws.errors import AwsError
from apps.aws.logs.reading import RuntimeLogs
from apps.aws.logs.spans import OWN_SPANS_STREAM, SPANS_GROUP
from apps.aws.logs.streams import LogEvent

MAX_PAGES = 5
# A filter pattern may have 1,024 characters; one id takes 36 of them.
IDS_AT_ONCE = 20
# Clocks differ, and spans are sent some time after they ended.
BEFORE, AFTER = timedelta(seconds=5), timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class Place:
    """A log group that may hold spans; `stream_prefix` narrows the runtime's own one to its stream of them."""

    log_group: str
    stream_prefix: str | None = None


def places_of(own_group: str) -> list[Place]:
    """Where the spans of a runtime may be: the account's group, or a stream of its own where it was told to."""
    return [Place(SPANS_GROUP), Place(own_group, OWN_SPANS_STREAM)]


def read_lines(
    logs: RuntimeLogs,
    place: Place,
    *,
    region: str,
    trace_ids: Sequence[str],
    start: datetime,
    end: datetime,
    before_page: Callable[[], None] = lambda: None,
) -> tuple[list[LogEvent], bool]:
    """The lines of a place that name one of at most `IDS_AT_ONCE` traces, of at most five pages, and whether that is
    all. Raises AwsError.
    """
    events: list[LogEvent] = []
    token = None
    before_page()
    for page in logs.pages(
        region=region, log_group=place.log_group, start=start - BEFORE, end=end + AFTER, max_pages=MAX_PAGES,
        stream_prefix=place.stream_prefix, pattern=" ".join(f'?"{trace_id}"' for trace_id in trace_ids),
    ):  # fmt: skip
        events += page.events
        token = page.next_token
        if token is not None:
            before_page()
    return events, token is None


def lines_of_trace(
    logs: RuntimeLogs, *, region: str, own_group: str, trace_id: str, start: datetime, end: datetime
) -> tuple[str, list[LogEvent], bool]:
    """The lines of one trace, the log group that has them, and whether they are all; none where no place has any.

    Raises the AwsError of the account's group where no place could be read.
    """
    refused: AwsError | None = None
    was_read = False
    for place in places_of(own_group):
        try:
            events, is_complete = read_lines(
                logs, place, region=region, trace_ids=[trace_id], start=start, end=end
            )  # fmt: skip
        except AwsError as error:
            refused = refused or error
            continue
        was_read = True
        if events:
            return place.log_group, events, is_complete
    if refused is not None and not was_read:
        raise refused
    return "", [], True
