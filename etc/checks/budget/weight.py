"""What a page loads to be shown: style sheets and scripts, with everything that they import, uncompressed.

What a script fetches when it is needed, by `import("…")`, is not part of that.
"""

from __future__ import annotations

import posixpath
import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.staticfiles import finders

IMPORTED = re.compile(
    r"""(?:^|[\s;}])(?:import|export)\s*(?:[^'"();]*?\sfrom\s*)?['"](?P<script>[^'"]+)['"]"""
    r"""|@import\s+(?:url\()?['"]?(?P<sheet>[^'")\s;]+)"""
)


class _Loaded(HTMLParser):
    """Collects the addresses of style sheets and scripts."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        values = dict(attributes)
        if tag == "script" and values.get("src"):
            self.addresses.append(str(values["src"]))
        if tag == "link" and values.get("rel") in {"stylesheet", "modulepreload"} and values.get("href"):
            self.addresses.append(str(values["href"]))


def files_of(html: str) -> dict[str, int]:
    """The bytes of each file of style and script that a page loads, by its name below the static folder."""
    parser = _Loaded()
    parser.feed(html)
    parser.close()
    waiting, sizes = [_name(address) for address in parser.addresses], dict[str, int]()
    while waiting:
        name = waiting.pop()
        if name in sizes:
            continue
        found = finders.find(name)
        if not isinstance(found, str):
            raise FileNotFoundError(f"a page loads {name}, which no app has")
        content = Path(found).read_text(encoding="utf-8")
        sizes[name] = len(content.encode())
        for match in IMPORTED.finditer(content):
            target = match["script"] or match["sheet"]
            if target.startswith("."):
                waiting.append(posixpath.normpath(posixpath.join(posixpath.dirname(name), target)))
    return sizes


def weight_of(html: str) -> int:
    """The bytes of style and script of a page."""
    return sum(files_of(html).values())


class _Elements(HTMLParser):
    """Counts what begins."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.count += 1


def elements_of(html: str) -> int:
    """How many elements a browser makes of a page before a script adds any."""
    parser = _Elements()
    parser.feed(html)
    parser.close()
    return parser.count


def _name(address: str) -> str:
    path = urlsplit(address).path
    if not path.startswith(settings.STATIC_URL):
        raise ValueError(f"a page loads {address}, which is no static file of ours")
    return path.removeprefix(settings.STATIC_URL)
