"""The log stream of one environment, written by its clock and found after a delay."""

from __future__ import annotations

from collections.abc import Iterable

from apps.emulator.logs.lines import LogLine, render_line
from apps.emulator.logs.store import LogStore
from apps.emulator.provisioning import StartDraw, draw_ingestion_delay


class EnvironmentLog:
    """Writes lines with the environment's skew on their timestamps; lines of one delivery share one ingestion delay.

    The stream and its group come into being with the first line.
    """

    def __init__(
        self, logs: LogStore, *, region: str, group_name: str, stream_name: str, draw: StartDraw, delay_scale: float
    ) -> None:
        self.stream_name = stream_name
        self._logs = logs
        self._region = region
        self._group_name = group_name
        self._draw = draw
        self._delay_scale = delay_scale
        self._visible_until = 0.0

    def draw_delay(self) -> float:
        """Draw the seconds until the next lines can be found."""
        return draw_ingestion_delay(self._draw.rng) * self._delay_scale

    def boot(self, lines: Iterable[str], now: float) -> None:
        """Write what a process prints while it starts."""
        delay = self.draw_delay()
        for line in lines:
            self.print_line(line, now, delay)

    def print_line(self, text: str, now: float, delay_s: float) -> None:
        """Write a line of bare output at `now` of the wall clock."""
        stream = self._logs.stream(self._region, self._group_name, self.stream_name)
        # Deliveries of one writer do not overtake each other.
        self._visible_until = max(self._visible_until, now + delay_s)
        timestamp_ms = int((now + self._draw.skew_s) * 1000)
        self._logs.write(stream, timestamp_ms=timestamp_ms, message=text, visible_at=self._visible_until)

    def write(
        self, line: LogLine, *, now: float, entered_at: float, request_id: str, session_id: str, delay_s: float
    ) -> None:
        """Write a line of an agent at `now` of the wall clock, in a request that reached it at `entered_at`."""
        at = now + self._draw.skew_s
        text = render_line(line, at=at, elapsed_s=now - entered_at, request_id=request_id, session_id=session_id)
        self.print_line(text, now, delay_s)
