"""A set as a file, in the shapes that `reading` takes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from apps.metrics.models import PromptSetItem

HEADS = ("prompt", "checks")


def json_lines(items: Iterable[PromptSetItem]) -> Iterator[bytes]:
    """One object a line; read again it is the same set."""
    for item in items:
        yield f"{_json({'prompt': item.prompt, 'checks': item.checks})}\n".encode()


def csv_rows(items: Iterable[PromptSetItem]) -> Iterator[tuple[str, str]]:
    """A row for each prompt, under `HEADS`."""
    for item in items:
        yield item.prompt, _json(item.checks) if item.checks else ""


def _json(value: Mapping[str, Any] | list[Any]) -> str:
    return json.dumps(value, ensure_ascii=False)
