from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from apps.sessions.viewing import places
from apps.sessions.viewing.places import ClosedParts

# How many events came between two frames, and how many parts were closed by them.
FRAMES = st.lists(st.tuples(st.integers(1, 5), st.sampled_from([0, 0, 0, 1, 2])), max_size=60)


@given(st.integers(0, 9), FRAMES)
def test_any_event_since_the_beginning_resolves_to_the_parts_that_were_closed_before_it(
    first: int, frames: list[tuple[int, int]]
) -> None:
    closed = ClosedParts()
    closed.note(first, 0)
    sequence, count, known = first, 0, {first: 0}
    for events, parts in frames:
        for _ in range(events):
            sequence += 1
            known[sequence] = count
        count += parts
        known[sequence] = count
        closed.note(sequence, count)

    assert {number: closed.at(number) for number in range(first, sequence + 1)} == known
    assert closed.at(first - 1) is None


def test_what_is_remembered_is_bounded_and_what_is_forgotten_is_said_to_be() -> None:
    closed = ClosedParts()
    for number in range(1, 3 * places.CHANGES_KEPT):
        closed.note(number, number)

    assert closed.at(1) is None
    newest, ago = 3 * places.CHANGES_KEPT - 1, places.CHANGES_KEPT - 1
    assert (closed.at(newest), closed.at(newest - ago)) == (newest, newest - ago)
