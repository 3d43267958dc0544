"""The retry policies, each named after what it protects; there is no global one."""

from __future__ import annotations

import random
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often a call is made at most, and how long to wait in between (seconds).

    boto3 clients take the number of attempts from here and wait by botocore's "standard" mode.
    """

    max_attempts: int
    first_delay_s: float = 1.0
    factor: float = 2.0
    longest_delay_s: float = 8.0

    def delay_after(self, attempt: int) -> float:
        """Seconds to wait after the attempt of this number (from 1): at random, half of the step to all of it."""
        step = min(self.first_delay_s * self.factor ** (attempt - 1), self.longest_delay_s)
        return step * random.uniform(0.5, 1.0)  # noqa: S311 -- spreads retries, guards nothing


AGENTCORE = RetryPolicy(max_attempts=3)
"""Calls to AgentCore: reads of the control plane, and of the data plane only what provably did not run."""

CLOUDWATCH = RetryPolicy(max_attempts=4)
"""Reads from CloudWatch, whose quotas are low (5 FilterLogEvents a second in some regions)."""
