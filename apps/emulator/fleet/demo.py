"""The demo catalogue: agents that show what an AgentCore account can hold. Ids and ARNs are the same on every machine.

| runtime           | region    | shows                                             | start is logged by            |
| ----------------- | --------- | ------------------------------------------------- | ----------------------------- |
| travel_concierge  | us-east-1 | fast, zip V2; `prod` stays on an older version    | SDK line                      |
| contract_reviewer | us-east-1 | slow cold start, 200 MB container V1              | SDK line                      |
| code_tutor        | us-east-1 | long Markdown with code, zip V1; `prod` is older  | "Agent invoked - Start time:" |
| inventory_analyst | us-east-1 | tools, usage, raw Strands events, telemetry       | SDK line                      |
| claims_intake     | us-east-1 | fails half-way at HTTP 200                        | SDK line                      |
| sentiment_scorer  | us-east-1 | one JSON body, no SDK                             | nothing usable                |
| release_digest    | eu-west-1 | one JSON body through the SDK                     | SDK line with duration        |
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from apps.emulator.account import ACCOUNT_ID, EmulatedAccount
from apps.emulator.agents import performances
from apps.emulator.agents.scripts import Script
from apps.emulator.agents.traits import ScriptedAgent
from apps.emulator.registry import DEFAULT_ENDPOINT, Endpoint, Runtime, RuntimeVersion

REGION = "us-east-1"
CREATED_AT = datetime(2026, 9, 14, 8, 30, tzinfo=UTC).timestamp()
DAYS_BETWEEN_VERSIONS = 9
SDK_BOOT_LINES = ("INFO:     loading configuration from /var/task/agent.yaml", "INFO:     model client ready")


@dataclass(frozen=True)
class DemoAgent:
    """One entry. `image_mb` makes it a container, None direct code; the endpoint prod points to `prod_version`."""

    runtime_id: str
    description: str
    script: Script
    version_count: int
    region: str = REGION
    platform: str = "V1"
    image_mb: int | None = None
    prod_version: int | None = None
    boot_lines: tuple[str, ...] = SDK_BOOT_LINES
    has_otel: bool = False
    has_spans: bool = True
    variables: Mapping[str, str] = field(default_factory=lambda: {"LOG_LEVEL": "INFO"})

    @property
    def traits(self) -> ScriptedAgent:
        return ScriptedAgent(self.script, self.image_mb or 0, self.boot_lines, self.has_otel, self.has_spans)

    @property
    def name(self) -> str:
        return self.runtime_id.rpartition("-")[0]

    @property
    def arn(self) -> str:
        return f"arn:aws:bedrock-agentcore:{self.region}:{ACCOUNT_ID}:runtime/{self.runtime_id}"


DEMO_AGENTS = (
    DemoAgent(
        "travel_concierge-Xk29QmT7aB",
        "Plans short trips by train",
        performances.travel_concierge,
        version_count=3,
        platform="V2",
        prod_version=2,
    ),
    DemoAgent(
        "contract_reviewer-p4HwZ81LcE",
        "Reads contracts and points out unusual clauses",
        performances.contract_reviewer,
        version_count=2,
        image_mb=200,
        boot_lines=("Loading clause library (4,112 entries)", "Clause index ready in 2.31 s", *SDK_BOOT_LINES),
    ),
    DemoAgent(
        "code_tutor-9sVbN3yRfK",
        "Explains Python with examples",
        performances.code_tutor,
        version_count=5,
        prod_version=4,
    ),
    DemoAgent(
        "inventory_analyst-Lm6TgC0dWx",
        "Watches stock and deliveries with two tools",
        performances.inventory_analyst,
        version_count=4,
        platform="V2",
        image_mb=800,
        has_otel=True,
        variables={"LOG_LEVEL": "INFO", "AGENT_OBSERVABILITY_ENABLED": "true", "WAREHOUSE": "north"},
    ),
    DemoAgent(
        "claims_intake-eJ5rYq2UoS",
        "Checks insurance claims; its rate table is missing",
        performances.claims_intake,
        version_count=1,
    ),
    DemoAgent(
        "sentiment_scorer-Aw8DkP4vGn",
        "Scores the tone of a text",
        performances.sentiment_scorer,
        version_count=6,
        image_mb=200,
        platform="V2",
        boot_lines=("listening on 0.0.0.0:8080",),
        has_spans=False,
    ),
    DemoAgent(
        "release_digest-Hc7MxB5iZt",
        "Summarises release notes",
        performances.release_digest,
        version_count=2,
        region="eu-west-1",
        has_spans=False,
    ),
)


def register_demo(account: EmulatedAccount) -> None:
    """Put the catalogue into an account, as deployed weeks ago, with its warm pools."""
    for agent in DEMO_AGENTS:
        updated_at = CREATED_AT + (agent.version_count - 1) * DAYS_BETWEEN_VERSIONS * 86_400
        runtime = Runtime(
            runtime_id=agent.runtime_id,
            name=agent.name,
            region=agent.region,
            account_id=account.account_id,
            created_at=CREATED_AT,
            updated_at=updated_at,
            traits=agent.traits,
        )
        for number in range(1, agent.version_count + 1):
            created_at = CREATED_AT + (number - 1) * DAYS_BETWEEN_VERSIONS * 86_400
            runtime.versions[number] = RuntimeVersion(number, _settings(agent, number), created_at)
        points = {DEFAULT_ENDPOINT: agent.version_count}
        if agent.prod_version is not None:
            points["prod"] = agent.prod_version
        for name, number in points.items():
            runtime.endpoints[name] = Endpoint(name, number, number, CREATED_AT, updated_at)
        account.registry.add(runtime)
        account.environments.prepare_pool(runtime)


def created_agent(name: str) -> ScriptedAgent:
    """Return what stands behind a runtime created over the control plane: a demo agent's script by its name."""
    for agent in DEMO_AGENTS:
        if agent.name == name:
            return replace(agent.traits, image_mb=agent.image_mb or 200)
    return ScriptedAgent(performances.new_agent, boot_lines=SDK_BOOT_LINES)


def _settings(agent: DemoAgent, number: int) -> dict[str, Any]:
    registry = f"{ACCOUNT_ID}.dkr.ecr.{agent.region}.amazonaws.com"
    code = {
        "code": {
            "s3": {"bucket": f"agents-{ACCOUNT_ID}-{agent.region}", "prefix": f"{agent.name}/v{number}/deployment.zip"}
        },
        "runtime": "PYTHON_3_13",
        "entryPoint": ["opentelemetry-instrument", "main.py"] if agent.has_otel else ["main.py"],
    }
    container = {"containerUri": f"{registry}/{agent.name.replace('_', '-')}:v{number}"}
    return {
        "agentRuntimeArtifact": {"codeConfiguration": code}
        if agent.image_mb is None
        else {"containerConfiguration": container},
        "roleArn": f"arn:aws:iam::{ACCOUNT_ID}:role/AgentRuntimeRole-{agent.name}",
        "networkConfiguration": {"networkMode": "PUBLIC"},
        "protocolConfiguration": {"serverProtocol": "HTTP"},
        "lifecycleConfiguration": {"idleRuntimeSessionTimeout": 900, "maxLifetime": 28800},
        "metadataConfiguration": {"requireMMDSV2": True},
        "description": agent.description,
        "environmentVariables": dict(agent.variables),
        "platformVersion": agent.platform,
    }
