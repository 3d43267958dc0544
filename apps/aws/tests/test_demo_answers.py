"""What the demo agents of the emulator say, in whichever shape: read, it is what their scripts meant to say."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator

import pytest

from apps.aws.agentcore import AgentCoreClient
from apps.aws.arn import RuntimeArn
from apps.aws.clients import client
from apps.aws.connection import Connection
from apps.aws.control import list_endpoints, list_runtimes
from apps.aws.stream.parsing import StreamParser
from apps.aws.tests.emulator_process import Emulator, running_emulator
from apps.aws.tests.wire import told
from loom_events.fold import answer_text
from loom_events.kinds import RunEvent

REGIONS = ("us-east-1", "eu-west-1")
PROMPTS = ("How are things?", "It's \"A\\B\",\n{'data': 'no'} <b> 0x1f", "Ça va, 日本?", "")
IMAGE = "123456789012.dkr.ecr.us-east-1.amazonaws.com/agent:1"


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    with running_emulator("--seed", "7", "--time-scale", "0", "--no-quotas") as running:
        yield running


@pytest.fixture
def connection(emulator: Emulator) -> Connection:
    return Connection("emulator", "us-east-1", endpoint_url=emulator.url)


async def ask(
    agentcore: AgentCoreClient, arn: RuntimeArn, qualifier: str, session_id: str, prompt: str
) -> list[RunEvent]:
    payload = json.dumps({"prompt": prompt}).encode()
    response = await agentcore.invoke(arn, qualifier=qualifier, runtime_session_id=session_id, payload=payload)
    parser = StreamParser(response.content_type)
    events = [event async for chunk in response.chunks() for event in parser.feed(chunk)]
    return events + parser.close()


def created(connection: Connection, name: str, **variables: str) -> RuntimeArn:
    """An agent that is created like one of a user, and answers as the emulator lets unknown code answer."""
    answer = client(connection, "bedrock-agentcore-control", "us-east-1").create_agent_runtime(
        agentRuntimeName=name,
        agentRuntimeArtifact={"containerConfiguration": {"containerUri": IMAGE}},
        roleArn="arn:aws:iam::123456789012:role/agent",
        networkConfiguration={"networkMode": "PUBLIC"},
        environmentVariables=variables,
    )
    return RuntimeArn.parse(answer["agentRuntimeArn"])


async def test_every_demo_agent_is_read_as_what_it_meant_to_say(emulator: Emulator, connection: Connection) -> None:
    """All agents of all regions, all their endpoints, and more turns than they have scripts."""
    new = [created(connection, "new_one"), created(connection, "load_one", EMULATOR_CHUNKS="40")]
    found = [RuntimeArn.parse(item.arn) for region in REGIONS for item in list_runtimes(connection, region)]
    agentcore = AgentCoreClient(connection)
    texts: dict[str, list[str]] = {}
    for arn in found:
        for endpoint in list_endpoints(connection, arn):
            session_id = str(uuid.uuid4())
            for prompt in PROMPTS:
                events = await ask(agentcore, arn, endpoint.name, session_id, prompt)
                truth = emulator.invocations(session_id)[-1]["answer_text"]
                if truth:
                    assert told(events).text == truth, (arn.runtime_id, endpoint.name, prompt)
                texts.setdefault(arn.runtime_id.rpartition("-")[0], []).append(truth or answer_text(events))
                assert [event for event in events if event["kind"] == "other"] == []
    await agentcore.close()

    assert {arn.runtime_id for arn in new} <= {arn.runtime_id for arn in found}
    assert len(texts) == 9
    assert all(all(said) for said in texts.values())
