"""From a prompt to the body that an agent expects, and what may be written as a template or as a body."""

from __future__ import annotations

import json
from typing import Any, NoReturn

from apps.core.exceptions import InvalidInputError

PLACEHOLDER = "{{prompt}}"
MAX_TEMPLATE_LENGTH = 20_000
MAX_PAYLOAD_LENGTH = 1_000_000
MAX_DEPTH = 50


class PayloadError(InvalidInputError):
    """A text that is no template or no body; the message says where it is wrong and what to do."""


def fill(template: Any, prompt: str) -> Any:
    """Put the prompt wherever the placeholder stands in a string of the JSON value `template`.

    Keys stay as they are.
    """
    if isinstance(template, str):
        return template.replace(PLACEHOLDER, prompt)
    if isinstance(template, list):
        return [fill(item, prompt) for item in template]
    if isinstance(template, dict):
        return {key: fill(value, prompt) for key, value in template.items()}
    return template


def build_payload(template: Any, prompt: str) -> str:
    """The request body as JSON text. The prompt is a string value, whatever it contains.

    It cannot change the body's structure.
    """
    return json.dumps(fill(template, prompt), ensure_ascii=False)


def read_template(text: str) -> Any:
    """Read what somebody wrote as a template: JSON in which `{{prompt}}` stands in at least one string value.

    Raises PayloadError.
    """
    template = _read_json(text, MAX_TEMPLATE_LENGTH)
    if not _has_placeholder(template):
        raise PayloadError(
            f'{PLACEHOLDER} is in no value of it, so no prompt would reach the agent. Write "{PLACEHOLDER}" '
            "as a value, or within one. In a key it is not replaced."
        )
    return template


def check_payload(text: str) -> str:
    """Return `text` unchanged where it is JSON that can be sent and stored as it is, else raise PayloadError."""
    _read_json(text, MAX_PAYLOAD_LENGTH)
    return text


def _read_json(text: str, max_length: int) -> Any:
    if len(text) > max_length:
        raise PayloadError(f"It has {len(text):,} characters; at most {max_length:,} are taken.")
    try:
        value = json.loads(text, parse_constant=_refuse_constant)
        json.dumps(value, ensure_ascii=False).encode()
    except json.JSONDecodeError as error:
        raise PayloadError(f"It is not JSON: {error.msg} (line {error.lineno}, column {error.colno}).") from None
    except UnicodeEncodeError:
        raise PayloadError("It holds half of a surrogate pair, which is no character.") from None
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


def _has_placeholder(value: Any) -> bool:
    if isinstance(value, str):
        return PLACEHOLDER in value
    if isinstance(value, list):
        return any(_has_placeholder(item) for item in value)
    if isinstance(value, dict):
        return any(_has_placeholder(item) for item in value.values())
    return False
