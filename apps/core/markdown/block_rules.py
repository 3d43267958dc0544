"""What a block of an agent's answer means beyond CommonMark, so that nothing of it vanishes."""

from __future__ import annotations

import re

from markdown_it.rules_block import StateBlock, reference, table
from markdown_it.rules_block.table import escapedSplit, getLine
from markdown_it.token import Token

MAX_DEPTH = 20
"""Lists count twice, for themselves and their items. What is nested deeper is shown flat."""
_DISPLAY = re.compile(r"\\\[|\$\$")
_DISPLAY_ENDS = {r"\[": r"\]", "$$": "$$"}
_DEFINITION = re.compile(r"\[(?!\^)(?:[^\[\]\\\n]|\\.){1,999}\]:\s*<?(?:https?://|mailto:)", re.IGNORECASE)


def flat(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """Below the deepest level there are lines, with the marks that they were written with."""
    if silent or state.level < MAX_DEPTH:
        return False
    line = start
    while line < end and (state.isEmpty(line) or state.sCount[line] >= state.blkIndent):
        line += 1
    return _push_lines(state, start, line)


def display_formula(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    r"""Lines from `\[` to `\]`, or `$$` to `$$`, are of one paragraph: a `-` or `=` that begins one is of the formula.

    An empty line ends them in any case. What begins and ends in one line is a matter of that line.
    """
    if state.is_code_block(start):
        return False
    found = _DISPLAY.match(state.src, state.bMarks[start] + state.tShift[start], state.eMarks[start])
    if found is None:
        return False
    closer = _DISPLAY_ENDS[found[0]]
    if state.src.find(closer, found.end(), state.eMarks[start]) >= 0:
        return False
    if silent:
        return True
    line, is_closed = start + 1, False
    while line < end and not is_closed and not state.isEmpty(line) and state.sCount[line] >= state.blkIndent:
        is_closed = state.src.find(closer, state.bMarks[line], state.eMarks[line]) >= 0
        line += 1
    return _push_lines(state, start, line)


def _push_lines(state: StateBlock, start: int, end: int) -> bool:
    state.line = end
    state.push("paragraph_open", "p", 1).map = [start, end]
    inline = state.push("inline", "", 0)
    inline.content = state.getLines(start, end, state.blkIndent, False).strip()
    inline.map = [start, end]
    inline.children = []
    state.push("paragraph_close", "p", -1)
    return True


def definition(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """`[a]: …` defines a link where that is an address; a footnote or `[INFO]: started` is text."""
    if _DEFINITION.match(state.src, state.bMarks[start] + state.tShift[start]) is None:
        return False
    return reference(state, start, end, silent)


def whole_table(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """A row with more cells than columns keeps them: GFM drops what is left over."""
    first = len(state.tokens)
    if not table(state, start, end, silent):
        return False
    cells: list[Token] = []
    for token in state.tokens[first:]:
        if token.type == "tr_open":
            cells = []
        elif token.type == "inline":
            cells.append(token)
        elif token.type == "tr_close" and cells[0].map is not None:
            _fill_row(cells, getLine(state, cells[0].map[0]).strip())
    return True


def _fill_row(cells: list[Token], row: str) -> None:
    if row.count("|") + 1 - row.startswith("|") - row.endswith("|") <= len(cells):
        return  # as nearly always, and splitting costs as much as the table did
    texts = escapedSplit(row)
    texts = texts[texts[0] == "" : len(texts) - (texts[-1] == "")]
    if len(texts) <= len(cells):
        return
    joined: list[str] = []
    for text in texts:
        if joined and joined[-1].count("`") % 2:
            joined[-1] += f"|{text}"  # `a | b` is code rather than two cells
        else:
            joined.append(text)
    if len(joined) > len(cells):
        joined = [*texts[: len(cells) - 1], "|".join(texts[len(cells) - 1 :])]
    for cell, text in zip(cells, [*joined, *[""] * len(cells)], strict=False):
        cell.content = text.strip()
