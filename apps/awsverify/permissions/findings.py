"""What the check found, line by line, and how a failed call becomes such a line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from apps.aws.errors import AccessDeniedError, AwsError, ConnectFailedError, ThrottledError

State = Literal["ok", "warning", "missing", "untested"]
"""`missing` is what Loom cannot do without; `untested` is a permission that no harmless call can try."""

ACCOUNT = "Account"
"""The section of what belongs to no agent."""

EMULATOR_ADVICE = "Is the emulator running? `make dev` starts it; EMULATOR_PORT says where it listens."


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report.

    `section` is `ACCOUNT` or a runtime id, `subject` what was looked at, `action` the IAM action that is refused, if
    that is what is wrong, and `statement` the policy statement that grants it.
    """

    section: str
    subject: str
    state: State
    message: str
    advice: str = ""
    action: str | None = None
    statement: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class CheckReport:
    """All findings in the order of their making. `account` and `role` are empty where nobody could be asked."""

    origin: Literal["emulator", "aws"]
    region: str
    account: str = ""
    role: str = ""
    findings: Sequence[Finding] = field(default_factory=tuple)

    @property
    def is_ok(self) -> bool:
        """Whether nothing is missing; warnings and what is untested do not count."""
        return all(finding.state != "missing" for finding in self.findings)

    @property
    def statements(self) -> list[Mapping[str, Any]]:
        """The policy statements that grant what is refused, each once."""
        found: list[Mapping[str, Any]] = []
        for finding in self.findings:
            if finding.statement is not None and finding.statement not in found:
                found.append(finding.statement)
        return found


def failed_call(
    error: AwsError,
    *,
    section: str,
    action: str,
    statement: Mapping[str, Any],
    is_emulated: bool,
) -> Finding:
    """The line for a call of `action` that failed; only a refusal says that the permission is missing."""
    request = f" (request id {error.request_id})" if error.request_id else ""
    if isinstance(error, AccessDeniedError):
        return Finding(
            section,
            action,
            "missing",
            f"{error.code}: {error.message}{request}",
            "The policy statement at the end grants it.",
            action,
            statement,
        )
    if isinstance(error, ThrottledError):
        message = f"not decided: AWS limits the rate of requests just now{request}"
        return Finding(section, action, "warning", message, "Run the check again in a minute.")
    advice = EMULATOR_ADVICE if is_emulated and isinstance(error, ConnectFailedError) else error.advice
    return Finding(section, action, "missing", f"{error.code}: {error.message}{request}", advice)
