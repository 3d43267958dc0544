"""What pages say of a tally: counts, rates and summaries."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

from apps.metrics.figures.statistics import Summary
from apps.metrics.figures.tally import UNFINISHED, StartupFigures, Tally


class Figures:
    """The figures of some invocations made by Loom; cold and warm never together, total latency of completed runs.

    A summary is made when it is asked for: of a hundred agents a page shows fifteen, and of those not all.
    """

    def __init__(self, tally: Tally) -> None:
        self._tally = tally

    @property
    def tally(self) -> Tally:
        """What they are the figures of."""
        return self._tally

    @property
    def invocation_count(self) -> int:
        return self._tally.invocation_count

    @property
    def unfinished_count(self) -> int:
        return self._tally.count(UNFINISHED)

    @property
    def failed_count(self) -> int:
        return self._tally.failed_count

    @property
    def stopped_count(self) -> int:
        return self._tally.count(("stopped",))

    @property
    def finished_count(self) -> int:
        """Finished − stopped: what the error rate is a share of."""
        return self.invocation_count - self.unfinished_count - self.stopped_count

    @property
    def error_rate(self) -> float | None:
        """(failed + interrupted) / (finished − stopped), or None where nothing counts."""
        return self.failed_count / self.finished_count if self.finished_count else None

    @property
    def cold_states(self) -> Mapping[str, int]:
        return self._tally.cold_states

    @property
    def ttft_unknown_count(self) -> int:
        return len(self._tally.values.get("ttft unknown", ()))

    @cached_property
    def ttft_cold(self) -> Summary:
        return self._tally.summary("ttft", "cold")

    @cached_property
    def ttft_warm(self) -> Summary:
        return self._tally.summary("ttft", "warm")

    @cached_property
    def startup_cold(self) -> StartupFigures:
        return self._tally.startup("cold")

    @cached_property
    def startup_warm(self) -> StartupFigures:
        return self._tally.startup("warm")

    @cached_property
    def total_cold(self) -> Summary:
        return self._tally.summary("total", "cold")

    @cached_property
    def total_warm(self) -> Summary:
        return self._tally.summary("total", "warm")

    @property
    def cold_penalty_ms(self) -> float | None:
        """TTFT cold − TTFT warm, of the medians; None where either has too few runs for one."""
        cold, warm = self.ttft_cold.p50, self.ttft_warm.p50
        return None if cold is None or warm is None else cold.value - warm.value
