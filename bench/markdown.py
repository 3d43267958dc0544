"""What a piece of a streamed answer costs to render: python -m bench.markdown [--rounds 5]

Shows answers of the demo agents piece by piece, as the emulator cuts them, in three ways that take turns: as Loom does,
with the open block read anew for each piece, and with everything so far read anew, as a page would do that knows no
blocks. Prints a table and writes the one of docs/performance-markdown.md: the least of the rounds, in microseconds of
processor time a piece. The exit status is 1 where the ways do not end with the same HTML.
"""

from __future__ import annotations

import argparse
import platform
import re
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from django.conf import settings

settings.configure(USE_I18N=False)  # all that Django's string classes want to know

from apps.core.markdown.rendering import render  # noqa: E402
from apps.core.markdown.stream import MarkdownStream  # noqa: E402
from apps.emulator.agents.scripts import pieces_of  # noqa: E402

TOP = Path(__file__).resolve().parent.parent
DOCUMENT = TOP / "docs" / "performance-markdown.md"
TEXTS = TOP / "apps" / "emulator" / "agents" / "texts"
SENTENCES = "It is a place of narrow streets, where one can walk for hours without coming to an end. "
ITEMS = "- **Morning:** start at the castle, which opens at ten, and see the *armoury* before the crowd comes\n"
CODE = "def level_of(line: str) -> str:\n    _, level, _ = line.split(' ', 2)\n    return level\n\n\n"
ROWS = "| `for line in lines` | 0.02 GB | 29 s |\n"
ANSWERS = {
    "twenty sentences": SENTENCES * 20,
    "a list of ten items": ITEMS * 10,
    "code of forty lines": f"```python\n{CODE * 8}```\n",
    "a table of ten rows": f"| approach | memory | time |\n| --- | ---: | ---: |\n{ROWS * 10}",
    **{
        f"demo answer: {path.stem.removesuffix('_1').replace('_', ' ')}": path.read_text(encoding="utf-8")
        for path in sorted(TEXTS.glob("*_1.md"))
    },
}


def as_loom(pieces: list[str]) -> str:
    """Append what only goes on with the end, read the rest."""
    stream, closed = MarkdownStream("growth"), []
    for piece in pieces:
        if stream.extend(piece) is None:
            closed.append(stream.feed(piece)[0])
    return "".join(closed) + stream.close()


def block_by_block(pieces: list[str]) -> str:
    """Read the open block anew for each piece."""
    stream = MarkdownStream()
    return "".join([stream.feed(piece)[0] for piece in pieces]) + stream.close()


def all_of_it(pieces: list[str]) -> str:
    """Read everything so far anew for each piece."""
    shown = ""
    for end in range(1, len(pieces) + 1):
        shown = render("".join(pieces[:end]))
    return shown


WAYS: list[tuple[str, Callable[[list[str]], str]]] = [
    ("Loom", as_loom),
    ("open block anew", block_by_block),
    ("everything anew", all_of_it),
]


def measure(pieces: list[str], rounds: int) -> tuple[list[float], bool]:
    """Microseconds of processor time a piece for each way, and whether they agree."""
    least, results = [float("inf")] * len(WAYS), [""] * len(WAYS)
    for _ in range(rounds):
        for place, (_, way) in enumerate(WAYS):
            began = time.process_time()
            results[place] = way(pieces)
            least[place] = min(least[place], (time.process_time() - began) * 1e6 / len(pieces))
    return least, len(set(results)) == 1


def write_document(table: list[str]) -> None:
    """Put the table into the document, between its marks."""
    text = DOCUMENT.read_text(encoding="utf-8")
    pattern = re.compile(r"(<!-- table -->\n).*?(<!-- end -->)", flags=re.DOTALL)
    DOCUMENT.write_text(pattern.sub(lambda found: "\n".join([found[1] + table[0], *table[1:], found[2]]), text))


def main() -> int:
    options = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    options.add_argument("--rounds", type=int, default=5)
    rounds = options.parse_args().rounds
    table = [
        f"{datetime.now(UTC):%Y-%m-%d}, Python {platform.python_version()}, the least of {rounds} rounds, "
        "microseconds of processor time a piece.",
        "",
        f"| answer | pieces | {' | '.join(name for name, _ in WAYS)} | ratio |",
        f"| --- | ---: |{' ---: |' * len(WAYS)} ---: |",
    ]
    do_all_agree = True
    for name, text in ANSWERS.items():
        pieces = pieces_of(text)
        costs, do_agree = measure(pieces, rounds)
        do_all_agree &= do_agree
        figures = " | ".join(f"{cost:,.0f}" for cost in costs)
        table.append(
            f"| {name} | {len(pieces)} | {figures} | {costs[1] / costs[0]:.0f} ×, {costs[2] / costs[0]:.0f} × |"
        )
        sys.stdout.write(f"{table[-1]}{'' if do_agree else '  the ways differ'}\n")
    write_document(table)
    return 0 if do_all_agree else 1


if __name__ == "__main__":
    sys.exit(main())
