"""The scripts of the demo agents: how each of them answers."""

from __future__ import annotations

import json
from collections.abc import Mapping

from apps.emulator.agents import answers
from apps.emulator.agents.scripts import (
    JSON_BODY,
    Performance,
    ScriptCall,
    Step,
    completed_line,
    gaps,
    pieces_of,
    quoted,
    sse_event,
    streamed_text,
    streaming_response_line,
)
from apps.emulator.agents.strands_events import Cycle, StrandsRun, ToolUse
from apps.emulator.logs.lines import BareLine, LogLine, SdkLine, StartLine

CHUNK_COUNT_VARIABLE = "EMULATOR_CHUNKS"
CHUNK_RATE_VARIABLE = "EMULATOR_CHUNKS_PER_SECOND"
SDK_FILE = "/var/task/bedrock_agentcore/runtime/app.py"


def travel_concierge(call: ScriptCall) -> Performance:
    """Fast: first words after a quarter of a second, then 60 chunks a second. Version 2 was shorter and slower."""
    texts = answers.TRAVEL if call.version >= 3 else answers.TRAVEL_BRIEF
    text = _text(texts, call)
    pace = 60.0 if call.version >= 3 else 35.0
    first_s = call.rng.uniform(0.18, 0.32) if call.version >= 3 else call.rng.uniform(0.5, 0.8)
    steps = streamed_text(pieces_of(text), call.rng, first_s=first_s, per_second=pace)
    return Performance([Step(0.0, log=streaming_response_line()), *steps], answer_text=text)


def contract_reviewer(call: ScriptCall) -> Performance:
    """A large container: its cold start is what takes the time, the answer comes at 40 chunks a second."""
    text = _text(answers.CONTRACT, call)
    steps = streamed_text(pieces_of(text), call.rng, first_s=call.rng.uniform(0.6, 1.1), per_second=40.0)
    return Performance([Step(0.0, log=streaming_response_line()), *steps], answer_text=text)


def code_tutor(call: ScriptCall) -> Performance:
    """Long Markdown with code; logs a start line of its own, as agents with a timing convention do."""
    text = _text(answers.TUTOR, call)
    pace = 75.0 if call.version >= 5 else 50.0
    steps = streamed_text(pieces_of(text), call.rng, first_s=call.rng.uniform(0.35, 0.6), per_second=pace)
    opening = [Step(0.0, log=StartLine()), Step(0.0, log=streaming_response_line())]
    return Performance([*opening, *steps], answer_text=text)


def inventory_analyst(call: ScriptCall) -> Performance:
    """Yields raw Strands events: two tools in two cycles, usage after each, then the conclusion."""
    prompt = quoted(call.prompt)
    cycles = [
        Cycle(
            pieces_of("Let me look at the current stock first."),
            ToolUse(
                "query_stock",
                {"warehouse": "north", "below_days_of_cover": 14},
                '[{"sku": "K-204", "on_hand": 130, "daily": 21}, {"sku": "M-118", "on_hand": 44, "daily": 9}]',
                0.7,
            ),
            412,
            58,
        ),
        Cycle(
            pieces_of(" Two items fall below fourteen days of cover. I check when the next deliveries arrive."),
            ToolUse(
                "list_deliveries",
                {"skus": ["K-204", "M-118"]},
                '[{"sku": "K-204", "eta_days": 4, "quantity": 300}]',
                0.5,
            ),
            596,
            71,
        ),
        Cycle(
            pieces_of(
                f" On “{prompt}”: K-204 lasts 6.2 days and is restocked in 4, so it is safe. M-118 lasts 4.9 days and"
                " no delivery is announced. Ordering 130 units of M-118 now covers the two weeks that a reorder takes."
                f"{answers.SCRIPTED}"
            ),
            None,
            742,
            96,
        ),
    ]
    run = StrandsRun(call.rng, call.prompt, "You watch the stock of a warehouse.", _INVENTORY_TOOLS)
    pace = gaps(call.rng, 45.0)
    steps = [Step(0.0, log=streaming_response_line())]
    for event in run.events(cycles):
        waits = {"none": 0.0, "chunk": next(pace), "model": call.rng.uniform(0.3, 0.6), "tool": event.tool_s}
        steps.append(Step(waits[event.wait], sse_event(event.value), int(event.is_text), marks=event.marks))
    return Performance(steps, answer_text="".join(piece for cycle in cycles for piece in cycle.pieces))


def claims_intake(call: ScriptCall) -> Performance:
    """Fails half-way: an error event ends the stream, with HTTP 200, and the traceback goes to the log."""
    text = _text(answers.CLAIMS, call)
    steps = streamed_text(pieces_of(text), call.rng, first_s=call.rng.uniform(0.3, 0.5), per_second=40.0)
    reason = "rate table of region 7 is not available"
    error = {"error": reason, "error_type": "LookupError", "message": "An error occurred during streaming"}
    traceback = [
        "Traceback (most recent call last):\n",
        f'  File "{SDK_FILE}", line 942, in _sync_stream_with_error_handling\n    for value in generator:\n',
        f'  File "/var/task/main.py", line 58, in review\n    raise LookupError("{reason}")\n',
        f"LookupError: {reason}\n",
    ]
    members = {
        "errorType": "LookupError",
        "errorMessage": reason,
        "stackTrace": traceback,
        "location": f"{SDK_FILE}:_sync_stream_with_error_handling:945",
    }
    failure = SdkLine("Error in sync streaming", level="ERROR", members=members)
    end = Step(0.4, sse_event(error), log=failure)
    return Performance([Step(0.0, log=streaming_response_line()), *steps, end], answer_text=text)


def sentiment_scorer(call: ScriptCall) -> Performance:
    """Answers one JSON body from a server of its own: no SDK, so its output says nothing about when it started."""
    words = call.prompt.lower().split()
    good = sum(word.strip(".,!?") in _GOOD_WORDS for word in words)
    bad = sum(word.strip(".,!?") in _BAD_WORDS for word in words)
    score = round((good - bad) / max(1, good + bad), 2)
    label = "positive" if score > 0 else "negative" if score < 0 else "neutral"
    result = {"sentiment": label, "score": score, "words": len(words), "language": "en"}
    return _json_answer(result, call.rng.uniform(0.12, 0.3), BareLine("model cache hit ratio 0.94"))


def release_digest(call: ScriptCall) -> Performance:
    """Answers one JSON body through the SDK, which logs how long the handler took."""
    result = {
        "result": f"Three changes matter for “{quoted(call.prompt)}”: faster search, stricter uploads, a new export.",
        "note": "scripted demo answer",
    }
    return _json_answer(result, call.rng.uniform(0.6, 1.2), completed_line(), answer_text=result["result"])


def new_agent(call: ScriptCall) -> Performance:
    """Stands in for the unknown code of a runtime created over the control plane.

    Its environment variables EMULATOR_CHUNKS and EMULATOR_CHUNKS_PER_SECOND make it stream that many chunks at an even
    pace, for load tests.
    """
    if CHUNK_COUNT_VARIABLE in call.variables:
        count = int(call.variables[CHUNK_COUNT_VARIABLE])
        gap = 1 / float(call.variables.get(CHUNK_RATE_VARIABLE, "30"))
        pieces = [f"piece {number} " for number in range(count)]
        steps = [Step(gap, sse_event(piece), 1) for piece in pieces]
        return Performance([Step(0.0, log=streaming_response_line()), *steps], answer_text="".join(pieces))
    text = _text(answers.HELLO, call)
    steps = streamed_text(pieces_of(text), call.rng, first_s=0.3, per_second=50.0)
    return Performance([Step(0.0, log=streaming_response_line()), *steps], answer_text=text)


def _text(texts: tuple[str, ...], call: ScriptCall) -> str:
    template = texts[min(call.turn, len(texts) - 1)]
    return template.replace("{version}", str(call.version)).replace("{prompt}", quoted(call.prompt))


def _json_answer(result: Mapping[str, object], work_s: float, line: LogLine, *, answer_text: str = "") -> Performance:
    body = json.dumps(result, ensure_ascii=False).encode()
    return Performance([Step(work_s, log=line), Step(0.0, body, 1)], JSON_BODY, answer_text=answer_text)


_GOOD_WORDS = frozenset(("good", "great", "love", "excellent", "fast", "happy", "thanks", "nice", "wonderful"))
_BAD_WORDS = frozenset(("bad", "slow", "broken", "hate", "terrible", "late", "angry", "worse", "awful"))


def _tool(name: str, description: str, properties: dict[str, dict[str, str]]) -> dict[str, object]:
    schema = {"properties": properties, "required": list(properties), "type": "object"}
    return {"toolSpec": {"name": name, "description": description, "inputSchema": {"json": schema}}}


_INVENTORY_TOOLS = [
    _tool(
        "query_stock",
        "List items of a warehouse that run short.",
        {
            "warehouse": {"description": "Parameter warehouse", "type": "string"},
            "below_days_of_cover": {"description": "Parameter below_days_of_cover", "type": "integer"},
        },
    ),
    _tool(
        "list_deliveries",
        "List announced deliveries.",
        {"skus": {"description": "Parameter skus", "type": "array"}},
    ),
]
