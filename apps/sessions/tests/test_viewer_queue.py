from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from apps.sessions.viewing.frames import Frame
from apps.sessions.viewing.places import Place
from apps.sessions.viewing.viewer_queue import Outbox, Shown

LIMIT = 20
# A frame of so many characters is put, None takes one, and a viewer that reads again has its outbox cleared.
STEPS = st.lists(st.integers(0, 30) | st.none() | st.just("clear"), max_size=60)
PLACES = st.builds(Place, st.integers(1, 10**15), st.from_regex(r"[0-9a-f]{8}", fullmatch=True), st.integers(0, 10**6))


@given(STEPS)
def test_an_outbox_loses_nothing_unless_it_says_so_and_never_holds_too_much(steps: list[int | str | None]) -> None:
    outbox, waiting, has_overflowed = Outbox(LIMIT), list[Frame](), False
    for number, step in enumerate(steps):
        if step == "clear":
            outbox.clear()
            waiting, has_overflowed = [], False
        elif isinstance(step, int):
            frame = Frame(chr(0x100 + number) * step)
            outbox.put(frame)
            if not has_overflowed:
                # One frame alone may be larger than all that an outbox holds.
                has_overflowed = bool(waiting) and sum(len(held.text) for held in (*waiting, frame)) > LIMIT
                waiting = [] if has_overflowed else [*waiting, frame]
        elif waiting:
            assert outbox.take() is waiting.pop(0)
        assert (bool(outbox), outbox.has_overflowed) == (bool(waiting), has_overflowed)

    assert [outbox.take() for _ in waiting] == waiting
    assert not outbox


@given(st.lists(PLACES, max_size=5, unique_by=lambda place: place.invocation_id), st.integers(0, 10**18 - 1))
def test_what_a_page_shows_is_read_from_its_address(places: list[Place], last: int) -> None:
    shown = Shown("&".join([*(f"at={place}" for place in places), f"last={last}", "environment=busy"]))

    assert shown.running == {place.invocation_id: place for place in places}
    assert (shown.last, shown.environment) == (last, "busy")


@given(st.text(max_size=40))
def test_whatever_an_address_says_is_read_without_an_error(text: str) -> None:
    shown = Shown(f"at={text}&last={text}")

    assert shown.last is None or shown.last < 10**19
    assert all(place.invocation_id == key for key, place in shown.running.items())
