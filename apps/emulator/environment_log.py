"""The log stream of one environment, written by its clock and found after a delay."""

from __future__ import annotations

from collections.abc import Iterable

from apps.emulator.log_lines import LogLine, render_line
from apps.emulator.log_store import LogStore, LogStream, environment_stream_name
from apps.emulator.provisioning import StartDraw, draw_ingestion_delay


class EnvironmentLog:
    """Writes lines with the environment's skew on their timestamps; lines of one delivery share one ingestion delay."""

    def __init__(self, logs: LogStore, stream: LogStream, draw: StartDraw, delay_scale: float) -> None:
        self._logs = logs
        self._stream = stream
        self._draw = draw
        self._delay_scale = delay_scale

    @classmethod
    def opened(
        cls,
        logs: LogStore,
        *,
        region: str,
        group_name: str,
        session_id: str | None,
        draw: StartDraw,
        delay_scale: float,
    ) -> EnvironmentLog:
        """Open the stream of an environment that is made now; session_id is None where its name does not carry one."""
        name = environment_stream_name(logs.clock.now(), draw.environment_id, session_id)
        return cls(logs, logs.stream(region, group_name, name), draw, delay_scale)

    @classmethod
    def resumed(cls, logs: LogStore, stream: LogStream, draw: StartDraw, delay_scale: float) -> EnvironmentLog:
        """Go on in the stream of an environment that was booted before."""
        return cls(logs, stream, draw, delay_scale)

    @property
    def stream_name(self) -> str:
        return self._stream.name

    def draw_delay(self) -> float:
        """Draw the seconds until the next lines can be found."""
        return draw_ingestion_delay(self._draw.rng) * self._delay_scale

    def boot(self, lines: Iterable[str], now: float) -> None:
        """Write what a process prints while it starts."""
        delay = self.draw_delay()
        for line in lines:
            self.print_line(line, now, delay)

    def print_line(self, text: str, now: float, delay_s: float) -> None:
        """Write a line of bare output."""
        self._logs.write(self._stream, at=now + self._draw.skew_s, message=text, visible_at=now + delay_s)

    def write(
        self, line: LogLine, *, now: float, entered_at: float, request_id: str, session_id: str, delay_s: float
    ) -> None:
        """Write a line of an agent, at `now` of the wall clock, in a request that entered the container at `entered_at`."""
        at = now + self._draw.skew_s
        text = render_line(line, at=at, elapsed_s=now - entered_at, request_id=request_id, session_id=session_id)
        self._logs.write(self._stream, at=at, message=text, visible_at=now + delay_s)
