"""From a prompt to the body that an agent expects, and what may be written as a template or as a body."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from apps.agents.models import default_payload_template
from apps.agents.payload import PayloadError, read_json

PLACEHOLDER = "{{prompt}}"
PLACEHOLDERS = {
    "prompt": "what is asked",
    "session_id": "the runtime session id",
    "uuid": "a new UUID, another one in each place",
}
MAX_TEMPLATE_LENGTH = 20_000
_PLACEHOLDER = re.compile(r"\{\{([^{}]*)\}\}")

_A2A_PARAMS = {
    "message": {
        "kind": "message",
        "role": "user",
        "messageId": "{{uuid}}",
        "parts": [{"kind": "text", "text": PLACEHOLDER}],
    }
}
TEMPLATES: Mapping[str, Any] = {
    "HTTP": default_payload_template(),
    "A2A": {"jsonrpc": "2.0", "id": "{{uuid}}", "method": "message/send", "params": _A2A_PARAMS},
    "A2A, streamed": {"jsonrpc": "2.0", "id": "{{uuid}}", "method": "message/stream", "params": _A2A_PARAMS},
    # No list of tools is asked for: which one takes a prompt, only its author knows.
    "MCP": {
        "jsonrpc": "2.0",
        "id": "{{uuid}}",
        "method": "tools/call",
        "params": {"name": "ask", "arguments": {"prompt": PLACEHOLDER}},
    },
    "AGUI": {
        "threadId": "{{session_id}}",
        "runId": "{{uuid}}",
        "state": {},
        "messages": [{"id": "{{uuid}}", "role": "user", "content": PLACEHOLDER}],
        "tools": [],
        "context": [],
        "forwardedProps": {},
    },
}
"""What is offered as a template, by the protocol of a runtime."""


def default_template(protocol: str) -> Any:
    """What is sent to a runtime of this protocol unless somebody wrote something else."""
    return TEMPLATES.get(protocol, TEMPLATES["HTTP"])


def template_in_use(template: Any, protocol: str) -> Any:
    """`template`, or that of the protocol where nobody has changed the first default, which only HTTP understands."""
    return default_template(protocol) if template == TEMPLATES["HTTP"] else template


def fill(template: Any, prompt: str, session_id: str) -> Any:
    """Put what they stand for wherever placeholders stand in a string of the JSON value `template`.

    Keys stay as they are, and so does what looks like a placeholder in the prompt.
    """
    values: dict[str, Callable[[], str]] = {
        "prompt": lambda: prompt,
        "session_id": lambda: session_id,
        "uuid": lambda: str(uuid.uuid4()),
    }

    def value_of(found: re.Match[str]) -> str:
        value = values.get(found[1].strip())
        return found[0] if value is None else value()

    def filled(inner: Any) -> Any:
        if isinstance(inner, str):
            return _PLACEHOLDER.sub(value_of, inner)
        if isinstance(inner, list):
            return [filled(item) for item in inner]
        if isinstance(inner, dict):
            return {key: filled(item) for key, item in inner.items()}
        return inner

    return filled(template)


def build_payload(template: Any, prompt: str, session_id: str) -> str:
    """The request body as JSON text. The prompt is a string value, whatever it contains.

    It cannot change the body's structure.
    """
    return json.dumps(fill(template, prompt, session_id), ensure_ascii=False)


def read_template(text: str) -> Any:
    """Read what somebody wrote as a template: JSON in which `{{prompt}}` stands in at least one string value.

    Raises PayloadError.
    """
    return check_template(read_json(text, MAX_TEMPLATE_LENGTH))


def check_template(template: Any) -> Any:
    """Return a JSON value that may be a template; PayloadError for one that no prompt would reach the agent by.

    And for a placeholder that nothing is known of: it would be sent as it is, which nobody means.
    """
    names = {name for text in _strings_in(template) for name in _names_in(text)}
    for name in sorted(names - set(PLACEHOLDERS)):
        raise PayloadError(f"{{{{{name}}}}} is unknown. Loom fills in {_known()}; write anything else without braces.")
    if "prompt" not in names:
        raise PayloadError(
            f'{PLACEHOLDER} is in no value of it, so no prompt would reach the agent. Write "{PLACEHOLDER}" '
            "as a value, or within one. In a key it is not replaced."
        )
    for name in sorted({name for key in _keys_in(template) for name in _names_in(key)}):
        raise PayloadError(f"{{{{{name}}}}} stands in a key, where it is not replaced. Write it into a value.")
    return template


def _known() -> str:
    return ", ".join(f"{{{{{name}}}}} ({meaning})" for name, meaning in PLACEHOLDERS.items())


def _names_in(text: str) -> list[str]:
    return [name.strip() for name in _PLACEHOLDER.findall(text)]


def _strings_in(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _strings_in(inner)


def _keys_in(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        yield from value
    if isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _keys_in(inner)
