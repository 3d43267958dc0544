"""Other accounts: added, asked, changed and let go, over pages, the API and commands."""

from __future__ import annotations

import html
import json
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.test import Client
from django.utils import timezone
from django_q.models import OrmQ

from apps.accounts.models import User
from apps.agentcore.account_exceptions import AccountDisabledError, AccountExistsError, AccountInUseError
from apps.agentcore.accounts import services
from apps.agentcore.accounts.tasks import check_all_accounts, enqueue_due_account_check
from apps.agentcore.aws.connection import connection_of, current_connection
from apps.agentcore.exceptions import AgentRuntimeError
from apps.agentcore.importing.bulk import refresh_many
from apps.agentcore.importing.discovery import find_everywhere, find_runtimes
from apps.agentcore.models import AwsAccount
from apps.agentcore.services import refresh_agent, register_agent
from apps.agents.models import Agent
from apps.aws.tests.two_accounts import (
    EXTERNAL_ID,
    OWN_ACCOUNT,
    REGION,
    SECOND_ACCOUNT,
    THIRD_ACCOUNT,
    TwoAccounts,
    role_of,
)
from apps.core.exceptions import InvalidInputError

pytestmark = pytest.mark.django_db
SECOND = {"label": "production", "role_arn": role_of(SECOND_ACCOUNT).arn, "external_id": EXTERNAL_ID}
THIRD = {"label": "partner", "role_arn": role_of(THIRD_ACCOUNT).arn, "external_id": EXTERNAL_ID}


def add(values: dict[str, str] = SECOND, *regions: str, **changes: str) -> AwsAccount:
    return services.add_account(**{**values, **changes}, regions=regions or [REGION])


def state_of(account: AwsAccount) -> list[tuple[str, int | None, str]]:
    return list(account.regions.values_list("region", "runtime_count", "error_code"))


def text(response: Any) -> str:
    return html.unescape(response.content.decode())


@pytest.fixture
def staff(client: Client, carol: User) -> Client:
    client.force_login(carol)
    return client


def test_agents_of_two_accounts_are_found_registered_and_refreshed_each_by_its_own_role(cloud: TwoAccounts) -> None:
    """S0-113: no call crosses, though all three accounts have an agent of the same name and id."""
    add()
    add(THIRD)
    arns = [cloud.add_runtime(account_id, "tutor") for account_id in (OWN_ACCOUNT, SECOND_ACCOUNT, THIRD_ACCOUNT)]

    found = find_everywhere()
    assert {runtime.arn for runtime in found.unregistered} == {arn.runtime_arn for arn in arns}
    agents = [register_agent(arn=arn.runtime_arn, user=None) for arn in arns]
    assert [outcome.error for outcome in refresh_many(Agent.objects.order_by("pk"))] == [None] * 3

    assert [agent.runtime.aws_account and agent.runtime.aws_account.label for agent in agents] == [
        None, "production", "partner",
    ]  # fmt: skip
    described = [call for call in cloud.calls if call.path.startswith("/runtimes/tutor")]
    assert {call.account_id for call in described} == {OWN_ACCOUNT, SECOND_ACCOUNT, THIRD_ACCOUNT}
    assert find_everywhere().registered_count == 3


def test_an_account_that_fails_is_named_and_the_others_go_on(cloud: TwoAccounts) -> None:
    add(external_id="guessed")
    third = add(THIRD, REGION, "eu-west-1")
    arn = cloud.add_runtime(THIRD_ACCOUNT, "tutor")
    agents = [register_agent(arn=arn.runtime_arn, user=None)]
    cloud.add_runtime(THIRD_ACCOUNT, "guide", suffix="AbCdEf5678")

    found = find_everywhere()

    assert [runtime.name for runtime in found.unregistered] == ["guide"]
    (failure,) = found.failures
    assert str(failure.place) == f"production · {REGION}"
    assert (failure.error.code, "external id" in failure.error.advice) == ("AccessDenied", True)
    assert state_of(AwsAccount.objects.get(label="production")) == [(REGION, None, "AccessDenied")]
    assert state_of(third) == [("eu-west-1", 0, ""), (REGION, 2, "")]
    assert [outcome.error for outcome in refresh_many(Agent.objects.filter(pk=agents[0].pk))] == [None]


def test_credentials_that_fail_for_one_account_do_not_stop_a_bulk_refresh_of_another(cloud: TwoAccounts) -> None:
    second = add()
    add(THIRD)
    arns = [cloud.add_runtime(account_id, "tutor") for account_id in (SECOND_ACCOUNT, THIRD_ACCOUNT)]
    for arn in arns:
        register_agent(arn=arn.runtime_arn, user=None)
    services.change_account(account=second, external_id="changed-there")

    refused, refreshed = refresh_many(Agent.objects.order_by("pk"))

    assert (refused.error and refused.error.code, refused.is_unreachable) == ("AccessDenied", True)
    assert refreshed.error is None


def test_agents_that_are_registered_change_to_a_role_when_it_is_added_and_back_when_it_goes(
    cloud: TwoAccounts, make_agent: Any
) -> None:
    agent = make_agent(
        account_id=SECOND_ACCOUNT,
        arn=f"arn:aws:bedrock-agentcore:us-east-1:{SECOND_ACCOUNT}:runtime/a-AbCdEf1234",
    )
    other = make_agent()
    account = add()
    for one in (agent, other):
        one.runtime.refresh_from_db()
    assert (agent.runtime.aws_account, other.runtime.aws_account) == (account, None)

    with pytest.raises(AccountInUseError, match="1 registered agent is reached"):
        services.delete_account(account=account)
    services.delete_account(account=account, hands_back=True)

    assert connection_of(agent.runtime) == current_connection(), "read before the account went"
    agent.runtime.refresh_from_db()
    assert agent.runtime.aws_account is None


def test_archived_agents_keep_no_account_from_going(cloud: TwoAccounts) -> None:
    account = add()
    agent = register_agent(arn=cloud.add_runtime(SECOND_ACCOUNT, "tutor").runtime_arn, user=None)
    Agent.objects.filter(pk=agent.pk).update(removed_at=timezone.now())

    services.delete_account(account=account)

    assert Agent.objects.filter(pk=agent.pk).exists()


def test_nothing_is_asked_of_an_account_that_is_disabled(cloud: TwoAccounts) -> None:
    account = add()
    agent = register_agent(arn=cloud.add_runtime(SECOND_ACCOUNT, "tutor").runtime_arn, user=None)
    services.change_account(account=account, is_enabled=False)
    cloud.calls.clear()

    for ask in (lambda: refresh_agent(agent=agent), lambda: find_runtimes(REGION, account)):
        with pytest.raises(AccountDisabledError):
            ask()
    services.check_accounts([account])

    assert list(find_everywhere().failures) == []
    assert cloud.accounts_of("bedrock-agentcore") <= {OWN_ACCOUNT}


def test_a_changed_role_holds_from_the_next_call_on(cloud: TwoAccounts) -> None:
    account = add(external_id="guessed")
    cloud.add_runtime(SECOND_ACCOUNT, "tutor")
    with pytest.raises(AgentRuntimeError):
        find_runtimes(REGION, account)

    services.change_account(account=account, external_id=EXTERNAL_ID)

    assert [runtime.name for runtime in find_runtimes(REGION, account).unregistered] == ["tutor"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"role_arn": "loom"},
        {"role_arn": f"arn:aws:iam::{SECOND_ACCOUNT}:user/loom"},
        {"external_id": "two words"},
        {"label": " "},
        {"label": "x" * 61},
        {"label": "two\nlines"},
        {"label": "nul\0"},
        {"label": "half\ud800"},
    ],
)
def test_what_is_no_account_is_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(InvalidInputError):
        add(SECOND, **wrong)
    with pytest.raises(InvalidInputError):
        add(SECOND, "us-east-1", "moon")
    assert not AwsAccount.objects.exists()


def test_an_account_is_there_once_and_stays_the_account_it_is() -> None:
    account = add()

    with pytest.raises(AccountExistsError):
        add(label="other name")
    with pytest.raises(AccountExistsError):
        add(THIRD, label="production")
    with pytest.raises(InvalidInputError, match=THIRD_ACCOUNT):
        services.change_account(account=account, role_arn=role_of(THIRD_ACCOUNT).arn)


def test_the_worker_looks_at_every_account_each_quarter_of_an_hour(cloud: TwoAccounts) -> None:
    account, failing = add(), add(THIRD, external_id="guessed")

    enqueue_due_account_check()
    enqueue_due_account_check()
    assert OrmQ.objects.count() == 1
    check_all_accounts()

    assert state_of(account) == [(REGION, 0, "")]
    assert state_of(failing) == [(REGION, None, "AccessDenied")]
    account.regions.update(next_check_at=timezone.now() - timedelta(seconds=1))
    enqueue_due_account_check()
    assert OrmQ.objects.count() == 2


def test_the_page_adds_checks_disables_and_deletes_an_account(cloud: TwoAccounts, staff: Client) -> None:
    cloud.add_runtime(SECOND_ACCOUNT, "tutor")
    assert "Loom goes into no other account" in text(staff.get("/aws-accounts/"))
    form = text(staff.get("/aws-accounts/new/"))
    assert 'value="loom-' in form

    refused = staff.post("/aws-accounts/new/", {**SECOND, "regions": "moon"})
    assert (refused.status_code, "is not an AWS region" in text(refused)) == (422, True)
    page = text(staff.post("/aws-accounts/new/", {**SECOND, "regions": f"{REGION}, eu-west-1"}, follow=True))
    assert "production answers in every region." in page
    account = AwsAccount.objects.get()
    assert state_of(account) == [("eu-west-1", 0, ""), (REGION, 1, "")]

    address = f"/aws-accounts/{account.pk}/"
    page = text(staff.post(address, {**SECOND, "external_id": "guessed", "regions": REGION}, follow=True))
    assert "production does not answer in us-east-1." in page and "external id" in page
    assert "One account does not answer everywhere." in text(staff.get("/aws-accounts/"))
    assert "Not every region answered. See production." in text(staff.post("/aws-accounts/check/", follow=True))
    assert "is disabled" in text(staff.post(f"{address}enable/", {"is_enabled": "0"}, follow=True))
    staff.post(address, {**SECOND, "regions": REGION})
    assert "answers in every region" in text(staff.post(f"{address}enable/", {"is_enabled": "1"}, follow=True))
    register_agent(arn=cloud.add_runtime(SECOND_ACCOUNT, "guide").runtime_arn, user=None)
    kept = staff.post(f"{address}delete/")
    assert (kept.status_code, "Archive them, disable the account" in text(kept)) == (409, True)
    assert "The account is gone" in text(staff.post(f"{address}delete/", {"hands_back": "on"}, follow=True))


def test_who_is_not_of_the_staff_sees_accounts_and_changes_none(client: Client, alice: User) -> None:
    account = add()
    client.force_login(alice)

    assert "production" in text(client.get("/aws-accounts/"))
    page = text(client.get(f"/aws-accounts/{account.pk}/"))
    assert (account.role_arn in page, EXTERNAL_ID in page) == (True, False)
    for address in ("new/", f"{account.pk}/delete/"):
        assert client.get(f"/aws-accounts/{address}").status_code == 404
    for address in ("new/", "check/", "", "check/", "enable/", "delete/"):
        prefix = "" if address in ("new/",) else f"{account.pk}/"
        assert client.post(f"/aws-accounts/{prefix}{address}", {**SECOND, "regions": REGION}).status_code == 404
    assert AwsAccount.objects.get().is_enabled


def test_the_import_takes_runtimes_of_one_account_or_of_all(cloud: TwoAccounts, staff: Client) -> None:
    account = add()
    add(THIRD, external_id="guessed")
    arns = [cloud.add_runtime(account_id, "tutor").runtime_arn for account_id in (OWN_ACCOUNT, SECOND_ACCOUNT)]

    page = text(staff.get(f"/agents/import/?account={account.pk}&region={REGION}"))
    assert (arns[1] in page, arns[0] in page) == (True, False)
    everywhere = text(staff.get("/agents/import/?account=all&region="))
    assert all(arn in everywhere for arn in arns)
    assert f"partner · {REGION}" in everywhere and "external id" in everywhere
    assert staff.get("/agents/import/?account=999&region=us-east-1").status_code == 422

    staff.post("/agents/import/chosen/", {"arn": arns})
    assert Agent.objects.filter(runtime__aws_account=account).count() == 1


def test_a_program_does_what_the_page_does(cloud: TwoAccounts, staff: Client, alice: User) -> None:
    cloud.add_runtime(SECOND_ACCOUNT, "tutor")
    made = staff.post("/api/aws-accounts", {**SECOND, "regions": [REGION]}, content_type="application/json")
    assert made.status_code == 201
    address = f"/api/aws-accounts/{made.json()['id']}"
    assert (made.json()["account_id"], made.json()["state"]) == (SECOND_ACCOUNT, "unchecked")

    checked = staff.post(f"{address}/check", content_type="application/json").json()
    assert (checked["state"], checked["regions"][0]["runtime_count"]) == ("ok", 1)
    changed = staff.patch(address, {"external_id": "guessed"}, content_type="application/json")
    assert changed.json()["external_id"] == "guessed"
    (region,) = staff.post(f"{address}/check", content_type="application/json").json()["regions"]
    assert (region["state"], region["error_code"]) == ("failing", "AccessDenied")
    other = staff.patch(address, {"role_arn": role_of(THIRD_ACCOUNT).arn}, content_type="application/json")
    assert other.status_code == 400
    again = staff.post("/api/aws-accounts", {**SECOND, "regions": [REGION]}, content_type="application/json")
    assert again.status_code == 409

    staff.force_login(alice)
    assert staff.get("/api/aws-accounts").json()[0]["external_id"] is None
    assert staff.delete(address).status_code == 404
    refused = staff.post("/api/aws-accounts", {**THIRD, "regions": [REGION]}, content_type="application/json")
    assert refused.status_code == 403


def test_the_command_registers_from_an_account_or_from_all(cloud: TwoAccounts) -> None:
    add()
    add(THIRD, external_id="guessed")
    for account_id in (OWN_ACCOUNT, SECOND_ACCOUNT):
        cloud.add_runtime(account_id, "tutor")
    output, errors = StringIO(), StringIO()

    call_command("register_agents", "--discover", "--account", "production", "--dry-run", stdout=output)
    assert f"production · {REGION}: 1 to register" in output.getvalue()
    with pytest.raises(CommandError, match="1 regions could not be listed"):
        call_command("register_agents", "--discover", "--account", "all", stdout=output, stderr=errors)
    assert f"partner · {REGION}: User is not authorized" in errors.getvalue()
    assert Agent.objects.count() == 2
    with pytest.raises(CommandError, match=r"There is no AWS account nowhere\. These there are: partner"):
        call_command("register_agents", "--discover", "--account", "nowhere")


def told(*arguments: str) -> tuple[int, str]:
    """What the command prints, and its exit status."""
    output = StringIO()
    try:
        call_command("aws_accounts", *arguments, stdout=output)
    except SystemExit as end:
        return int(str(end.code)), output.getvalue()
    return 0, output.getvalue()


def test_the_command_lists_adds_checks_disables_and_deletes(cloud: TwoAccounts) -> None:
    cloud.add_runtime(SECOND_ACCOUNT, "tutor")
    assert told() == (0, "Loom goes into no other account.\n")
    role = ("--role-arn", SECOND["role_arn"], "--external-id")

    status, text_of_it = told("--add", "production", *role, EXTERNAL_ID)
    assert (status, text_of_it) == (0, f"production ({SECOND_ACCOUNT})  {REGION}  ok  0 agents, 1 on AWS\n")
    assert told("--disable", "production")[1].split()[3] == "disabled"
    assert told("--enable", SECOND_ACCOUNT)[1].split()[3] == "ok"
    AwsAccount.objects.update(external_id="guessed")
    status, text_of_it = told("--check", "--json")
    assert (status, json.loads(text_of_it)[0]["regions"][0]["error_code"]) == (1, "AccessDenied")
    assert EXTERNAL_ID not in text_of_it
    with pytest.raises(CommandError, match="This is not an ARN"):
        told("--add", "other")
    assert told("--delete", "production") == (0, "Loom goes into no other account.\n")
