"""The tool calls of an answer."""

from __future__ import annotations

from apps.aws.stream.answer import Answer
from apps.aws.stream.values import json_text
from loom_events.kinds import JsonValue, Named, Spanned
from loom_events.storable import storable_text

_MOST_CALLS = 10_000


class Calls:
    """The tool calls of an answer: begun once, whichever way they are told, and their inputs on the right one."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self._current = ""
        self._by_index: dict[str, str] = {}
        self._begun: set[str] = set()
        self._with_input: set[str] = set()
        self._ended: set[str] = set()

    def is_begun(self, tool_use_id: str) -> bool:
        return tool_use_id in self._begun

    def begin(self, tool_use_id: str, name: str, index: str = "") -> None:
        """The model begins to call a tool; pieces of input that name the index belong to it."""
        tool_use_id = storable_text(tool_use_id)
        self._answer.pause()
        self._current = tool_use_id
        if index:
            self._by_index[index] = tool_use_id
        _remember(self._begun, tool_use_id)
        self._answer.events.append(
            {"kind": "tool", "tool_use_id": tool_use_id, "name": storable_text(name), **_span(tool_use_id)}
        )

    def go_on(self, tool_use_id: str, index: str) -> None:
        """A call that has begun goes on; see `begin`."""
        self._current = storable_text(tool_use_id)
        if index:
            self._by_index[index] = self._current

    def current(self, index: str) -> str:
        """The id of the call that a piece of input belongs to: the one of this index, else the last one."""
        known = self._by_index.get(index) if index else None
        return self._current if known is None else known

    def input(self, text: str, *, tool_use_id: str = "", index: str = "") -> None:
        """A piece of the JSON that a tool is given: the tool's of this id or index, else the last one's."""
        if not text:
            return
        tool_use_id = storable_text(tool_use_id) or self.current(index)
        _remember(self._with_input, tool_use_id)
        self._answer.events.append(
            {"kind": "tool_input", "tool_use_id": tool_use_id, "text": storable_text(text), **_span(tool_use_id)}
        )

    def call(self, tool_use_id: str, name: str, given: JsonValue, index: str = "") -> None:
        """A complete call, of which only what was not told yet is told."""
        tool_use_id = storable_text(tool_use_id)
        if not tool_use_id or tool_use_id not in self._begun:
            self.begin(tool_use_id, name, index)
        if not tool_use_id or tool_use_id not in self._with_input:
            text = given if isinstance(given, str) else json_text(given)
            self.input("" if given is None or given == {} else text, tool_use_id=tool_use_id)

    def end(self, tool_use_id: str, status: str, text: str, name: str = "") -> None:
        """What a tool gave back, once; of a tool whose call was not told the name as well, if it is known."""
        tool_use_id = storable_text(tool_use_id)
        if tool_use_id and tool_use_id in self._ended:
            return
        self._answer.pause()
        _remember(self._ended, tool_use_id)
        named: Named = {"name": storable_text(name)} if name and tool_use_id not in self._begun else {}
        self._answer.events.append(
            {
                "kind": "tool_result",
                "tool_use_id": tool_use_id,
                "status": storable_text(status) or "success",
                "text": storable_text(text),
                **named,
                **_span(tool_use_id),
            }
        )


def _span(tool_use_id: str) -> Spanned:
    """A tool call is a span by itself; one without an id is none."""
    return {"span_id": tool_use_id} if tool_use_id else {}


def _remember(ids: set[str], tool_use_id: str) -> None:
    if tool_use_id and len(ids) < _MOST_CALLS:
        ids.add(tool_use_id)
