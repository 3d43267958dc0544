"""What templates and scripts agree on (docs/scripts.md): attributes, parts and widgets. Each has both ends."""

from __future__ import annotations

import re
from collections.abc import Iterable

from loom.tests.fixtures import ROOT

SCRIPTS = {path.stem: path.read_text() for path in sorted((ROOT / "static" / "js").glob("*.js"))}
STYLES = [path.read_text() for path in (ROOT / "static" / "css").glob("*.css")]
TEMPLATES = [path.read_text() for path in (ROOT / "templates").rglob("*.html")]
PYTHON = [
    path.read_text()
    for path in (ROOT / "apps").rglob("*.py")
    if "tests" not in path.parts and "emulator" not in path.parts
]
ATTRIBUTE = re.compile(r"(?<![\w-])data-([a-z]+(?:-[a-z]+)*)(?!\w)")
OF_DATASET = re.compile(r"\bdataset\??\.(\w+)|\"(\w+)\" in [\w.]+\.dataset")
TAKEN_APART = re.compile(r"\{([^{}]*)\} = [\w.]*dataset")
ROW = re.compile(r"^\| `([a-z-]+)` \| ([^|]+) \| ([^|]+) \| [^|]+ \|$", re.MULTILINE)
DOCUMENT = (ROOT / "docs" / "scripts.md").read_text()


def attributes(texts: Iterable[str]) -> set[str]:
    return {name for text in texts for name in ATTRIBUTE.findall(text)}


def attributes_of_script(script: str) -> set[str]:
    names = {name for pair in OF_DATASET.findall(script) for name in pair if name}
    for taken in TAKEN_APART.findall(script):
        names |= {name.partition(":")[0].strip() for name in taken.split(",")}
    return attributes([script]) | {re.sub(r"[A-Z]", lambda letter: f"-{letter[0].lower()}", name) for name in names}


def section(title: str) -> dict[str, tuple[str, str]]:
    """The rows below a heading of the document: a name, by whom it is written, by whom read."""
    [text] = re.findall(rf"^## {title}\n(.*?)(?=^## |\Z)", DOCUMENT, re.MULTILINE | re.DOTALL)
    return {name: (written.strip(), read.strip()) for name, written, read in ROW.findall(text)}


def test_each_attribute_is_written_and_read_and_the_document_says_by_whom() -> None:
    templates, python, styles = attributes(TEMPLATES), attributes(PYTHON), attributes(STYLES)
    readers = {name: attributes_of_script(script) for name, script in SCRIPTS.items()}
    found = {}
    for name in sorted(templates | python | styles | set().union(*readers.values())):
        written = [who for who, names in (("templates", templates), ("Python", python)) if name in names]
        read = [f"{who}.js" for who, names in readers.items() if name in names]
        read += ["styles"] if name in styles else []
        found[name] = (", ".join(written or ["scripts"]), ", ".join(read))
    assert [name for name, (_, read) in found.items() if not read] == []
    assert found == section("Attributes")


def test_each_part_is_on_a_page_and_somebody_looks_for_it() -> None:
    on_pages = set(re.findall(r'data-part="([\w-]+)"', "".join(TEMPLATES)))
    sources = "".join([*SCRIPTS.values(), *STYLES, *TEMPLATES])
    wanted = {name for pair in re.findall(r'part\("([\w-]+)"\)|data-part=([\w-]+)\]', sources) for name in pair if name}
    assert wanted - on_pages == set()
    assert {name for name in on_pages - wanted if f'"{name}")' not in sources and f'? "{name}"' not in sources} == set()
    assert set(section("Parts")) == on_pages


def test_each_widget_is_defined_and_stands_on_a_page() -> None:
    on_pages = {
        name for text in TEMPLATES for names in re.findall(r'data-widget="([^"]+)"', text) for name in names.split()
    }
    defined = {
        name: f"{script}.js"
        for script, source in SCRIPTS.items()
        for name, begin in re.findall(r'^define\("(\w+)", \{\s*(\w+)', source, re.MULTILINE)
        if begin != "selector"
    }
    assert on_pages == set(defined)
    assert defined == {name: read for name, (_, read) in section("Widgets").items()}
