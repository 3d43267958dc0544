"""Words for people go through gettext: no text may come that does not, and those that still do not become fewer.

    python -m etc.checks.words            compare with etc/untranslated.toml; exit status 1 where a file has more
    python -m etc.checks.words --write    write the lower counts down

Counted are runs of text between tags and in the attributes that people read or hear, and literal messages of views.
"""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from html.parser import HTMLParser
from pathlib import Path

from etc.checks.apart import ROOT
from etc.checks.lint import TEMPLATE_CODE, TEMPLATE_COMMENT, project_paths

KEPT = "etc/untranslated.toml"
HEAD = """\
# Texts for people that go through no gettext yet. A number may only fall: python -m etc.checks.words --write
"""
READ_ATTRIBUTES = frozenset({"title", "alt", "placeholder", "aria-label", "label", "message", "advice", "text"})
LEVELS = frozenset({"debug", "info", "success", "warning", "error"})
TRANSLATED = re.compile(r"\{%\s*blocktranslate\b.*?%\}.*?\{%\s*endblocktranslate\s*%\}", re.DOTALL)
SILENT = re.compile(r"<(script|style)\b.*?</\1>", re.DOTALL | re.IGNORECASE)
WORD = re.compile(r"[^\W\d_]{2}")


class _Texts(HTMLParser):
    """Counts the texts of a template without its code."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.count = 0

    def handle_data(self, data: str) -> None:
        self.count += bool(WORD.search(data))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.count += sum(1 for name, value in attrs if name in READ_ATTRIBUTES and value and WORD.search(value))


def untranslated_in_template(text: str) -> int:
    """How many texts of a template go through no gettext."""
    for pattern in (TEMPLATE_COMMENT, TRANSLATED, SILENT, TEMPLATE_CODE):
        text = pattern.sub("", text)
    texts = _Texts()
    texts.feed(text)
    texts.close()
    return texts.count


def untranslated_in_python(text: str) -> int:
    """How many messages of views are literals."""
    calls = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call)]
    return sum(
        isinstance(call.func, ast.Attribute)
        and isinstance(call.func.value, ast.Name)
        and (call.func.value.id, call.func.attr in LEVELS) == ("messages", True)
        and len(call.args) > 1
        and isinstance(call.args[1], ast.Constant | ast.JoinedStr)
        for call in calls
    )


def count_all(root: Path) -> dict[str, int]:
    """The number of untranslated texts of each file that has any."""
    found: dict[str, int] = {}
    for path in project_paths(root):
        if path.startswith("templates/") and path.endswith(".html"):
            found[path] = untranslated_in_template((root / path).read_text())
        elif path.startswith(("apps/", "loom/")) and path.endswith(".py") and "/tests/" not in path:
            found[path] = untranslated_in_python((root / path).read_text())
    return {path: count for path, count in found.items() if count}


def problems(found: dict[str, int], kept: dict[str, int]) -> list[str]:
    """What is more than it was."""
    return [
        f"{path}: {count} texts go through no gettext, {kept.get(path, 0)} are left from before: use translate, "
        "blocktranslate or gettext for those that came"
        for path, count in found.items()
        if count > kept.get(path, 0)
    ]


def main(arguments: list[str], root: Path = ROOT) -> int:
    found = count_all(root)
    file = root / KEPT
    kept = {str(path): int(count) for path, count in tomllib.loads(file.read_text()).items()} if file.exists() else {}
    told = problems(found, kept)
    for problem in told:
        sys.stdout.write(f"{problem}\n")
    if told:
        return 1
    if "--write" in arguments:
        rows = [f'"{path}" = {count}\n' for path, count in sorted(found.items())]
        file.write_text(HEAD + "".join(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
