"""A run as a program that sends it once more: for a shell, for Python, to Loom or past it.

Pure. Whatever a prompt holds, it is one value: shells get it in single quotes, Python as a literal, both of which no
character of it can end. What steers a terminal or turns the order of letters is written as an escape in JSON, and
Python's `repr` does the same: a program that somebody pastes reads as it runs.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from apps.aws.dataplane.response import ACCEPT, CONTENT_TYPE
from apps.core.text.escapes import BIDI_CONTROLS

# In JSON these only stand inside of strings, where an escape means the same.
_ESCAPED = re.compile(rf"[\x7f-\x9f\u200b-\u200f\u2028\u2029{BIDI_CONTROLS}\ufeff]")
_SIGN_IN = '"Authorization: Bearer ${LOOM_TOKEN:?make one with manage.py create_token --scope invoke}"'


@dataclass(frozen=True, slots=True)
class Sent:
    """What a run sent: `payload` is the body as it went out, `arn` is empty for an agent that is not on AgentCore.

    `loom_url` is where this Loom answers; `aws_url` the emulator's address, empty for AWS itself.
    """

    agent_id: int
    qualifier: str
    prompt: str
    payload: str
    loom_url: str
    arn: str = ""
    region: str = ""
    aws_url: str = ""


def curl(sent: Sent) -> str:
    """For a shell, to Loom's API. The body comes from printf, which has no longest argument as a program has."""
    return (
        "# A new session of the same agent. LOOM_TOKEN holds a token that may invoke.\n"
        f"printf '%s' {shlex.quote(_json(_body(sent)))} |\n"
        "  curl --no-buffer --fail-with-body --silent --show-error \\\n"
        f"    --header {_SIGN_IN} \\\n"
        "    --header 'Content-Type: application/json' \\\n"
        "    --data-binary @- \\\n"
        f"    {shlex.quote(f'{sent.loom_url}/api/agents/{sent.agent_id}/invoke')}\n"
    )


def loom_client(sent: Sent) -> str:
    """For Python, to Loom's API by its client."""
    return (
        "# A new session of the same agent. LOOM_TOKEN holds a token that may invoke.\n"
        "import json\n"
        "import os\n"
        "\n"
        "from loom_client import Client\n"
        "\n"
        f"body = json.loads({_json(_body(sent))!r})\n"
        f'loom = Client({sent.loom_url!r}, token=os.environ["LOOM_TOKEN"])\n'
        f"for event in (run := loom.invoke({sent.agent_id}, **body)):\n"
        '    print(event.text, end="", flush=True)\n'
        'print(f"\\n{run.session_id}")\n'
    )


def boto3(sent: Sent) -> str:
    """For Python, to AgentCore itself with credentials of the environment."""
    endpoint = f", endpoint_url={sent.aws_url!r},\n{_EMULATOR_KEYS}" if sent.aws_url else ""
    return (
        "# A new session of the same agent, with the credentials of your environment.\n"
        "import uuid\n"
        "\n"
        "import boto3\n"
        "\n"
        f'agentcore = boto3.client("bedrock-agentcore", region_name={sent.region!r}{endpoint})\n'
        "answer = agentcore.invoke_agent_runtime(\n"
        f"    agentRuntimeArn={sent.arn!r},\n"
        f"    qualifier={sent.qualifier!r},\n"
        "    runtimeSessionId=str(uuid.uuid4()),\n"
        f"    contentType={CONTENT_TYPE!r},\n"
        f"    accept={ACCEPT!r},\n"
        f"    payload={sent.payload!r}.encode(),\n"
        ")\n"
        'for line in answer["response"].iter_lines(chunk_size=1):\n'
        "    print(line.decode(), flush=True)\n"
    )


_EMULATOR_KEYS = '    aws_access_key_id="emulator", aws_secret_access_key="emulator",  # the emulator takes any\n'


def cli(sent: Sent) -> str:
    """For a shell, to AgentCore itself by the AWS command line, of either version."""
    keys = "export AWS_ACCESS_KEY_ID=emulator AWS_SECRET_ACCESS_KEY=emulator  # the emulator takes any\n"
    endpoint = f"    --endpoint-url {shlex.quote(sent.aws_url)} \\\n" if sent.aws_url else ""
    return (
        "# A new session of the same agent, with the credentials of your environment. The answer is in answer.txt.\n"
        f"{keys if sent.aws_url else ''}"
        f"printf '%s' {shlex.quote(_shown(sent.payload))} >payload.json &&\n"
        "  aws bedrock-agentcore invoke-agent-runtime \\\n"
        f"    --region {shlex.quote(sent.region)} \\\n"
        f"{endpoint}"
        f"    --agent-runtime-arn {shlex.quote(sent.arn)} \\\n"
        f"    --qualifier {shlex.quote(sent.qualifier)} \\\n"
        f"    --content-type {shlex.quote(CONTENT_TYPE)} \\\n"
        f"    --accept {shlex.quote(ACCEPT)} \\\n"
        "    --payload fileb://payload.json answer.txt &&\n"
        "  cat answer.txt\n"
    )


SNIPPETS: Mapping[str, Callable[[Sent], str]] = {
    "curl": curl,
    "loom_client": loom_client,
    "boto3": boto3,
    "cli": cli,
}
TO_AWS = frozenset({"boto3", "cli"})


def _body(sent: Sent) -> dict[str, object]:
    """What Loom's API takes for it: the payload as it was, or the prompt where that is no JSON."""
    payload = _value(sent.payload)
    asked = {"prompt": sent.prompt} if payload is None else {"payload": payload}
    return {**asked, "qualifier": sent.qualifier}


def _value(payload: str) -> object:
    """The payload's value; None where it is no JSON, or null, which the API takes for none."""
    try:
        return json.loads(payload)
    except ValueError:
        return None


def _json(value: object) -> str:
    return _shown(json.dumps(value, ensure_ascii=False))


def _shown(text: str) -> str:
    """A JSON text in which nothing is hidden."""
    return _ESCAPED.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
