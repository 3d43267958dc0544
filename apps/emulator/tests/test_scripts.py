from __future__ import annotations

import json
import random
import statistics
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.emulator.agents.scripts import PayloadError, ScriptCall, gaps, pieces_of, prompt_of, quoted, sse_event
from apps.emulator.fleet.demo import DEMO_AGENTS, DemoAgent


@given(st.text())
def test_the_pieces_of_a_text_are_the_text(text: str) -> None:
    assert "".join(pieces_of(text)) == text


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner, max_size=3)))
def test_an_event_is_one_data_line_that_holds_the_value(value: object) -> None:
    framed = sse_event(value)

    assert framed.startswith(b"data: ")
    assert framed.endswith(b"\n\n")
    assert framed.count(b"\n") == 2
    assert json.loads(framed[6:]) == value


@pytest.mark.parametrize(
    ("payload", "prompt"),
    [
        (b'{"prompt": "a", "input": "b"}', "a"),
        (b'{"input": "b"}', "b"),
        (b'"plain"', "plain"),
        (b'{"n": 1}', '{"n": 1}'),
        (b"[1, 2]", "[1, 2]"),
        ('{"prompt": "ü"}'.encode(), "ü"),
    ],
)
def test_the_prompt_of_a_payload(payload: bytes, prompt: str) -> None:
    assert prompt_of(payload) == prompt


@pytest.mark.parametrize(
    ("payload", "message"), [(b"{", "Invalid JSON in request"), (b'"\xff"', "Invalid encoding in request")]
)
def test_a_payload_that_is_not_json_is_refused_without_quoting_it(payload: bytes, message: str) -> None:
    with pytest.raises(PayloadError) as caught:
        prompt_of(payload)

    assert str(caught.value) == message


def test_a_quoted_prompt_is_one_short_line() -> None:
    assert quoted("one\n  two") == "one two"
    assert quoted("x" * 500) == "x" * 119 + "…"


@pytest.mark.parametrize("agent", DEMO_AGENTS, ids=lambda agent: agent.name)
@pytest.mark.parametrize("turn", [0, 1, 2, 9])
def test_every_agent_answers_every_turn_at_a_believable_pace(agent: DemoAgent, turn: int) -> None:
    call = ScriptCall("how are things?", "s" * 36, agent.version_count, turn, random.Random(1), agent.variables)

    performance = agent.script(call)

    text_gaps = [step.gap_s for step in performance.steps if step.pieces][1:]
    if text_gaps:
        assert 20 <= 1 / statistics.mean(text_gaps) <= 80
    assert sum(step.gap_s for step in performance.steps) < 12
    assert "{prompt}" not in performance.answer_text


def test_gaps_keep_the_rate_and_vary() -> None:
    drawn = list(islice(gaps(random.Random(1), 50.0), 20_000))

    assert 1 / statistics.mean(drawn) == pytest.approx(50, rel=0.03)
    assert statistics.stdev(drawn) > 0.005
