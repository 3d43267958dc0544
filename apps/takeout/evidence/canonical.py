"""JSON in one form alone, so that what is hashed here and what somebody brings back can be compared byte by byte.

Whoever read it by a program may bring it back in the words of that program: with blanks, in lines, or with letters
escaped. Those forms are known too; in any other a byte was altered.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from itertools import product
from typing import Any

from django.utils.translation import gettext as _

from apps.takeout.exceptions import EvidenceError


def canonical(value: Any) -> str:
    """Keys in order, no blanks, letters as they are; floats as Python writes them, which reads back as the same."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def sha256(value: Any) -> str:
    """The SHA-256 of a value in its one form, in hexadecimal digits."""
    return hashlib.sha256(canonical(value).encode()).hexdigest()


def read_json(data: bytes) -> Any:
    """The value of a JSON text. Raises EvidenceError."""
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise EvidenceError(_("This is not text in UTF-8.")) from error
    try:
        value = json.loads(text, parse_constant=_refuse)
        canonical(value).encode()
    except RecursionError as error:
        raise EvidenceError(_("This JSON is nested too deeply.")) from error
    except ValueError as error:  # also for a number of thousands of digits, and half a character
        raise EvidenceError(_("This is not JSON.")) from error
    return value


def is_as_written(value: Any, data: bytes) -> bool:
    """Whether these bytes are as programs write that value; a line end behind it is none of it."""
    return data.removesuffix(b"\n") in _forms(value)


def _forms(value: Any) -> Iterator[bytes]:
    """The one form first, then what the usual writers of JSON make of the same value, with its keys in any order."""
    yield canonical(value).encode()
    layouts: list[dict[str, Any]] = [{"separators": (",", ":")}, {}, {"indent": 2}, {"indent": 4}]
    for layout, is_ascii, is_sorted in product(layouts, (True, False), (False, True)):
        yield json.dumps(value, ensure_ascii=is_ascii, sort_keys=is_sorted, allow_nan=False, **layout).encode()


def _refuse(constant: str) -> float:
    raise ValueError(constant)
