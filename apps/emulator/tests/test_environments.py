from __future__ import annotations

import threading
from itertools import count
from typing import Any

import pytest
from botocore.exceptions import ClientError

from apps.emulator.provisioning import StartDraw, draw_start, profile_of
from apps.emulator.registry import stable_suffix
from apps.emulator.tests.running_emulator import (
    RunningEmulator,
    new_session_id,
    running_emulator,
    text_of,
    wait_until,
)

MEMBERS: dict[str, Any] = {
    "agentRuntimeArtifact": {
        "codeConfiguration": {
            "code": {"s3": {"bucket": "agents", "prefix": "agent/deployment.zip"}},
            "runtime": "PYTHON_3_13",
            "entryPoint": ["main.py"],
        }
    },
    "roleArn": "arn:aws:iam::123456789012:role/AgentRuntimeRole",
    "networkConfiguration": {"networkMode": "PUBLIC"},
}
MMDS = {"metadataConfiguration": {"requireMMDSV2": True}}


def deploy(emulator: RunningEmulator, name: str, **members: Any) -> str:
    client = emulator.client("bedrock-agentcore-control")
    runtime_id = client.create_agent_runtime(agentRuntimeName=name, **MEMBERS, **members)["agentRuntimeId"]
    emulator.advance(10)
    return str(runtime_id)


def start_kinds(emulator: RunningEmulator, session_id: str) -> list[str]:
    return [record["start_kind"] for record in emulator.truth(session_id)]


def test_an_environment_ends_after_its_idle_timeout_and_not_before(emulator: RunningEmulator) -> None:
    deploy(emulator, "made_idle", lifecycleConfiguration={"idleRuntimeSessionTimeout": 100, "maxLifetime": 28800})
    kept, ended = new_session_id(), new_session_id()
    emulator.invoke("made_idle", runtimeSessionId=kept)
    emulator.invoke("made_idle", runtimeSessionId=ended)

    emulator.advance(80)
    emulator.invoke("made_idle", runtimeSessionId=kept)
    # The timeout plus the longest slack with which it is applied.
    emulator.advance(121)
    emulator.invoke("made_idle", runtimeSessionId=ended)

    assert [record["is_cold"] for record in emulator.truth(kept)] == [True, False]
    assert [record["is_cold"] for record in emulator.truth(ended)] == [True, True]


def test_an_environment_ends_with_its_lifetime_however_busy_the_session(emulator: RunningEmulator) -> None:
    deploy(emulator, "made_mortal", lifecycleConfiguration={"idleRuntimeSessionTimeout": 300, "maxLifetime": 400})
    session_id = new_session_id()
    for _ in range(4):
        emulator.invoke("made_mortal", runtimeSessionId=session_id)
        emulator.advance(160)

    assert [record["is_cold"] for record in emulator.truth(session_id)] == [True, False, False, True]


def test_a_stopped_session_starts_anew(emulator: RunningEmulator) -> None:
    session_id = new_session_id()
    arn = emulator.arn("claims_intake")
    client = emulator.client("bedrock-agentcore")
    emulator.invoke("claims_intake", runtimeSessionId=session_id)

    answer = client.stop_runtime_session(agentRuntimeArn=arn, runtimeSessionId=session_id)
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.stop_runtime_session(agentRuntimeArn=arn, runtimeSessionId=session_id)
    emulator.invoke("claims_intake", runtimeSessionId=session_id)

    assert (answer["statusCode"], answer["runtimeSessionId"]) == (200, session_id)
    assert "reused" not in start_kinds(emulator, session_id)


def test_stopping_a_session_cuts_the_answer_under_way(emulator: RunningEmulator) -> None:
    session_id = new_session_id()
    emulator.order_fault(kind="silence", seconds=60, after_chunks=2, session_id=session_id)
    answer = emulator.begin("travel_concierge", runtimeSessionId=session_id)
    wait_until(lambda: emulator.truth(session_id)[0]["tokens_sent"] == 2)

    emulator.client("bedrock-agentcore").stop_runtime_session(
        agentRuntimeArn=emulator.arn("travel_concierge"), runtimeSessionId=session_id
    )

    with pytest.raises(Exception, match=r"IncompleteRead|Connection broken"):
        answer["response"].read()
    (record,) = emulator.truth(session_id)
    assert (record["last_byte_at"], record["client_gone_at"]) == (None, None)
    assert emulator.get("environments", session_id=session_id) == []


def test_a_session_keeps_its_code_over_a_deployment(emulator: RunningEmulator) -> None:
    runtime_id = deploy(emulator, "made_new")
    before, after = new_session_id(), new_session_id()
    _, old = emulator.invoke("made_new", "one", runtimeSessionId=before)
    emulator.client("bedrock-agentcore-control").update_agent_runtime(agentRuntimeId=runtime_id, **MEMBERS, **MMDS)
    emulator.advance(10)

    _, kept = emulator.invoke("made_new", "two", runtimeSessionId=before)
    _, new = emulator.invoke("made_new", "three", runtimeSessionId=after)

    assert [text_of(body).split(". ")[0] for body in (old, kept, new)] == [
        "This is a freshly deployed agent, version 1",
        "This is a freshly deployed agent, version 1",
        "This is a freshly deployed agent, version 2",
    ]
    assert [record["version"] for record in emulator.truth(before) + emulator.truth(after)] == ["1", "1", "2"]


def test_an_answer_that_was_not_begun_when_its_session_is_stopped_is_an_error(emulator: RunningEmulator) -> None:
    session_id = new_session_id()
    emulator.order_fault(kind="hang", seconds=60, session_id=session_id)
    caught: list[ClientError] = []

    def invoke() -> None:
        try:
            emulator.invoke("travel_concierge", runtimeSessionId=session_id)
        except ClientError as error:
            caught.append(error)

    thread = threading.Thread(target=invoke)
    thread.start()
    wait_until(lambda: [record for record in emulator.truth(session_id) if record["started_at"]])
    emulator.client("bedrock-agentcore").stop_runtime_session(
        agentRuntimeArn=emulator.arn("travel_concierge"), runtimeSessionId=session_id
    )
    thread.join()

    assert [error.response["Error"]["Code"] for error in caught] == ["InternalServerException"]


def test_some_environments_are_reclaimed_early(emulator: RunningEmulator) -> None:
    def first_draw(name: str) -> StartDraw:
        runtime_id = f"{name}-{stable_suffix('us-east-1', name, 0)}"
        profile = profile_of(MEMBERS)
        return draw_start(seed=7, runtime_id=runtime_id, ordinal=1, profile=profile, clock_skew_ms=15.0)

    names = (f"made_reclaimed_{number}" for number in count())
    name = next(name for name in names if first_draw(name).early_reclaim_fraction is not None)
    fraction = first_draw(name).early_reclaim_fraction
    assert fraction is not None
    deploy(emulator, name)
    session_id = new_session_id()

    emulator.invoke(name, runtimeSessionId=session_id)
    emulator.advance(900 * fraction - 60)
    emulator.invoke(name, runtimeSessionId=session_id)
    emulator.advance(900 * fraction + 1)
    emulator.invoke(name, runtimeSessionId=session_id)

    assert 900 * fraction + 1 < 900
    assert [record["is_cold"] for record in emulator.truth(session_id)] == [True, False, True]


def test_a_pooled_start_was_booted_minutes_before(emulator: RunningEmulator) -> None:
    session_id = new_session_id()
    emulator.order_fault(kind="start_kind", start_kind="pooled", runtime_id="code_tutor-9sVbN3yRfK")
    emulator.invoke("code_tutor", runtimeSessionId=session_id)

    group = "/aws/bedrock-agentcore/runtimes/code_tutor-9sVbN3yRfK-DEFAULT"
    (environment,) = emulator.get("environments", session_id=session_id)
    page = emulator.client("logs").filter_log_events(logGroupName=group, logStreamNames=[environment["log_stream"]])
    events = page["events"]
    assert (environment["start_kind"], start_kinds(emulator, session_id)) == ("pooled", ["pooled"])
    assert "[runtime-logs]" in environment["log_stream"]
    assert [event["message"] for event in events[:2]] == [
        "INFO:     loading configuration from /var/task/agent.yaml",
        "INFO:     model client ready",
    ]
    assert session_id in events[2]["message"]
    minutes_before = (events[2]["timestamp"] - events[1]["timestamp"]) / 60_000
    assert 6 <= minutes_before <= 44


def test_the_same_seed_gives_the_same_environments() -> None:
    def observed(seed: str) -> list[tuple[str, str]]:
        arguments = ("--seed", seed, "--time-scale", "0.02", "--log-delay-scale", "0")
        with running_emulator(*arguments) as emulator:
            seen = []
            for _ in range(8):
                session_id = new_session_id()
                emulator.invoke("claims_intake", runtimeSessionId=session_id)
                (environment,) = emulator.get("environments", session_id=session_id)
                seen.append((environment["start_kind"], environment["log_stream"][-36:]))
            return seen

    first = observed("11")

    assert first == observed("11")
    assert first != observed("12")
