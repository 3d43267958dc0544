"""Checks of one answer: what a prompt of a set wants of it, and whether it is so.

A check is a plain object with a `kind`. What is wrong with one is said when it is stored: deciding never raises.
What cannot be decided (no cost is known, nothing arrived token by token) has not passed, and says why.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from apps.core.exceptions import InvalidInputError
from apps.metrics.checks.patterns import MAX_PATTERN, search_all
from apps.metrics.checks.schemas import SchemaError, check_schema, problem_of
from loom_events.recorded import RecordedEvent

MAX_CHECKS = 20
MAX_TEXT = 10_000  # of one check
# The words of each kind: those that it needs, and those that it may have.
WORDS: Mapping[str, tuple[frozenset[str], frozenset[str]]] = {
    "contains": (frozenset({"text"}), frozenset({"is_case_sensitive", "is_negated"})),
    "regex": (frozenset({"pattern"}), frozenset({"is_case_sensitive", "is_negated"})),
    "json_schema": (frozenset({"schema"}), frozenset()),
    "tool_called": (frozenset({"name"}), frozenset({"arguments"})),
    "max_ttft": (frozenset({"ms"}), frozenset()),
    "max_cost": (frozenset({"usd"}), frozenset()),
}
FENCE = re.compile(r"\A\s*```(?:json)?[ \t]*\n(.*)\n```\s*\Z", re.DOTALL)

Check = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Answer:
    """What the checks look at. `ttft_ms` and `cost_usd` are None where they are not known."""

    text: str
    events: Sequence[RecordedEvent] = ()
    ttft_ms: float | None = None
    cost_usd: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found: whether it passed, and where it did not, why."""

    kind: str
    has_passed: bool
    reason: str = ""

    def as_json(self) -> dict[str, Any]:
        return {"kind": self.kind, "has_passed": self.has_passed, "reason": self.reason}


def checked(checks: Any) -> list[dict[str, Any]]:
    """The checks of a prompt as they may be stored. Raises InvalidInputError, which names the first that cannot be."""
    if not isinstance(checks, list) or len(checks) > MAX_CHECKS:
        raise InvalidInputError(f"The checks have to be a list of at most {MAX_CHECKS}.")
    for number, check in enumerate(checks, 1):
        problem = problem_with(check)
        if problem is not None:
            raise InvalidInputError(f"Check {number} cannot be used: {problem}.")
    return checks


def problem_with(check: Any) -> str | None:
    """Why a check cannot be used, as the end of a sentence; None where it can."""
    if not isinstance(check, dict) or check.get("kind") not in WORDS:
        return f"its kind has to be one of {', '.join(WORDS)}"
    needed, allowed = WORDS[check["kind"]]
    words = check.keys() - {"kind"}
    if missing := needed - words:
        return f"it has no {min(missing)}"
    if unknown := words - needed - allowed:
        return f"it has a {str(min(unknown))[:40]}, which {check['kind']} does not know"
    if any(not isinstance(check.get(word, False), bool) for word in ("is_case_sensitive", "is_negated")):
        return "is_case_sensitive and is_negated have to be true or false"
    if len(json.dumps(check)) > MAX_TEXT:
        return f"it is longer than {MAX_TEXT:,} characters"
    return _problem_with_value(check)


def _problem_with_value(check: Mapping[str, Any]) -> str | None:
    kind = check["kind"]
    if kind in {"contains", "tool_called"}:
        word = "text" if kind == "contains" else "name"
        if not isinstance(check[word], str) or not check[word]:
            return f"its {word} has to be a text"
        return None if isinstance(check.get("arguments", {}), dict) else "its arguments have to be an object"
    if kind == "regex":
        return _problem_with_pattern(check["pattern"])
    if kind == "json_schema":
        try:
            check_schema(check["schema"])
        except SchemaError as error:
            return str(error)
        return None
    return _problem_with_limit(check["ms" if kind == "max_ttft" else "usd"])


def _problem_with_pattern(pattern: Any) -> str | None:
    if not isinstance(pattern, str) or not 0 < len(pattern) <= MAX_PATTERN:
        return f"its pattern has to be a text of at most {MAX_PATTERN} characters"
    try:
        re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        return f"its pattern is none: {error}"
    return None


def _problem_with_limit(limit: Any) -> str | None:
    try:
        is_limit = not isinstance(limit, bool) and 0 < Decimal(str(limit)) < 10**9
    except InvalidOperation:
        is_limit = False
    return None if is_limit else "its limit has to be a number above 0"


def decide(checks: Iterable[Check], answer: Answer) -> list[Finding]:
    """What each check, which was stored by `checked`, finds in an answer; in their order."""
    wanted = list(checks)
    patterns = [check for check in wanted if check["kind"] == "regex"]
    asked = [(check["pattern"], bool(check.get("is_case_sensitive", True))) for check in patterns]
    matches = dict(zip(map(id, patterns), search_all(asked, answer.text) if asked else (), strict=True))
    return [_decide(check, answer, matches.get(id(check))) for check in wanted]


def _decide(check: Check, answer: Answer, match: bool | None) -> Finding:
    kind = check["kind"]
    if kind == "regex":
        undecided = "the pattern took too long, or the answer is too long for it"
        reason = undecided if match is None else _found(check, match)
    elif kind == "contains":
        text, wanted = answer.text, check["text"]
        if not check.get("is_case_sensitive", True):
            text, wanted = text.casefold(), wanted.casefold()
        reason = _found(check, wanted in text)
    elif kind == "json_schema":
        reason = _of_schema(check["schema"], answer.text)
    elif kind == "tool_called":
        reason = _of_tools(check, answer.events)
    elif kind == "max_ttft":
        reason = _over(answer.ttft_ms, Decimal(str(check["ms"])), "no first token is known", "ms until the first token")
    else:
        reason = _over(answer.cost_usd, Decimal(str(check["usd"])), "its cost is not known", "US dollars")
    return Finding(kind, not reason, reason)


def _found(check: Check, is_there: bool) -> str:
    if is_there == bool(check.get("is_negated", False)):
        return "it is in the answer" if is_there else "it is not in the answer"
    return ""


def _over(value: float | Decimal | None, limit: Decimal, unknown: str, unit: str) -> str:
    if value is None:
        return unknown
    return "" if Decimal(str(value)) <= limit else f"{value:f} {unit}, and at most {limit:f} are allowed"


def _of_schema(schema: Any, text: str) -> str:
    """The answer as JSON: all of it, or the one block of code that it is."""
    fenced = FENCE.match(text)
    try:
        value = json.loads(fenced[1] if fenced else text, parse_constant=_no_number)
        return problem_of(value, schema) or ""
    except ValueError:
        return "the answer is not JSON"
    except RecursionError:
        return "the answer is nested too deep"


def _no_number(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


@dataclass(slots=True)
class Call:
    """A tool that was called, with its input as text."""

    name: str
    input: str = ""


def tool_calls(events: Iterable[RecordedEvent]) -> list[Call]:
    """The tools that a run called, in order, those of its sub-agents too."""
    calls: dict[str, Call] = {}
    for event in events:
        if event["kind"] == "tool":
            calls[event["tool_use_id"]] = Call(event["name"])
        elif event["kind"] == "tool_input" and event["tool_use_id"] in calls:
            calls[event["tool_use_id"]].input += event["text"]
    return list(calls.values())


def _of_tools(check: Check, events: Sequence[RecordedEvent]) -> str:
    called = [call for call in tool_calls(events) if call.name == check["name"]]
    if not called:
        return "it was not called"
    if "arguments" not in check or any(_has(_value(call.input), check["arguments"]) for call in called):
        return ""
    return "it was called with other arguments"


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _has(value: Any, wanted: Any) -> bool:
    """Whether a value has all that is wanted; in objects there may be more."""
    if isinstance(wanted, dict):
        return isinstance(value, dict) and all(name in value and _has(value[name], wanted[name]) for name in wanted)
    return type(value) is type(wanted) and bool(value == wanted)
