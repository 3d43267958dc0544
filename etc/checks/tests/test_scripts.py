from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from etc.checks.scripts import BIN, main

GOOD = """/** @param {string} text @returns {number} */
export const lengthOf = (text) => text.length;
for (const button of document.querySelectorAll("button")) button.disabled = lengthOf(button.name) > 3;
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "js").mkdir()
    (tmp_path / "css").mkdir()
    (tmp_path / "js" / "good.js").write_text(GOOD)
    (tmp_path / "css" / "good.css").write_text(".a { color: var(--muted); }\n")
    return tmp_path


def test_sound_files_pass(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert (main([str(folder)]), capsys.readouterr().out) == (0, "")


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ('import { lengthOf } from "./good.js";\nlengthOf(3);', "not assignable to parameter of type 'string'"),
        ('import { lengthOf } from "./good.js";\nlengthOf("a", 2);', "Expected 1 arguments"),
        ('import { other } from "./good.js";\nother();', "has no exported member"),
        ("const unused = 1;", "never read"),
        ("if (location.hash == 3) location.reload();", "no overlap"),
        ("debugger;", "no-debugger"),
    ],
)
def test_what_is_wrong_in_a_script_is_said(
    folder: Path, capsys: pytest.CaptureFixture[str], script: str, said: str
) -> None:
    (folder / "js" / "bad.js").write_text(f"{script}\nexport {{}};\n")

    assert main([str(folder)]) == 1
    assert said in capsys.readouterr().out


@pytest.mark.skipif(not shutil.which("biome", path=BIN), reason="no wheel of biome for this system")
@pytest.mark.parametrize("style", [".a { colour: red; }", ".a { width: 3pixels; }", ".a {}"])
def test_what_is_wrong_in_a_style_sheet_is_said(folder: Path, style: str) -> None:
    (folder / "css" / "bad.css").write_text(f"{style}\n")

    assert main([str(folder)]) == 1
