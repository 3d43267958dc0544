"""What differs between two of the runs that stand side by side: what they answered, and which tools they called."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.utils.translation import gettext as _

from apps.core.text.differences import Difference, Piece, difference
from apps.overview.comparing.columns import LEAST, Column
from apps.overview.comparing.tools import Sequences, aligned, calls_of
from loom_events.recorded import RecordedEvent

SAME_SHOWN = 600  # characters at each end of a long piece that is the same in both


@dataclass(frozen=True, slots=True)
class ShownPiece:
    """A piece of text as a page shows it: of what is the same in both only the ends, where it is long."""

    piece: Piece

    @property
    def kind(self) -> str:
        return self.piece.kind

    @property
    def is_folded(self) -> bool:
        return self.kind == "same" and len(self.piece.text) > 2 * SAME_SHOWN

    @property
    def text(self) -> str:
        return self.piece.text[:SAME_SHOWN] if self.is_folded else self.piece.text

    @property
    def rest(self) -> str:
        return self.piece.text[-SAME_SHOWN:] if self.is_folded else ""

    @property
    def folded_count(self) -> int:
        return len(self.piece.text) - 2 * SAME_SHOWN if self.is_folded else 0


@dataclass(frozen=True, slots=True)
class Outcome:
    """Two columns compared; `obstacle` says why they are not, and `is_awaited` whether they will be."""

    first: Column
    second: Column
    obstacle: str = ""
    is_awaited: bool = False
    text: Difference | None = None
    tools: Sequences | None = None

    @property
    def pieces(self) -> list[ShownPiece]:
        return [ShownPiece(piece) for piece in self.text.pieces] if self.text else []


def pair_of(columns: Sequence[Column], asked: Mapping[str, str]) -> tuple[Column, Column] | None:
    """The two that `first` and `second` name by their positions; the first two where they name none. None of fewer."""
    if len(columns) < LEAST:
        return None
    by_position = {str(column.position): column for column in columns}
    first = by_position.get(asked.get("first", ""), columns[0])
    others = [column for column in columns if column is not first]
    second = by_position.get(asked.get("second", ""), others[0])
    return first, second if second is not first else others[0]


def outcome_of(first: Column, second: Column, events: Mapping[int, list[RecordedEvent]]) -> Outcome:
    """Compare two columns, as soon as both runs are over; `events` are those of the runs, by their keys."""
    obstacle, is_awaited = _obstacle((first, second))
    if obstacle or first.run is None or second.run is None:
        return Outcome(first, second, obstacle, is_awaited)
    return Outcome(
        first,
        second,
        text=difference(first.run.response_text, second.run.response_text),
        tools=aligned(calls_of(events[first.run.pk]), calls_of(events[second.run.pk])),
    )


def _obstacle(columns: Sequence[Column]) -> tuple[str, bool]:
    for column in columns:
        told = {"number": column.position}
        if column.run is None:
            return _("Nothing was sent to %(number)s.") % told, False
        if column.run.is_unfinished:
            return _("%(number)s has not finished: the two are compared when both have.") % told, True
        if column.run.content_removed_at is not None:
            return _("What %(number)s answered was removed, as the retention of content asks.") % told, False
    return "", False
