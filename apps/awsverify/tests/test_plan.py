from __future__ import annotations

from apps.aws.arn import RuntimeArn
from apps.aws.connection import Connection
from apps.awsverify.smoke.plan import PROMPT, Budget, SmokePlan

ACCOUNT = "123456789012"
ARN = RuntimeArn("aws", "us-east-1", ACCOUNT, "code_tutor-9sVbN3yRfK")


def test_a_budget_that_is_spent_gives_nothing_more() -> None:
    budget = Budget(2)

    assert [budget.spend() for _ in range(4)] == [True, True, False, False]
    assert budget.spent == 2


def test_on_aws_the_costs_name_the_account() -> None:
    costs = SmokePlan(Connection("aws", "us-east-1"), ARN, "DEFAULT", max_invocations=4).costs()

    assert costs.startswith(f"This sends up to 4 prompts of {len(PROMPT)} characters")
    assert f"The account {ACCOUNT} pays" in costs
