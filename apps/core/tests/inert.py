"""What an agent may write to take a page over, and what no rendering of it may hold."""

from __future__ import annotations

import re
from html.parser import HTMLParser

from apps.core.markdown import rendering as markdown

ALLOWED_ATTRIBUTES = {"href", "title", "rel", "start", "class", "tabindex", "dir"}
HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "[a](javascript:alert(1))",
    "[a](JaVaScRiPt&#58;alert(1))",
    "[a](&#x6A;avascript:alert(1))",
    "[a](vbscript:x)",
    "[a](data:text/html;base64,PHNjcmlwdD4=)",
    "[a](file:///etc/passwd)",
    "![i](javascript:alert(1))",
    "![i](data:image/svg+xml;base64,PHN2Zz4=)",
    '![" onerror="alert(1)](https://example.com/x)',
    "<javascript:alert(1)>",
    "<svg/onload=alert(1)>",
    "```html\n<script>alert(1)</script>\n```",
    '```"><img src=x onerror=alert(1)>\nx\n```',
    "    <script>alert(1)</script>",
    '[a](https://example.com "t\\" onmouseover=alert(1)")',
    '<div hx-get="/admin/delete" hx-trigger="load">x</div>',
    '<a href="https://example.com" hx-post="/x">y</a>',
    "<form action=/x><input name=y></form>",
    "<style>*{display:none}</style>",
    "[x]: javascript:alert(1)\n\n[x]",
    "| a |\n|--:|\n| <b onclick=x>1</b> |",
    "\0<script>alert(1)</script>",
]


class Tags(HTMLParser):
    """Collects every element and attribute that a browser would make of a piece of HTML."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.attributes: set[str] = set()
        self.links: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.links += [value or "" for name, value in attrs if name == "href"]


def assert_inert(html: str) -> None:
    tags = Tags(html)
    assert tags.names <= markdown._TAGS
    assert tags.attributes <= ALLOWED_ATTRIBUTES
    assert all(re.match(r"(https?|mailto):|[^:]*$", link) for link in tags.links), tags.links
