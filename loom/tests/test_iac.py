"""The policies in `iac/` allow what Loom calls and nothing else (S0-119)."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

import pytest
from moto import mock_aws
from moto.cloudformation.models import cloudformation_backends
from moto.iam.models import iam_backends
from mypy_boto3_bedrock_agentcore.client import BedrockAgentCoreClient
from mypy_boto3_bedrock_agentcore_control.client import BedrockAgentCoreControlClient
from mypy_boto3_logs.client import CloudWatchLogsClient
from mypy_boto3_sts.client import STSClient

ROOT = Path(__file__).resolve().parent.parent.parent
ACCOUNT = "123456789012"
REGION = "eu-west-1"
PLACEHOLDERS = {"Partition": "aws", "Region": REGION, "Account": ACCOUNT, "Runtime": "my_agent-AbCdEf1234"}
CLIENTS = {
    "bedrock-agentcore": (BedrockAgentCoreClient, BedrockAgentCoreControlClient),
    "logs": (CloudWatchLogsClient,),
    "sts": (STSClient,),
}


def filled_policies() -> dict[str, Any]:
    """The documents of policies/*.json by name, their placeholders filled."""
    policies = {}
    for file in sorted((ROOT / "iac" / "policies").glob("*.json")):
        text = file.read_text(encoding="utf-8")
        for name, value in PLACEHOLDERS.items():
            text = text.replace(f"${{{name}}}", value)
        policies[file.stem] = json.loads(text)
    return policies


def called_actions() -> set[str]:
    """Every operation of AWS that a module of apps.aws names, as IAM names it."""
    words: set[str] = set()
    for file in (ROOT / "apps" / "aws").glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute):
                words.add(node.attr)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                words.add(node.value)
    return {
        f"{service}:{word.title().replace('_', '')}"
        for service, clients in CLIENTS.items()
        for client in clients
        for word in words
        if "_" in word and callable(getattr(client, word, None)) and not word.startswith(("_", "get_paginator", "can_"))
    }


def test_the_template_makes_the_policies_of_the_files() -> None:
    with mock_aws():
        cloudformation_backends[ACCOUNT][REGION].create_stack(
            name="loom",
            template=(ROOT / "iac" / "loom-policies.yaml").read_text(encoding="utf-8"),
            parameters={"Stage": "test", "Runtime": PLACEHOLDERS["Runtime"]},
            notification_arns=[],
            tags={},
        )
        made = {
            policy.name: json.loads(policy.versions[0].document)
            for policy in iam_backends[ACCOUNT]["aws"].managed_policies.values()
            if policy.name.startswith("loom-")
        }

    assert made == {f"loom-{name}-test": document for name, document in filled_policies().items()}


def test_what_is_called_is_allowed_and_what_is_allowed_is_called() -> None:
    """S0-119: least privilege, in both directions."""
    allowed = {
        action for policy in filled_policies().values() for item in policy["Statement"] for action in item["Action"]
    }

    assert called_actions() == allowed


@pytest.mark.parametrize("name", ["describe", "invoke", "logs"])
def test_no_policy_about_one_thing_reaches_everything(name: str) -> None:
    resources = [resource for item in filled_policies()[name]["Statement"] for resource in item["Resource"]]

    assert all(resource.startswith("arn:aws:") and f":{REGION}:{ACCOUNT}:" in resource for resource in resources)
