"""From a prompt to the body that an agent expects, and what may be written as a template or as a body."""

from __future__ import annotations

import json
from typing import Any

from apps.agents.payload import PayloadError, read_json

PLACEHOLDER = "{{prompt}}"
MAX_TEMPLATE_LENGTH = 20_000


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
    template = read_json(text, MAX_TEMPLATE_LENGTH)
    if not _has_placeholder(template):
        raise PayloadError(
            f'{PLACEHOLDER} is in no value of it, so no prompt would reach the agent. Write "{PLACEHOLDER}" '
            "as a value, or within one. In a key it is not replaced."
        )
    return template


def _has_placeholder(value: Any) -> bool:
    if isinstance(value, str):
        return PLACEHOLDER in value
    if isinstance(value, list):
        return any(_has_placeholder(item) for item in value)
    if isinstance(value, dict):
        return any(_has_placeholder(item) for item in value.values())
    return False
