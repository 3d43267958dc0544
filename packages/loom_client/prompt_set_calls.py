"""What the client does with prompt sets and plans."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from loom_client.models import Plan, PromptSet
from loom_client.planned import Estimate, ListedPlan
from loom_client.wire import Wire


class PromptSetCalls(Wire):
    """Prompt sets, and what was sent to several targets."""

    def prompt_sets(self) -> list[PromptSet]:
        return [PromptSet.read(item) for item in self._json("GET", "/prompt-sets")]

    def prompt_set(self, set_id: int) -> PromptSet:
        """A set with its prompts."""
        return PromptSet.read(self._json("GET", f"/prompt-sets/{set_id}"))

    def make_prompt_set(self, name: str, **made_of: Any) -> PromptSet:
        """Make a set of one of `prompts` (each with `prompt` and `checks`), `run_ids`, or `text` with its `format`."""
        return PromptSet.read(self._json("POST", "/prompt-sets", {"name": name, **made_of}))

    def rename_prompt_set(self, set_id: int, name: str) -> PromptSet:
        return PromptSet.read(self._json("PATCH", f"/prompt-sets/{set_id}", {"name": name}))

    def delete_prompt_set(self, set_id: int) -> None:
        self._json("DELETE", f"/prompt-sets/{set_id}")

    def run_prompt_set(self, set_id: int, targets: Sequence[tuple[int, str]], **options: Any) -> Plan:
        """Send a set to targets, an agent's id and an endpoint each; `options` as in the API: repeats, order, …"""
        body = {"targets": _targets(targets), **options}
        return Plan.read(self._json("POST", f"/prompt-sets/{set_id}/run", body))

    def add_prompts(self, set_id: int, **made_of: Any) -> PromptSet:
        """Add prompts at the end of a set: one of `prompts`, `run_ids`, or `text` with its `format`."""
        return PromptSet.read(self._json("POST", f"/prompt-sets/{set_id}/prompts", made_of))

    def change_prompt(self, set_id: int, prompt_id: int, **change: Any) -> dict[str, Any]:
        """Change or move a prompt of a set and return it; `change` as in the API: prompt, checks, position, mark."""
        changed: dict[str, Any] = self._json("PATCH", f"/prompt-sets/{set_id}/prompts/{prompt_id}", change)
        return changed

    def remove_prompt(self, set_id: int, prompt_id: int, mark: str | None = None) -> None:
        """Take a prompt out of a set; with a `mark`, only if it still is what had it."""
        query = "" if mark is None else f"?{urlencode({'mark': mark})}"
        self._json("DELETE", f"/prompt-sets/{set_id}/prompts/{prompt_id}{query}")

    def export_prompt_set(self, set_id: int, format: str = "jsonl") -> bytes:
        """A set as a file: jsonl or csv."""
        return self._file(f"/prompt-sets/{set_id}/export?{urlencode({'format': format})}")

    def estimate_prompt_set(self, set_id: int, targets: Sequence[tuple[int, str]], **options: Any) -> Estimate:
        """What `run_prompt_set` with the same options would cost at most."""
        body = {"targets": _targets(targets), **options}
        return Estimate.read(self._json("POST", f"/prompt-sets/{set_id}/estimate", body))

    def side_by_side(self, prompt: str, targets: Sequence[tuple[int, str]], **options: Any) -> Plan:
        """Send one prompt to several targets at once."""
        return Plan.read(
            self._json("POST", "/side-by-side", {"prompt": prompt, "targets": _targets(targets), **options})
        )

    def estimate_side_by_side(self, targets: Sequence[tuple[int, str]], **options: Any) -> Estimate:
        """What `side_by_side` with the same targets would cost at most."""
        return Estimate.read(self._json("POST", "/side-by-side/estimate", {"targets": _targets(targets), **options}))

    def plans(self, **query: Any) -> list[ListedPlan]:
        """What was sent to several targets, the newest first; `query` as in the API: prompt_set, source, state, …"""
        asked = urlencode({name: value for name, value in query.items() if value is not None})
        return [ListedPlan.read(item) for item in self._json("GET", f"/plans?{asked}")]

    def plan(self, plan_id: int) -> Plan:
        """What a plan has found so far."""
        return Plan.read(self._json("GET", f"/plans/{plan_id}"))

    def cancel_plan(self, plan_id: int) -> Plan:
        return Plan.read(self._json("POST", f"/plans/{plan_id}/cancel"))


def _targets(targets: Sequence[tuple[int, str]]) -> list[dict[str, Any]]:
    return [{"agent_id": agent_id, "qualifier": qualifier} for agent_id, qualifier in targets]
