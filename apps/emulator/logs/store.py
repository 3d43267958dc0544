"""Log groups, streams and events, with the delay after which a written line can be found."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count

from apps.emulator.clock import Clock

GROUP_PREFIX = "/aws/bedrock-agentcore/runtimes/"
KEPT_STREAMS = 4000
KEPT_EVENTS = 50_000


@dataclass(frozen=True, slots=True)
class LogEvent:
    """A line. `timestamp_ms` is the writer's clock, `visible_at` the instant (seconds) from which queries find it."""

    timestamp_ms: int
    message: str
    visible_at: float
    stream_name: str
    ordinal: int

    @property
    def position(self) -> tuple[int, str, int]:
        """Where the event stands in the order in which FilterLogEvents returns a group's events."""
        return (self.timestamp_ms, self.stream_name, self.ordinal)

    @property
    def event_id(self) -> str:
        """56 digits, as CloudWatch's are; unique, ascending with time."""
        return f"{self.timestamp_ms:020d}{self.ordinal:036d}"


@dataclass(eq=False)
class LogStream:
    name: str
    created_at: float
    events: list[LogEvent] = field(default_factory=list)

    def visible_events(self, now: float) -> Iterator[LogEvent]:
        return (event for event in self.events if event.visible_at <= now)


@dataclass(eq=False)
class LogGroup:
    name: str
    region: str
    created_at: float
    streams: dict[str, LogStream] = field(default_factory=dict)


class LogStore:
    """All log groups of the account, by region and name."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self._groups: dict[tuple[str, str], LogGroup] = {}
        self._ordinals = count(1)

    def stream(self, region: str, group_name: str, stream_name: str, created_at: float | None = None) -> LogStream:
        """Return a stream, making it and its group when they are new."""
        now = self.clock.now() if created_at is None else created_at
        group = self.group(region, group_name) or self.create_group(region, group_name, now)
        stream = group.streams.get(stream_name)
        if stream is None:
            if len(group.streams) >= KEPT_STREAMS:
                del group.streams[next(iter(group.streams))]
            stream = group.streams[stream_name] = LogStream(stream_name, now)
        return stream

    def create_group(self, region: str, name: str, created_at: float | None = None) -> LogGroup:
        group = LogGroup(name, region, self.clock.now() if created_at is None else created_at)
        self._groups[(region, name)] = group
        return group

    def write(self, stream: LogStream, *, timestamp_ms: int, message: str, visible_at: float) -> None:
        """Append a line that carries `timestamp_ms` and can be found from `visible_at` on."""
        if len(stream.events) >= KEPT_EVENTS:
            del stream.events[: KEPT_EVENTS // 10]
        stream.events.append(LogEvent(timestamp_ms, message, visible_at, stream.name, next(self._ordinals)))

    def group(self, region: str, name: str) -> LogGroup | None:
        return self._groups.get((region, name))

    def groups(self, region: str) -> list[LogGroup]:
        return sorted(
            (group for group in self._groups.values() if group.region == region), key=lambda group: group.name
        )

    def search(self, streams: Iterable[LogStream], start_ms: int, end_ms: int) -> list[LogEvent]:
        """Return what can be found now with start ≤ timestamp ≤ end, oldest first."""
        now = self.clock.now()
        found = [
            event
            for stream in streams
            for event in stream.visible_events(now)
            if start_ms <= event.timestamp_ms <= end_ms
        ]
        found.sort(key=lambda event: event.position)
        return found


def group_name_of(runtime_id: str, qualifier: str) -> str:
    return f"{GROUP_PREFIX}{runtime_id}-{qualifier}"


def environment_stream_name(created_at: float, environment_id: str, session_id: str | None) -> str:
    """Name an environment's stream; session_id is None where the name does not carry one."""
    day = datetime.fromtimestamp(created_at, UTC).strftime("%Y/%m/%d")
    suffix = f"-{session_id}" if session_id else ""
    return f"{day}/[runtime-logs{suffix}]{environment_id}"
