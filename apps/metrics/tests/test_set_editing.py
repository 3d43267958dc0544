"""Prompts of a set and their checks, changed one at a time, by several people."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connections
from django.test import Client
from django.urls import reverse

from apps.accounts.models import User
from apps.core.exceptions import InvalidInputError, MissingError
from apps.metrics.models import PromptSet
from apps.metrics.prompt_sets import editing
from apps.metrics.prompt_sets.editing import ChangedMeanwhileError, mark_of
from apps.metrics.prompt_sets.reading import MAX_PROMPTS, Prompt
from apps.metrics.prompt_sets.services import make_prompt_set

pytestmark = pytest.mark.django_db

GHENT = {"kind": "contains", "text": "Ghent"}
EVERY_KIND = [
    {"kind": "contains", "text": " Ghent ", "is_case_sensitive": False, "is_negated": True},
    {"kind": "regex", "pattern": "^Day \\d"},
    {"kind": "json_schema", "schema": {"type": "object"}},
    {"kind": "tool_called", "name": "timetable", "arguments": {"to": "Ghent"}},
    {"kind": "tool_called", "name": "timetable"},
    {"kind": "max_ttft", "ms": 900},
    {"kind": "max_cost", "usd": "0.02"},
]


@pytest.fixture
def as_alice(client: Client, alice: User) -> Client:
    client.force_login(alice)
    return client


@pytest.fixture
def trips(alice: User) -> PromptSet:
    return make_prompt_set(
        owner=alice, name="Trips", prompts=[Prompt(one, [GHENT]) for one in ("One?", "Two?", "Three?")]
    )


def order(prompt_set: PromptSet) -> list[str]:
    return list(prompt_set.items.order_by("position").values_list("prompt", flat=True))


def page_of(prompt_set: PromptSet, name: str, prompt: str) -> str:
    return reverse(f"prompt_sets:{name}", args=[prompt_set.pk, prompt_set.items.get(prompt=prompt).pk])


def form_of(response: Any) -> dict[str, Any]:
    """What a browser would send of the page of a prompt, as it is shown."""
    editor = response.context["editor"]
    fields = {"mark": response.context["mark"], "prompt": editor.text["prompt"].value(), "check": []}
    for check in editor.checks:
        fields["check"].append(str(check.index))
        fields[f"{check.prefix}-kind"] = check.kind
        for field in check:
            value = field.value()
            if value not in (None, False, ""):
                fields[field.html_name] = "on" if value is True else value
    return fields


def test_a_page_that_is_saved_as_it_came_changes_nothing(as_alice: Client, trips: PromptSet) -> None:
    trips.items.filter(prompt="One?").update(checks=EVERY_KIND)
    address = page_of(trips, "prompt", "One?")

    response = as_alice.post(address, form_of(as_alice.get(address)))

    assert response.status_code == 302
    assert trips.items.get(prompt="One?").checks == EVERY_KIND


def test_a_prompt_is_added_with_a_check(as_alice: Client, trips: PromptSet) -> None:
    address = reverse("prompt_sets:prompt-new", args=[trips.pk])
    shown = as_alice.post(address, {"prompt": "Four?", "add": "yes", "kind": "regex"})
    assert shown.status_code == 200
    fields = form_of(shown)
    assert (fields["prompt"], fields["check-0-kind"]) == ("Four?", "regex")

    refused = as_alice.post(address, {**fields, "check-0-pattern": "("})
    text = refused.content.decode()
    assert (refused.status_code, "its pattern is none" in text, "Four?" in text) == (422, True, True)
    assert len(order(trips)) == 3

    as_alice.post(address, {**fields, "check-0-pattern": "Ghent|Bruges", "check-0-is_any_case": "on"})
    added = trips.items.get(prompt="Four?")
    assert order(trips)[-1] == "Four?"
    assert added.checks == [{"kind": "regex", "pattern": "Ghent|Bruges", "is_case_sensitive": False}]


def test_json_that_is_none_names_its_place(as_alice: Client, trips: PromptSet) -> None:
    address = page_of(trips, "prompt", "One?")
    fields = {"prompt": "One?", "check": ["0"], "check-0-kind": "json_schema"}

    for schema, told in (('{\n"type" 7}', "look at line 2, character 8"), ("[NaN]", "not JSON that can be read")):
        refused = as_alice.post(address, {**fields, "check-0-schema": schema})
        assert (refused.status_code, told in refused.content.decode()) == (422, True)
    refused = as_alice.post(address, {**fields, "check-0-schema": '{"unknown": 1}'})
    assert (refused.status_code, "It cannot be used" in refused.content.decode()) == (422, True)


def test_a_check_is_removed(as_alice: Client, trips: PromptSet) -> None:
    address = page_of(trips, "prompt", "One?")

    as_alice.post(address, {**form_of(as_alice.get(address)), "check-0-is_removed": "on", "check-0-text": ""})

    assert trips.items.get(prompt="One?").checks == []


def test_who_saves_second_is_told_and_loses_nothing(as_alice: Client, trips: PromptSet) -> None:
    address = page_of(trips, "prompt", "One?")
    mine, theirs = (form_of(as_alice.get(address)) for _ in "ab")
    assert as_alice.post(address, {**theirs, "prompt": "Uno?"}).status_code == 302

    told = as_alice.post(address, {**mine, "prompt": "Eins?"})

    text = told.content.decode()
    assert (told.status_code, "changed by somebody else" in text, "Uno?" in text, "Eins?" in text) == (409, *[True] * 3)
    assert order(trips)[0] == "Uno?"
    as_alice.post(address, form_of(told))  # seen, and saved again
    assert order(trips)[0] == "Eins?"


def test_a_prompt_is_not_removed_as_somebody_changes_it(as_alice: Client, trips: PromptSet) -> None:
    item = trips.items.get(prompt="One?")
    mark = mark_of(item)
    editing.change_prompt(prompt_set=trips, item_id=item.pk, prompt=Prompt("Uno?"), mark=mark)

    as_alice.post(reverse("prompt_sets:prompt-remove", args=[trips.pk, item.pk]), {"mark": mark})
    assert order(trips) == ["Uno?", "Two?", "Three?"]
    item.refresh_from_db()
    as_alice.post(reverse("prompt_sets:prompt-remove", args=[trips.pk, item.pk]), {"mark": mark_of(item)})
    assert order(trips) == ["Two?", "Three?"]
    for prompt in trips.items.all()[:1]:
        editing.remove_prompt(prompt_set=trips, item_id=prompt.pk, mark=mark_of(prompt))
    last = trips.items.get()
    with pytest.raises(InvalidInputError, match="last prompt"):
        editing.remove_prompt(prompt_set=trips, item_id=last.pk, mark=mark_of(last))
    with pytest.raises(ChangedMeanwhileError):
        editing.change_prompt(prompt_set=trips, item_id=last.pk, prompt=Prompt("x"), mark="")


def test_prompts_are_put_into_another_order(as_alice: Client, trips: PromptSet) -> None:
    as_alice.post(page_of(trips, "prompt-move", "Three?"), {"to": "1"})
    assert order(trips) == ["Three?", "One?", "Two?"]
    part = as_alice.post(page_of(trips, "prompt-move", "Three?"), {"to": "2"}, headers={"HX-Request": "true"})
    assert [item.prompt for item in part.context["page"].object_list] == ["One?", "Three?", "Two?"] == order(trips)
    for nonsense, expected in (("", order(trips)), ("x", order(trips)), ("99999999", ["One?", "Two?", "Three?"])):
        as_alice.post(page_of(trips, "prompt-move", "Three?"), {"to": nonsense})
        assert order(trips) == expected


def test_positions_do_not_run_out(trips: PromptSet) -> None:
    trips.items.filter(prompt="Three?").update(position=editing.HIGHEST_POSITION)

    editing.add_prompts(prompt_set=trips, prompts=[Prompt("Four?")])

    assert order(trips) == ["One?", "Two?", "Three?", "Four?"]
    assert list(trips.items.order_by("position").values_list("position", flat=True)) == [0, 1, 2, 3]


def test_a_full_set_takes_no_more(alice: User) -> None:
    full = make_prompt_set(owner=alice, name="Full", prompts=[Prompt(f"{at}?") for at in range(MAX_PROMPTS)])
    with pytest.raises(InvalidInputError, match="1 to 1,000"):
        editing.add_prompts(prompt_set=full, prompts=[Prompt("One more?")])


@pytest.mark.django_db(transaction=True)
def test_two_who_add_and_move_at_once_keep_each_prompt_at_a_place_of_its_own(alice: User) -> None:
    trips = make_prompt_set(owner=alice, name="Trips", prompts=[Prompt(f"{at}?") for at in range(6)])
    keys = list(trips.items.order_by("position").values_list("pk", flat=True))
    starting = threading.Barrier(2)
    failures: list[BaseException] = []

    def at_once(change: Callable[[int], object]) -> threading.Thread:
        def work() -> None:
            starting.wait()
            try:
                for number in range(6):
                    change(number)
            except BaseException as error:
                failures.append(error)
            finally:
                connections.close_all()

        return threading.Thread(target=work)

    def move(number: int) -> None:
        editing.move_prompt(prompt_set=trips, item_id=keys[number], to=6 - number)

    threads = [
        at_once(move),
        at_once(lambda number: editing.add_prompts(prompt_set=trips, prompts=[Prompt(f"n{number}?")])),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failures == []
    assert sorted(order(trips)) == sorted([*(f"{at}?" for at in range(6)), *(f"n{at}?" for at in range(6))])


def test_a_set_that_is_gone_says_so(trips: PromptSet) -> None:
    PromptSet.objects.filter(pk=trips.pk).delete()
    with pytest.raises(MissingError):
        editing.add_prompts(prompt_set=trips, prompts=[Prompt("Four?")])
