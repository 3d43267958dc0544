"""Lines of a letter, a colon and a JSON value: the data stream protocol of Vercel's AI SDK as it was first."""

from __future__ import annotations

import re

from apps.aws.stream.bodies import JsonLinesReader
from apps.aws.stream.protocols.vercel import event_of_line
from apps.aws.stream.values import UnreadableJsonError, read_json
from loom_events.kinds import RunEvent

# How such a stream begins: a whole first line, or enough of it that it can be nothing else.
BEGINNING = re.compile(
    rb'f:\{"messageId":"|(?:0|g|3):"(?:[^"\\\r\n]|\\.)*"(?:\r\n|\r|\n)|[29]:[\[{][^\r\n]*[\]}](?:\r\n|\r|\n)'
)
UNSURE = re.compile(
    rb'f(?::(?:\{(?:"(?:m[a-zA-Z]*"?:?)?)?)?)?|(?:0|g|3)(?::(?:"[^\r\n]*)?)?|[29](?::(?:[\[{][^\r\n]*)?)?'
)

_LINE = re.compile(r"([0-9a-k]):(.*)", re.DOTALL)


class PrefixedReader(JsonLinesReader):
    """Lines with a letter in front that says what their JSON value is."""

    def read_line(self, line: bytes) -> list[RunEvent]:
        text = line.decode("utf-8", errors=self._errors)
        if not text.strip():
            return []
        if found := _LINE.fullmatch(text):
            try:
                return self._values.read(event_of_line(found[1], read_json(found[2])), text)
            except UnreadableJsonError:
                pass
        return self._values.read_raw(f"{text}\n")
