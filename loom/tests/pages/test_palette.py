"""What the command palette finds: of the reader's alone, little of each, whatever is typed."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from apps.accounts.models import User
from apps.agents.models import Agent
from apps.agents.services import archive_agent
from apps.sessions import indexing
from apps.sessions.models import Invocation, Session

pytestmark = pytest.mark.django_db
RESULTS = "/palette/results/"
EVIL = "<script>alert(1)</script>"


def found(client: Client, text: str) -> list[tuple[str, str]]:
    """Where the options lead, and the words of each that stand out."""
    html = client.get(RESULTS, {"q": text}).content.decode()
    options = re.findall(r'role="option" tabindex="-1" href="([^"]*)">.*?<b[^>]*>(.*?)</b>', html, re.DOTALL)
    return [(address, re.sub(r"</?mark>", "", words)) for address, words in options]


def add_run(session: Session, prompt: str) -> Invocation:
    now = timezone.now()
    run = Invocation.objects.create(
        session=session, number=1, status="completed", prompt=prompt, requested_at=now, invoked_at=now,
        completed_at=now,
    )  # fmt: skip
    indexing.mark_due(Invocation.objects.filter(pk=run.pk))
    while indexing.index_texts():
        pass
    return run


def test_agents_sessions_and_runs_are_found_by_their_words(
    client: Client, make_agent: Callable[..., Agent], make_session: Callable[..., Session], alice: User
) -> None:
    agent = make_agent(name="travel_concierge")
    session = make_session(agent=agent, title="Ghent in two days")
    run = add_run(session, "What is there in Bruges?")
    client.force_login(alice)

    assert found(client, "CONCIERGE travel")[0] == (f"/agents/{agent.pk}/", "travel_concierge")
    address = f"/sessions/{session.public_id}/"
    assert (address, "Ghent in two days") in found(client, "days ghent")
    assert (address, "Ghent in two days") in found(client, str(session.public_id))
    assert (f"{address}#invocation-{run.pk}", "What is there in Bruges?") in found(client, "bruges")
    assert found(client, "nowhere") == [("/runs/?q=nowhere", "All runs that say “nowhere”")]
    assert found(client, " ") == []


def test_what_somebody_may_not_see_is_not_found(
    client: Client, make_agent: Callable[..., Agent], make_session: Callable[..., Session], bob: User, alice: User
) -> None:
    gone = make_agent(name="ghent_of_old")
    session = make_session(title="Ghent, secretly")
    add_run(session, "Ghent?")
    make_session(agent=session.agent, title="Ghent, measured", purpose="measure_start")
    archive_agent(agent=gone)

    client.force_login(bob)
    assert [words for _, words in found(client, "ghent")] == ["All runs that say “ghent”"]
    client.force_login(alice)
    assert [words for _, words in found(client, "ghent")][:2] == ["Ghent, secretly", "Ghent?"]


def test_there_are_five_of_each_at_most_and_no_more_statements_with_more_rows(
    client: Client, make_agent: Callable[..., Agent], make_session: Callable[..., Session], alice: User,
    django_assert_max_num_queries: Any,
) -> None:  # fmt: skip
    for number in range(8):
        session = make_session(agent=make_agent(name=f"ghent_{number}"), title=f"Ghent {number}")
        add_run(session, f"Ghent, day {number}")
    client.force_login(alice)

    with django_assert_max_num_queries(9):
        options = found(client, "ghent")

    kinds = Counter("runs" if "#" in address else address.split("/")[1] for address, _ in options)
    assert kinds == {"agents": 5, "sessions": 5, "runs": 6}  # all runs is an option too


@pytest.mark.parametrize("text", ["x" * 201, "a\0b"])
def test_what_cannot_be_searched_for_is_refused(client: Client, alice: User, text: str) -> None:
    client.force_login(alice)

    answer = client.get(RESULTS, {"q": text})

    assert (answer.status_code, "cannot be searched for" in answer.content.decode()) == (422, True)


def test_what_is_found_stays_text(
    client: Client, make_agent: Callable[..., Agent], make_session: Callable[..., Session], alice: User
) -> None:
    session = make_session(agent=make_agent(name=f"evil {EVIL}"), title=f"evil {EVIL}")
    add_run(session, f"evil {EVIL}")
    client.force_login(alice)

    text = client.get(RESULTS, {"q": EVIL}).content.decode()

    assert "<script" not in text
    assert text.count("&lt;script&gt;") >= 3


def test_the_palette_offers_pages_and_actions_and_the_sheet_all_keys(client: Client, alice: User) -> None:
    client.force_login(alice)

    text = client.get("/palette/").content.decode()

    for address in ("/agents/", "/sessions/", "/runs/", "/operate/", "/sessions/new/", "/agents/register/#id_arn"):
        assert re.search(f'role="option" tabindex="-1" href="{re.escape(address)}">', text), address
    assert 'data-command="sheet"' in text
    assert "/admin/" not in text
    assert "<kbd>g</kbd> then <kbd>a</kbd></dt><dd>Agents</dd>" in text
    assert "<kbd>j</kbd> or <kbd>k</kbd></dt>" in text
