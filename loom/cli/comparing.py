"""Targets compared, as lines of a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from apps.core.text.escapes import shown_in_terminal
from loom.cli.terminal import in_words
from loom_client import ComparedTarget, TargetComparison

STARTS = ("cold", "warm")


def describe(found: TargetComparison) -> Iterator[str]:
    """Of each target what is known of it, and how it differs from the first; cold and warm apart."""
    for target in found.targets:
        yield _name(target)
        yield f"  {target.run_count:,} runs{_errors(target.error_rate)}"
        for start in STARTS:
            yield f"  {start}: {_latency(getattr(target, start), found.needs)}"


def _name(target: ComparedTarget) -> str:
    version = f"version {target.version}" if target.version else "all versions"
    facts = f"{target.qualifier or 'all endpoints'} · {version}"
    return shown_in_terminal(f"{target.position}. {target.agent_name} · {facts}")


def _errors(rate: Mapping[str, Any] | None) -> str:
    if rate is None:
        return ""
    told = f", {rate['count']:,} of {rate['n']:,} failed: {rate['value']:.1%} ({rate['low']:.1%} – {rate['high']:.1%})"
    apart = rate["difference"]
    if apart is None:
        return told
    between = f"{apart['low'] * 100:+.1f} … {apart['high'] * 100:+.1f} points"
    return f"{told}, against 1: " + (
        f"{apart['value'] * 100:+.1f} points ({between})" if apart["is_certain"] else f"cannot be told ({between})"
    )


def _latency(one: Mapping[str, Any], needs: Mapping[str, int]) -> str:
    if not one["n"]:
        return "no runs"
    parts = [f"n = {one['n']:,}"]
    if one["p50"] is None:
        parts.append(f"{in_words(one['min'])} – {in_words(one['max'])}, the median needs {needs['p50']}")
    for key in ("p50", "p90", "p95"):
        found = one[key]
        if found is not None:
            parts.append(f"{key} {in_words(found['value'])} ({in_words(found['low'])} – {in_words(found['high'])})")
    return ", ".join([*parts, *_apart(one, needs)])


def _apart(one: Mapping[str, Any], needs: Mapping[str, int]) -> Iterator[str]:
    apart, effect = one["difference"], one["effect"]
    if one["obstacle"] == "few":
        yield f"against 1: needs {needs['p50']} of both"
    elif one["obstacle"] == "source":
        yield "against 1: told by another line of the log"
    if apart is None:
        return
    between = f"{_signed(apart['low'])} … {_signed(apart['high'])}"
    yield "against 1: " + (
        f"{_signed(apart['value'])} ({between})" if apart["is_certain"] else f"cannot be told ({between})"
    )
    if effect is not None:
        yield f"longer in {effect['longer'] * 100:.0f} of 100: {effect['size']}"


def _signed(value_ms: float) -> str:
    return f"{'−' if value_ms < 0 else '+'}{in_words(abs(value_ms))}"
