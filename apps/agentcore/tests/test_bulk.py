from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from django.db import connection, connections
from django.test.utils import CaptureQueriesContext

from apps.accounts.models import User
from apps.agentcore.importing.arn_lists import ArnEntry
from apps.agentcore.importing.bulk import Registration, Result, refresh_many, register_many
from apps.agentcore.services import DESCRIBE_ADVICE, register_agent
from apps.agentcore.tests.conftest import OrderFault
from apps.agentcore.tests.control_plane import ARN, ControlPlane, described, listed
from apps.agentcore.tests.runtimes import (
    JWT_AUTHORIZER,
    create_runtime,
    create_runtimes,
    dead_address,
    delete_runtime,
    unknown_arn,
    update_runtime,
    wait_for_status,
)
from apps.agents.models import Agent
from apps.agents.services import archive_agent
from apps.aws.arn import RuntimeArn

REGION = "eu-north-1"
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("emulator")]


def entries(texts: Iterable[str]) -> list[ArnEntry]:
    return [ArnEntry(f"line {number}", text) for number, text in enumerate(texts, 1)]


def register(*texts: str, **options: Any) -> list[Registration]:
    return list(register_many(entries(texts), user=None, **options))


def told(outcomes: Iterable[Registration]) -> list[tuple[str, str]]:
    """The result of each, with the agent's name or the reason."""
    return [(one.result, one.agent.name if one.agent else str(one.error)) for one in outcomes]


def stored_names() -> set[str]:
    return set(Agent.objects.filter(removed_at=None).values_list("name", flat=True))


def test_each_entry_is_told_in_order_and_a_bad_one_leaves_the_others(alice: User) -> None:
    """S0-094: many at once, whatever is wrong with some."""
    first, known, removed, last = (create_runtime(REGION, f"each_{name}") for name in ("a", "known", "removed", "z"))
    register_agent(arn=known, user=None)
    history = register_agent(arn=removed, user=None)
    archive_agent(agent=history)
    lost = unknown_arn(REGION)
    wrong_account = first.replace("123456789012", "111122223333")

    texts = [first, "nonsense", f"{known}/runtime-endpoint/DEFAULT", lost, wrong_account, removed, first, "", last]
    outcomes = list(register_many(entries(texts), user=alice))

    assert [one.entry for one in outcomes] == entries(texts)
    assert told(outcomes) == [
        ("registered", "each_a"),
        ("refused", told(outcomes)[1][1]),
        ("known already", "each_known"),
        ("refused", told(outcomes)[3][1]),
        ("refused", f"Under this id AWS knows another runtime: {first}."),
        ("registered", "each_removed"),
        ("known already", "each_a stands further up in this list."),
        ("refused", told(outcomes)[7][1]),
        ("registered", "each_z"),
    ]
    assert told(outcomes)[1][1].startswith("This is not an ARN.")
    assert told(outcomes)[7][1].startswith("Enter the ARN of an agent runtime")
    assert (outcomes[3].error.code, bool(outcomes[3].error.request_id)) == ("ResourceNotFoundException", True)  # type: ignore[union-attr]
    assert stored_names() == {"each_a", "each_known", "each_removed", "each_z"}
    assert Agent.objects.get(runtime__arn=first).registered_by == alice
    assert Agent.objects.get(runtime__arn=removed).pk == history.pk
    assert not any(one.is_unreachable for one in outcomes)


def test_a_dry_run_asks_aws_and_stores_nothing() -> None:
    arn = create_runtime(REGION, "dry")

    outcomes = register(arn, unknown_arn(REGION), is_dry_run=True)

    assert [one.result for one in outcomes] == [Result.REGISTERED, Result.REFUSED]
    assert outcomes[0].agent is not None
    assert (outcomes[0].agent.name, outcomes[0].agent.version) == ("dry", "1")
    assert not outcomes[0].agent.runtime.obstacles
    assert Agent.objects.count() == 0


def test_throttling_is_waited_out(order_fault: OrderFault) -> None:
    arns = create_runtimes(REGION, "throttled", 3)
    # botocore tries a call three times itself before it gives up.
    order_fault(kind="error", operation="GetAgentRuntime", code="ThrottlingException", count=7)

    assert told(register(*arns)) == [("registered", f"throttled_00{number}") for number in range(3)]


def test_a_missing_permission_names_the_action_and_the_policy(order_fault: OrderFault) -> None:
    denied, allowed = create_runtimes(REGION, "denied", 2)
    order_fault(
        kind="error",
        operation="GetAgentRuntime",
        code="AccessDeniedException",
        runtime_id=RuntimeArn.parse(denied).runtime_id,
    )

    outcomes = register(denied, allowed)

    assert [one.result for one in outcomes] == [Result.REFUSED, Result.REGISTERED]
    assert outcomes[0].error is not None
    assert outcomes[0].error.advice == DESCRIBE_ADVICE
    assert "bedrock-agentcore:GetAgentRuntime" in DESCRIBE_ADVICE


def test_a_dead_line_is_given_up_after_a_few_tries(settings: Any) -> None:
    with dead_address() as url:
        settings.EMULATOR_URL = url
        outcomes = register(*(unknown_arn("eu-south-1", number) for number in range(100)))

    assert {(one.result, one.is_unreachable) for one in outcomes} == {(Result.REFUSED, True)}
    assert len({id(one.error) for one in outcomes}) < 40


def test_queries_grow_with_the_agents_and_not_faster() -> None:
    few, many = create_runtimes(REGION, "few", 5), create_runtimes(REGION, "many", 15)

    with CaptureQueriesContext(connection) as for_few:
        register(*few, *(unknown_arn(REGION, number) for number in range(20)))
    with CaptureQueriesContext(connection) as for_many:
        register(*many)

    assert (len(for_many) - len(for_few)) / 10 <= 12
    assert len(for_few) <= 5 * 12 + 1


def test_closing_early_leaves_what_was_registered_and_ends_the_threads() -> None:
    arns = create_runtimes(REGION, "early", 12)

    outcomes = register_many(entries(arns), user=None, concurrency=2)
    assert told([next(outcomes), next(outcomes)]) == [("registered", "early_000"), ("registered", "early_001")]
    outcomes.close()  # type: ignore[attr-defined]

    assert stored_names() == {"early_000", "early_001"}
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("describe")]


@pytest.mark.django_db(transaction=True)
def test_two_at_once_register_every_agent_once_and_neither_fails() -> None:
    arns = create_runtimes("eu-north-1", "twice", 30)
    results: list[list[Registration]] = []

    def run(ordered: list[str]) -> None:
        try:
            results.append(register(*ordered))
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=(ordered,)) for ordered in (arns, arns[::-1])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    counts = [Counter(one.result for one in outcomes) for outcomes in results]
    assert sum(count[Result.REGISTERED] for count in counts) == 30
    assert sum(count[Result.KNOWN] for count in counts) == 30
    assert Agent.objects.count() == 30


def test_an_agent_that_was_registered_meanwhile_is_known() -> None:
    first, second = create_runtimes(REGION, "meanwhile", 2)
    outcomes = register_many(entries([first, second]), user=None)
    next(outcomes)
    register_agent(arn=second, user=None)

    assert told(outcomes) == [("known already", "meanwhile_001 is registered already.")]


def test_an_agent_of_the_other_mode_is_refused(make_agent: Callable[..., Agent]) -> None:
    agent = make_agent(origin="aws")

    outcomes = register(agent.runtime.arn)

    assert told(outcomes) == [("refused", "agent_1 belongs to AWS; this Loom runs with LOOM_AWS=emulator.")]


def test_obstacles_are_recognised_when_registering() -> None:
    plain, jwt = create_runtime(REGION, "plain"), create_runtime(REGION, "jwt", authorizerConfiguration=JWT_AUTHORIZER)
    old = create_runtime(REGION, "old")
    wait_for_status("READY", old)
    update_runtime(old, metadataConfiguration={"requireMMDSV2": False})

    outcomes = register(plain, jwt, old)

    found = [[obstacle.label for obstacle in one.agent.runtime.obstacles] for one in outcomes if one.agent]
    assert found == [[], ["JWT"], ["No MMDSv2"]]


def test_refreshing_says_what_changed_and_keeps_what_is_gone() -> None:
    same, changed, gone = (create_runtime(REGION, f"refresh_{name}") for name in ("a_same", "b_changed", "c_gone"))
    wait_for_status("READY", same, changed, gone)
    register(same, changed, gone)
    update_runtime(changed, authorizerConfiguration=JWT_AUTHORIZER)
    wait_for_status("READY", changed)
    delete_runtime(gone)
    wait_for_status("GONE", gone)

    outcomes = list(refresh_many(Agent.objects.all()))

    assert [one.agent.name for one in outcomes] == ["refresh_a_same", "refresh_b_changed", "refresh_c_gone"]
    assert outcomes[0].changes == ()
    assert outcomes[1].changes == ("version 1 → 2", "obstacles none → JWT", "endpoint DEFAULT 1 → 2")
    assert (outcomes[2].is_gone, outcomes[2].changes) == (True, ())
    stored = {agent.name: (agent.version, agent.status, agent.removed_at) for agent in Agent.objects.all()}
    assert stored["refresh_b_changed"][0] == "2"
    assert stored["refresh_c_gone"] == ("1", "READY", None)


def test_refreshing_follows_endpoints_as_they_come_move_and_go(control_plane: ControlPlane) -> None:

    control_plane.endpoints = [listed("DEFAULT"), listed("beta", "1", "1"), listed("prod", "1", "1")]
    register_agent(arn=ARN, user=None)
    control_plane.runtime = described(status="UPDATING", agentRuntimeVersion="4")
    control_plane.endpoints = [listed("DEFAULT", "3", "4", status="UPDATING"), listed("prod"), listed("qa", "4", "4")]

    (outcome,) = refresh_many(Agent.objects.all())

    assert outcome.changes == (
        "status READY → UPDATING",
        "version 3 → 4",
        "endpoint DEFAULT 3 → 3 to 4, UPDATING",
        "endpoint prod 1 → 3",
        "endpoint qa added (4)",
        "endpoint beta removed",
    )
