"""What may be sent to an agent as a body, whatever answers."""

from __future__ import annotations

import json
import sys
from typing import Any, NoReturn

from apps.core.exceptions import InvalidInputError

MAX_PAYLOAD_LENGTH = 1_000_000
MAX_DEPTH = 50


class PayloadError(InvalidInputError):
    """A text that is no template or no body; the message says where it is wrong and what to do."""


def check_payload(text: str) -> str:
    """Return `text` unchanged where it is JSON that can be sent and stored as it is, else raise PayloadError."""
    read_json(text, MAX_PAYLOAD_LENGTH)
    return text


def read_json(text: str, max_length: int) -> Any:
    if len(text) > max_length:
        raise PayloadError(f"It has {len(text):,} characters; at most {max_length:,} are taken.")
    try:
        value = json.loads(text, parse_constant=_refuse_constant)
        json.dumps(value, ensure_ascii=False).encode()
    except json.JSONDecodeError as error:
        raise PayloadError(f"It is not JSON: {error.msg} (line {error.lineno}, column {error.colno}).") from None
    except UnicodeEncodeError:
        raise PayloadError("It holds half of a surrogate pair, which is no character.") from None
    except ValueError:
        digits = sys.get_int_max_str_digits()
        raise PayloadError(f"It holds a number of more than {digits:,} digits. Write it as a string.") from None
    except RecursionError:
        raise PayloadError(f"It is nested more than {MAX_DEPTH} deep.") from None
    _check_value(value)
    return value


def _refuse_constant(name: str) -> NoReturn:
    raise PayloadError(f"It is not JSON: {name} is no number there. Write null, or a string.")


def _check_value(value: Any, depth: int = 1) -> None:
    """Raise PayloadError for what JSON allows and a database does not take: NUL characters, endless nesting."""
    if depth > MAX_DEPTH:
        raise PayloadError(f"It is nested more than {MAX_DEPTH} deep.")
    if isinstance(value, str) and "\0" in value:
        raise PayloadError("It holds a NUL character, which cannot be stored. Remove \\u0000.")
    if isinstance(value, dict):
        for key, inner in value.items():
            _check_value(key, depth)
            _check_value(inner, depth + 1)
    elif isinstance(value, list):
        for inner in value:
            _check_value(inner, depth + 1)
