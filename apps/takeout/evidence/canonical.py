"""JSON in one form alone, so that what is hashed here and what somebody brings back can be compared byte by byte."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from django.utils.translation import gettext as _

from apps.takeout.exceptions import EvidenceError


def canonical(value: Any) -> str:
    """Keys in order, no blanks, letters as they are; floats as Python writes them, which reads back as the same."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def sha256(value: Any) -> str:
    """The SHA-256 of a value in its one form, in hexadecimal digits."""
    return hashlib.sha256(canonical(value).encode()).hexdigest()


def read_json(data: bytes) -> tuple[Any, bool]:
    """The value of a JSON text, and whether it is written in the one form; a line end behind it is none of it.

    Raises EvidenceError.
    """
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise EvidenceError(_("This is not text in UTF-8.")) from error
    try:
        value = json.loads(text, parse_constant=_refuse)
        written = canonical(value).encode()
    except RecursionError as error:
        raise EvidenceError(_("This JSON is nested too deeply.")) from error
    except ValueError as error:  # also for a number of thousands of digits, and half a character
        raise EvidenceError(_("This is not JSON.")) from error
    return value, data in (written, written + b"\n")


def _refuse(constant: str) -> float:
    raise ValueError(constant)
