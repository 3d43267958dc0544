"""Which lists are measured with a million runs, and the table of the document."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

DOCUMENT = Path(__file__).resolve().parent.parent / "docs" / "performance-pages.md"


def lists(agent: int, word: str) -> dict[str, str]:
    """The lists and searches that have to stay fast with a million runs."""
    return {
        "Runs": "/runs/",
        "Runs: of an agent": f"/runs/?agent={agent}",
        "Runs: of an endpoint and version": "/runs/?qualifier=prod&version=2",
        "Runs: failed": "/runs/?status=failed",
        "Runs: stopped": "/runs/?status=stopped",
        "Runs: running": "/runs/?status=running",
        "Runs: of a source that there is none of": "/runs/?source=task",
        "Runs: cold": "/runs/?start=cold",
        "Runs: with one error": "/runs/?error=RuntimeClientError",
        "Runs: of one day": "/runs/?range=24h",
        "Runs: slowest": "/runs/?sort=-ttft",
        "Runs: fastest of an agent": f"/runs/?sort=total&agent={agent}",
        "Runs: a word of all": "/runs/?q=cheapest",
        "Runs: two words of all, of an agent": f"/runs/?q=cheapest+lyon&agent={agent}",
        "Runs: a word of all, that failed": "/runs/?q=train&status=failed",
        "Runs: a word of one in a hundred": f"/runs/?q={word}",
        "Runs: a rare word": "/runs/?q=zeppelin",
        "Runs: a word of none": "/runs/?q=submarine",
        "Runs: two letters": "/runs/?q=qx",
        "Runs: a word, slowest first": "/runs/?q=cheapest&sort=-total",
        "API: runs": "/api/runs",
        "API: runs, a word of all": "/api/runs?q=cheapest",
        "Sessions": "/sessions/",
        "Sessions: a word of all": "/sessions/?q=cheapest",
        "Sessions: a rare word": "/sessions/?q=zeppelin",
    }


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
