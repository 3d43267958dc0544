"""First answers by `clientToken`: whoever asks again, because an answer was lost, gets the same and changes nothing.

AWS's model: "If you use the same token with multiple requests, the same response is returned." One that comes with
other parameters is a ValidationException with the reason IdempotentParameterMismatchException.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from apps.emulator.aws_wire import validation_error
from apps.emulator.service_model import Members, Reason

KEPT_ANSWERS = 1000


class AnswerMemory:
    """The newest answers of an account. A refused request is not kept: it may be tried again."""

    def __init__(self) -> None:
        self._answers: dict[tuple[str, str, str], tuple[str, dict[str, Any]]] = {}

    def recall(self, region: str, operation: str, members: Members) -> dict[str, Any] | None:
        """Return the answer to the same request, None if there was none; raises the AwsError of a mismatch."""
        known = self._answers.get(_key(region, operation, members))
        if known is None:
            return None
        parameters, answer = known
        if parameters != _digest(members):
            raise validation_error(
                "The clientToken was used before with other parameters", Reason.IDEMPOTENT_PARAMETER_MISMATCH
            )
        return answer

    def keep(self, region: str, operation: str, members: Members, answer: dict[str, Any]) -> None:
        """Keep the answer to a request, if it has a token."""
        if "clientToken" not in members:
            return
        self._answers[_key(region, operation, members)] = (_digest(members), answer)
        if len(self._answers) > KEPT_ANSWERS:
            del self._answers[next(iter(self._answers))]


def _key(region: str, operation: str, members: Members) -> tuple[str, str, str]:
    return region, operation, members.get("clientToken", "")


def _digest(members: Members) -> str:
    parameters = {name: value for name, value in members.items() if name != "clientToken"}
    return hashlib.sha256(json.dumps(parameters, sort_keys=True).encode()).hexdigest()
