"""How serious a log line says that it is, in the words and numbers of the libraries that agents log with.

A level counts where a library writes it: in a member of a JSON object, as `level=…` among pairs, or in the head of a
text line, which is made of times, names and brackets. A word within a sentence is none.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal

from apps.aws.logs.records import parse_record, plain

Level = Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL", ""]

_WORDS: dict[Level, str] = {
    "DEBUG": "trace debug verbose silly http fine finer finest trc dbg dbug debu trce trac vrb",
    "INFO": "info information informational notice config success inf log",
    "WARNING": "warn warning wrn",
    "ERROR": "error err severe erro eror fail",
    "CRITICAL": "critical crit fatal fata ftl emerg emergency alert panic dpanic pani pnc crt",
}
_LEVEL_OF: dict[str, Level] = {word: level for level, words in _WORDS.items() for word in words.split()}
_LETTERS: dict[str, Level] = {
    "T": "DEBUG", "V": "DEBUG", "D": "DEBUG", "I": "INFO", "N": "INFO", "W": "WARNING", "E": "ERROR", "C": "CRITICAL",
    "F": "CRITICAL",
}  # fmt: skip
# Bare and in capitals these are levels; others of the words above need something that sets them apart.
_SPOKEN = frozenset(
    {"TRACE", "DEBUG", "INFO", "WARN", "WARNING", "ERROR", "ERR", "SEVERE", "CRIT", "CRITICAL", "FATAL", "EMERG",
     "EMERGENCY", "LOG"}
)  # fmt: skip
_SHORT = frozenset({"TRC", "DBG", "INF", "WRN", "ERR", "FTL", "PNC"})  # zerolog, behind a time
# With a colon behind them these are levels, whatever their case.
_WITH_COLON = frozenset(_LEVEL_OF) - {"fine", "finer", "finest", "config", "success", "http", "log"}

_KEYS = ("level", "lvl", "severity", "severitytext", "severity_text", "levelname", "level_name", "loglevel",
         "log_level", "log.level", "@level", "@l", "levelstr")  # fmt: skip
_OTEL_KEYS = ("severitynumber", "severity_number")
_TEXT_WITHIN, _PAIRS_WITHIN = 200, 4_000

_WORD = re.compile(r"[A-Za-z]{1,13}")
_PAIR = re.compile(r"\s*([\w.@-]{1,60})=(\"(?:[^\"\\]|\\.)*\"|'[^']*'|[^\s,;]*)[,;]?(?=\s|$)")
_PRIORITY = re.compile(r"<([0-9]{1,3})>")
_KLOG = re.compile(r"([IWEF])[0-9]{4} [0-9]{2}:[0-9]{2}:[0-9]{2}")
_TORNADO = re.compile(r"\[([DIWEC]) [0-9]{6} ")
_RUBY = re.compile(r"([DIWEFA]), \[")
_JAVA = re.compile(
    r"[A-Z][a-z]{2} [0-9]{1,2}, [0-9]{4} [^\n]{0,200}\n([A-Z]{4,7}): "
)  # java.util.logging, in two lines
_COUNTED = re.compile(r"([A-Z]{4,5})\[[0-9][0-9|:. T-]*\]")  # logrus and log15 on a terminal
_BRACKET = re.compile(r"\[([^\[\]]{0,100})\]|\(([^()]{0,60})\)|<([A-Za-z]{1,13})>")
_WITHIN_BRACKET = re.compile(
    r"[0-9][0-9T:.,/+Z -]*[: ](?P<stamped>[A-Z]+)(?![A-Za-z0-9_])"  # [<time> ERROR module], [<time>: ERROR/Main]
    r"|[\w.-]+[:/](?P<last>[A-Za-z]+)"  # [core:error], [main/INFO]
)
# Signs that decorate a line: emoji, emphasis, a mark of the byte order.
_DECORATION = re.compile(r"(?:(?![\[\](){}<>\"'=/\\.:|+-])[^\w\s])+\s*")
# A process before a separator; seconds since 1970, also as Go writes them; a date without separators.
_NUMBER = re.compile(
    r"[0-9]{1,7}(?=[ \t]+[-|][ \t])|[12][0-9]{9}(?:[0-9]{3})?(?=[ \t])|[12][0-9]{7}(?=[ T][0-9]{2}:)|"
    r"[0-9](?:\.[0-9]+)?e\+?[0-9]{2}(?=[ \t])"
)
_CHANNEL = re.compile(r"[\w-]{1,60}\.([A-Z]{4,9}):")  # Monolog's
_TIME_PIECE = re.compile(
    r"(?:[0-9][0-9T:.,/+Z-]*(?:Z|[AP]M)?|[+-][0-9]{2}:?[0-9]{2}|UTC|GMT|[AP]M|"
    r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]{0,6}|(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]{0,6})"
    r"(?=[\s,:;|\]]|$),?"
)
# A bare number is none, unless a time began before it.
_TELLS_TIME = re.compile(r"[0-9][:/.-][0-9]|[A-Za-z]{3}")
_NAME_PIECE = re.compile(r"(?=[0-9.]*[A-Za-z_$#-])[\w$][\w.:/@$#-]{0,99}(?:\[[0-9]+\])?")
_SEPARATOR = re.compile(r"(?:[ \t]*(?:-{1,3}|[|:·—–])(?=[ \t])|[ \t]*\|)?[ \t]*")
_STRUCTURED = re.compile(r"[._:/@#$-]|[0-9]")


def read_level(message: str) -> Level:
    """The level that a line names, or "" where it names none."""
    record = parse_record(message)
    if record is not None:
        return _of_record(record)
    text = plain(message[:_PAIRS_WITHIN]).strip()
    if found := _JAVA.match(text):
        return _LEVEL_OF.get(found[1].lower(), "")
    line = text.partition("\n")[0]
    if decoration := _DECORATION.match(line):
        line = line[decoration.end() :]
    return _of_pairs(line) or _of_head(line[:_TEXT_WITHIN])


def _of_record(record: Mapping[str, Any]) -> Level:
    """The level of a JSON line: a word is better than a number, since libraries count differently."""
    members = {key.lower(): value for key, value in record.items()}
    found = [members[key] for key in _KEYS if key in members]
    for outer in ("log", "record"):  # Elastic Common Schema, loguru
        inner = members.get(outer)
        if isinstance(inner, dict) and "level" in inner:
            found.append(inner["level"])
    if "PRIORITY" in record or level_of_word(str(members.get("priority", ""))[:20].strip("0123456789")):
        found.append(members["priority"])  # journald's number, a word of anybody
    found = [_unwrapped(value) for value in found]
    for value in found:
        if isinstance(value, str) and (level := level_of_word(value)):
            return level
    for key in _OTEL_KEYS:
        if level := _of_number(members.get(key), _OTEL_STEPS):
            return level
    if level := _of_number(members.get("levelno"), _PYTHON_STEPS):
        return level
    if level := _of_number(members.get("level_value"), _LOGBACK_STEPS):
        return level
    return next((level for value in found if (level := _of_number(value, _NODE_STEPS))), "")


def _unwrapped(value: object) -> object:
    """A level that is an object of its own: loguru's, log4j's, those that write name and number."""
    if not isinstance(value, dict):
        return value
    return next((value[key] for key in ("name", "label", "standardLevel", "value") if key in value), None)


def level_of_word(text: str) -> Level:
    """A level by a word of any library and in any case, also with an offset (`WARN+2`); a number in quotes counts."""
    word = plain(text).strip()
    if word.isdecimal() and word.isascii():
        return _of_number(int(word[:9]), _NODE_STEPS)
    word = re.sub(r"[+-][0-9]{1,3}$", "", word)
    return _LETTERS.get(word, "") if len(word) == 1 else _LEVEL_OF.get(word.lower(), "")


_Steps = tuple[tuple[int, int, Level], ...]
# From, to (included), level.
_OTEL_STEPS: _Steps = ((1, 8, "DEBUG"), (9, 12, "INFO"), (13, 16, "WARNING"), (17, 20, "ERROR"), (21, 24, "CRITICAL"))
_PYTHON_STEPS: _Steps = (
    (1, 19, "DEBUG"), (20, 29, "INFO"), (30, 39, "WARNING"), (40, 49, "ERROR"), (50, 60, "CRITICAL"),
)  # fmt: skip
_LOGBACK_STEPS: _Steps = (
    (5_000, 19_999, "DEBUG"), (20_000, 29_999, "INFO"), (30_000, 39_999, "WARNING"), (40_000, 49_999, "ERROR"),
)  # fmt: skip
# pino and bunyan count 10 to 60; below ten it is a priority of syslog, as GELF writes it.
_NODE_STEPS: _Steps = (
    (0, 2, "CRITICAL"), (3, 3, "ERROR"), (4, 4, "WARNING"), (5, 6, "INFO"), (7, 7, "DEBUG"),
    (10, 29, "DEBUG"), (30, 39, "INFO"), (40, 49, "WARNING"), (50, 59, "ERROR"), (60, 69, "CRITICAL"),
)  # fmt: skip


def _of_number(value: object, steps: _Steps) -> Level:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return ""
    return next((level for low, high, level in steps if low <= value <= high), "")


def _of_pairs(line: str) -> Level:
    """The level among `key=value` pairs that begin the line, behind nothing but times and brackets."""
    position = 0
    while piece := _TIME_PIECE.match(line, position) or _BRACKET.match(line, position):
        position = _after(line, piece.end())
    while pair := _PAIR.match(line, position):
        if pair[1].lower() in _KEYS:
            return level_of_word(pair[2].strip("\"'"))
        position = pair.end()
    return ""


def _of_head(line: str) -> Level:
    """The level in the head of a text line: the walk ends where the first piece is none of a head."""
    if level := _of_mark(line):
        return level
    position, is_timed, may_be_named = 0, False, True
    while position < len(line):
        if level := _level_at(line, position, is_timed=is_timed):
            return level
        bracket = _BRACKET.match(line, position)
        if bracket is not None and bracket[3] is None:
            position = _after(line, bracket.end())
            continue
        time = _TIME_PIECE.match(line, position)
        if time is not None and (is_timed or _TELLS_TIME.search(time[0])):
            is_timed, position = True, _after(line, time.end())
            continue
        if number := _NUMBER.match(line, position):
            is_timed, position = True, _after(line, number.end())
            continue
        name = _NAME_PIECE.match(line, position)
        if name is None:
            return ""
        if position and (channel := _CHANNEL.match(line, position)):
            return _LEVEL_OF.get(channel[1].lower(), "")
        after = _after(line, name.end())
        if not _is_name(line, name, after):
            # Behind a time one bare word may be the logger's name.
            if not (is_timed and may_be_named):
                return ""
            may_be_named = False
        position = after
    return ""


def _of_mark(line: str) -> Level:
    """The level of a line whose first characters are one: syslog's priority, klog's and tornado's letter."""
    if priority := _PRIORITY.match(line):
        number = int(priority[1])
        return _of_number(number % 8, _NODE_STEPS) if number < 192 else ""
    if letter := _KLOG.match(line) or _TORNADO.match(line) or _RUBY.match(line):
        return _LETTERS[letter[1]]
    if (counted := _COUNTED.match(line)) and (level := _LEVEL_OF.get(counted[1].lower())):
        return level
    return ""


def _after(line: str, position: int) -> int:
    """Where the next piece begins."""
    separator = _SEPARATOR.match(line, position)
    return separator.end() if separator else position


def _is_name(line: str, name: re.Match[str], after: int) -> bool:
    """Whether a word is the name of a logger, a host, a file: it looks like one, or a separator sets it apart."""
    is_apart = line[name.end() : after].strip(" ") != ""
    return is_apart or _STRUCTURED.search(name[0].rstrip(":")) is not None


def _level_at(line: str, position: int, *, is_timed: bool) -> Level:
    """The level that a line's head has at a position, or ""."""
    if bracket := _BRACKET.match(line, position):
        return _in_bracket(next(part for part in bracket.groups() if part is not None))
    word = _WORD.match(line, position)
    if word is None or (level := _LEVEL_OF.get(word[0].lower())) is None:
        return ""
    following = line[word.end() : word.end() + 2]
    if re.match(r"[\w.@]|[-/+][a-z]|[+-][A-Z]", following):
        return ""  # part of a longer word
    if word[0].isupper() and (word[0] in _SPOKEN or (is_timed and word[0] in _SHORT)):
        return level
    if following[:1] == ":" and word[0].lower() in _WITH_COLON:
        return level if following in {":", ": ", ":\t"} or word[0].isupper() else ""
    before = line[max(0, position - 2) : position]
    if is_timed and re.match(r"[ \t]+\[[^\[\]]{1,100}\]:", line[word.end() : word.end() + 120]):
        return level  # <time> error [main]: …
    is_set_apart = before.endswith(("\t", "| ", "|", "- ")) and re.match(r"\t|\s*\||\s+-\s", line[word.end() :])
    return level if is_set_apart else ""


def _in_bracket(content: str) -> Level:
    """The level that stands in brackets, alone or at its usual place beside a time or a name."""
    if level := _LEVEL_OF.get(content.strip().lower()):
        return level
    if match := _WITHIN_BRACKET.match(content.strip()):
        if match["stamped"]:
            return _LEVEL_OF.get(match["stamped"].lower(), "") if match["stamped"] in _SPOKEN | _SHORT else ""
        if match.end() == len(content.strip()):
            return _LEVEL_OF.get(match["last"].lower(), "")
    return ""
