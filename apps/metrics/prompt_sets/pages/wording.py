"""Checks, shares and differences in words. A figure never stands without its n and its interval."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from django.utils.text import Truncator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.core.templatetags.loom import duration
from apps.metrics.figures.comparing import Difference, Share, ShareDifference
from apps.metrics.figures.pages.wording import LEAST_FOR_MEDIAN, percent, span_text
from apps.metrics.figures.statistics import Summary

KINDS = {
    "contains": gettext_lazy("Contains a text"),
    "regex": gettext_lazy("Matches a pattern"),
    "json_schema": gettext_lazy("Is JSON of a schema"),
    "tool_called": gettext_lazy("Calls a tool"),
    "max_ttft": gettext_lazy("First token in time"),
    "max_cost": gettext_lazy("Costs at most"),
}
QUOTED = 60


def check_words(check: Mapping[str, Any]) -> str:
    """What a check wants of an answer, on one line."""
    kind = check["kind"]
    if kind in {"contains", "regex"}:
        return _text_words(check, is_pattern=kind == "regex")
    if kind == "json_schema":
        return _("is JSON of the schema %(schema)s") % {"schema": _quoted(json.dumps(check["schema"]))}
    if kind == "tool_called":
        if "arguments" not in check:
            return _("calls %(tool)s") % {"tool": _quoted(check["name"])}
        shown = {"tool": _quoted(check["name"]), "arguments": _quoted(json.dumps(check["arguments"]))}
        return _("calls %(tool)s with %(arguments)s") % shown
    if kind == "max_ttft":
        return _("first token within %(ms)s ms") % {"ms": check["ms"]}
    return _("costs at most $%(usd)s") % {"usd": check["usd"]}


def _text_words(check: Mapping[str, Any], *, is_pattern: bool) -> str:
    is_negated = check.get("is_negated", False)
    if is_pattern:
        told = _("does not match /%(text)s/") if is_negated else _("matches /%(text)s/")
    else:
        told = _("does not contain “%(text)s”") if is_negated else _("contains “%(text)s”")
    words = told % {"text": _quoted(check["pattern" if is_pattern else "text"])}
    return words if check.get("is_case_sensitive", True) else _("%(check)s, in any case") % {"check": words}


def _quoted(text: str) -> str:
    return Truncator(" ".join(text.split())).chars(QUOTED)


def failed_words(findings: Sequence[Mapping[str, Any]], checks: Sequence[Mapping[str, Any]]) -> list[str]:
    """Each check that an answer did not pass, and why; of a run that was not completed, that."""
    if len(findings) == len(checks):
        pairs = list(zip(findings, map(check_words, checks), strict=True))
    else:  # the run itself, or checks that retention has taken
        pairs = [(finding, str(KINDS.get(finding["kind"], ""))) for finding in findings]
    return [
        f"{words}: {finding['reason']}" if words else str(finding["reason"])
        for finding, words in pairs
        if not finding["has_passed"]
    ]


def share_words(found: Share | None) -> tuple[str, str]:
    """A share, and what it is of."""
    if found is None:
        return "–", _("nothing is over yet")
    about = _("%(count)s of %(n)s prompts, 95 %%: %(low)s–%(high)s %%") % {
        "count": f"{found.count:,}", "n": f"{found.n:,}", "low": percent(found.low), "high": percent(found.high),
    }  # fmt: skip
    return f"{percent(found.value)} %", about


def summary_words(found: Summary) -> tuple[str, str]:
    """A median, or what may be said instead, and from how many prompts."""
    if found.minimum is None or found.maximum is None:
        return "–", _("nothing measured yet")
    if found.p50 is None:
        value = duration(found.minimum) if found.n == 1 else span_text(found.minimum, found.maximum)
        return value, _("n = %(n)s; the median needs %(least)s") % {"n": found.n, "least": LEAST_FOR_MEDIAN}
    shown = {"n": f"{found.n:,}", "interval": span_text(found.p50.low, found.p50.high)}
    return duration(found.p50.value), _("p50, n = %(n)s, 95 %%: %(interval)s") % shown


def share_difference_words(found: ShareDifference | None) -> tuple[str, str]:
    """How many points more of the same prompts passed with the second target than with the first."""
    if found is None:
        return "–", _("no prompt is over with both yet")
    shown = {
        "n": f"{found.n:,}", "low": _points(found.low), "high": _points(found.high),
        "verdict": _verdict(is_certain=found.is_certain),
    }  # fmt: skip
    about = _("n = %(n)s, 95 %%: %(low)s … %(high)s; %(verdict)s") % shown
    return _("%(points)s points") % {"points": _points(found.value)}, about


def difference_words(found: Difference | None) -> tuple[str, str]:
    """How much longer the second target took for the same prompts."""
    if found is None:
        return "–", _("nothing measured with both yet")
    if found.median is None:
        value = _signed(found.minimum) if found.n == 1 else f"{_signed(found.minimum)} … {_signed(found.maximum)}"
        return value, _("n = %(n)s; the median needs %(least)s") % {"n": found.n, "least": LEAST_FOR_MEDIAN}
    shown = {
        "n": f"{found.n:,}", "low": _signed(found.median.low), "high": _signed(found.median.high),
        "verdict": _verdict(is_certain=found.is_certain),
    }  # fmt: skip
    return _signed(found.median.value), _("median, n = %(n)s, 95 %%: %(low)s … %(high)s; %(verdict)s") % shown


def _verdict(*, is_certain: bool) -> str:
    return _("they differ") if is_certain else _("so many prompts do not tell")


def _points(value: float) -> str:
    text = percent(abs(value))
    return text if text == "0" else f"{'−' if value < 0 else '+'}{text}"


def _signed(value_ms: float) -> str:
    return duration(value_ms) if value_ms <= 0 else f"+{duration(value_ms)}"
