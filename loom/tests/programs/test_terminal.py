"""invoke_agent and chat as a person types them, beside a running Loom."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from loom.cli.terminal import describe_latency, describe_unread, in_words, own_url
from loom.tests.fixtures import ROOT, Loom, read_until, stop
from loom.tests.visiting import newest_run, rows
from loom_client import Agent, Client, Event, Latency

# Without care one key in a few hundred gets lost, and one in a few ends the chat.
PRESSES = 100
SESSION = re.compile(r"session ([0-9a-f-]{36})")


def run(loom: Loom, *arguments: str, typed: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT, env=loom.environment, input=typed, capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip


@pytest.fixture
def no_token_left(loom: Loom) -> Iterator[None]:
    yield
    assert [row["name"] for row in rows(loom, "accounts.token") if row["name"].startswith("manage.py")] == []


@pytest.mark.usefixtures("no_token_left")
def test_an_answer_is_written_with_its_figures(loom: Loom) -> None:
    """The answer alone goes to the output, so that it can be piped on."""
    done = run(loom, "invoke_agent", "travel_concierge", "Two days in Ghent", "--qualifier", "prod", "--end-session")

    assert done.returncode == 0, done.stderr
    stored = newest_run(loom)
    assert done.stdout == stored.text.rstrip("\n") + "\n"
    figures, place = done.stderr.splitlines()[-2:]
    assert re.fullmatch(
        r"TTFT [\d.]+ m?s · total [\d.]+ m?s · startup [\d.]+ m?s \(cold, from “.+”.*\) · Emulated", figures
    )
    session_id = SESSION.search(place)
    assert session_id is not None
    assert place == f"travel_concierge · prod · session {session_id[1]}, ended · run 1"
    assert len(loom.emulator.invocations(session_id[1])) == 1


def test_a_failure_is_told_and_is_the_exit_status(loom: Loom) -> None:
    done = run(loom, "invoke_agent", "claims_intake", "Check this claim", "--no-wait")

    assert done.returncode == 1
    assert "Failed: rate table of region 7 is not available. The agent itself reported" in done.stderr
    assert "AWS request id " in done.stderr
    assert done.stdout != ""


def test_a_payload_from_a_file_and_one_json_object_at_the_end(loom: Loom, tmp_path: Path) -> None:
    (tmp_path / "body.json").write_text('{"prompt": "What a lovely day", "extra": [1]}')
    arguments = ("--payload", str(tmp_path / "body.json"), "--json", "--no-wait")
    done = run(loom, "invoke_agent", "sentiment_scorer", *arguments)

    body = json.loads(done.stdout)
    assert (done.returncode, body["agent"], body["status"], body["error"]) == (0, "sentiment_scorer", "complete", None)
    assert json.loads(newest_run(loom).row["payload"]) == {"prompt": "What a lovely day", "extra": [1]}


HOSTILE = "\x1b[31mGhent\x1b[0m \x1b]0;pwned\x07\x9b2J\u202e\U0001f600"


@pytest.mark.parametrize(
    ("encoding", "shown"), [("utf-8", "\U0001f600"), ("ascii", "\\U0001f600"), ("cp1252", "\\U0001f600")]
)
@pytest.mark.parametrize("command", ["invoke_agent", "chat"])
def test_no_answer_steers_the_terminal_and_every_terminal_shows_it(
    loom: Loom, command: str, encoding: str, shown: str
) -> None:
    """The demo agent repeats its prompt in its answer."""
    arguments = ("travel_concierge", HOSTILE, "--no-wait") if command == "invoke_agent" else ("travel_concierge",)
    done = subprocess.run(
        [sys.executable, "manage.py", command, *arguments], cwd=ROOT, capture_output=True, timeout=240, check=False,
        env={**loom.environment, "PYTHONIOENCODING": encoding} if command == "invoke_agent" else
            {**loom.environment, "PYTHONIOENCODING": f"{encoding}:surrogateescape"},
        input=None if command == "invoke_agent" else HOSTILE.encode(),
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    written = done.stdout.decode(encoding)
    assert not set("\x1b\x07\x9b\u202e") & {*written, *done.stderr.decode(encoding)}
    if command == "invoke_agent":
        assert re.search(rf"“?Ghent .*U\+202E.*{re.escape(shown)}", written)


@pytest.mark.parametrize("announced", ["utf-8", "ascii", "utf-8:strict", "ascii:strict"])
def test_a_chat_sends_what_was_typed_in_utf_8_and_says_of_another_line_that_it_was_not_sent(
    loom: Loom, announced: str
) -> None:
    done = subprocess.run(
        [sys.executable, "manage.py", "chat", "travel_concierge"], cwd=ROOT, capture_output=True, timeout=240,
        env={**loom.environment, "PYTHONIOENCODING": announced}, check=False,
        input="Zwei Tage in K\xf6ln\n".encode() + "Zwei Tage in M\xfcnchen\n".encode("latin-1") + b"Hi\n",
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    assert done.stderr.count(b"This line was not sent: it is not text in UTF-8.") == 1
    assert b"Traceback" not in done.stderr and done.stderr.count(b"TTFT") == 2
    _, sessions = loom.get(f"/api/agents/{loom.agent_id('travel_concierge')}/sessions")
    assert sessions[0]["title"] == "Zwei Tage in K\xf6ln"


@pytest.mark.parametrize("is_piped", [True, False])
@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"prompt": "caf\xe9"}', "is not text in UTF-8. Save it as UTF-8."),
        (b"\xff\xfe\x00", "is not text in UTF-8. Save it as UTF-8."),
        (b'{"prompt": ', "is not JSON."),
        (b"", "is not JSON."),
    ],
)
def test_a_payload_that_cannot_be_read_says_why(
    loom: Loom, tmp_path: Path, body: bytes, said: str, is_piped: bool
) -> None:
    (tmp_path / "body.json").write_bytes(body)
    with (tmp_path / "body.json").open("rb") as opened:
        done = subprocess.run(
            [sys.executable, "manage.py", "invoke_agent", "sentiment_scorer", "--payload",
             "-" if is_piped else str(tmp_path / "body.json"), "--no-wait"],
            cwd=ROOT, env=loom.environment, stdin=opened, capture_output=True, text=True, timeout=240, check=False,
        )  # fmt: skip

    assert done.returncode == 1 and done.stderr.strip().endswith(said), done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_payload_may_be_saved_in_any_encoding_of_json(loom: Loom, tmp_path: Path, encoding: str) -> None:
    (tmp_path / "body.json").write_text('{"prompt": "caf\xe9"}', encoding=encoding)
    done = run(loom, "invoke_agent", "sentiment_scorer", "--payload", str(tmp_path / "body.json"), "--no-wait")

    assert done.returncode == 0, done.stderr
    assert json.loads(newest_run(loom).row["payload"]) == {"prompt": "caf\xe9"}


def test_json_is_written_so_that_no_terminal_is_steered(loom: Loom) -> None:
    done = run(loom, "invoke_agent", "travel_concierge", HOSTILE, "--json", "--no-wait")

    assert done.returncode == 0 and done.stdout.isascii() and "\x1b" not in done.stdout
    assert "\x9b2J" in json.loads(done.stdout)["response"]


def test_ctrl_c_stops_the_run(loom: Loom) -> None:
    loom.emulator.order(kind="silence", after_chunks=20, seconds=3_600)
    process = subprocess.Popen(
        [sys.executable, "manage.py", "invoke_agent", "travel_concierge", "Two days in Ghent"],
        cwd=ROOT, env=loom.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    try:
        read_until(process, "You asked about")
        process.send_signal(signal.SIGINT)
        read_until(process, "Stopped. What had arrived is kept.")
        assert process.wait(60) == 130
    finally:
        loom.emulator.clear()
        stop(process)
    stored = newest_run(loom)
    assert stored.row["status"] == "stopped"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("nobody", "Hi"), "No agent is called 'nobody'. Registered are: claims_intake, "),
        (("travel_concierg", "Hi"), "No agent is called 'travel_concierg'. Did you mean travel_concierge?\n"),
        (("travel_concierge",), "Give a prompt, or JSON with --payload."),
        (("travel_concierge", "Hi", "--count", "2"), "add --new-session"),
        (("travel_concierge", "Hi", "--url", "http://127.0.0.1:9"), "Start it with `make dev`"),
        (("travel_concierge", "Hi", "--url", "nowhere"), "Loom's address looks like http://127.0.0.1:8000."),
        (("travel_concierge", "Hi", "--user", "nobody@example.com"), "There is no active user nobody@example.com."),
        (("travel_concierge", "Hi", "--qualifier", "nowhere"), "has no endpoint of this name. Its endpoints are: "),
    ],
)
def test_what_cannot_be_done_is_said_in_a_line(loom: Loom, arguments: tuple[str, ...], message: str) -> None:
    done = run(loom, "invoke_agent", *arguments)

    assert done.returncode == 1
    assert message in done.stderr and "Traceback" not in done.stderr


def test_a_series_is_measured_with_its_progress(loom: Loom) -> None:
    arguments = ("--count", "2", "--new-session", "--end-session", "--no-wait", "--max-cost", "1")
    done = run(loom, "invoke_agent", "travel_concierge", "Two days in Ghent", *arguments)

    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith("0 of 2 started") and any(line.startswith("2 of 2 started") for line in lines)
    assert re.search(r"^travel_concierge: n = \d of 2, 0 failed, \d not found, \d still looked for · Emulated$",
                     done.stdout, re.MULTILINE)  # fmt: skip
    refused = run(loom, "invoke_agent", "travel_concierge", "Hi", *arguments[:3], "--max-cost", "0.00001")
    assert refused.returncode == 1 and "Traceback" not in refused.stderr


@pytest.mark.usefixtures("no_token_left")
def test_a_chat_goes_on_in_its_session_until_a_new_one(loom: Loom) -> None:
    typed = "Two days in Aalst\nAnd on Sunday?\n/end\n/what\n/new\nHello Aalst\n/quit\nnever sent\n"
    done = run(loom, "chat", "travel_concierge", typed=typed)

    assert done.returncode == 0, done.stderr
    assert done.stdout.count("You asked about") == 2
    assert "Picking up from before" in done.stdout
    assert done.stderr.count("TTFT") == 3
    assert "AWS accepted the end of the session." in done.stderr
    assert "/quit leaves" in done.stderr
    _, sessions = loom.get(f"/api/agents/{loom.agent_id('travel_concierge')}/sessions")
    counts = {session["title"]: session["invocation_count"] for session in reversed(sessions)}
    assert (counts["Two days in Aalst"], counts["Hello Aalst"]) == (2, 1)


class Typist:
    """Sits at a terminal of its own, on which a command runs."""

    def __init__(self, loom: Loom, *arguments: str) -> None:
        self.pid, self._terminal = pty.fork()
        if self.pid == 0:
            os.chdir(ROOT)
            os.execve(sys.executable, [sys.executable, "manage.py", *arguments], loom.environment)  # noqa: S606
        self._unread = ""

    def read_until(self, wanted: str) -> None:
        """Look at the screen until it shows this after what was seen before; one read may bring more than that."""
        deadline = time.monotonic() + 60
        while wanted not in self._unread:
            assert time.monotonic() < deadline, f"{wanted!r} was not shown: {self._unread}"
            if select.select([self._terminal], [], [], 0.2)[0]:
                self._unread += os.read(self._terminal, 65536).decode(errors="replace")
        self._unread = self._unread.partition(wanted)[2]

    def type(self, text: str) -> None:
        os.write(self._terminal, text.encode())

    def leave(self) -> int:
        """Type /quit and return the exit status."""
        self.type("/quit\n")
        status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        os.close(self._terminal)
        return status


def test_ctrl_c_stops_an_answer_and_not_the_chat(loom: Loom) -> None:
    loom.emulator.order(kind="silence", after_chunks=20, seconds=3_600)
    typist = Typist(loom, "chat", "travel_concierge")
    typist.read_until("Talking with travel_concierge.")
    typist.type("Two days in Ghent\n")
    typist.read_until("You asked about")
    typist.type("\x03")
    typist.read_until("Stopped. What had arrived is kept.")
    typist.read_until("Emulated")
    typist.type("\x03")
    typist.read_until("Nothing is running. /quit leaves.")
    typist.type("And on Sunday?\n")
    typist.read_until("Emulated")

    assert typist.leave() == 0
    stored = newest_run(loom)
    assert (stored.row["number"], stored.row["status"]) == (2, "completed")


def test_ctrl_c_is_heard_however_soon_it_is_typed(loom: Loom) -> None:
    """A key that comes between an answer and the next prompt is neither lost nor the end of the chat."""
    typist = Typist(loom, "chat", "travel_concierge")
    typist.read_until("Talking with travel_concierge.")
    for _ in range(PRESSES):
        typist.type("/new\n")
        typist.read_until("The next prompt begins a new session.")
        typist.type("\x03")
        typist.read_until("Nothing is running. /quit leaves.")

    assert typist.leave() == 0


def latency(**overrides: Any) -> Latency:
    fields: dict[str, Any] = dict.fromkeys(Latency.__slots__, "") | {
        "invocation": 1, "client_duration_ms": 4_312.4, "time_to_first_token_ms": 811.6, "startup_latency_ms": None,
        "cold_start_latency_ms": None, "low_ms": None, "high_ms": None, "is_cold": None, "state": "waiting",
    }  # fmt: skip
    return Latency(**{**fields, **overrides})


@pytest.mark.parametrize(
    ("overrides", "text"),
    [
        ({}, "startup not in the logs yet"),
        (
            {"state": "measured", "startup_latency_ms": 640.2, "is_cold": True, "source": "Agent invoked"},
            "startup 640 ms (cold, from “Agent invoked”)",
        ),
        (
            {"state": "provisional", "startup_latency_ms": 64.0, "is_cold": False, "source": "SDK line"},
            "startup 64 ms (warm, from “SDK line”, provisional)",
        ),
        ({"state": "not_found", "error": "No start line."}, "startup unknown: No start line."),
    ],
)
def test_a_line_of_figures(overrides: dict[str, Any], text: str) -> None:
    fields: dict[str, Any] = dict.fromkeys(Agent.__slots__, "")
    found = latency(**overrides)

    assert describe_latency(found, Agent(**{**fields, "origin": "aws"})) == f"TTFT 812 ms · total 4.31 s · {text}"
    assert describe_latency(found, Agent(**{**fields, "origin": "emulator"})).endswith(f"{text} · Emulated")


@pytest.mark.parametrize(
    ("text", "count", "said"),
    [
        ("Gate 4.", 1, "1 event of the answer could not be read as text; what came is at "),
        ("", 1_200, "The agent sent 1,200 events that could not be read as text; what came is at "),
    ],
)
def test_what_was_not_understood_in_a_line(text: str, count: int, said: str) -> None:
    client = Client("http://127.0.0.1:8000")
    run = client.follow(7, "s" * 36, 3)
    run.session_id, run.invocation, run.text = "s" * 36, 3, text
    run.last = Event(9, "session_end", {"unread_event_count": count})

    address = f"http://127.0.0.1:8000/api/agents/7/sessions/{'s' * 36}/invocations/3/unread"
    assert describe_unread(client, run) == f"{said}{address}"


def test_a_duration_in_words() -> None:
    assert [in_words(value) for value in (None, 0.4, 999.4, 1000, 61_234)] == [
        "–", "0 ms", "999 ms", "1.00 s", "61.23 s"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("host", "url"),
    [("127.0.0.1", "http://127.0.0.1:8123"), ("0.0.0.0", "http://127.0.0.1:8123"), ("::", "http://[::1]:8123")],  # noqa: S104 -- recognised, not bound
)
def test_where_the_loom_of_these_settings_answers(settings: Any, host: str, url: str) -> None:
    settings.BACKEND_HOST, settings.BACKEND_PORT = host, 8123
    assert own_url() == url


@pytest.mark.django_db
def test_without_a_user_to_act_for_it_says_so() -> None:
    with pytest.raises(CommandError, match="There is no superuser, so say who you are with --user"):
        call_command("invoke_agent", "x", "Hi")
