"""Links between documents lead somewhere, and each document is found from the specification (S0-004)."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from etc.checks.apart import ROOT
from etc.checks.lint import project_paths

PARTS = "bench/stream/texts/"  # of docs/performance.md, which make bench.stream writes
DOCUMENTS = [path for path in project_paths(ROOT) if path.endswith(".md") and not path.startswith(PARTS)]
DECISIONS = [path for path in DOCUMENTS if re.fullmatch(r"docs/decisions/\d{4}-.*\.md", path)]
LINK = re.compile(r"\]\(([^)\s]+)\)")
CODE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
HEADING = re.compile(r"^#{1,6} (.+)$", re.MULTILINE)


def links_of(document: str) -> list[str]:
    return [link for link in LINK.findall(CODE.sub("", (ROOT / document).read_text())) if "://" not in link]


def anchors_of(file: Path) -> set[str]:
    """As GitHub makes them of headings."""
    headings = HEADING.findall(CODE.sub("", file.read_text()))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_lead_to_a_file_and_to_a_heading_of_it(document: str) -> None:
    lost = []
    for link in links_of(document):
        path, _, anchor = link.partition("#")
        file = (ROOT / document).parent / path if path else ROOT / document
        if not file.exists() or (anchor and anchor not in anchors_of(file)):
            lost.append(link)
    assert lost == []


@pytest.mark.parametrize(
    ("index", "listed"),
    [
        ("docs/README.md", [path for path in DOCUMENTS if re.fullmatch(r"docs/[^/]+\.md", path)]),
        ("docs/decisions/README.md", DECISIONS),
    ],
    ids=["specification", "decisions"],
)
def test_an_index_leads_to_every_page(index: str, listed: list[str]) -> None:
    folder = (ROOT / index).parent
    linked = {(folder / link.partition("#")[0]).resolve() for link in links_of(index)}
    assert [path for path in listed if path != index and (ROOT / path).resolve() not in linked] == []


def test_a_decision_has_a_number_of_its_own() -> None:
    titles = [(ROOT / path).read_text().splitlines()[0] for path in DECISIONS]
    numbers = [int(Path(path).name[:4]) for path in DECISIONS]

    assert numbers == list(range(1, len(numbers) + 1))
    assert [title.split(".")[0] for title in titles] == [f"# {number}" for number in numbers]


WALKS = (ROOT / "docs/walks.md").read_text()
STEP = re.compile(r"^\| `([^`]+)` \| (.*?) \| .* \|$", re.MULTILINE)


@pytest.mark.parametrize(("path", "names"), STEP.findall(WALKS), ids=lambda part: part if "/" in part else "")
def test_a_step_of_a_walk_names_what_its_file_holds(path: str, names: str) -> None:
    source = (ROOT / path).read_text()
    wanted = [part for name in re.findall(r"`([^`]+)`", names) for part in name.split(".")]
    assert wanted and [name for name in wanted if not re.search(rf"\b{re.escape(name)}\b", source)] == []


def test_the_files_of_a_walk_are_counted() -> None:
    told = [int(count) for count in re.findall(r"\*\*[^*]+\*\* \((\d+)(?: files)?\)", WALKS)]
    tables = [len(STEP.findall(part)) for part in re.split(r"^\*\*", WALKS, flags=re.MULTILINE) if STEP.search(part)]
    assert told == tables
    assert re.findall(r"That is (\d+) files", WALKS) == [str(sum(tables))]


@pytest.mark.parametrize("decision", DECISIONS)
def test_a_decision_has_its_number_a_reason_and_a_price(decision: str) -> None:
    number = int(Path(decision).name[:4])
    text = (ROOT / decision).read_text()
    assert text.startswith(f"# {number}. ")
    assert HEADING.findall(text)[1:] == ["Why", "Decision", "What it costs"]
