"""The scripts of the pages: modules of the language's own, whose functions say what they take."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from loom.tests.fixtures import ROOT

SCRIPTS = sorted((ROOT / "static" / "js").glob("*.js"))
EARLY = "theme-early.js"  # before the first paint, so no module
FUNCTION = re.compile(
    r"(?P<doc>/\*\*(?:(?!\*/).)*\*/\s*)?^(?:export )?(?:"
    r"(?:async )?function (?P<name>\w+)\((?P<taken>[^)]*)\)"
    r"|const (?P<arrow>\w+) = (?:async )?\((?P<given>[^)]*)\) =>)",
    re.MULTILINE | re.DOTALL,
)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_each_function_of_a_module_names_the_types_it_takes(script: Path) -> None:
    untyped = []
    for found in FUNCTION.finditer(script.read_text()):
        taken = found["taken"] or found["given"]
        if taken and (found["doc"] or "").count("@param {") != 1 + len(re.findall(r",(?![^{]*\})", taken)):
            untyped.append(found["name"] or found["arrow"])
    assert untyped == []


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_scripts_are_modules_and_import_what_is_there(script: Path) -> None:
    source = script.read_text()
    assert "require(" not in source and "module.exports" not in source
    for name in re.findall(r'^import .*?"(.+)";$', source, re.MULTILINE):
        assert (script.parent / name).is_file()


def test_every_page_loads_its_scripts_as_modules() -> None:
    plain = [
        tag
        for template in (ROOT / "templates").rglob("*.html")
        for tag in re.findall(r"<script [^>]*src=\"{% static 'js/[^>]*>", template.read_text())
        if 'type="module"' not in tag and EARLY not in tag
    ]
    assert plain == []
