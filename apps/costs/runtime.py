"""What environments on AgentCore Runtime cost at most, from its published prices.

AgentCore bills CPU while it is used and the peak of memory for as long as an environment lives, by the second, from its
boot to its end, idle time included (Amazon Bedrock AgentCore pricing, section Runtime, read in November 2026; the
settings take other prices). Nobody outside knows how much an agent uses, so every figure here is a bound: the largest
environment there is. What the agent itself pays for, models above all, is not in it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from decimal import ROUND_UP, Decimal

from django.conf import settings

# The largest environment (AgentCore quotas).
VCPUS = 2
MEMORY_GB = 8
HOUR_S = 3600
# From the last answer until AWS has freed an environment that was asked to end.
ENDING = timedelta(seconds=10)
CENTS = Decimal("0.0001")


@dataclass(frozen=True, slots=True)
class Prices:
    """US dollars per hour of one vCPU and of one gigabyte."""

    vcpu_hour_usd: Decimal
    gb_hour_usd: Decimal

    def session_usd(self, busy: timedelta, *, idle: timedelta) -> Decimal:
        """The most that a session costs which works for `busy` and then waits for `idle` before it is freed."""
        busy_s, alive_s = Decimal(busy.total_seconds()), Decimal((busy + idle).total_seconds())
        cpu = VCPUS * busy_s / HOUR_S * self.vcpu_hour_usd
        memory = MEMORY_GB * alive_s / HOUR_S * self.gb_hour_usd
        return cpu + memory


def prices() -> Prices:
    """The prices in force: AWS's of the default regions unless the settings say others."""
    return Prices(settings.AGENTCORE_VCPU_HOUR_USD, settings.AGENTCORE_GB_HOUR_USD)


def run_usd(busy: timedelta) -> Decimal:
    """The most that an environment costs while it answers one run; what it costs idle belongs to its session."""
    return prices().session_usd(busy, idle=timedelta())


def rounded_up(usd: Decimal) -> Decimal:
    """An amount to a hundredth of a cent, never less than it is."""
    return usd.quantize(CENTS, rounding=ROUND_UP)
