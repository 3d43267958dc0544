"""The pages of benches: the form and what it costs, one bench while it runs and afterwards, its file, the list."""

from __future__ import annotations

import csv
import io
import random
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from apps.accounts.models import User
from apps.agents.models import Agent
from apps.metrics.models import Bench
from apps.metrics.tests.plans import end_next

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("memory")]


@pytest.fixture
def client(alice: User) -> Client:
    made = Client()
    made.force_login(alice)
    return made


@pytest.fixture
def filled(make_agent: Callable[..., Agent]) -> dict[str, Any]:
    """The form of a small bench of two agents."""
    first, second = (make_agent(kind="external", name=name) for name in ("quick_one", "slow_one"))
    return {
        "first": f"{first.pk}:DEFAULT", "second": f"{second.pk}:DEFAULT", "prompt": "Two days?", "metric": "ttft",
        "start": "cold", "rungs": "1 2", "pairs": "8", "warm_up": "0", "stops_early": "on", "max_cost_usd": "1",
        "max_minutes": "60", "request_key": "once",
    }  # fmt: skip


def begin(client: Client, filled: dict[str, Any]) -> Bench:
    answer = client.post(reverse("bench:new"), filled)
    assert answer.status_code == 302, answer.content.decode()
    bench = Bench.objects.get()
    assert answer["Location"] == bench.get_absolute_url()
    return bench


def run_to_end(bench: Bench, shift: float) -> None:
    luck = random.Random(5)
    while (out := bench.plan.runs.filter(has_passed=None).order_by("place").first()) is not None:
        now, took = timezone.now(), 400 * luck.lognormvariate(0, 0.1) + shift * out.target.position
        end_next(bench.plan, invoked_at=now, first_token_at=now + timedelta(milliseconds=took))


def test_a_bench_is_asked_for_and_its_page_follows_it(client: Client, filled: dict[str, Any]) -> None:
    bench = begin(client, filled)
    assert (bench.rungs, bench.pair_count, bench.start) == ([1, 2], 8, "cold")
    page = client.get(bench.get_absolute_url())
    assert "Nothing can be said yet." in page.content.decode()
    assert page.context["result"].outcome == "waiting"
    progress = reverse("bench:progress-fragment", args=[bench.pk])
    assert client.get(progress, headers={"Loom-Seen": page.context["mark"]}).status_code == 204
    run_to_end(bench, shift=150)
    assert client.get(progress, headers={"Loom-Seen": page.context["mark"]}).status_code == 200

    text = client.get(bench.get_absolute_url()).content.decode()
    assert "At 1 at once B takes" in text and "At 2 at once B takes" in text
    assert 'hx-trigger="every 2s"' not in text  # it asks no more
    assert text.count('class="series target-') == 2

    rows = list(csv.DictReader(io.StringIO(client.get(reverse("bench:csv", args=[bench.pk])).getvalue().decode())))
    assert len(rows) == 32
    assert {(row["at_once"], row["target"], row["counts"]) for row in rows} == {
        (rung, letter, "taken") for rung in "12" for letter in "AB"
    }


def test_sent_twice_it_is_one_bench(client: Client, filled: dict[str, Any]) -> None:
    begin(client, filled)
    client.post(reverse("bench:new"), filled)
    assert Bench.objects.count() == 1


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"rungs": "2, 1"}, "whole numbers that go up, from 1 to 10"),
        ({"rungs": "²"}, "whole numbers that go up"),
        ({"rungs": "1,99999999999999999999"}, "whole numbers that go up"),
        ({"pairs": "7"}, "greater than or equal to 8"),
        ({"prompt": "  "}, "Type a prompt."),
        ({"second": ""}, "Choose a target."),
        ({"second": "999:DEFAULT"}, "This target is not there."),
        ({"max_cost_usd": "0"}, "Give US dollars above 0"),
    ],
)
def test_what_is_wrong_is_said_and_what_was_filled_in_stays(
    client: Client, filled: dict[str, Any], wrong: dict[str, str], told: str
) -> None:
    answer = client.post(reverse("bench:new"), {**filled, **wrong})
    assert answer.status_code == 422
    text = answer.content.decode()
    assert told in text and 'value="once"' in text
    assert not Bench.objects.exists()


def test_what_it_costs_is_told_as_it_is_filled_in_and_too_much_is_refused(
    client: Client, filled: dict[str, Any], make_agent: Callable[..., Agent]
) -> None:
    target = f"{make_agent(name='dear_one').pk}:DEFAULT"
    asked = {**filled, "first": target, "second": target}
    text = client.get(reverse("bench:estimate-fragment"), asked).content.decode()
    assert "Costs up to" in text and "32 runs at most" in text
    cheap = {**asked, "max_cost_usd": "0.0001"}
    assert "more than the highest cost" in client.get(reverse("bench:estimate-fragment"), cheap).content.decode()
    answer = client.post(reverse("bench:new"), cheap)
    assert answer.status_code == 422 and "This bench may cost up to $" in answer.content.decode()
    nothing = client.get(reverse("bench:estimate-fragment"), {**asked, "second": ""}).content.decode()
    assert "Choose both targets" in nothing


def test_the_form_begins_with_those_of_an_earlier_one(client: Client, filled: dict[str, Any]) -> None:
    bench = begin(client, filled)
    again = client.get(reverse("bench:new"), {"again": bench.pk}).context["form"]
    assert [again[name].value() for name in ("first", "second", "prompt", "rungs", "start")] == [
        filled["first"], filled["second"], "Two days?", "1, 2", "cold",
    ]  # fmt: skip


def test_it_is_stopped_and_listed(client: Client, filled: dict[str, Any], bob: User) -> None:
    assert "No benches yet" in client.get(reverse("bench:list")).content.decode()
    bench = begin(client, filled)
    assert client.post(reverse("bench:stop", args=[bench.pk])).status_code == 302
    page = client.get(bench.get_absolute_url())
    assert page.context["result"].outcome == "cancelled"
    assert "quick_one · DEFAULT" in client.get(reverse("bench:list"), {"q": "quick"}).content.decode()
    assert "No bench matches" in client.get(reverse("bench:list"), {"q": "nowhere"}).content.decode()
    assert "No bench matches" in client.get(reverse("bench:list"), {"state": "running"}).content.decode()

    client.force_login(bob)
    assert client.get(bench.get_absolute_url()).status_code == 404
    assert "quick_one" not in client.get(reverse("bench:list")).content.decode()
