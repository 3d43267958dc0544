from __future__ import annotations

from datetime import UTC, datetime
from html.parser import HTMLParser

import pytest
from django import forms
from django.template import engines
from pytest_django import Settings

from apps.core.templatetags import loom


def draw(source: str, **context: object) -> str:
    """Render a template's source with the tags that every template has."""
    return str(engines["django"].from_string(source).render(context))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        ("", "–"),
        (0, "0 ms"),
        (0.04, "0.0 ms"),
        (0.44, "0.4 ms"),
        (9.94, "9.9 ms"),
        (10, "10 ms"),
        (840.4, "840 ms"),
        (999.4, "999 ms"),
        (999.5, "1.00 s"),
        (1240, "1.24 s"),
        (59_990, "59.99 s"),
        (125_000, "2 min 5 s"),
        (-12, "−12 ms"),
    ],
)
def test_a_duration_has_three_figures_and_a_unit(value: float | None, text: str) -> None:
    assert loom.duration(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"), (0, "0 ms"), (250, "250 ms"), (90_000, "90 s"), (900_000, "15 min"), (28_800_000, "8 h"),
        (5_400_000, "90 min"),
    ],
)  # fmt: skip
def test_a_span_is_written_in_its_largest_whole_unit(value: int | None, text: str) -> None:
    assert loom.span(value) == text


def test_an_instant_is_a_time_element_that_names_its_zone() -> None:
    at = datetime(2026, 11, 20, 14, 3, 11, 250_000, tzinfo=UTC)

    assert loom.instant(at) == '<time datetime="2026-11-20T14:03:11.250+00:00">2026-11-20 14:03:11 UTC</time>'
    assert loom.instant(None) == "–"


@pytest.mark.parametrize(
    ("status", "tone"),
    [
        ("READY", "ok"),
        ("completed", "ok"),
        ("done", "ok"),
        ("CREATING", "info"),
        ("streaming", "info"),
        ("running", "info"),
        ("interrupted", "warn"),
        ("UPDATE_FAILED", "bad"),
        ("failed", "bad"),
        ("stopped", "neutral"),
        ("DELETING", "neutral"),
        ("something AWS invents tomorrow", "neutral"),
    ],
)
def test_a_status_has_a_tone(status: str, tone: str) -> None:
    assert loom.tone(status) == tone


def test_a_badge_says_its_status_in_words() -> None:
    assert draw('{% cotton badge status="{{ status }}" %}{% endcotton %}', status="CREATE_FAILED") == (
        '<span class="badge badge-bad" >Create failed</span>\n'
    )


def test_a_long_identifier_is_shown_by_its_ends() -> None:
    assert loom.short("3f2a9c1e-1111-4222-8333-1234567877d0") == "3f2a9c1e…77d0"
    assert loom.short("sixteen-letters!") == "sixteen-letters!"


def test_an_icon_is_passed_over_by_screen_readers() -> None:
    svg = draw('{% icon "bot" 14 %}')

    assert 'aria-hidden="true"' in svg
    assert 'width="14"' in svg


def test_the_emulated_mark_stands_in_emulator_mode_only(settings: Settings) -> None:
    settings.LOOM_AWS = "emulator"
    assert "Emulated</span>" in draw("{% cotton emulated %}{% endcotton %}")

    settings.LOOM_AWS = "aws"
    assert draw("{% cotton emulated %}{% endcotton %}").strip() == ""


class Elements(HTMLParser):
    """The elements of a piece of HTML with their attributes."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


HOSTILE = "\"><script>alert(1)</script>' onclick='x {{ 7 }}{% csrf_token %}"


@pytest.mark.parametrize(
    "source",
    [
        '{% cotton id value="{{ value }}" label="{{ value }}" %}{% endcotton %}',
        '{% cotton id value="{{ value }}" :short="True" %}{% endcotton %}',
        '{% cotton alert message="{{ value }}" advice="{{ value }}" code="{{ value }}" request_id="{{ value }}" %}'
        "{% endcotton %}",
        '{% cotton badge status="{{ value }}" title="{{ value }}" %}{% endcotton %}',
        '{% cotton toast level="error" text="{{ value }}" %}{% endcotton %}',
        '{% cotton button data-dialog-name="{{ value }}" %}{{ value }}{% endcotton %}',
        '{% cotton empty title="{{ value }}" %}{{ value }}{% endcotton %}',
    ],
)
def test_a_hostile_value_stays_a_value(source: str) -> None:
    found = Elements(draw(source, value=HOSTILE)).found

    assert {tag for tag, _ in found} <= {
        "span", "code", "button", "svg", "path", "rect", "circle", "line", "div", "b", "p", "h3", "polyline",
    }  # fmt: skip
    assert not [attributes for _, attributes in found if "onclick" in attributes]


def test_a_copied_value_arrives_unchanged() -> None:
    found = Elements(draw('{% cotton copy value="{{ value }}" label="ARN" %}{% endcotton %}', value=HOSTILE)).found

    assert found[0][1]["data-copy"] == HOSTILE
    assert found[0][1]["aria-label"] == "Copy ARN"


def test_what_a_list_shows_of_an_instant_can_be_written_as_how_long_ago() -> None:
    at = datetime(2026, 11, 20, 14, 3, 11, 250_000, tzinfo=UTC)

    assert loom.ago(at) == '<time datetime="2026-11-20T14:03:11.250+00:00" data-ago>2026-11-20 14:03:11 UTC</time>'
    assert loom.ago(None) == "–"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("a\u202elive", "a‹U+202E›live"),
        ("\u202a\u202b\u202c\u202d", "‹U+202A›‹U+202B›‹U+202C›‹U+202D›"),
        ("\u2066\u2067\u2068\u2069", "‹U+2066›‹U+2067›‹U+2068›‹U+2069›"),
        ("مرحبا \u200e\u200f", "مرحبا \u200e\u200f"),  # marks that Arabic and Hebrew are written with
        ("<b>\u202e", "&lt;b&gt;‹U+202E›"),
    ],
)
def test_what_would_turn_text_around_is_shown(text: str, shown: str) -> None:
    assert draw("{{ text|visible }}", text=text) == shown


def test_an_escaped_text_is_not_escaped_twice() -> None:
    assert draw("{% firstof text as title %}{{ title|visible }}", text="Tom & Jerry") == "Tom &amp; Jerry"


@pytest.mark.parametrize(
    ("name", "html"),
    [
        ("travel_concierge", "travel_<wbr>concierge"),
        ("a-b.c/d", "a-<wbr>b.<wbr>c/<wbr>d"),
        ("__init__", "__<wbr>init__"),
        ("MyAgentForHTTP", "My<wbr>Agent<wbr>ForHTTP"),
        ("plain", "plain"),
        ("", ""),
        ("<b>_x", "&lt;b&gt;_<wbr>x"),
        ("a\u202e_b", "a‹U+202E›_<wbr>b"),
    ],
)
def test_a_name_breaks_where_its_words_end(name: str, html: str) -> None:
    assert draw("{{ name|breakable }}", name=name) == html


def test_names_have_one_of_five_colours_each_its_own() -> None:
    names = [f"agent_{number}" for number in range(50)]

    assert {loom.hue(name) for name in names} == {1, 2, 3, 4, 5}
    assert loom.hue("agent_1") == loom.hue("agent_1")


class Letter(forms.Form):
    to = forms.CharField()
    text = forms.CharField(help_text="Be kind.")

    def clean(self) -> None:
        if self.cleaned_data.get("text") == "rude":
            raise forms.ValidationError("Not like this.")


def controls(data: dict[str, str] | None) -> dict[str, dict[str, str | None]]:
    """The attributes of each field's control, as `c-field` draws it in a form with a problem named `refusal`."""
    source = '{% for field in form %}{% cotton field :field="field" refusal_id="refusal" %}{% endcotton %}{% endfor %}'
    found = Elements(draw(source, form=Letter(data))).found
    return {str(attributes["name"]): attributes for tag, attributes in found if tag == "input"}


def test_the_first_refused_field_has_the_focus_and_each_says_what_is_wrong_with_it() -> None:
    fresh, half, rude = controls(None), controls({"to": "me"}), controls({"to": "me", "text": "rude"})

    assert not {"autofocus", "aria-invalid"} & {*fresh["to"], *fresh["text"]}
    assert "autofocus" not in half["to"] and "autofocus" in half["text"]
    assert (
        half["text"]["aria-invalid"] == "true" and half["text"]["aria-describedby"] == "id_text_helptext id_text_error"
    )
    assert "autofocus" in rude["to"] and "autofocus" not in rude["text"]
    assert [field["aria-invalid"] for field in rude.values()] == ["true", "true"]
    assert [field["aria-describedby"] for field in rude.values()] == ["refusal", "refusal"]
