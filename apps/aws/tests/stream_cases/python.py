"""What agents send whose server could not write it as JSON: Python's own way to write values."""

from __future__ import annotations

from apps.aws.tests.stream_cases.making import AGENT, callback, raw
from apps.aws.tests.wire import Told, stream

PYTHON: dict[str, tuple[bytes, Told]] = {
    "callback dictionaries alone": (
        stream(callback("Tram 8"), callback(" leaves"), callback(" at 6.")),
        Told("Tram 8 leaves at 6."),
    ),
    "callback dictionaries beside events": (
        stream({"event": {"contentBlockDelta": {"delta": {"text": "Tram 8"}}}}, callback("Tram 8")),
        Told("Tram 8"),
    ),
    "quotation marks and line ends": (stream(callback("it's\n"), callback('"8" \\')), Told('it\'s\n"8" \\')),
    "a result that repeats the answer": (
        stream(
            {"event": {"contentBlockDelta": {"delta": {"text": "Open at 6."}}}},
            "{'result': {'type': 'agent_result', 'message': {'role': 'assistant', 'content': [{'reasoningContent': "
            "{'redactedContent': b'\\x01q'}}, {'text': 'Open at 6.'}]}, 'stop_reason': 'end_turn'}}",
        ),
        Told("Open at 6."),
    ),
    "a result alone": (
        stream(
            "{'result': AgentResult(stop_reason='end_turn', message={'role': 'assistant', 'content': [{'text': 'Open.'}"
            "]}, metrics=EventLoopMetrics(cycle_count=1, tool_metrics={}), state={})}"
        ),
        Told("Open."),
    ),
    "an event": (
        stream("{'event': {'contentBlockDelta': {'delta': {'text': 'Open.'}, 'contentBlockIndex': 0}}}"),
        Told("Open."),
    ),
    "a tool": (
        stream(
            "{'current_tool_use': {'toolUseId': 't', 'name': 'plan', 'input': ''}, 'delta': {'toolUse': {'input': '{}'}"
            f"}}, 'agent': {AGENT}}}"
        ),
        Told(tools=(("plan", "{}", ""),)),
    ),
    "LangGraph's updates": (
        stream(
            "{'agent': {'messages': [AIMessage(content='Open.', additional_kwargs={}, id='run-1', tool_calls=[])]}}"
        ),
        Told("Open."),
    ),
    "LangGraph's pairs": (
        stream(
            *(
                f"(AIMessageChunk(content={piece!r}, additional_kwargs={{}}, id='run-1'), {{'langgraph_node': 'a'}})"
                for piece in ("Op", "en.")
            )
        ),
        Told("Open."),
    ),
    "a message of LangChain as text": (
        stream("content='Op' additional_kwargs={} id='r'", "content='en.' additional_kwargs={} id='r'"),
        Told("Open."),
    ),
    "pieces": (stream("{'text': 'Tram', 'done': False}", "{'text': ' 8', 'done': True}"), Told("Tram 8")),
    "pieces that are objects": (
        stream("Event(type='text', text='Tram')", "Event(type='text', text=' 8')"),
        Told("Tram 8"),
    ),
    "pieces that are objects of OpenAI's": (
        stream(
            *(f"Chunk(id='c', choices=[Choice(index=0, delta=Delta(content={word!r}))])" for word in ("Tram", " 8"))
        ),
        Told("Tram 8"),
    ),
    "pieces that are objects of Google's": (
        stream(
            *(f"content=Content(parts=[Part(text={word!r})], role='model') partial=True" for word in ("Tram", " 8"))
        ),
        Told("Tram 8"),
    ),
    "a dictionary in its order": (stream("OrderedDict([('text', 'Tram')])"), Told("Tram")),
    "bytes within": (stream("{'chunk': {'bytes': b'Tram'}}", "{'chunk': {'bytes': b' 8'}}"), Told("Tram 8")),
    "an object that is the answer": (stream("Label(text='Hi')"), Told("Label(text='Hi')")),
    "a dictionary that is the answer": (stream("{'city': 'Oslo', 'temp': 4}"), Told("{'city': 'Oslo', 'temp': 4}")),
    "a result that is the answer": (stream("{'result': 'ok', 'score': 5}"), Told("{'result': 'ok', 'score': 5}")),
    "text with an object in it": (
        stream("It is <A object at 0x7f00>: {'a': 1}"),
        Told("It is <A object at 0x7f00>: {'a': 1}"),
    ),
    "bytes": (stream("b'Tram 8'", "b' \\xc3\\xbc'"), Told("Tram 8 ü")),
    "events in bytes": (stream('b\'data: {"text": "Tram"}\\n\\n\''), Told("Tram")),
    "code": (stream("{'event_loop': x + 1}"), Told("{'event_loop': x + 1}")),
    "not framed by the SDK": (raw(callback("Tram 8"), callback(" leaves")), Told("Tram 8 leaves")),
}
