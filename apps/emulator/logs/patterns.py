"""CloudWatch Logs filter patterns: terms, "phrases", ?any, -exclude, %regex%, and { $.json = "conditions" }.

Source: "Filter pattern syntax" in the CloudWatch Logs user guide. Matching is case-sensitive. Space-delimited patterns
(`[ip, user, …]`) are answered as invalid. A regex may hold only the characters and operators that the guide lists, no
groups among them (a blank is taken as well: assumed), and a JSON pattern at most two.

    json       = "{" or "}"
    or         = and ("||" and)*
    and        = primary ("&&" primary)*
    primary    = "(" or ")" | selector comparison
    comparison = ("=" | "!=" | "<" | "<=" | ">" | ">=") value | "IS" ["NOT"] (NULL | TRUE | FALSE) | ["NOT"] EXISTS
"""

from __future__ import annotations

import json
import operator
import re
import warnings
from collections.abc import Callable
from typing import Any

Match = Callable[[str], bool]
Condition = Callable[[Any], bool]

TERM = re.compile(r'\s*(?P<sign>[?-]?)(?:"(?P<phrase>(?:[^"\\]|\\.)*)"|%(?P<regex>[^%]+)%|(?P<word>[^\s"%]+))')
WORD = re.compile(r"\w+")
JSON_PART = re.compile(
    r'\s*(?:(?P<string>"(?:[^"\\]|\\.)*")|%(?P<regex>[^%]+)%|(?P<operator>&&|\|\||!=|<=|>=|[=<>(){}])'
    r"|(?P<selector>\$(?:\.[\w@-]+|\.?\[(?:\d+|'[^']*'|\"[^\"]*\")\])*)|(?P<word>[^\s(){}=<>!&|\"]+))"
)
SELECTOR_STEP = re.compile(r"\.([\w@-]+)|\.?\[(\d+)\]|\.?\[['\"]([^'\"]*)['\"]\]")
COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
MISSING = object()
REGEX = re.compile(r"(?:[\w #=@/;:,^$?\[\]{}|*+.-]|\\(?:[dDsSwW]|x[0-9A-Fa-f]{2}|[^\w\s]))+", re.ASCII)
MAX_JSON_REGEXES = 2
MAX_NESTING = 50


class FilterPatternError(ValueError):
    """A pattern that CloudWatch Logs refuses; the message says why."""


def compile_pattern(pattern: str) -> Match:
    """Return the test for a pattern; raises FilterPatternError. An empty pattern matches everything."""
    stripped = pattern.strip()
    if not stripped:
        return lambda message: True
    if stripped.startswith("{"):
        return _compile_json(stripped)
    if stripped.startswith("["):
        raise FilterPatternError("Invalid filter pattern")
    return _compile_terms(stripped)


def _compile_terms(pattern: str) -> Match:
    required: list[Match] = []
    optional: list[Match] = []
    excluded: list[Match] = []
    position = 0
    while position < len(pattern):
        found = TERM.match(pattern, position)
        if found is None:
            raise FilterPatternError("Invalid filter pattern")
        position = found.end()
        {"": required, "?": optional, "-": excluded}[found["sign"]].append(_term_match(found))

    def matches(message: str) -> bool:
        if any(test(message) for test in excluded):
            return False
        # Optional terms next to required ones have no effect.
        if required:
            return all(test(message) for test in required)
        return any(test(message) for test in optional) if optional else True

    return matches


def _term_match(found: re.Match[str]) -> Match:
    if found["regex"] is not None:
        expression = _regex(found["regex"])
        return lambda message: expression.search(message) is not None
    text = found["word"]
    if text is None:
        text = _unescaped(found["phrase"])
    elif WORD.fullmatch(text) is None:
        raise FilterPatternError(f"Invalid character(s) in term '{text}'")
    return lambda message: text in message


def _regex(source: str) -> re.Pattern[str]:
    if not source.isascii() or REGEX.fullmatch(source) is None:
        raise FilterPatternError("Invalid regex filter pattern")
    try:
        with warnings.catch_warnings(action="ignore"):  # of sets within sets, which Python may have some day
            return re.compile(source)
    except (re.error, OverflowError) as error:
        raise FilterPatternError("Invalid regex filter pattern") from error


def _unescaped(phrase: str) -> str:
    return re.sub(r"\\(.)", r"\1", phrase)


def _compile_json(pattern: str) -> Match:
    condition = _JsonPattern(pattern).condition()

    def matches(message: str) -> bool:
        try:
            value = json.loads(message)
        except (ValueError, RecursionError):
            return False
        return isinstance(value, dict) and condition(value)

    return matches


class _JsonPattern:
    """A recursive descent over the parts of `{ … }`."""

    def __init__(self, pattern: str) -> None:
        self._parts: list[tuple[str, str]] = []
        position = 0
        while position < len(pattern):
            found = JSON_PART.match(pattern, position)
            if found is None:
                raise FilterPatternError("Invalid filter pattern")
            position = found.end()
            kind = str(found.lastgroup)
            self._parts.append((kind, found[kind]))
        self._next = 0
        self._depth = 0
        if sum(kind == "regex" for kind, _ in self._parts) > MAX_JSON_REGEXES:
            raise FilterPatternError(f"Invalid filter pattern: more than {MAX_JSON_REGEXES} regular expressions")

    def condition(self) -> Condition:
        self._expect("{")
        result = self._either()
        self._expect("}")
        if self._next != len(self._parts):
            raise FilterPatternError("Invalid filter pattern")
        return result

    def _either(self) -> Condition:
        options = [self._both()]
        while self._accept("||"):
            options.append(self._both())
        return options[0] if len(options) == 1 else lambda value: any(option(value) for option in options)

    def _both(self) -> Condition:
        needed = [self._primary()]
        while self._accept("&&"):
            needed.append(self._primary())
        return needed[0] if len(needed) == 1 else lambda value: all(each(value) for each in needed)

    def _primary(self) -> Condition:
        if self._accept("("):
            self._depth += 1
            if self._depth > MAX_NESTING:
                raise FilterPatternError(f"Invalid filter pattern: more than {MAX_NESTING} parentheses in each other")
            inner = self._either()
            self._expect(")")
            self._depth -= 1
            return inner
        kind, text = self._take()
        if kind != "selector":
            raise FilterPatternError("Invalid filter pattern")
        select = _selector(text)
        kind, text = self._take()
        if kind == "operator":
            return self._comparison(select, text)
        return self._keyword(select, text.upper())

    def _comparison(self, select: Callable[[Any], Any], sign: str) -> Condition:
        kind, text = self._take()
        if sign in COMPARISONS:
            compare, bound = COMPARISONS[sign], _number(text)
            return lambda value: _is_number(select(value)) and compare(select(value), bound)
        if sign not in ("=", "!="):
            raise FilterPatternError("Invalid filter pattern")
        equals = _equality(kind, text)
        if sign == "=":
            return lambda value: equals(select(value))
        return lambda value: select(value) is not MISSING and not equals(select(value))

    def _keyword(self, select: Callable[[Any], Any], word: str) -> Condition:
        if word == "EXISTS":
            return lambda value: select(value) is not MISSING
        negated = word == "NOT"
        if word == "NOT" and self._accept("EXISTS"):
            return lambda value: select(value) is MISSING
        if word == "IS":
            negated = self._accept("NOT")
            constants: dict[str, Any] = {"NULL": None, "TRUE": True, "FALSE": False}
            name = self._take()[1].upper()
            if name in constants:
                expected = constants[name]
                return lambda value: (select(value) is expected) is not negated
        raise FilterPatternError("Invalid filter pattern")

    def _take(self) -> tuple[str, str]:
        if self._next >= len(self._parts):
            raise FilterPatternError("Invalid filter pattern")
        self._next += 1
        return self._parts[self._next - 1]

    def _accept(self, text: str) -> bool:
        if self._next < len(self._parts):
            kind, found = self._parts[self._next]
            if kind in ("operator", "word") and found.upper() == text:
                self._next += 1
                return True
        return False

    def _expect(self, text: str) -> None:
        if not self._accept(text):
            raise FilterPatternError("Invalid filter pattern")


def _selector(text: str) -> Callable[[Any], Any]:
    steps: list[str | int] = [
        int(index) if index else name or quoted for name, index, quoted in SELECTOR_STEP.findall(text)
    ]

    def select(value: Any) -> Any:
        for step in steps:
            if isinstance(step, int):
                value = value[step] if isinstance(value, list) and step < len(value) else MISSING
            else:
                value = value.get(step, MISSING) if isinstance(value, dict) else MISSING
            if value is MISSING:
                break
        return value

    return select


def _equality(kind: str, text: str) -> Condition:
    if kind == "regex":
        expression = _regex(text)
        return lambda found: isinstance(found, str) and expression.search(found) is not None
    if kind == "word" and _numeric(text) is not None:
        number = _numeric(text)
        return lambda found: _is_number(found) and found == number
    if kind not in ("string", "word"):
        raise FilterPatternError("Invalid filter pattern")
    wanted = _unescaped(text[1:-1]) if kind == "string" else text
    expression = re.compile(".*".join(re.escape(part) for part in wanted.split("*")), re.DOTALL)
    return lambda found: isinstance(found, str) and expression.fullmatch(found) is not None


def _numeric(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _number(text: str) -> float:
    number = _numeric(text)
    if number is None:
        raise FilterPatternError("Invalid filter pattern")
    return number


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
