"""The table of the document."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "performance-pages.md"


def write_document(rows: list[dict[str, Any]], member: list[dict[str, Any]], conditions: str) -> None:
    """Put the tables into the document, between its marks."""
    by_page = {row["page"]: row for row in member}
    lines = [
        conditions,
        "",
        "| page | staff | on the clock | member | queries | kB |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
        *(
            f"| {row['page']} | {row['cpu_ms']:.0f} ms | {row['wall_ms']:.0f} ms | "
            + (f"{by_page[row['page']]['cpu_ms']:.0f} ms" if row["page"] in by_page else "–")
            + f" | {row['queries']} | {row['kb']} |"
            for row in rows
        ),
    ]
    table = "\n".join(lines)
    text = DOCUMENT.read_text(encoding="utf-8")
    pattern = re.compile(r"(<!-- table -->\n).*?(<!-- end -->)", flags=re.DOTALL)
    marked = pattern.sub(lambda found: f"{found[1]}{table}\n{found[2]}", text)
    DOCUMENT.write_text(marked, encoding="utf-8")
