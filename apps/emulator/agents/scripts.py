"""What a scripted agent does with a request: a list of timed steps, worked out before the first is taken.

Working it out beforehand keeps the path of a chunk short: wait until its time, send its bytes.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from apps.emulator.logs.lines import LogLine, SdkLine
from apps.emulator.logs.spans import SpanMark

EVENT_STREAM = "text/event-stream; charset=utf-8"
JSON_BODY = "application/json"
PIECE = re.compile(r"\s?\S{1,5}|\s")
PROMPT_MEMBERS = ("prompt", "input", "message", "query")


@dataclass(frozen=True, slots=True)
class Step:
    """After `gap_s` (scaled) send `body`, write `log`, or both. `pieces` counts pieces of answer text in the body.

    `marks` are the spans of the agent's telemetry that begin or end then.
    """

    gap_s: float
    body: bytes = b""
    pieces: int = 0
    log: LogLine | None = None
    marks: Sequence[SpanMark] = ()


@dataclass(frozen=True)
class Performance:
    """An answer. With a status other than 2xx the caller sees RuntimeClientError and no body.

    A text/event-stream sends its headers when the handler is entered, as the SDK does; others with their first byte.
    """

    steps: list[Step]
    content_type: str = EVENT_STREAM
    status: int = 200
    answer_text: str = ""


@dataclass(frozen=True)
class ScriptCall:
    """One request as an agent's handler sees it. `turn` counts the requests of this environment, from 0."""

    prompt: str
    session_id: str
    version: int
    turn: int
    rng: random.Random
    variables: Mapping[str, str] = field(default_factory=dict)


Script = Callable[[ScriptCall], Performance]


class PayloadError(ValueError):
    """The payload is not what an agent on the SDK can read; the message is the SDK's log line."""


def prompt_of(payload: bytes) -> str:
    """Find the prompt in a payload: a JSON object's `prompt` (or a synonym), a JSON string, or the JSON itself."""
    try:
        value = json.loads(payload)
    except UnicodeDecodeError as error:
        raise PayloadError("Invalid encoding in request") from error
    except (ValueError, RecursionError) as error:
        raise PayloadError("Invalid JSON in request") from error
    if isinstance(value, dict):
        for member in PROMPT_MEMBERS:
            if isinstance(value.get(member), str):
                return str(value[member])
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def refusal(error: PayloadError) -> Performance:
    """Answer a payload that is not JSON as the SDK does: 400 and a warning."""
    return Performance([Step(0.0, log=SdkLine(str(error), level="WARNING", is_timed=True))], JSON_BODY, 400)


def sse_event(value: object) -> bytes:
    """Frame a value as the SDK does: JSON, not escaped to ASCII, one `data:` line, no event name, no id."""
    return f"data: {json.dumps(value, ensure_ascii=False)}\n\n".encode()


def pieces_of(text: str) -> list[str]:
    """Cut a text into pieces of the size in which models produce it; joined they are the text again."""
    return PIECE.findall(text)


def quoted(prompt: str, limit: int = 120) -> str:
    """Return a prompt on one line, shortened, fit to be repeated within an answer."""
    line = " ".join(prompt.split())
    return line if len(line) <= limit else f"{line[: limit - 1].rstrip()}…"


def gaps(rng: random.Random, per_second: float) -> Iterator[float]:
    """Yield gaps between chunks with that mean rate: log-normal jitter and, now and then, a hesitation."""
    mean = 1 / per_second
    while True:
        gap = mean * rng.lognormvariate(-0.061, 0.35)
        yield gap * 6 if rng.random() < 0.01 else gap * 0.952


def streamed_text(texts: Iterable[str], rng: random.Random, *, first_s: float, per_second: float) -> list[Step]:
    """Stream pieces of text as JSON strings, the first after `first_s`."""
    pace = gaps(rng, per_second)
    steps = [Step(next(pace), sse_event(text), 1) for text in texts]
    if steps:
        steps[0] = Step(first_s, steps[0].body, 1)
    return steps


def streaming_response_line() -> LogLine:
    """What the SDK logs when a handler has returned its generator, before the first chunk."""
    return SdkLine("Returning streaming response (generator)", is_timed=True)


def completed_line() -> LogLine:
    """What the SDK logs when a handler has returned a value."""
    return SdkLine("Invocation completed successfully", is_timed=True)
