"""The role that `iac/loom-account-role.yaml` makes in another account: who gets in, and what he may do there."""

from __future__ import annotations

import json
from typing import Any

import pytest
from moto import mock_aws
from moto.cloudformation.models import cloudformation_backends
from moto.iam.models import iam_backends

from apps.aws.roles import Role
from apps.awsverify.permissions.policies import POLICIES, policy

ACCOUNT, REGION, RUNTIME = "444455556666", "us-east-1", "my_agent-AbCdEf1234"
LOOM = "arn:aws:iam::123456789012:role/loom"
FEATURES = ("discover", "describe", "invoke", "stop", "logs", "spans", "metrics")


@pytest.fixture(scope="module")
def role() -> Any:
    """The role, made in a simulated account."""
    with mock_aws():
        cloudformation_backends[ACCOUNT][REGION].create_stack(
            name="loom",
            template=(POLICIES.parent / "loom-account-role.yaml").read_text(encoding="utf-8"),
            parameters={"LoomPrincipalArn": LOOM, "ExternalId": "loom-4f1c0b", "Runtime": RUNTIME},
            notification_arns=[],
            tags={},
        )
        yield iam_backends[ACCOUNT]["aws"].get_role("loom-access")


def _document(found: Any) -> dict[str, Any]:
    """A policy as moto keeps it: as a text or read."""
    document: dict[str, Any] = json.loads(found) if isinstance(found, str) else found
    return document


def test_nobody_but_loom_gets_in_and_nobody_without_the_external_id(role: Any) -> None:
    (statement,) = _document(role.assume_role_policy_document)["Statement"]

    assert statement["Principal"] == {"AWS": LOOM}
    assert statement["Condition"] == {"StringEquals": {"sts:ExternalId": "loom-4f1c0b"}}
    assert Role(role.arn, "loom-4f1c0b").account_id == ACCOUNT


def test_the_role_may_what_the_features_of_an_agent_need_in_every_region(role: Any) -> None:
    granted = _document(role.policies["loom"])["Statement"]
    wanted = []
    for feature in FEATURES:
        for statement in policy(feature)["Statement"]:
            text = json.dumps(statement)
            for name, value in {"Partition": "aws", "Region": "*", "Account": ACCOUNT, "Runtime": RUNTIME}.items():
                text = text.replace(f"${{{name}}}", value)
            wanted.append(json.loads(text))

    assert granted == wanted


def test_loom_itself_may_take_on_that_role_and_no_other() -> None:
    (statement,) = policy("assume")["Statement"]

    assert statement["Action"] == ["sts:AssumeRole"]
    assert statement["Resource"] == ["arn:${Partition}:iam::*:role/loom-access"]
