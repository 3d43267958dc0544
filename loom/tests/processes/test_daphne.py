"""A whole Loom whose pages Daphne serves: what a person does, from the sign-in to the drain."""

from __future__ import annotations

import http.cookiejar
import os
import re
import signal
import urllib.parse
import urllib.request
from collections.abc import Iterator

import pytest
from websockets.exceptions import ConnectionClosed

from loom.tests.fixtures import Loom, running_loom
from loom.tests.processes.test_redis import output_of
from loom.tests.processes.test_web_processes import answering, web_pids
from loom.tests.running import wait_until
from loom.tests.visiting import Prompt, SessionPage, get_page, manage, newest_run, newest_session_id, status_of

pytestmark = pytest.mark.slow("starts a whole Loom")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loom]:
    folder = tmp_path_factory.mktemp("daphne")
    with running_loom(folder, DATABASE_URL=f"sqlite:///{folder / 'loom.db'}", LOOM_SERVER="daphne") as running:
        yield running


def test_a_person_signs_in(served: Loom) -> None:
    make = "from apps.accounts.models import User; User.objects.create_user(email='a@example.com', password='{}')"
    password = "correct horse battery"
    manage(served, "shell", "--no-imports", "--command", make.format(password))
    cookies = http.cookiejar.CookieJar()
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(cookies))
    with browser.open(f"{served.url}/accounts/login/") as page:
        assert page.headers["Server"] == "daphne"
        found = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.read().decode())
    assert found is not None
    form = {"username": "a@example.com", "password": password, "csrfmiddlewaretoken": found[1]}
    headers = {"Origin": served.url}
    sent = urllib.request.Request(f"{served.url}/accounts/login/", urllib.parse.urlencode(form).encode(), headers)  # noqa: S310
    with browser.open(sent) as page:
        assert page.url == f"{served.url}/agents/"
    assert any(cookie.name == "sessionid" for cookie in cookies)


def test_a_prompt_over_the_socket_is_answered_as_it_is_spoken(served: Loom) -> None:
    agent_id = served.agent_id("travel_concierge")
    Prompt(served, agent_id, "Two days in Ghent").finish()
    public_id = newest_session_id(served)
    served.emulator.order(kind="silence", after_chunks=20, seconds=2)
    with SessionPage(served, public_id) as page:
        page.join()
        page.send(action="invoke", prompt="And on Sunday?")
        page.read_until("^(end|finished)")
        frames = [message for message in page.messages if message.startswith(("answer", "words"))]
        end = [message for message in page.messages if "<article" in message][-1]

    assert len(set(frames)) > 1
    assert output_of(end) == output_of(get_page(served, f"/sessions/{public_id}/"))
    run = newest_run(served)
    assert run.row["status"] == "completed" and run.is_gapless and run.row["response_text"] == run.text


def test_a_run_is_stopped_from_a_page(served: Loom) -> None:
    prompt = answering(served, for_s=3_600)
    with SessionPage(served, newest_session_id(served)) as page:
        page.read_until('data-part="tail"|^answer')
        page.send(action="stop")
        page.read_until("^(end|finished)")

    assert prompt.finish().events[-1][1]["reason"] == "stopped"


def test_a_drain_tells_pages_and_lets_streams_come_to_their_end(served: Loom) -> None:
    prompt = answering(served, for_s=4)
    [before] = web_pids(served).values()
    with SessionPage(served, newest_session_id(served)) as page:
        page.read_until('data-part="tail"|^answer')
        os.kill(before, signal.SIGTERM)
        with pytest.raises(ConnectionClosed) as closed:
            page.read_until("nothing more comes")
    assert closed.value.rcvd is not None and closed.value.rcvd.code == 1012

    assert prompt.finish().events[-1][0] == "session_end"
    wait_until(lambda: before not in web_pids(served).values(), "the process ended")
    wait_until(lambda: status_of(served, "/healthz") == 200, "it was started again")
    run = newest_run(served)
    assert run.row["status"] == "completed" and run.row["response_text"] == "".join(prompt.chunks())
