"""AWS's own metrics of an agent, read at most once a minute."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from django.core.cache import cache

from apps.agentcore.aws.connection import connection_of
from apps.agentcore.exceptions import AgentRuntimeError
from apps.agents.models import Agent
from apps.aws.errors import AccessDeniedError, AwsError
from apps.aws.metrics import RuntimeMetrics, read_runtime_metrics

KEPT_S = 60
METRICS_ADVICE = (
    "The identity in use needs cloudwatch:GetMetricData, which the policy iac/policies/metrics.json grants. "
    "Loom's own figures do not depend on it."
)


@dataclass(frozen=True, slots=True)
class MetricRange:
    """A length of time that can be chosen, in periods that end on whole ones."""

    name: str
    label: str
    length_s: int
    period_s: int
    period_label: str


HOUR_S, DAY_S = 3600, 86_400
RANGES = {
    found.name: found
    for found in (
        MetricRange("1h", "1 h", HOUR_S, 300, "5 minutes"),
        MetricRange("24h", "24 h", DAY_S, HOUR_S, "hour"),
        MetricRange("7d", "7 d", 7 * DAY_S, 6 * HOUR_S, "6 hours"),
        MetricRange("30d", "30 d", 30 * DAY_S, DAY_S, "day"),
    )
}
DEFAULT_RANGE = "24h"


def metrics_of(agent: Agent, metric_range: MetricRange, now: datetime) -> RuntimeMetrics:
    """What CloudWatch counted of `agent` in the range up to the period of `now`.

    Remembered for a minute, since AWS charges for each metric asked for; failures are not. Blocks; raises
    AgentRuntimeError and AccountDisabledError.
    """
    connection = connection_of(agent.runtime)
    end_s = (int(now.timestamp()) // metric_range.period_s + 1) * metric_range.period_s
    key = f"agents.metrics.{connection.origin}.{connection.endpoint_url}.{agent.pk}.{metric_range.name}.{end_s}"
    known: RuntimeMetrics | None = cache.get(key)
    if known is not None:
        return known
    try:
        metrics = read_runtime_metrics(
            connection,
            agent.runtime.parsed_arn,
            start_at=datetime.fromtimestamp(end_s - metric_range.length_s, UTC),
            end_at=datetime.fromtimestamp(end_s, UTC),
            period_s=metric_range.period_s,
        )
    except AwsError as error:
        if isinstance(error, AccessDeniedError):
            error.advice = METRICS_ADVICE
        raise AgentRuntimeError(error) from error
    cache.set(key, metrics, KEPT_S)
    return metrics
