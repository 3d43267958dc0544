"""Seven days as small drawings, made on the server: one mark a day, and a text that says what each of them is."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from apps.metrics.figures.pages.wording import span_text, summary_text
from apps.metrics.figures.statistics import Summary
from apps.metrics.weeks.shapes import DAYS, Day

STEP, HEIGHT = 12, 20
LEAST = 1.5  # of what is there at all, something is seen


def day_names(first: date) -> list[str]:
    """How the seven days from `first` on are called."""
    return [date_format(first + timedelta(days=at), "j M") for at in range(DAYS)]


def errors_spark(days: Sequence[Day], names: Sequence[str]) -> SafeString | str:
    """How many runs ended on each day, and in front how many of them failed; empty where none did end."""
    most = max(day.finished for day in days)
    if not most:
        return ""

    def bar(at: int, count: int) -> str:
        height = max(LEAST, count / most * HEIGHT)
        return f"M{at * STEP + 2} {HEIGHT}v-{height:.1f}h8v{height:.1f}z" if count else ""

    def words(day: Day) -> str:
        if not day.finished:
            return _("no run")
        return _("%(failed)s of %(count)s failed") % {"failed": f"{day.failed:,}", "count": f"{day.finished:,}"}

    back, front = ("".join(map(bar, range(DAYS), counts)) for counts in _counts(days))
    return _drawing("errors", back, front, [words(day) for day in days], names)


def latency_spark(summaries: Sequence[Summary], names: Sequence[str]) -> SafeString | str:
    """Medians with their intervals from zero up; of days with too few runs for one, from the lowest to the highest."""
    most = max((_ends(summary)[1] for summary in summaries if summary.n), default=0)
    if not most:
        return ""
    back, front = [], []
    for at, summary in enumerate(summaries):
        if not summary.n:
            continue
        low, high = ((1 - end / most) * (HEIGHT - 4) + 2 for end in _ends(summary))
        back.append(f"M{at * STEP + STEP // 2} {low:.1f}V{min(high, low - LEAST):.1f}")
        if summary.p50:
            front.append(f"M{at * STEP + 2} {(1 - summary.p50.value / most) * (HEIGHT - 4) + 2:.1f}h8")

    def words(summary: Summary) -> str:
        if not summary.n:
            return _("nothing measured")
        median = summary.p50
        interval = f" ({span_text(median.low, median.high)})" if median else ""
        return f"{summary_text(summary)}{interval}, n = {summary.n:,}"

    return _drawing("latency", "".join(back), "".join(front), [words(summary) for summary in summaries], names)


def _ends(summary: Summary) -> tuple[float, float]:
    """Of the median's interval where there is one, else of the values."""
    if summary.p50:
        return summary.p50.low, summary.p50.high
    return summary.minimum or 0, summary.maximum or 0


def _counts(days: Sequence[Day]) -> tuple[list[int], list[int]]:
    return [day.finished for day in days], [day.failed for day in days]


def _drawing(kind: str, back: str, front: str, said: Sequence[str], names: Sequence[str]) -> SafeString:
    """What lies behind, what stands out, and what both say. Made here: a page has a hundred and fifty of them."""
    text = "; ".join(f"{name} {words}" for name, words in zip(names, said, strict=True))
    return format_html(
        '<svg class="spark spark-{}" viewBox="0 0 {} {}" role="img"><title>{}</title>'
        '<path class="spark-back" d="{}"/><path class="spark-front" d="{}"/></svg>',
        kind, STEP * DAYS, HEIGHT, text, back, front,
    )  # fmt: skip
