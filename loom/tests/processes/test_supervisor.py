from __future__ import annotations

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from apps.aws.tests.emulator_process import Emulator
from apps.core.models import Process
from apps.core.running.processes import end, register
from loom.processes.start_all import DatabaseTakenError, PortTakenError, check_database, check_ports
from loom.tests.fixtures import Loom
from loom.tests.running import Running, free_port, wait_until
from loom.tests.visiting import Prompt, manage

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="finds processes through /proc")

SUPERVISE = """
import sys
from loom.processes.child import ChildSpec
from loom.processes.supervisor import StartFailedError, StopRequestedError, Supervisor

def spec(name, code, **more):
    return ChildSpec(name=name, argv=(sys.executable, "-u", "-c", code), **more)

with Supervisor(sys.stdout, longest_backoff_s=1) as supervisor:
"""


def supervise(body: str) -> Running:
    indented = "\n".join("    " + line for line in body.strip().splitlines())
    return Running("-c", SUPERVISE + indented)


def get(port: int, path: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    finally:
        connection.close()


def test_a_child_that_ends_is_started_again_and_its_crash_is_told_once(tmp_path: Path) -> None:
    count = tmp_path / "count"
    code = (
        f"path = {str(count)!r}; open(path, 'a').write('.'); number = len(open(path).read())\n"
        "import os; print('12:00:0%d broken, pid %d' % (number, os.getpid()))\n"
        "if number == 4: print('something new')\n"
        "raise SystemExit(3)"
    )
    with supervise(f"""
supervisor.start(spec("web", {code!r}))
supervisor.watch()
""") as running:
        running.wait_for_line("web      | something new")
        running.process.send_signal(signal.SIGTERM)
        running.wait_for_end()

    said = [line for line in running.output if not line.startswith("Stopping")]
    assert said[0].startswith("web      | 12:00:01 broken, pid ")
    assert said[1:] == [
        "web ended with exit code 3; it starts again in 1 s",
        "web ended with exit code 3 again; it is tried on, less and less often up to every 1 s, and what it has said "
        "already is not repeated",
        "web      | something new",
    ]


def test_a_child_whose_pulse_stops_is_killed_with_its_group_and_started_again() -> None:
    beating_twice = (
        "import os, sys, time; print('up')\nfor _ in range(2): os.write(int(sys.argv[2]), b'.'); time.sleep(0.4)\n"
    )
    frozen = beating_twice + "import subprocess; subprocess.run(['sleep', '600'])"
    with supervise(f"""
supervisor.start(spec("worker", {frozen!r}, ready_line="up", pulse_limit_s=3.0))
supervisor.watch()
""") as running:
        wait_until(lambda: len(running.pids()) == 3, "supervisor, worker and the worker's own child run")
        first = set(running.pids()) - {running.process.pid}
        running.wait_for_line("worker has given no sign of life for 3 s; it is killed")
        running.wait_for_line("worker was ended by SIGKILL; it starts again in 1 s")

        wait_until(lambda: len(set(running.pids()) - first) == 3, "a new worker and its child run")
        assert not first & set(running.pids())


def test_stop_asks_main_processes_only_and_those_that_others_need_last() -> None:
    grandchild = (
        "import signal, sys; signal.signal(signal.SIGTERM, lambda *_: print('grandchild asked')); signal.pause()"
    )
    child = (
        f"import signal, subprocess, sys, time; subprocess.Popen([sys.executable, '-u', '-c', {grandchild!r}])\n"
        "def end(*_): print('finishing'); time.sleep(0.5); print('finished'); sys.exit()\n"
        "signal.signal(signal.SIGTERM, end); print('up')\nwhile True: signal.pause()"
    )
    needed = (
        "import signal, sys\ndef end(*_): print('not needed any more'); sys.exit()\n"
        "signal.signal(signal.SIGTERM, end); print('up')\nwhile True: signal.pause()"
    )
    with supervise(f"""
children = [
    supervisor.start(spec("emulator", {needed!r}, ready_line="up", stops_last=True)),
    supervisor.start(spec("worker", {child!r}, ready_line="up")),
]
supervisor.wait_until_ready(*children)
supervisor.say("all ready")
supervisor.watch()
""") as running:
        running.wait_for_line("all ready")
        wait_until(lambda: len(running.pids()) == 4, "the grandchild runs")
        running.output.clear()
        running.process.send_signal(signal.SIGTERM)

        assert running.wait_for_end() == 0
        assert running.pids() == []
        assert running.output == [
            "Stopping: what runs may finish (Ctrl-C again stops at once)",
            "worker   | finishing",
            "worker   | finished",
            "emulator | not needed any more",
        ]


def test_a_second_ctrl_c_kills_what_does_not_end() -> None:
    stubborn = "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint('up')\nwhile True: signal.pause()"
    with supervise(f"""
supervisor.wait_until_ready(supervisor.start(spec("worker", {stubborn!r}, ready_line="up", grace_s=600)))
supervisor.say("all ready")
supervisor.watch()
""") as running:
        running.wait_for_line("all ready")
        running.process.send_signal(signal.SIGINT)
        running.wait_for_line("Stopping")
        running.process.send_signal(signal.SIGINT)

        assert running.wait_for_end() == 0
        assert running.pids() == []


def test_a_child_that_outlasts_its_grace_is_killed() -> None:
    stubborn = "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint('up')\nwhile True: signal.pause()"
    with supervise(f"""
supervisor.wait_until_ready(supervisor.start(spec("worker", {stubborn!r}, ready_line="up", grace_s=0.5)))
supervisor.say("all ready")
supervisor.watch()
""") as running:
        running.wait_for_line("all ready")
        running.process.send_signal(signal.SIGHUP)

        assert running.wait_for_end() == 0
        assert running.pids() == []


def test_what_fails_while_starting_stops_everything_and_says_what() -> None:
    with supervise("""
try:
    supervisor.run_step(spec("migrate", "print('no such table'); raise SystemExit(1)"))
except StartFailedError as error:
    supervisor.say(str(error))
child = supervisor.start(spec("web", "raise SystemExit('import failed')", ready_line="up"))
other = supervisor.start(spec("worker", "import signal; signal.pause()", ready_line="up"))
try:
    supervisor.wait_until_ready(child, other)
except StartFailedError as error:
    supervisor.say(str(error))
""") as running:
        assert running.wait_for_end() == 0
        assert running.output[:2] == [
            "migrate  | no such table",
            "migrate ended with exit code 1; its messages are above.",
        ]
        assert "web ended with exit code 1 while Loom was starting." in running.output
        assert running.pids() == []


def test_ctrl_c_during_a_step_ends_the_step() -> None:
    with supervise("""
try:
    supervisor.run_step(spec("migrate", "import signal; print('at work'); signal.pause()"))
except StopRequestedError:
    supervisor.say("stopped")
""") as running:
        running.wait_for_line("at work")
        running.process.send_signal(signal.SIGINT)

        assert running.wait_for_end() == 0
        assert running.output[-1] == "stopped"


TALKER = """
import os, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

class Talker(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{"status": "Healthy"}')

    def do_POST(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        while True:
            self.wfile.write(b'data: "on and on "\\n\\n')
            time.sleep(0.1)

ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Talker).serve_forever()
"""


def talking_loom(running: Running, environment: dict[str, str], public_url: str) -> Prompt:
    """Let the agent with a process of its own talk, and give the worker a task of 15 s."""
    loom = Loom(public_url, Emulator(""), running.process, {**os.environ, **environment})
    manage(loom, "shell", "--no-imports", "--command", "from django_q.tasks import *; async_task('time.sleep', 15)")
    prompt = Prompt(loom, loom.agent_id("talker"), "Go on")
    prompt.wait_for_chunks(1)
    return prompt


@pytest.fixture
def dev_environment(tmp_path: Path) -> dict[str, str]:
    """Settings for a whole Loom of its own, with an agent that runs in a process of its own and never ends."""
    (tmp_path / "talker.py").write_text(TALKER)
    return {
        "DATABASE_URL": f"sqlite:///{tmp_path}/loom.db",
        "BACKEND_PORT": str(free_port()),
        "EMULATOR_PORT": str(free_port()),
        "EMULATOR_RUNTIMES": f"talker=cmd:{sys.executable} {tmp_path}/talker.py",
        "DEMO_HISTORY": "0",
        "DEBUG": "1",
        "AUTH_DISABLED": "1",
    }


@pytest.mark.slow("starts and ends a whole Loom")
def test_dev_starts_everything_refuses_a_second_start_and_dies_as_a_whole(dev_environment: dict[str, str]) -> None:
    """One start for several questions, as it is the slowest thing in this file."""
    web_port, emulator_port = int(dev_environment["BACKEND_PORT"]), int(dev_environment["EMULATOR_PORT"])
    url = f"http://127.0.0.1:{web_port}"
    with Running("manage.py", "dev", environment=dev_environment) as running:
        ready = running.wait_for_line("Loom is ready")
        assert ready == f"Loom is ready: {url}/  (Ctrl-C stops everything)"
        assert get(web_port, "/healthz") == 200
        assert get(web_port, "/readyz?strict=1") == 200
        with urllib.request.urlopen(f"{url}/api/agents") as answer:  # noqa: S310 -- loopback
            names = [agent["name"] for agent in json.load(answer)]
        assert sorted(names) == [  # whoever reads that line finds the demo agents there
            "claims_intake", "code_tutor", "contract_reviewer", "inventory_analyst", "sentiment_scorer", "talker",
            "travel_concierge",
        ]  # fmt: skip

        with Running("manage.py", "dev", environment=dev_environment) as second:
            assert second.wait_for_end() == 1
            assert second.output == [
                f"CommandError: Loom cannot listen on 127.0.0.1:{web_port}: Address already in use. Loom is running "
                f"there already: {url}/. Use it, stop it, or choose another port: BACKEND_PORT={web_port + 1}",
                f"Loom cannot listen on 127.0.0.1:{emulator_port}: Address already in use. Perhaps another `make dev` "
                "is running, or another program uses the port; otherwise choose another port: "
                f"EMULATOR_PORT={emulator_port + 1}",
            ]
        others = {"BACKEND_PORT": str(free_port()), "EMULATOR_PORT": str(free_port())}
        with Running("manage.py", "dev", environment={**dev_environment, **others}) as third:
            assert third.wait_for_end() == 1
            [line] = third.output
            assert re.fullmatch(
                r"CommandError: Another Loom works on this database: web process \d+ on \S+, worker process \d+ on "
                r"\S+\. With the emulator each needs a database of its own: stop the other one, or choose another "
                r"file, as DATABASE_URL=sqlite:///second\.db",
                line,
            )
        assert get(web_port, "/readyz?strict=1") == 200  # neither touched the first

        supervisor = Path(f"/proc/{running.process.pid}/cmdline").read_bytes().split(b"\0")
        assert supervisor[1:3] == [b"-m", b"loom.processes.bare"]  # the same process, without Django
        assert b"site-packages/django" not in Path(f"/proc/{running.process.pid}/maps").read_bytes()
        talking = talking_loom(running, dev_environment, url)
        assert len(running.pids()) >= 10  # supervisor, web, worker (6), emulator, agent
        os.kill(running.process.pid, signal.SIGKILL)
        wait_until(lambda: running.pids() == [], "nothing of it runs any more")
        talking.finish()


def test_another_program_on_the_port_is_not_taken_for_a_loom(settings: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        settings.BACKEND_HOST, settings.BACKEND_PORT = "127.0.0.1", port

        with pytest.raises(PortTakenError) as refused:
            check_ports(with_emulator=False)

    assert str(refused.value) == (
        f"Loom cannot listen on 127.0.0.1:{port}: Address already in use. Perhaps another `make dev` is running, or "
        f"another program uses the port; otherwise choose another port: BACKEND_PORT={port + 1}"
    )


@pytest.mark.django_db(transaction=True)
def test_processes_that_ended_or_are_gone_do_not_keep_the_database() -> None:
    """A Loom that was killed may be started again at once."""
    check_database()
    process = register(Process.Kind.WEB)
    with pytest.raises(DatabaseTakenError, match=f"web process {os.getpid()} on "):
        check_database()

    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    Process.objects.update(pid=gone.pid)
    check_database()

    Process.objects.update(host="another machine")
    with pytest.raises(DatabaseTakenError, match=f"web process {gone.pid} on another machine"):
        check_database()

    end(process.pk)
    check_database()


@pytest.mark.slow("starts and ends a whole Loom")
def test_run_is_production_and_ctrl_c_leaves_nothing_behind(dev_environment: dict[str, str]) -> None:
    web_port = int(dev_environment["BACKEND_PORT"])
    with Running("manage.py", "run", environment=dev_environment) as running:
        running.wait_for_line("Starting the web server and the worker")  # each line may take its time
        running.wait_for_line("web 1    | web 1 ready" if len(os.sched_getaffinity(0)) > 1 else "web      | web ready")
        running.wait_for_line("Make the first user: .venv/bin/python manage.py createsuperuser")
        running.wait_for_line("Loom is ready")
        environments = [Path(f"/proc/{pid}/environ").read_bytes().split(b"\0") for pid in running.pids()]
        children = [values for values in environments if b"DEBUG=0" in values and b"AUTH_DISABLED=0" in values]
        assert len(children) == len(environments)
        assert get(web_port, "/agents/") == 302
        running.process.send_signal(signal.SIGINT)

        assert running.wait_for_end() == 0
        assert running.pids() == []


@pytest.mark.slow("starts and ends a whole Loom")
def test_a_second_ctrl_c_ends_everything_at_once_whatever_runs(dev_environment: dict[str, str]) -> None:
    url = f"http://127.0.0.1:{dev_environment['BACKEND_PORT']}"
    with Running("manage.py", "dev", environment=dev_environment) as running:
        running.wait_for_line("Loom is ready")
        talking = talking_loom(running, dev_environment, url)
        running.process.send_signal(signal.SIGINT)
        running.wait_for_line("Stopping: what runs may finish")
        running.process.send_signal(signal.SIGINT)

        assert running.wait_for_end() == 0
        wait_until(lambda: running.pids() == [], "the agent's process ended too")
        talking.finish()
