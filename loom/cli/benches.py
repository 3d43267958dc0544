"""A latency bench in the terminal: its cost first, its progress, what it has found."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from threading import Event
from typing import Any

from django.core.management.base import CommandError

from apps.core.text.escapes import shown_in_terminal
from loom.cli.terminal import FAILED, STOPPED, in_words, on_a_line
from loom_client import Bench, Client, Estimate
from loom_client.wording import in_sentences

LOOK_EVERY_S = 1.0
LETTERS = ("A", "B")


def estimate_line(estimate: Estimate) -> str:
    return f"{estimate.run_count} runs at most, which may cost up to ${estimate.estimate_usd:.4f}."


def follow(client: Client, bench: Bench, output: Any) -> Bench:
    """Wait for the end of a bench and say how far it is; Ctrl-C cancels it, and what was measured is kept."""
    pause, told = Event(), ""
    try:
        while bench.is_running:
            if (line := _progress(bench)) != told:
                told = line
                output.write(line)
            pause.wait(LOOK_EVERY_S)
            bench = client.bench(bench.id)
    except KeyboardInterrupt:
        client.cancel_bench(bench.id)
        raise CommandError("Cancelled. What was measured is kept.", returncode=STOPPED) from None
    return bench


def _progress(bench: Bench) -> str:
    over = " · ".join(f"{rung['at_once']} at once: {rung['pairs_over']} pairs" for rung in bench.results)
    return f"{bench.done} of at most {bench.run_count} runs are over ({over})"


def describe(bench: Bench) -> Iterator[str]:
    """What both targets took at each rung, how far they are apart, and what follows."""
    for letter, target in zip(LETTERS, bench.targets, strict=True):
        yield shown_in_terminal(f"{letter}  {target['agent_name']}:{target['qualifier']}")
    for rung in bench.results:
        sides = "; ".join(
            f"{letter} {_side(rung[name])}" for letter, name in zip(LETTERS, ("first", "second"), strict=True)
        )
        yield f"{rung['at_once']} at once: {sides}; {_apart(rung['look'])}"
    yield on_a_line(bench.verdict)
    if bench.message:
        yield on_a_line(bench.message)
    yield f"{bench.metric}, {bench.start}, seed {bench.seed}, bench {bench.id}: {bench.outcome.replace('_', ' ')}"


def _side(side: Mapping[str, Any]) -> str:
    if side["p50_ms"] is None:
        return f"– (n = {side['n']})"
    between = f"{in_words(side['low_ms'])} – {in_words(side['high_ms'])}"
    return f"{in_words(side['p50_ms'])} ({between}, n = {side['n']})"


def _apart(look: Mapping[str, Any] | None) -> str:
    if look is None:
        return "no look yet"
    apart = look["difference"]
    if apart is None:
        return "too few runs for an interval"
    low, high = _signed(apart["low_ms"]), _signed(apart["high_ms"])
    if look["is_found"]:
        return f"B − A = {_signed(apart['value_ms'])} ({low} … {high})"
    return f"no difference found ({low} … {high}); more than {in_words(look['detectable_ms'])} would have been"


def _signed(ms: float) -> str:
    return f"{'+' if ms > 0 else '−' if ms < 0 else ''}{in_words(abs(ms))}"


def failure(bench: Bench) -> str:
    """Why a bench does not count as made, "" where it does."""
    if bench.outcome in {"done", "stopped_early"}:
        return ""
    said = f"The bench was {bench.outcome.replace('_', ' ')} after {bench.done} of {bench.run_count} runs"
    return shown_in_terminal(in_sentences(said, bench.message))


def refused(estimate: Estimate) -> CommandError:
    said = in_sentences(estimate_line(estimate), "That is more than the highest cost: see --max-cost")
    return CommandError(said, returncode=FAILED)
