from __future__ import annotations

import json
import re
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.sessions.viewing.rendering import AnswerRenderer, answer_message
from loom_events.fold import UNREAD, UNREAD_MORE
from loom_events.kinds import JsonValue
from loom_events.recorded import RecordedEvent


def event(kind: str, **fields: Any) -> RecordedEvent:
    return cast(RecordedEvent, {"seq": 1, "offset_ms": 0.0, "kind": kind, **fields})


def text(value: str, seq: int = 1) -> RecordedEvent:
    return event("text", text=value, seq=seq)


def whole(events: list[RecordedEvent]) -> str:
    renderer = AnswerRenderer(7)
    renderer.feed(events)
    renderer.close()
    return renderer.output


def test_a_closed_block_is_appended_and_the_open_end_is_replaced() -> None:
    renderer = AnswerRenderer(7)
    renderer.feed([text("**One")])

    assert json.loads(answer_message(renderer, "7:ab:1", after=0, from_part=0)) == {
        "kind": "answer",
        "at": "7:ab:1",
        "html": '<p dir="auto">**One<span id="invocation-7-growth"></span></p>\n',
    }
    renderer.feed([text("**\n\nTwo\n", seq=2)])  # a whole line behind it closes a block
    assert json.loads(answer_message(renderer, "7:ab:2", after=1, from_part=0)) == {
        "kind": "answer",
        "at": "7:ab:2",
        "html": '<p dir="auto">Two</p>\n',
        "closed": '<p dir="auto"><strong>One</strong></p>\n',
    }


def test_plain_words_are_appended_to_the_open_end_and_anything_else_is_rendered() -> None:
    renderer = AnswerRenderer(7)
    renderer.feed([text("Two days", seq=1)])

    words = renderer.extend([text(" in", seq=2), text(" Ghent", seq=3)])
    assert words == " in Ghent"
    assert (
        renderer.tail == '<p dir="auto">Two days<span id="invocation-7-growth"> in Ghent</span></p>\n'
    )  # for a late viewer
    assert renderer.extend([event("tool", tool_use_id="t1", name="map", seq=4)]) is None
    assert renderer.extend([text("\n\n# Then", seq=4)]) is None
    assert renderer.position == 3


def test_the_open_end_is_whole_after_a_piece_of_any_kind() -> None:
    renderer = AnswerRenderer(7)
    renderer.feed([text("Two days in Ghent and **Bruges**", seq=4)])
    assert renderer.tail == (
        '<p dir="auto">Two days in Ghent and <strong>Bruges</strong><span id="invocation-7-growth"></span></p>\n'
    )


def test_a_tool_call_stands_where_it_happened_and_is_updated_in_place() -> None:
    renderer = AnswerRenderer(7)
    renderer.feed(
        [
            text("Before", seq=1),
            event("tool", tool_use_id="t1", name="stock_level", seq=2),
            event("tool_input", tool_use_id="t1", text='{"sku"', seq=3),
        ]
    )
    assert re.search(r'<p dir="auto">Before</p>\s*<details class="tool" data-step="1">', renderer.output)
    assert "stock_level" in renderer.output and "{&quot;sku&quot;" in renderer.output
    assert renderer.steps_changed(after=3, before_part=2) == ""

    renderer.feed(
        [
            event("tool_result", tool_use_id="t1", status="success", text="17", offset_ms=250.0, seq=4),
            text("After", seq=5),
        ]
    )
    replaced = renderer.steps_changed(after=3, before_part=2)
    assert 'data-step="1"' in replaced
    assert "17" in replaced and "250 ms" in replaced and "failed" not in replaced
    assert "17" in renderer.output
    assert renderer.tail.startswith('<p dir="auto">After')


def result(key: str, text: str, **more: str) -> tuple[str, str, dict[str, str]]:
    return "tool_result", key, {"status": "success", "text": text, **more}


@pytest.mark.parametrize(
    ("parts", "names", "texts"),
    [
        ([result("t1", "17 left")], ["tool"], ["17 left"]),
        ([result("t1", "17", name="stock")], ["stock"], ["17"]),
        ([result("t1", "no table", status="error")], ["tool"], ["no table"]),
        ([result("t1", "a"), result("t2", "b")], ["tool", "tool"], ["a", "b"]),
        ([result("", "a"), result("", "b")], ["tool", "tool"], ["a", "b"]),
        ([("tool_input", "t1", {"text": "sku"}), result("t1", "a")], ["tool"], ["sku", "a"]),
        ([("tool", "", {"name": "stock"}), result("", "a")], ["stock"], ["a"]),
        ([("tool", "t1", {"name": "stock"}), result("t2", "b"), result("t1", "a")], ["stock", "tool"], ["a", "b"]),
    ],
)
def test_what_a_tool_gave_back_is_a_step_though_nobody_told_that_it_was_called(
    parts: list[tuple[str, str, dict[str, str]]], names: list[str], texts: list[str]
) -> None:
    events = [event(kind, tool_use_id=key, seq=seq, **said) for seq, (kind, key, said) in enumerate(parts, 2)]
    html = whole([text("Before"), *events, text("After", seq=9)])

    assert re.findall(r'<span class="tool-name">(.*?)</span>', html) == names
    assert re.findall(r'<pre tabindex="0" aria-label="\w+">(.*?)</pre>', html) == texts
    assert html.index("Before") < html.index("<details") < html.index("After")
    assert "running" not in html


def test_a_tool_call_that_failed_says_so_without_being_opened() -> None:
    html = whole(
        [event("tool", tool_use_id="t1", name="map"), event("tool_result", tool_use_id="t1", status="error", text="No")]
    )
    assert '<span class="bad">failed</span>' in html[: html.index("</summary>")]


def test_reasoning_is_a_step_of_its_own() -> None:
    html = whole([event("reasoning", text="let me "), event("reasoning", text="think"), text("Answer")])

    assert html.count("<details") == 1
    assert "let me think" in html and html.index("let me think") < html.index("Answer")


def test_reasoning_is_over_when_the_answer_goes_on() -> None:
    thought = event("reasoning", text="let me think", seq=1)
    renderer = AnswerRenderer(7)
    renderer.feed([thought])
    assert "running" in renderer.output

    renderer.feed([event("text", text="Answer", offset_ms=250.0, seq=2)])
    assert "250 ms" in renderer.steps_changed(after=1, before_part=1)
    assert "running" not in renderer.output

    again = whole([thought, text("Answer", seq=2), event("reasoning", text="once more", seq=3)])
    assert again.index("let me think") < again.index("Answer") < again.index("once more")
    assert again.count("<details") == 2


@pytest.mark.parametrize(
    ("events", "told"),
    [
        ([event("reasoning", text="let me think")], '<span class="tool-time"></span>'),
        ([event("tool", tool_use_id="t1", name="map")], '<span class="tool-time">no result</span>'),
    ],
)
def test_no_step_goes_on_when_the_run_is_over(events: list[RecordedEvent], told: str) -> None:
    html = whole(events)
    assert told in html and "running" not in html


def test_what_is_said_inside_a_span_is_folded_and_no_part_of_the_answer() -> None:
    """Two sub-agents at once: a piece goes on with what was said before it only where that is of the same span."""
    inner = [("a", "The "), ("a", "first"), ("b", "The second")]
    html = whole(
        [
            event("tool", tool_use_id="t1", name="ask", span_id="t1"),
            *(event("text", text=words, span_id=span, parent_id="t1") for span, words in inner),
            event("reasoning", text="thought", span_id="b", parent_id="t1"),
            event("json", value=[1], text="[1]", span_id="b", parent_id="t1"),
            text("Answer"),
        ]
    )

    assert re.findall(r'<span class="tool-name">(.*?)</span>', html) == ["ask", "Text", "Text", "Reasoning", "json"]
    assert re.findall(r'<pre tabindex="0" aria-label="Result">(.*?)</pre>', html) == [
        "The first", "The second", "thought"
    ]  # fmt: skip
    assert html.endswith('</details><p dir="auto">Answer</p>\n')


def test_an_event_without_a_look_of_its_own_is_kept_as_a_folded_detail() -> None:
    """One that a later Loom has recorded, too."""
    html = whole(
        [
            text("Before"),
            event("from_2030", span_id="s1", words="a <b>\nc", numbers=[1, {"two": None}]),
            event("state", from_state="thinking", event="answered", to_state="done"),
            text("After"),
        ]
    )

    details = re.findall(r"<details.*?</details>", html, re.DOTALL)
    assert [re.sub(r"<svg.*?</svg>", "", detail, flags=re.DOTALL) for detail in details] == [
        '<details class="tool" data-step="1"><summary><span class="tool-name">from_2030</span>'
        '<span class="tool-time"></span></summary><pre tabindex="0" aria-label="Details">'
        "span_id: s1\nwords: a &lt;b&gt;\nc\nnumbers: [1, {&quot;two&quot;: null}]</pre></details>",
        '<details class="tool" data-step="2"><summary><span class="tool-name">state</span>'
        '<span class="tool-time"></span></summary><pre tabindex="0" aria-label="Details">'
        "from_state: thinking\nevent: answered\nto_state: done</pre></details>",
    ]
    assert html.startswith('<p dir="auto">Before</p>') and html.endswith('<p dir="auto">After</p>\n')


def test_what_the_page_tells_elsewhere_is_no_detail() -> None:
    told = [
        event("invoked", at="2026-11-20T10:00:00+00:00", attempt=1),
        event("headers", http_status=200, content_type="text/event-stream"),
        event("usage", input_tokens=1, output_tokens=1, total_tokens=2),
        event("stop", reason="end_turn"),
        event("error", error_type="ValueError", message="boom"),
    ]
    assert whole([*told, text("Answer")]) == '<p dir="auto">Answer</p>\n'


@pytest.mark.parametrize(
    ("value", "said", "shown", "is_folded"),
    [
        ({"score": 0.7}, '{\n  "score": 0.7\n}', "&quot;score&quot;: 0.7", False),
        ([1], "[\n  1\n]", "[\n  1\n]", False),
        ({"result": ""}, "", "&quot;result&quot;: &quot;&quot;", False),
        (None, "null", "null", False),
        ("**fine**", "**fine**", "<strong>fine</strong>", False),
        ({"result": "**fine**\n\n- a"}, "**fine**\n\n- a", "<strong>fine</strong></p>\n<ul>", True),
    ],
)
def test_a_json_body_is_shown_as_what_it_says_and_the_json_beside_it(
    value: JsonValue, said: str, shown: str, *, is_folded: bool
) -> None:
    html = whole([event("json", value=value, text=said)])

    assert shown in html
    assert ("<details" in html) is is_folded
    if is_folded:
        assert html.index(shown) < html.index("<details") < html.index("&quot;result&quot;: &quot;**fine**")


@pytest.mark.parametrize("content_type", ["text/html", "Text/HTML; charset=utf-8", "application/xhtml+xml"])
def test_a_page_as_an_answer_is_shown_as_its_source(content_type: str) -> None:
    """However it is cut, and although it would end a fence of markdown."""
    pieces = ["<h1>Bad gate", "way</h1>\n", "```\n# no heading\n", "<p>502</p>"]
    html = whole([event("headers", http_status=200, content_type=content_type), *(text(piece) for piece in pieces)])

    source = re.sub(r"<[^>]+>", "", html)
    assert source.strip() == "&lt;h1&gt;Bad gateway&lt;/h1&gt;\n```\n# no heading\n&lt;p&gt;502&lt;/p&gt;"
    assert html.startswith("<pre") and "<h1>" not in html
    assert whole([event("headers", http_status=200, content_type=content_type)]) == ""


def test_what_was_not_understood_is_no_step() -> None:
    unread = [event("other", name=UNREAD, value={"odd": 1}), event("other", name=UNREAD_MORE, value={"count": 3})]
    assert whole([*unread, text("Answer")]) == '<p dir="auto">Answer</p>\n'


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
                event(hostile, **{hostile: hostile}),
            ]
        )
        assert not re.search(r"<(script|img|div|h1|/article)", html), hostile
        assert not re.search(r'href="javascript|<[^>]*\shx-|<[^>]*\son\w+=', html), hostile


PIECES = ["word ", "more", "**bold** ", "\n\n", "- item\n", "`x` ", "> quote\n", "1. one\n", "```py\n", "x = 1\n"]


@given(st.lists(st.tuples(st.sampled_from(PIECES), st.booleans()), max_size=40))
def test_whatever_a_page_has_missed_one_frame_brings_it_to_what_the_others_show(pieces: list[tuple[str, bool]]) -> None:
    renderer = AnswerRenderer(7)
    output, sequence, parts = "", 0, 0  # what a page has that hears of some frames only
    for number, (piece, is_heard) in enumerate(pieces, start=1):
        if renderer.extend([text(piece, seq=number)]) is None:
            renderer.feed([text(piece, seq=number)])
        if is_heard:
            said = json.loads(answer_message(renderer, f"7:ab:{number}", after=sequence, from_part=parts))
            output, sequence, parts = output + said.get("closed", ""), number, len(renderer.parts)
            assert output == renderer.output
            assert (said["at"], said["html"]) == (f"7:ab:{number}", renderer.tail)
    renderer.close()

    assert re.sub(r"\s+", "", renderer.output) == re.sub(r"\s+", "", whole([text(piece) for piece, _ in pieces]))
