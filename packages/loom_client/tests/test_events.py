from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from apps.sessions.viewing.sse import KEEP_ALIVE, frame
from loom_client.events import Event, read_events

DATA = st.dictionaries(st.text(), st.text() | st.integers() | st.none())


@given(st.lists(st.tuples(st.sampled_from(["chunk", "error"]), DATA, st.integers(0, 10**9), st.booleans())))
def test_what_loom_writes_is_read_back(events: list[tuple[str, dict[str, object], int, bool]]) -> None:
    """S1-060: whatever texts hold, and with comments between."""
    body = b"".join(
        (KEEP_ALIVE if is_late else b"") + frame(name, data, number) for name, data, number, is_late in events
    )

    read = list(read_events(body.splitlines(keepends=True)))
    assert read == [Event(number, name, data) for name, data, number, _ in events]


@given(st.integers(0, 200))
def test_an_event_that_was_cut_off_is_left_out(length: int) -> None:
    whole = frame("chunk", {"text": "a"}, 1) + frame("chunk", {"text": "b"}, 2)
    texts = [event.text for event in read_events(whole[:length].splitlines(keepends=True))]

    first = len(frame("chunk", {"text": "a"}, 1))
    assert texts == ["a", "b"][: (length >= first) + (length >= len(whole))]
