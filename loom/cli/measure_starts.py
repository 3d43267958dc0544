"""A start series in the terminal: begun, watched and told over the API."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from typing import Any

from django.core.management.base import CommandError

from loom.cli.terminal import FAILED, STOPPED, in_words
from loom_client import Agent, Client, StartSeries

LOOK_EVERY_S = 1.0
# Late log lines are looked for again after minutes; the page shows what comes then.
LOGS_WAIT_S = 150.0


def measure_starts(client: Client, agent: Agent, prompt: str, options: dict[str, Any], output: Any) -> None:
    """Measure `count` starts and write what was found; Ctrl-C cancels the series and keeps what was measured."""
    asked: dict[str, Any] = {"end_session": options["end_session"]}
    if options["at_once"]:
        asked["at_once"] = True
    if options["qualifier"]:
        asked["qualifier"] = options["qualifier"]
    if options["max_cost"]:
        asked["max_cost_usd"] = options["max_cost"]
    series = client.start_series(agent.id, prompt, count=options["count"], **asked)
    progress = _Progress(output)
    try:
        series = _watch(client, series, progress, is_patient=not options["no_wait"])
    except KeyboardInterrupt:
        series = client.cancel_series(series.id)
        progress.end()
        output.write(_describe(series, agent))
        raise CommandError("Cancelled. What was measured is kept.", returncode=STOPPED) from None
    progress.end()
    output.write(_describe(series, agent))
    if series.state != "done":
        raise CommandError(series.message or f"The series was {series.state}.", returncode=FAILED)


def _watch(client: Client, series: StartSeries, progress: _Progress, *, is_patient: bool) -> StartSeries:
    """Look until it is over and, where that is wanted, until the logs told what they will tell soon."""
    pause, logs_until = threading.Event(), None
    while True:
        progress.show(series)
        if not series.is_running:
            logs_until = logs_until or time.monotonic() + LOGS_WAIT_S
            if not is_patient or not series.waiting or series.state != "done" or time.monotonic() > logs_until:
                return series
        pause.wait(LOOK_EVERY_S)
        series = client.series(series.id)


class _Progress:
    """One line that is written over in a terminal, a line for each change elsewhere."""

    def __init__(self, output: Any) -> None:
        self._output = output
        self._is_terminal = bool(output.isatty())
        self._last = ""

    def show(self, series: StartSeries) -> None:
        text = f"{series.done} of {series.count} started, {series.failed} failed, {series.waiting} waiting for the logs"
        if text == self._last:
            return
        self._last = text
        if self._is_terminal:
            self._output.write(f"\r\x1b[K{text}", ending="")
        else:
            self._output.write(text)
        self._output.flush()

    def end(self) -> None:
        if self._is_terminal and self._last:
            self._output.write("")


def _describe(series: StartSeries, agent: Agent) -> str:
    """What a series found; a median only with its interval, which takes six runs."""
    emulated = " · Emulated" if agent.origin == "emulator" else ""
    lines = [
        f"{agent.name}: n = {series.measured} of {series.count}, {series.failed} failed, {series.not_found} not found, "
        f"{series.waiting} still looked for{emulated}"
    ]
    if series.p50_ms is not None:
        interval = f"{in_words(series.low_ms)} – {in_words(series.high_ms)}"
        lines.append(f"startup p50 {in_words(series.p50_ms)} (95 %: {interval})")
    if series.measured:
        lines.append(f"startup from {in_words(series.min_ms)} to {in_words(series.max_ms)}")
    if series.cold_penalty_ms is not None:
        lines.append(
            f"TTFT p50 cold {in_words(series.cold_p50_ms)}, warm {in_words(series.warm_p50_ms)}: "
            f"cold penalty {in_words(series.cold_penalty_ms)}"
        )
    if series.pool is not None:
        lines.append(_describe_pool(series.pool))
    lines.append(f"estimated cost {series.estimated_cost_usd:.4f} USD")
    return "\n".join(lines)


def _describe_pool(pool: Mapping[str, Any]) -> str:
    """How many environments stood ready, and by what that is known."""
    told = f"the logs tell of {pool['told']} of {pool['sent']} starts, {pool['pooled']} from the pool"
    if pool["knee"] is not None:
        told += f"; knee after {pool['knee']}: {in_words(pool['below_ms'])}, then {in_words(pool['above_ms'])}"
    if pool["size"] is None:
        return f"warm pool: not known; {told}"
    return f"warm pool: {'at least ' if pool['is_least'] else ''}{pool['size']} by the {pool['by']}; {told}"
