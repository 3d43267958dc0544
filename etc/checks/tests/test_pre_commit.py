"""The hooks of pre-commit: what they start exists, and nothing is fetched from elsewhere (S3-087, S0-114)."""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from etc.checks.apart import ROOT

CONFIGURATION: dict[str, Any] = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
HOOKS: list[dict[str, Any]] = [hook for repo in CONFIGURATION["repos"] for hook in repo["hooks"]]
TARGETS = frozenset(re.findall(r"^([a-z.-]+):.*## ", (ROOT / "makefile").read_text(encoding="utf-8"), re.MULTILINE))


def test_every_hook_is_of_this_repository() -> None:
    assert [repo["repo"] for repo in CONFIGURATION["repos"]] == ["local"]
    assert {hook["language"] for hook in HOOKS} == {"system"}


@pytest.mark.parametrize("hook", HOOKS, ids=lambda hook: str(hook["id"]))
def test_what_a_hook_starts_exists(hook: dict[str, Any]) -> None:
    program, *arguments = shlex.split(hook["entry"])
    if program == "make":
        assert [target for target in arguments if target not in TARGETS] == []
        assert hook["pass_filenames"] is False
    else:
        folder, name = program.rsplit("/", 1)
        assert folder == ".venv/bin" and (Path(sys.executable).parent / name).is_file()


def test_before_a_commit_style_and_secrets_are_looked_at_and_everything_before_a_push() -> None:
    stages = {hook["id"]: hook.get("stages", CONFIGURATION["default_stages"]) for hook in HOOKS}
    assert stages == {
        "ruff": ["pre-commit"],
        "ruff-format": ["pre-commit"],
        "secrets": ["pre-commit"],
        "lint": ["pre-push"],
    }
    assert {stage for chosen in stages.values() for stage in chosen} <= set(CONFIGURATION["default_install_hook_types"])
