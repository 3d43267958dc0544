from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from apps.sessions.tests.viewing import text_of
from apps.sessions.viewing.frames import LONG_PAYLOAD, SHORT_PAYLOAD, Frame

EDGES = [0, 1, SHORT_PAYLOAD, SHORT_PAYLOAD + 1, LONG_PAYLOAD, LONG_PAYLOAD + 1]


@given(st.text() | st.sampled_from(EDGES).map(lambda size: "w" * size))
def test_a_client_reads_what_a_frame_says(text: str) -> None:
    assert text_of(Frame(text).data) == text


def test_all_viewers_are_handed_the_same_bytes() -> None:
    frame = Frame("words")

    assert frame.data is frame.data
