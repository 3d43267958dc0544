"""The list of prompt sets, how one is made on a page, and what is done with a whole one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from apps.accounts.models import User
from apps.metrics.models import PromptSet
from apps.metrics.prompt_sets.reading import Prompt, read_text
from apps.metrics.prompt_sets.services import make_prompt_set
from apps.metrics.tests.runs import make_run
from apps.sessions.models import Session

pytestmark = pytest.mark.django_db

NEW = "/prompt-sets/new/"
CHECKS: list[dict[str, Any]] = [{"kind": "contains", "text": "Ghent"}, {"kind": "max_ttft", "ms": 900}]


@pytest.fixture
def as_alice(client: Client, alice: User) -> Client:
    client.force_login(alice)
    return client


def stored() -> list[tuple[str, list[tuple[str, Any]]]]:
    sets = PromptSet.objects.order_by("pk")
    return [(one.name, list(one.items.order_by("position").values_list("prompt", "checks"))) for one in sets]


def send(client: Client, **fields: Any) -> Any:
    return client.post(NEW, {"name": "Trips", "shape": "lines", "text": "", **fields})


def test_an_empty_list_says_what_to_do_and_a_full_one_is_searched_and_sorted(as_alice: Client, alice: User) -> None:
    text = as_alice.get("/prompt-sets/").content.decode()
    assert "No prompt sets yet" in text and f'href="{NEW}"' in text
    for name, prompt in (("Boats", "To Bruges?"), ("Trains", "To Ghent?")):
        make_prompt_set(owner=alice, name=name, prompts=[Prompt(prompt)])

    def shown(query: str) -> list[str]:
        found = as_alice.get(f"/prompt-sets/{query}").context["table"].rows
        return [one.name for one in found]

    assert shown("") == ["Trains", "Boats"]
    assert shown("?sort=name") == ["Boats", "Trains"]
    assert shown("?q=ghent") == ["Trains"]
    assert shown("?q=boats+ghent") == []
    part = as_alice.get("/prompt-sets/?q=x", headers={"HX-Request": "true", "HX-Target": "set-table"}).content.decode()
    assert "No prompt set matches" in part and "<html" not in part


def test_a_set_is_made_of_lines_that_are_typed(as_alice: Client) -> None:
    response = send(as_alice, text="Two days?\r\n\r\n  Three? \r\n")

    assert response["Location"] == PromptSet.objects.get().get_absolute_url()
    assert stored() == [("Trips", [("Two days?", []), ("Three?", [])])]


def test_a_set_is_made_of_a_file(as_alice: Client) -> None:
    content = "prompt,contains,max_ttft_ms\nTwo days?,Ghent,900\n".encode("utf-16")

    send(as_alice, file=SimpleUploadedFile("trips.csv", content), text="not this")

    checks = [{"kind": "contains", "text": "Ghent"}, {"kind": "max_ttft", "ms": "900"}]
    assert stored() == [("Trips", [("Two days?", checks)])]


def test_what_is_wrong_names_its_line_and_nothing_is_lost(as_alice: Client) -> None:
    """A file comes back as text, for a browser does not send it again by itself."""
    file = SimpleUploadedFile("trips.jsonl", b'{"prompt": "One?"}\n{"prompt": ""}\n')
    answer = send(as_alice, file=file)

    text = answer.content.decode()
    assert (answer.status_code, "Line 2: The prompt is empty." in text) == (422, True)
    assert "{&quot;prompt&quot;: &quot;One?&quot;}" in text
    assert '<option value="jsonl" selected>' in text and 'value="Trips"' in text
    assert stored() == []

    answer = send(as_alice, text="ok\n" + "x" * 100_001)
    assert (answer.status_code, "Line 2: A prompt has at most" in answer.content.decode()) == (422, True)
    assert (send(as_alice, text=" \n").status_code, stored()) == (422, [])
    assert send(as_alice, file=SimpleUploadedFile("trips.png", b"\x89PNG\xff")).status_code == 422


def test_a_name_is_taken_once(as_alice: Client, alice: User) -> None:
    make_prompt_set(owner=alice, name="Trips", prompts=[Prompt("One?")])
    other = make_prompt_set(owner=alice, name="Others", prompts=[Prompt("One?")])

    assert "There is a prompt set of this name already" in send(as_alice, text="Two?").content.decode()
    answer = as_alice.post(reverse("prompt_sets:rename", args=[other.pk]), {"name": " Trips "})
    assert (answer.status_code, "There is a prompt set of this name already" in answer.content.decode()) == (422, True)

    as_alice.post(reverse("prompt_sets:rename", args=[other.pk]), {"name": "Boats"})
    assert [name for name, _prompts in stored()] == ["Trips", "Boats"]


def test_a_set_is_deleted_after_a_question(as_alice: Client, alice: User) -> None:
    made = make_prompt_set(owner=alice, name="Trips", prompts=[Prompt("One?")])
    address = reverse("prompt_sets:delete", args=[made.pk])

    assert "Delete this prompt set?" in as_alice.get(address).content.decode()
    assert stored() != []
    assert as_alice.post(address)["Location"] == "/prompt-sets/"
    assert stored() == []


def test_a_file_of_a_set_is_the_set_again(as_alice: Client, alice: User) -> None:
    prompts = [Prompt('Zwei\n"Tage"?', CHECKS), Prompt("Three?")]
    made = make_prompt_set(owner=alice, name="Trips", prompts=prompts)

    for name in ("csv", "jsonl"):
        response: Any = as_alice.get(reverse(f"prompt_sets:{name}", args=[made.pk]))
        assert response["Content-Disposition"] == f'attachment; filename="prompt-set-{made.pk}.{name}"'
        assert read_text(b"".join(response.streaming_content).decode(), is_csv=name == "csv") == prompts


def test_past_runs_become_a_set(
    as_alice: Client, make_session: Callable[..., Session], bob: User, client: Client
) -> None:
    """Each prompt once; what had none is told, what is somebody else's is as if it were not checked."""
    session = make_session(title="Belgium")
    prompts = ("One?", "Two?", "One?", "")
    runs = [make_run(session, number, prompt=prompt) for number, prompt in enumerate(prompts)]
    theirs = make_run(make_session(owner=bob), prompt="Theirs?")

    answer = as_alice.post("/prompt-sets/from-runs/", {"row": [run.pk for run in (*runs, theirs)]}, follow=True)

    made = PromptSet.objects.get()
    assert answer.redirect_chain == [(made.get_absolute_url(), 302)]
    assert list(made.items.values_list("prompt", "made_from")) == [("One?", runs[0].pk), ("Two?", runs[1].pk)]
    assert "1 run was left out" in answer.content.decode()
    as_alice.post(reverse("prompt_sets:from-session", args=[session.public_id]))
    as_alice.post(reverse("prompt_sets:from-session", args=[session.public_id]))
    assert [name for name, _prompts in stored()][1:] == ["Belgium", "Belgium (2)"]

    for rows in ([], [theirs.pk], [runs[3].pk]):
        answer = as_alice.post("/prompt-sets/from-runs/", {"row": rows, "next": "/runs/?q=x"}, follow=True)
        assert answer.redirect_chain[0][0] == "/runs/?q=x"
    assert PromptSet.objects.count() == 3


def test_the_list_of_runs_and_a_session_lead_there(as_alice: Client, make_session: Callable[..., Session]) -> None:
    run = make_run(make_session(), prompt="One?")

    text = as_alice.get("/runs/").content.decode()
    assert 'formaction="/prompt-sets/from-runs/"' in text and f'name="row" value="{run.pk}" form="runs-bulk"' in text
    assert 'href="/prompt-sets/"' in text
    text = as_alice.get(run.session.get_absolute_url()).content.decode()
    assert f'action="/prompt-sets/from-sessions/{run.session.public_id}/"' in text


def test_a_set_is_kept_from_strangers(client: Client, alice: User, bob: User, carol: User) -> None:
    made = make_prompt_set(owner=alice, name="Trips", prompts=[Prompt("Secret?", CHECKS)])
    for user, status in ((bob, 404), (carol, 200)):
        client.force_login(user)
        assert client.get(made.get_absolute_url()).status_code == status
        assert ("Trips" in client.get("/prompt-sets/").content.decode()) is (status == 200)
