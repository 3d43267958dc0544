"""What a smoke run will do and what it may cost at most."""

from __future__ import annotations

from dataclasses import dataclass

from apps.aws.arn import RuntimeArn
from apps.aws.connection import Connection

PROMPT = "Count from one to thirty in words, one number on each line, and say nothing else."
"""The only prompt that is ever sent; it makes an answer long enough to be stopped."""

POLL_EVERY_S = 1.0
LOG_WAIT_S = 90.0
PAUSE_S = 1.5


@dataclass(frozen=True, slots=True)
class SmokePlan:
    """What to do with which agent.

    `prompt_count` prompts make the conversation (the first one cold); `max_invocations` bounds all prompts that are
    sent, those of the probes included. Between two of them pass `pause_s` seconds, more than clocks usually differ by,
    so that no line in the log can belong to either. For at most `log_wait_s` Loom is asked every `poll_every_s` whether
    it knows when they began. `connection` is for what goes past Loom; it must lead to where Loom's own does.
    """

    connection: Connection
    arn: RuntimeArn
    qualifier: str
    prompt_count: int = 2
    max_invocations: int = 6
    log_wait_s: float = LOG_WAIT_S
    poll_every_s: float = POLL_EVERY_S
    pause_s: float = PAUSE_S

    @property
    def is_emulated(self) -> bool:
        return self.connection.origin == "emulator"

    @property
    def wanted_invocations(self) -> int:
        """The conversation, one that is stopped, and one for each of the two open points that need a prompt."""
        return self.prompt_count + 3

    def costs(self) -> str:
        """What the run takes, in words for the one who pays."""
        count = min(self.wanted_invocations, self.max_invocations)
        what = (
            f"up to {count} prompts of {len(PROMPT)} characters in one session, and has the agent's log read every few "
            f"seconds, for up to {self.log_wait_s:g} s"
        )
        if self.is_emulated:
            return (
                f"Emulated: sends {what} to the emulator on this machine. It costs nothing and says nothing about AWS."
            )
        return (
            f"This sends {what}. The account {self.arn.account_id} pays for the model's tokens, the runtime's "
            "seconds and the log queries."
        )


class Budget:
    """Counts prompts, so that no more are sent than were announced."""

    def __init__(self, limit: int) -> None:
        self._left = limit
        self.spent = 0

    def spend(self) -> bool:
        """Take one prompt; False where none is left."""
        if not self._left:
            return False
        self._left -= 1
        self.spent += 1
        return True
