from __future__ import annotations

import re
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from apps.sessions.rendering import AnswerRenderer, answer_frame


def event(kind: str, **fields: Any) -> dict[str, Any]:
    return {"seq": 1, "offset_ms": fields.pop("offset_ms", 0.0), "kind": kind, **fields}


def text(value: str) -> dict[str, Any]:
    return event("text", text=value)


def whole(events: list[dict[str, Any]]) -> str:
    renderer = AnswerRenderer(7)
    closed, _ = renderer.feed(events)
    return closed + renderer.close()


def test_a_closed_block_is_appended_and_the_open_end_is_replaced() -> None:
    renderer = AnswerRenderer(7)

    assert answer_frame(renderer, [text("**One")]) == (
        '<div id="invocation-7-tail" class="md" hx-swap-oob="true"><p>**One</p>\n</div>'
    )
    frame = answer_frame(renderer, [text("**\n\nTwo\n")])  # a whole line behind it closes a block
    assert '<div id="invocation-7-output" hx-swap-oob="beforeend"><p><strong>One</strong></p>' in frame
    assert '<div id="invocation-7-tail" class="md" hx-swap-oob="true"><p>Two</p>' in frame


def test_a_tool_call_stands_where_it_happened_and_is_updated_in_place() -> None:
    renderer = AnswerRenderer(7)
    closed, replaced = renderer.feed(
        [
            text("Before"),
            event("tool", tool_use_id="t1", name="stock_level"),
            event("tool_input", tool_use_id="t1", text='{"sku"'),
        ]
    )
    assert re.search(r'<p>Before</p>\s*<details class="tool" id="invocation-7-step-1">', closed)
    assert "stock_level" in closed and "{&quot;sku&quot;" in closed and replaced == ""

    closed, replaced = renderer.feed(
        [event("tool_result", tool_use_id="t1", status="success", text="17", offset_ms=250.0), text("After")]
    )
    assert 'id="invocation-7-step-1" hx-swap-oob="true"' in replaced
    assert "17" in replaced and "250 ms" in replaced
    assert renderer.tail.strip() == "<p>After</p>"


def test_reasoning_is_a_step_of_its_own() -> None:
    html = whole([event("reasoning", text="let me "), event("reasoning", text="think"), text("Answer")])

    assert html.count("<details") == 1
    assert "let me think" in html and html.index("let me think") < html.index("Answer")


def test_a_json_body_is_shown_as_it_is_and_a_string_as_markdown() -> None:
    assert "&quot;score&quot;: 0.7" in whole([event("json", value={"score": 0.7}, text="…")])
    assert "<strong>fine</strong>" in whole([event("json", value="**fine**", text="**fine**")])


HOSTILE = [
    "<script>alert(1)</script>",
    '<img src=x onerror="alert(1)">',
    "[a](javascript:alert(1))",
    '<div hx-get="/admin/">x</div>',
    "![i](https://example.com/leak)",
    "</div></article><h1>out</h1>",
    "\0" + "0" + "\0",
]


def test_nothing_an_agent_says_becomes_markup_or_a_request() -> None:
    for hostile in HOSTILE:
        html = whole(
            [
                text(hostile),
                event("tool", tool_use_id="t", name=hostile),
                event("tool_input", tool_use_id="t", text=hostile),
                event("tool_result", tool_use_id="t", status="success", text=hostile),
                event("reasoning", text=hostile),
                event("json", value={hostile: hostile}, text=hostile),
            ]
        )
        assert not re.search(r"<(script|img|div|h1|/article)", html), hostile
        assert not re.search(r'href="javascript|<[^>]*\shx-|<[^>]*\son\w+=', html), hostile


@given(
    st.lists(st.sampled_from(["word ", "**bold** ", "\n\n", "- item\n", "`x` ", "> quote\n", "1. one\n"]), max_size=40)
)
def test_frames_add_up_to_what_a_reload_shows(pieces: list[str]) -> None:
    renderer = AnswerRenderer(7)
    shown = ""
    for piece in pieces:
        closed, _ = renderer.feed([text(piece)])
        shown += closed
    shown += renderer.close()

    assert re.sub(r"\s+", "", shown) == re.sub(r"\s+", "", whole([text(piece) for piece in pieces]))
