"""Words that Loom, its commands and its clients say alike."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

SUGGESTED = 3
_ENDS = (".", "!", "?", "…", "。", "！", "？")
_CLOSING = "\"'”’»)]"
_LIKENESS = 0.6
_LOOKED_AT = 50


def in_sentences(*parts: str) -> str:
    """The parts one after the other, each a sentence: what comes without an end mark gets a full stop."""
    said = [part.strip() for part in parts]
    return " ".join(_ended(part) for part in said if part)


def _ended(text: str) -> str:
    if text.rstrip(_CLOSING).endswith(_ENDS):
        return text
    return f"{text.rstrip(':;,')}."


def close_names(text: str, names: Iterable[str]) -> list[str]:
    """At most three of the names that may have been meant: those that hold the text, then those like it."""
    by_form: dict[str, str] = {}
    for name in sorted(set(names)):
        by_form.setdefault(_form(name), name)
    wanted = _form(text)
    if not wanted or wanted in by_form:
        return [by_form[wanted]] if wanted else []
    holding = [form for form in by_form if wanted in form]
    alike = difflib.get_close_matches(wanted, by_form, _LOOKED_AT, _LIKENESS)
    # What is nearly the same comes before what merely holds it.
    ranked = sorted({*alike, *holding}, key=lambda form: (-_likeness(wanted, form), form))
    return [by_form[form] for form in ranked[:SUGGESTED]]


def did_you_mean(text: str, names: Iterable[str]) -> str:
    """A question that names what may have been meant; empty where nothing comes near."""
    *others, last = close_names(text, names) or [""]
    if not last:
        return ""
    return f"Did you mean {', '.join(others)} or {last}?" if others else f"Did you mean {last}?"


def _form(text: str) -> str:
    """A name without what people mistype most: case, and which sign is between words."""
    return text.strip().casefold().replace("-", "_").replace(" ", "_")[:200]


def _likeness(text: str, other: str) -> float:
    return difflib.SequenceMatcher(None, text, other).ratio()
