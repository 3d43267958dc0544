from __future__ import annotations

from collections.abc import Callable

import pytest

from apps.agents.forms import PromptForm
from apps.agents.models import Agent, Endpoint

pytestmark = pytest.mark.django_db


def test_endpoints_are_offered_with_their_versions_and_default_is_chosen(make_agent: Callable[..., Agent]) -> None:
    agent = make_agent()
    Endpoint.objects.create(agent=agent, name="Alpha", live_version="", status="CREATING")
    Endpoint.objects.create(agent=agent, name="prod", live_version="2", status="READY")

    field = PromptForm(agent=agent)["qualifier"]

    assert [(str(option.data["value"]), option.data["label"]) for option in field.subwidgets] == [
        ("Alpha", "Alpha"),
        ("DEFAULT", "DEFAULT → version 3"),
        ("prod", "prod → version 2"),
    ]
    assert field.value() == "DEFAULT"


def test_default_is_offered_where_no_endpoint_is_known(make_agent: Callable[..., Agent]) -> None:
    agent = make_agent()
    agent.endpoints.all().delete()

    form = PromptForm({"qualifier": "DEFAULT", "prompt": "Hello"}, agent=agent)

    expected = {"qualifier": "DEFAULT", "prompt": "Hello", "payload": "", "request_key": ""}
    assert (form.is_valid(), form.cleaned_data) == (True, expected)


def test_a_prompt_keeps_its_blanks(make_agent: Callable[..., Agent]) -> None:
    form = PromptForm({"qualifier": "DEFAULT", "prompt": "  def f():\n\treturn 1\n"}, agent=make_agent())

    assert (form.is_valid(), form.cleaned_data["prompt"]) == (True, "  def f():\n\treturn 1\n")


@pytest.mark.parametrize(
    ("data", "errors"),
    [
        ({"qualifier": "DEFAULT", "prompt": ""}, {"prompt": ["Type a prompt."]}),
        ({"qualifier": "DEFAULT", "prompt": " \n\t "}, {"prompt": ["Type a prompt."]}),
        (
            {"qualifier": "DEFAULT", "prompt": "x" * 100_001},
            {"prompt": ["A prompt has at most 100,000 characters; this one has 100001."]},
        ),
        (
            {"qualifier": "beta", "prompt": "x"},
            {"qualifier": ["The agent has no endpoint beta. Choose one of the list."]},
        ),
    ],
)
def test_what_cannot_be_sent_is_named(
    make_agent: Callable[..., Agent], data: dict[str, str], errors: dict[str, list[str]]
) -> None:
    assert PromptForm(data, agent=make_agent()).errors == errors
