"""The whole check, in the order in which things depend on each other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from apps.agentcore.models import AwsAccount
from apps.aws.arn import RuntimeArn
from apps.aws.connection import Connection
from apps.aws.control import RuntimeSummary
from apps.aws.identity import Identity
from apps.awsverify.permissions.account import check_credentials, check_discovery
from apps.awsverify.permissions.choice import connections, is_arn, registered
from apps.awsverify.permissions.findings import ACCOUNT, CheckReport, Finding
from apps.awsverify.permissions.logs import check_logs
from apps.awsverify.permissions.runtime import check_extras, check_runtime, untested_findings
from apps.awsverify.permissions.spans import check_spans


def check_aws(
    connection: Connection, agent: str | None = None, *, account: AwsAccount | None = None, regions: Sequence[str] = ()
) -> CheckReport:
    """Try everything that Loom calls, by reading only.

    `agent` is a name or an ARN; without it, every registered agent is looked at, and where there is none the first of
    each of the `regions` (the connection's own). Each agent is asked by the credentials of its account: the connection,
    or the role of an AwsAccount. With `account` the connection is that one's, and nothing else is looked at. Raises
    InvalidArnError for what looks like an ARN and is none.
    """
    wanted = RuntimeArn.parse(agent) if agent is not None and is_arn(agent) else None
    credentials, caller = check_credentials(connection)
    if credentials.state == "missing":
        return _report(connection, None, [credentials])
    findings = [credentials]
    arns = [wanted] if wanted else registered(agent, account)
    found: list[RuntimeSummary] = []
    for region in regions or [connection.region]:
        discovery, listed = check_discovery(replace(connection, region=region), agent if not arns else None)
        findings.append(discovery)
        found += listed
    if not arns:
        arns = [RuntimeArn.parse(runtime.arn) for runtime in found]
    if not arns and agent is not None:
        places = " and ".join(regions or [connection.region])
        message = f"{agent} is neither registered nor among the agents of {places}"
        findings.append(Finding(ACCOUNT, "agent", "missing", message, "Give its ARN, or another --region."))
    return _report(connection, caller, [*findings, *_check_agents(connection, caller, arns)])


def _check_agents(connection: Connection, caller: Identity | None, arns: Sequence[RuntimeArn]) -> Iterator[Finding]:
    """Each by its account. One whose role refuses is told once, and the agents of the others are looked at."""
    roles = {} if connection.role is not None else connections()
    entered: dict[str, tuple[Finding, Identity | None]] = {}
    for arn in arns:
        role = roles.get(arn.account_id)
        if role is None:
            yield from _check_agent(connection, caller, arn)
            continue
        if arn.account_id not in entered:
            entered[arn.account_id] = check_credentials(role)
            yield entered[arn.account_id][0]
        credentials, other = entered[arn.account_id]
        if credentials.state != "missing":
            yield from _check_agent(role, other, arn)


def _check_agent(connection: Connection, caller: Identity | None, arn: RuntimeArn) -> list[Finding]:
    findings = []
    if caller is not None and caller.account_id != arn.account_id:
        message = f"the agent belongs to account {arn.account_id}, the credentials to {caller.account_id}"
        advice = "Add its account to the list of AWS accounts, or choose a profile of it with AWS_PROFILE."
        findings.append(Finding(arn.runtime_id, "account", "missing", message, advice))
    described, qualifiers = check_runtime(connection, arn)
    findings += [*described, *check_extras(connection, arn)]
    for qualifier in [arn.qualifier] if arn.qualifier else qualifiers:
        findings += check_logs(connection, arn, qualifier)
    return [*findings, check_spans(connection, arn), *untested_findings(arn)]


def _report(connection: Connection, caller: Identity | None, findings: list[Finding]) -> CheckReport:
    once: dict[tuple[str, str, str, str], Finding] = {}
    for finding in findings:
        # Every endpoint tries the same permissions: each answer is said once, a refusal whatever its request id.
        said = finding.action or finding.message
        once.setdefault((finding.section, finding.subject, finding.state, said), finding)
    return CheckReport(
        origin=connection.origin,
        region=connection.region,
        account=caller.account_id if caller else "",
        role=caller.role if caller else "",
        findings=tuple(once.values()),
    )
