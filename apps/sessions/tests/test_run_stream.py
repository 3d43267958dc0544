from __future__ import annotations

from apps.sessions.engine.run_stream import LiveStream
from loom_events.fold import answer_text
from loom_events.kinds import StopEvent, TextEvent
from loom_events.recorded import RecordedEvent


async def test_followers_with_cursors_of_their_own_see_the_same(transactional_db: None) -> None:
    stream = LiveStream(1)
    stream.append({"kind": "text", "text": "one "}, offset_ms=1.0)
    seen: dict[int, list[RecordedEvent]] = {0: [], 1: [], 3: [], 9: []}
    for after, into in seen.items():
        follower = stream.follow(after)
        if after == 0:
            into += await anext(follower)
    stream.append({"kind": "text", "text": "two "}, offset_ms=2.0)
    stream.append({"kind": "text", "text": "three"}, offset_ms=3.0)
    stream.end()
    stream.end()  # heard twice, it is the same end
    for after, into in seen.items():
        async for events in stream.follow(into[-1]["seq"] if into else after):
            into += events

    assert {after: answer_text(events) for after, events in seen.items()} == {
        0: "one two three", 1: "two three", 3: "", 9: ""
    }  # fmt: skip
    assert [event["seq"] for event in stream.events] == [1, 2, 3]


async def test_what_comes_together_has_one_time_and_numbers_that_go_on(transactional_db: None) -> None:
    stream, heard = LiveStream(1), list[list[RecordedEvent]]()
    stream.listen(heard.append)
    given: TextEvent = {"kind": "text", "text": "one"}
    stop: StopEvent = {"kind": "stop", "reason": "end_turn"}

    first = stream.append(given, offset_ms=1.23456)
    rest = stream.append(given, stop, offset_ms=7)

    assert given == {"kind": "text", "text": "one"}
    assert first == [{"seq": 1, "offset_ms": 1.235, **given}]
    assert rest == [{"seq": 2, "offset_ms": 7.0, **given}, {"seq": 3, "offset_ms": 7.0, **stop}]
    assert heard == [first, rest] and stream.events == [*first, *rest]
