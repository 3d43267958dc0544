"""Programs that send a run again: they really run, and what they send is what was sent, whatever that was."""

from __future__ import annotations

import json
import os
import shlex
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.aws.tests.loopback import Exchange, loopback
from apps.takeout.exporting.snippets import SNIPPETS, TO_AWS, Sent
from loom_events.storable import storable_text

SENT = Sent(
    agent_id=7, qualifier="DEFAULT", prompt="Hi", payload='{"prompt": "Hi"}', loom_url="http://127.0.0.1:8000",
    arn="arn:aws:bedrock-agentcore:us-east-1:123456789012:runtime/travel-AbCdEf1234", region="us-east-1",
    aws_url="http://127.0.0.1:9",
)  # fmt: skip
AWKWARD = [
    "it's", '"quoted"', "$HOME $(id) `id` ${x}", "%s %d %%", "two\nlines\r\nand\ttabs", "!history !!", "\\ back \\n",
    "'; rm -rf /tmp/nothing; '", "ends in a backslash \\", "日本語 🚂 e\u0301", "\u202eabc\u2066", "LOOM\nEOF\n",
    "-n -e", "*?[a]~",
    "\x1b[31mred", "{{prompt}}", "#", " leading and trailing ", "'''", '"""', "\u2028",
]  # fmt: skip
SHELLS = ["bash", "dash"]
# Writes what it was given: a program's arguments one a line of JSON, and what came on its standard input.
RECORDER = """#!{python}
import json, pathlib, sys
data = sys.stdin.read() if "@-" in sys.argv else pathlib.Path("payload.json").read_bytes().decode()
json.dump([sys.argv[1:], data], open("given.json", "w"))
open("answer.txt", "w").write("answered")
"""

texts = st.one_of(st.sampled_from(AWKWARD), st.text(max_size=80), st.lists(st.sampled_from(AWKWARD)).map("".join)).map(
    storable_text
)


def runs_in(folder: Path, shell: str, script: str) -> tuple[list[str], str]:
    """Run a script in a shell whose curl and aws write down what they were given."""
    for name in ("curl", "aws"):
        program = folder / name
        if not program.exists():
            program.write_text(RECORDER.format(python=sys.executable))
            program.chmod(program.stat().st_mode | stat.S_IXUSR)
    environment = {"PATH": f"{folder}:{os.environ['PATH']}", "LOOM_TOKEN": "given", "LC_ALL": "C.UTF-8"}
    done = subprocess.run(
        [shell, "-c", script], cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    arguments, data = json.loads((folder / "given.json").read_text())
    return arguments, data


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.slow("starts a shell and a program in it for each of many prompts")
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(prompt=texts)
def test_a_shell_sends_what_was_sent(tmp_path: Path, shell: str, prompt: str) -> None:
    payload = json.dumps({"prompt": prompt}, ensure_ascii=False)
    sent = replace(SENT, prompt=prompt, payload=payload)

    arguments, data = runs_in(tmp_path, shell, SNIPPETS["curl"](sent))
    assert json.loads(data) == {"payload": {"prompt": prompt}, "qualifier": "DEFAULT"}
    assert arguments[-1] == "http://127.0.0.1:8000/api/agents/7/invoke"
    assert "Authorization: Bearer given" in arguments

    arguments, data = runs_in(tmp_path, shell, SNIPPETS["cli"](sent))
    assert json.loads(data) == {"prompt": prompt}
    assert arguments[:2] == ["bedrock-agentcore", "invoke-agent-runtime"]
    assert arguments[arguments.index("--agent-runtime-arn") + 1] == sent.arn
    assert arguments[-3:] == ["--payload", "fileb://payload.json", "answer.txt"]


@given(prompt=texts)
def test_python_sends_what_was_sent(prompt: str) -> None:
    """The programs are compiled and run with clients that write down what they were given."""
    payload = json.dumps({"prompt": prompt}, ensure_ascii=False)
    sent = replace(SENT, prompt=prompt, payload=payload)
    given: dict[str, Any] = {}

    class Answer:
        session_id = "s"

        def __iter__(self) -> Iterator[Any]:
            return iter(())

        def iter_lines(self, chunk_size: int) -> Iterator[bytes]:
            return iter(())

    class Client:
        def __init__(self, *args: Any, **kwargs: Any) -> None: ...

        def invoke(self, agent_id: int, **body: Any) -> Answer:
            given.update(agent_id=agent_id, **body)
            return Answer()

        def invoke_agent_runtime(self, **call: Any) -> dict[str, Answer]:
            given.update(call)
            return {"response": Answer()}

    with modules(loom_client=Client, boto3=Client):
        execute(SNIPPETS["loom_client"](sent))
        assert given == {"agent_id": 7, "payload": {"prompt": prompt}, "qualifier": "DEFAULT"}
        execute(SNIPPETS["boto3"](sent))
    assert (given["payload"], given["agentRuntimeArn"]) == (payload.encode(), sent.arn)


@contextmanager
def modules(loom_client: type, boto3: type) -> Iterator[None]:
    """Modules of these names that hold nothing but a client."""
    stand_ins = {"loom_client": type(sys)("loom_client"), "boto3": type(sys)("boto3")}
    stand_ins["loom_client"].Client = loom_client  # type: ignore[attr-defined]
    stand_ins["boto3"].client = boto3  # type: ignore[attr-defined]
    before = {name: sys.modules.get(name) for name in stand_ins}
    sys.modules.update(stand_ins)
    os.environ["LOOM_TOKEN"] = "given"
    try:
        yield
    finally:
        del os.environ["LOOM_TOKEN"]
        for name, module in before.items():
            if module is None:
                del sys.modules[name]
            else:
                sys.modules[name] = module


def execute(program: str) -> None:
    exec(compile(program, "snippet", "exec"), {"print": lambda *args, **kwargs: None})  # noqa: S102 -- what is tested


@given(prompt=texts)
def test_nothing_in_a_program_is_hidden(prompt: str) -> None:
    """What steers a terminal or turns the order of letters is written as an escape."""
    sent = replace(SENT, prompt=prompt, payload=json.dumps({"prompt": prompt}, ensure_ascii=False))
    for name, snippet in SNIPPETS.items():
        found = {letter for letter in snippet(sent) if letter in "\u202e\u2066\u2028\u200b\x1b\x7f\x9b\r\0"}
        assert (name, found) == (name, set())


def test_a_payload_that_is_no_json_is_sent_as_the_prompt() -> None:
    for payload in ("no json", "null", ""):
        sent = replace(SENT, payload=payload, prompt="it's")
        assert shlex.quote(json.dumps({"prompt": "it's", "qualifier": "DEFAULT"})) in SNIPPETS["curl"](sent)


def test_the_emulator_is_named_where_the_agent_lives_there_alone() -> None:
    for name in TO_AWS:
        assert "http://127.0.0.1:9" in SNIPPETS[name](SENT)
        snippet = SNIPPETS[name](replace(SENT, aws_url=""))
        assert "127.0.0.1" not in snippet and "emulator" not in snippet


def test_curl_itself_sends_the_largest_prompt(tmp_path: Path) -> None:
    """More than fits into an argument of a program."""
    prompt = "日'$" * 90_000
    bodies: list[bytes] = []

    def answer(exchange: Exchange) -> None:
        bodies.append(exchange.request.body)
        exchange.reply(200, b"event: session_end\n\n")

    with loopback(answer) as loom:
        payload = json.dumps({"prompt": prompt}, ensure_ascii=False)
        script = tmp_path / "again.sh"
        script.write_text(SNIPPETS["curl"](replace(SENT, payload=payload, loom_url=loom.url)))
        done = subprocess.run(
            ["sh", str(script)], env={**os.environ, "LOOM_TOKEN": "given"}, capture_output=True, check=False, timeout=60
        )
    assert (done.returncode, done.stdout) == (0, b"event: session_end\n\n"), done.stderr
    assert json.loads(bodies[0])["payload"] == {"prompt": prompt}
