"""The root of the errors that a user may see."""

from __future__ import annotations

from http import HTTPStatus
from typing import Self, TypeVar

from loom_client.wording import in_sentences

RowT = TypeVar("RowT")


class LoomError(Exception):
    """Something a user can understand and act on.

    `code` is a stable word for programs, `str(error)` says what happened, `advice` says what to do about it,
    `request_id` is AWS's id of the request where there is one. `is_retryable` says whether the same request may go well
    later, None where that is not known; `retry_after_s` when.
    """

    code = "error"
    http_status = HTTPStatus.INTERNAL_SERVER_ERROR
    is_retryable: bool | None = None
    retry_after_s: int | None = None

    def __init__(self, message: str, *, advice: str = "", request_id: str = "") -> None:
        super().__init__(message)
        self.advice = advice
        self.request_id = request_id

    def text(self) -> str:
        """What happened, what to do about it and AWS's request id, as sentences on one line: how a page, a command and
        a log of ours say it.
        """
        return in_sentences(str(self), self.advice, f"AWS request id {self.request_id}" if self.request_id else "")


class InvalidInputError(LoomError):
    """The caller gave something that cannot be used."""

    code = "invalid"
    http_status = HTTPStatus.BAD_REQUEST


class MissingError(LoomError):
    """There is no such thing, or the caller may not know that there is."""

    code = "not_found"
    http_status = HTTPStatus.NOT_FOUND
    longest_key = 100

    @classmethod
    def of(cls, kind: str, key: object, *, within: str = "") -> Self:
        """That there is no thing of this kind and key, in the words of whoever asked. Whose it would be is not told:
        what a stranger may not see is missing in the same words as what there never was.
        """
        return cls(f"No {kind} {str(key)[: cls.longest_key]}{f' {within}' if within else ''}.")


def found(row: RowT | None, kind: str, key: object, *, within: str = "") -> RowT:
    """The row that was looked for; raises MissingError where there is none."""
    if row is None:
        raise MissingError.of(kind, key, within=within)
    return row


class ConflictError(LoomError):
    """The thing is in a state in which this cannot be done."""

    code = "conflict"
    http_status = HTTPStatus.CONFLICT
