"""What one run cost, and how sure that is: from what is known of it and the prices of its moment.

A cost is *reported* (its agent or provider said it), *priced* (all that was used is known, and its prices), or an
*estimate*: something is assumed, or a part that has no price is left out. Where nothing can be said it is unknown,
which is None and never 0.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_UP, Decimal
from typing import Literal

from apps.costs.selectors import token_price

Source = Literal["reported", "priced", "estimate", "unknown"]
MILLION = 1_000_000
STEP = Decimal("0.000001")  # what a run's column holds
HIGHEST = Decimal(999_999)

# By an agent's kind, the most that an environment of it costs for so long. Registered by the app of the kind.
_environments: dict[str, Callable[[timedelta], Decimal]] = {}


def register_environment(kind: str, most_usd: Callable[[timedelta], Decimal]) -> None:
    """Say what answering costs an agent's kind beside its models, at most; without this, nothing."""
    _environments[kind] = most_usd


def environment_usd(kind: str, busy: timedelta) -> Decimal:
    """The most that an environment of an agent's kind costs while it answers for so long; 0 where none starts."""
    most_usd = _environments.get(kind)
    return Decimal(0) if most_usd is None else most_usd(busy)


@dataclass(frozen=True, slots=True)
class Used:
    """What a run used, as far as it is known. `at` is when it was sent; None: it never was."""

    kind: str
    at: datetime | None
    busy: timedelta | None
    model: str = ""
    provider: str = ""
    input_tokens: int | None = None
    output_tokens: int | None = None
    reported_usd: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Cost:
    """US dollars, rounded up to a millionth; None where nothing can be said."""

    usd: Decimal | None
    source: Source


UNKNOWN = Cost(None, "unknown")


def cost_of(used: Used) -> Cost:
    """What a run cost. One that was never sent has no cost to know of. May ask for the price of a model."""
    if used.at is None:
        return UNKNOWN
    if used.reported_usd is not None:
        return _cost(used.reported_usd, "reported")
    tokens = _tokens_usd(used)
    most_usd = _environments.get(used.kind)
    if most_usd is None:
        return UNKNOWN if tokens is None else _cost(tokens, "priced")
    if used.busy is None or used.busy < timedelta():
        return UNKNOWN
    return _cost(most_usd(used.busy) + (tokens or 0), "estimate")


def _tokens_usd(used: Used) -> Decimal | None:
    if used.at is None or not used.model or used.input_tokens is None or used.output_tokens is None:
        return None
    price = token_price(model=used.model, provider=used.provider, at=used.at)
    if price is None:
        return None
    return (used.input_tokens * price.input_usd + used.output_tokens * price.output_usd) / MILLION


def _cost(usd: Decimal, source: Source) -> Cost:
    if not 0 <= usd <= HIGHEST:  # an agent may report anything
        return UNKNOWN
    return Cost(usd.quantize(STEP, rounding=ROUND_UP), source)
