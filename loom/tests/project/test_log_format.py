"""S4-100: the log is lines for people, or one JSON object a line."""

from __future__ import annotations

import json

from loom.tests.running import Running

SAY = """
import logging
from apps.core import log_context
log_context.say(request="r-1", runtime_session="abc")
logger = logging.getLogger("apps.test")
logger.warning("it happened id=%s", 7, extra={"duration_ms": 12})
try:
    1 / 0
except ZeroDivisionError:
    logger.exception("it broke")
"""


def said(log_format: str) -> list[str]:
    settings = {"LOG_FORMAT": log_format, "LOG_LEVEL": "info"}
    with Running("manage.py", "shell", "--no-imports", "-c", SAY, environment=settings) as running:
        assert running.wait_for_end() == 0
        return running.output


def test_a_line_of_json_says_what_it_belongs_to() -> None:
    happened, broke = (json.loads(line) for line in said("json") if line.startswith("{"))

    assert (happened["level"], happened["logger"], happened["message"]) == ("WARNING", "apps.test", "it happened id=7")
    assert (happened["request"], happened["runtime_session"], happened["duration_ms"]) == ("r-1", "abc", 12)
    assert isinstance(happened["at"], float)
    assert "ZeroDivisionError" in broke["exc_info"]


def test_people_read_lines() -> None:
    lines = said("pretty")

    assert any(line.endswith("WARNING apps.test it happened id=7 request=r-1") for line in lines)
    assert any("ZeroDivisionError" in line for line in lines)
