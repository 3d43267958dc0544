"""From a prompt to the body that an agent expects."""

from __future__ import annotations

import json
from typing import Any

PLACEHOLDER = "{{prompt}}"


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
