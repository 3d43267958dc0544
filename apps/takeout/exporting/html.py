"""A session as one page that needs nothing else: no script, no other file, no network."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from django.conf import settings
from django.template.loader import render_to_string
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from apps.metrics.selectors import measurement_of, startup_of
from apps.sessions.models import Invocation, Session
from apps.sessions.viewing.rendering import AnswerRenderer
from apps.takeout.exporting.reading import RecordedRun, runs_of

# Read in this order; `document.css` is all that these pages have of their own.
STYLES = ("base.css", "markdown.css", "document.css")
# A file that is opened from a disk has no headers: it forbids itself whatever it does not need.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


@dataclass(frozen=True, slots=True)
class ReadTurn:
    """A run as somebody reads it who can do nothing with it."""

    invocation: Invocation
    answer_html: SafeString

    @property
    def is_cold(self) -> bool | None:
        measurement = measurement_of(self.invocation)
        return None if measurement is None else measurement.is_cold

    @property
    def startup_ms(self) -> float | None:
        return startup_of(self.invocation)


def read_turn(run: RecordedRun) -> ReadTurn:
    renderer = AnswerRenderer(run.invocation.pk)
    renderer.feed(run.events)
    renderer.close()
    return ReadTurn(run.invocation, renderer.output)


def session_html(session: Session) -> Iterator[str]:
    """The whole session as one HTML file."""
    title = session.title or session.agent.name
    yield format_html(
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n<meta name="referrer" content="no-referrer">\n'
        '<meta http-equiv="Content-Security-Policy" content="{}">\n<title>{}</title>\n<style>\n{}</style>\n</head>\n',
        _POLICY,
        title,
        _styles(),
    )
    head = {"session": session, "title": title}
    yield f'<body class="document">\n{render_to_string("takeout/_document_head.html", head)}\n'
    for run in runs_of(session):
        yield render_to_string("takeout/_read_turn.html", {"turn": read_turn(run)})
    yield "</body>\n</html>\n"


@lru_cache(maxsize=1)
def _cached_styles(folder: Path) -> SafeString:
    texts = [(folder / name).read_text(encoding="utf-8") for name in STYLES]
    return mark_safe("\n".join(texts))  # noqa: S308 -- our own files; a test looks that none ends the element


def _styles() -> SafeString:
    return _cached_styles(Path(settings.BASE_DIR) / "static" / "css")
