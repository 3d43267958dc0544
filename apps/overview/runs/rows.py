"""What a row of the list of runs tells, and where in it what was searched for stands."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from django.db.models.functions import Left
from django.utils.translation import gettext_lazy as _

from apps.costs.wording import cost_text
from apps.metrics.figures.pages.recent import reason_of
from apps.metrics.selectors import measurement_of
from apps.sessions.indexing import TEXT_LENGTH
from apps.sessions.models import Invocation, SearchText
from apps.sessions.selectors import tags_by_invocation

BEFORE_HIT, AFTER_HIT = 50, 160
TITLE_LENGTH = 160


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a text; `is_hit` where it is what was searched for."""

    text: str
    is_hit: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """A run as the list shows it. `excerpt` is where what was searched for stands, unless that is the title; `tags` are
    its own, not those of its session.
    """

    run: Invocation
    title: list[Part]
    excerpt: list[Part]
    excerpt_of: Any
    tags: Sequence[str] = ()

    @property
    def reason(self) -> str:
        """Why it failed, on one line; empty where it did not."""
        return reason_of(self.run.error_code, self.run.error_message)

    @property
    def cost(self) -> str:
        """What it cost, in few words; empty where nobody knows."""
        return cost_text(self.run.cost_usd, self.run.cost_source, self.run.model)

    @property
    def is_cold(self) -> bool | None:
        """Whether an environment was made for it; None where that is not known."""
        measurement = measurement_of(self.run)
        return None if measurement is None else measurement.is_cold


def read_rows(keys: Sequence[int], words: Sequence[str] = ()) -> list[Row]:
    """The rows of some runs, in the order of the keys. Answers stay in the database unless a word may stand in them."""
    rows: Any = (
        Invocation.objects.filter(pk__in=keys)
        .select_related("session__agent", "session__owner", "measurement")
        .defer("response_text", "payload", "session__agent__former_raw_metadata")
    )
    if words:
        rows = rows.annotate(answer=Left("response_text", TEXT_LENGTH))
    runs = rows.in_bulk()
    pattern = re.compile("|".join(re.escape(word) for word in sorted(words, key=len, reverse=True)), re.IGNORECASE)
    tags = tags_by_invocation(list(runs))
    found = [replace(_row(runs[key], pattern if words else None), tags=tags[key]) for key in keys if key in runs]
    return _from_the_index(found, pattern) if words else found


def _row(run: Any, pattern: re.Pattern[str] | None) -> Row:
    start = run.prompt[:TITLE_LENGTH]
    if pattern is None or pattern.search(start):
        return Row(run, _parts(start, pattern), [], "")
    texts = (
        (_("prompt"), run.prompt),
        (_("answer"), run.answer),
        (_("error"), f"{run.error_code} {run.error_message}"),
        (_("title"), run.session.title),
    )
    for name, text in texts:
        if hit := pattern.search(text):
            return Row(run, _parts(start, None), _around(text, hit.start(), pattern), name)
    return Row(run, _parts(start, None), [], "")


def _from_the_index(rows: Iterable[Row], pattern: re.Pattern[str]) -> list[Row]:
    """With the excerpts of what stands in no column: names of tools, and what is written otherwise there (ß, ss)."""
    rows = list(rows)
    missing = [row.run.pk for row in rows if not row.excerpt and not any(part.is_hit for part in row.title)]
    texts = SearchText.objects.in_bulk(missing) if missing else {}
    completed = []
    for row in rows:
        text = texts[row.run.pk].text if row.run.pk in texts else ""
        hit = pattern.search(text)
        completed.append(replace(row, excerpt=_around(text, hit.start(), pattern), excerpt_of="") if hit else row)
    return completed


def _around(text: str, at: int, pattern: re.Pattern[str]) -> list[Part]:
    start, end = max(0, at - BEFORE_HIT), at + AFTER_HIT
    shown = f"{'…' if start else ''}{text[start:end]}{'…' if end < len(text) else ''}"
    return _parts(shown, pattern)


def _parts(text: str, pattern: re.Pattern[str] | None) -> list[Part]:
    """The text on one line, its hits apart."""
    line = " ".join(text.split())
    if pattern is None:
        return [Part(line)] if line else []
    parts, at = [], 0
    for hit in pattern.finditer(line):
        parts += [Part(line[at : hit.start()]), Part(hit[0], is_hit=True)]
        at = hit.end()
    return [part for part in (*parts, Part(line[at:])) if part.text]
