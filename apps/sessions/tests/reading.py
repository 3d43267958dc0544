"""Messages of a session's socket, as tests read them."""

from __future__ import annotations

import json
import re


def readable(text: str) -> str:
    """`kind name=value …` on a line, and the HTML below it: steps, what was closed, and the rest."""
    said = json.loads(text)
    kind = said.pop("kind")
    html = "".join(said.pop(name, "") for name in ("steps", "closed", "html"))
    return f"{' '.join([kind, *(f'{name}={value}' for name, value in said.items())])}\n{html}"


def place_of(text: str) -> str:
    """The place in the stream that a page shows after a message; empty where it says nothing of that."""
    said = json.loads(text)
    found = re.match(r'\s*<article [^>]*data-at="([^"]*)"', said["html"]) if said["kind"] == "turn" else None
    return found[1] if found else str(said.get("at", ""))


def answer_of(text: str, answer: str) -> str:
    """What a browser shows of an answer after a message: its closed part and its open end, as one text."""
    said = json.loads(text)
    if said["kind"] in {"turn", "end"}:
        parts = r'data-part="output">(.*?)</div>\s*<div class="md" data-part="tail">(.*?)</div>'
        found = re.search(parts, said["html"], re.DOTALL)
        assert found is not None
        return f"{found[1]}|{found[2]}"
    if said["kind"] == "words":
        words = said["html"]
        return re.sub(r'(<span id="[^"]*-growth">[^<]*)', lambda growth: growth[1] + words, answer)
    closed, _ = answer.split("|")
    return f"{closed}{said.get('closed', '')}|{said['html']}"
