from __future__ import annotations

import asyncio
import json
from urllib.parse import quote

from apps.emulator.tests.running_emulator import RunningEmulator, new_session_id

STREAM_COUNT = 300
CHUNK_COUNT = 60


async def test_many_streams_at_once_each_arrive_complete_and_in_order(emulator: RunningEmulator) -> None:
    control = emulator.client("bedrock-agentcore-control")
    control.create_agent_runtime(
        agentRuntimeName="made_for_load",
        agentRuntimeArtifact={
            "containerConfiguration": {"containerUri": "123456789012.dkr.ecr.us-east-1.amazonaws.com/a:1"}
        },
        roleArn="arn:aws:iam::123456789012:role/AgentRuntimeRole",
        networkConfiguration={"networkMode": "PUBLIC"},
        environmentVariables={"EMULATOR_CHUNKS": str(CHUNK_COUNT), "EMULATOR_CHUNKS_PER_SECOND": "0.25"},
    )
    emulator.advance(10)
    host, port = emulator.url.removeprefix("http://").split(":")
    path = f"/runtimes/{quote(emulator.arn('made_for_load'), safe='')}/invocations"
    session_ids = [new_session_id() for _ in range(STREAM_COUNT)]

    async def stream(session_id: str) -> list[str]:
        head = (
            f"POST {path} HTTP/1.1\r\nHost: {host}:{port}\r\nAuthorization: Bearer none\r\nConnection: close\r\n"
            f"X-Amzn-Bedrock-AgentCore-Runtime-Session-Id: {session_id}\r\nContent-Length: 2\r\n\r\n{{}}"
        )
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(head.encode())
        body = await reader.read()
        writer.close()
        await writer.wait_closed()
        lines = body.decode().split("\r\n")
        return [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: ")]

    answers = await asyncio.gather(*(stream(session_id) for session_id in session_ids))

    expected = [f"piece {number} " for number in range(CHUNK_COUNT)]
    assert all(answer == expected for answer in answers)
    runtime_id = emulator.arn("made_for_load").rpartition("/")[2]
    records = emulator.get("invocations", runtime_id=runtime_id)
    assert [record["tokens_sent"] for record in records] == [CHUNK_COUNT] * STREAM_COUNT
    starts = [record["started_at"] for record in records]
    ends = [record["last_byte_at"] for record in records]
    # All of them were open at one time.
    assert max(starts) < min(ends)
