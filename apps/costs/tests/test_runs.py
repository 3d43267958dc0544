"""What a run cost: from known prices, from assumptions, and where nobody can know."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.costs import runs
from apps.costs.models import TokenPrice
from apps.costs.runs import UNKNOWN, Cost, Used, cost_of
from apps.costs.runtime import run_usd

pytestmark = pytest.mark.django_db

JUNE, JULY = (datetime(2026, month, 1, tzinfo=UTC) for month in (6, 7))


@pytest.fixture
def environment() -> Iterator[str]:
    """A kind whose environments cost a cent a second."""
    runs.register_environment("rented", lambda busy: Decimal(busy // timedelta(seconds=1)) / 100)
    yield "rented"
    del runs._environments["rented"]


def price(provider: str, since_at: datetime, input_usd: str = "3", output_usd: str = "15", model: str = "m-1") -> None:
    TokenPrice.objects.create(
        provider=provider, model=model, since_at=since_at, input_usd=input_usd, output_usd=output_usd, source="a test"
    )


def used(kind: str = "local", **overrides: object) -> Used:
    fields = {
        "at": JULY, "busy": timedelta(seconds=2), "model": "m-1", "input_tokens": 1000, "output_tokens": 100,
    }  # fmt: skip
    return Used(kind=kind, **{**fields, **overrides})  # type: ignore[arg-type]


def test_a_run_costs_what_was_asked_when_it_was_sent() -> None:
    price("bedrock", JUNE)
    price("bedrock", JULY, "1", "5")

    assert cost_of(used(at=JULY - timedelta(seconds=1))) == Cost(Decimal("0.004500"), "priced")
    assert cost_of(used()) == Cost(Decimal("0.001500"), "priced")
    assert cost_of(used(at=JUNE - timedelta(seconds=1))) == UNKNOWN


def test_what_is_not_known_is_unknown_and_not_zero(environment: str) -> None:
    price("bedrock", JUNE)
    unknown = {"model": "m-2"}, {"model": ""}, {"input_tokens": None}, {"output_tokens": None}, {"at": None}

    assert [cost_of(used(**missing)) for missing in unknown] == [UNKNOWN] * 5
    assert cost_of(used(environment, busy=None)) == UNKNOWN
    assert cost_of(used(environment, at=None)) == UNKNOWN


def test_no_tokens_at_a_known_price_cost_nothing_for_certain() -> None:
    price("bedrock", JUNE)

    assert cost_of(used(input_tokens=0, output_tokens=0)) == Cost(Decimal(0), "priced")


def test_where_two_providers_ask_different_prices_only_a_named_one_is_known() -> None:
    price("bedrock", JUNE)
    price("other", JUNE)
    assert cost_of(used()).source == "priced"

    price("other", JULY, "9")
    assert cost_of(used()) == UNKNOWN
    assert cost_of(used(provider="bedrock")) == Cost(Decimal("0.004500"), "priced")


def test_an_environment_makes_it_an_estimate_with_the_models_where_they_are_known(environment: str) -> None:
    assert cost_of(used(environment)) == Cost(Decimal("0.020000"), "estimate")
    price("bedrock", JUNE)
    assert cost_of(used(environment)) == Cost(Decimal("0.024500"), "estimate")


def test_what_was_reported_counts_unless_it_cannot_be(environment: str) -> None:
    assert cost_of(used(environment, reported_usd=Decimal("0.5"))) == Cost(Decimal("0.500000"), "reported")
    assert cost_of(used(reported_usd=Decimal(-1))) == UNKNOWN
    assert cost_of(used(reported_usd=Decimal(10**9))) == UNKNOWN


@given(st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=2)))
def test_the_bound_of_an_environment_grows_with_its_time_and_is_never_rounded_down(busy: timedelta) -> None:
    exact = run_usd(busy)

    assert exact <= run_usd(busy + timedelta(seconds=1))
    rounded = runs._cost(exact, "estimate").usd
    assert rounded is not None and exact <= rounded < exact + runs.STEP
