from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from etc.checks import words
from etc.checks.words import problems, untranslated_in_python, untranslated_in_template


@pytest.mark.parametrize(
    ("template", "count"),
    [
        ("<p>Nothing here yet.</p>", 1),
        ("<p>{% translate 'Nothing here yet.' %}</p>", 0),
        ("<p>{% blocktranslate with n=place %}Place <b>{{ n }}</b>{% endblocktranslate %}</p>", 0),
        ("<p>{{ count }} of {{ total }}</p>", 1),
        ("<p>{{ count }} · {{ total }} %</p>", 0),
        ('<button aria-label="Copy answer" class="copy"></button>', 1),
        ('<c-alert message="{{ run.error }}" advice="Send it again." />', 1),
        ("{# a note #}{% comment %}words{% endcomment %}<!-- more --><script>const a = 'b c';</script>", 0),
        ("<p>One</p><p>two</p> three", 3),
    ],
)
def test_texts_of_a_template_that_go_through_no_gettext_are_counted(template: str, count: int) -> None:
    assert untranslated_in_template(template) == count


@pytest.mark.parametrize(
    ("code", "count"),
    [
        ("messages.success(request, 'Saved.')", 1),
        ("messages.error(request, f'{name} stays.')", 1),
        ("messages.error(request, _('Not saved.'))", 0),
        ("messages.error(request, error.text())", 0),
        ("logger.info('nothing for people')", 0),
    ],
)
def test_literal_messages_are_counted(code: str, count: int) -> None:
    assert untranslated_in_python(code) == count


def test_a_file_with_one_more_is_named_and_one_with_fewer_is_not() -> None:
    assert problems({"templates/a.html": 2, "templates/b.html": 1, "templates/new.html": 1}, {
        "templates/a.html": 1, "templates/b.html": 3,
    }) == [
        "templates/a.html: 2 texts go through no gettext, 1 are left from before: use translate, blocktranslate or "
        "gettext for those that came",
        "templates/new.html: 1 texts go through no gettext, 0 are left from before: use translate, blocktranslate or "
        "gettext for those that came",
    ]  # fmt: skip


def test_counts_are_only_written_where_they_fall(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)
    (tmp_path / "templates").mkdir()
    (tmp_path / "etc").mkdir()
    page, kept = tmp_path / "templates/a.html", tmp_path / words.KEPT
    page.write_text("<p>One</p>")
    assert words.main(["--write"], tmp_path) == 1
    assert not kept.exists()

    kept.write_text('"templates/a.html" = 2\n')
    assert words.main(["--write"], tmp_path) == 0
    assert kept.read_text().splitlines()[1:] == ['"templates/a.html" = 1']
