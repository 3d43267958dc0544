"""What the client does with runs, whatever session they are of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from loom_client.compared import Comparison, TargetComparison
from loom_client.listed import DeletedRuns, RunRating, Runs, SavedView
from loom_client.models import Timeline
from loom_client.taken_out import Verdict
from loom_client.wire import Wire


class RunCalls(Wire):
    """Finding, rating, comparing, tagging, deleting and taking out runs."""

    def runs(self, text: str = "", **query: Any) -> Runs:
        """Runs that say every word of `text`, the newest first; `query` in the words of the API: agent, qualifier,
        version, status, rated, error, start, source, owner, tag, range, measure_start, sort, limit, after.
        """
        asked = {"q": text, **{name: value for name, value in query.items() if value is not None}}
        return Runs.read(self._json("GET", f"/runs?{urlencode(asked)}"))

    def rating(self, run_id: int) -> RunRating:
        """What you think of a run's answer."""
        return RunRating.read(self._json("GET", f"/runs/{run_id}/rating"))

    def rate(self, run_id: int, thumb: str = "", note: str = "") -> RunRating:
        """Think that of a run's answer, in place of what you thought before: `up`, `down`, a note, or both."""
        return RunRating.read(self._json("PUT", f"/runs/{run_id}/rating", {"thumb": thumb, "note": note}))

    def remove_rating(self, run_id: int) -> None:
        self._json("DELETE", f"/runs/{run_id}/rating")

    def views(self) -> list[SavedView]:
        """Your saved views of the list of runs."""
        return [SavedView.read(item) for item in self._json("GET", "/views")]

    def save_view(self, name: str, query: str) -> SavedView:
        """Keep what is asked of the list of runs under a name; a view of this name is replaced."""
        return SavedView.read(self._json("POST", "/views", {"name": name, "query": query}))

    def remove_view(self, view_id: int) -> None:
        self._json("DELETE", f"/views/{view_id}")

    def compare(self, run_ids: Sequence[int], first: int = 1, second: int = 2) -> Comparison:
        """Two to six runs side by side, and those at two of their places compared; the first is at 1."""
        runs = ",".join(map(str, run_ids))
        asked = urlencode({"runs": runs, "first": first, "second": second})
        return Comparison.read(self._json("GET", f"/compare?{asked}"))

    def compare_targets(self, targets: Sequence[str], **query: Any) -> TargetComparison:
        """Two to six of AGENT:ENDPOINT:VERSION over their past runs, the others compared with the first.

        `query` as in the API: metric, start, range, from, to, measure_start.
        """
        asked = {"target": list(targets), **{name: value for name, value in query.items() if value is not None}}
        return TargetComparison.read(self._json("GET", f"/compare?{urlencode(asked, doseq=True)}"))

    def tag_runs(self, run_ids: Sequence[int], tag: str) -> str:
        """Give each of these runs a tag, up to 200 at a time; returns how it is called."""
        return str(self._json("POST", "/runs/tag", {"run_ids": list(run_ids), "tag": tag})["tag"])

    def untag_runs(self, run_ids: Sequence[int], tag: str) -> int:
        """Take a tag from these runs; returns how many had it."""
        return int(self._json("POST", "/runs/untag", {"run_ids": list(run_ids), "tag": tag})["count"])

    def delete_runs(self, run_ids: Sequence[int]) -> DeletedRuns:
        """Delete these runs, up to 200 at a time, with all that was recorded and measured of them."""
        return DeletedRuns.read(self._json("POST", "/runs/delete", {"run_ids": list(run_ids)}))

    def timeline(self, run_id: int) -> Timeline:
        """Where the time of a run went; its id is that of an `Invocation`."""
        return Timeline.read(self._json("GET", f"/runs/{run_id}/timeline"))

    def search_start_again(self, run_id: int) -> bool:
        """Let the logs be read once more for the start of a run; False where there is nothing to look for."""
        return bool(self._json("POST", f"/runs/{run_id}/latency/check")["is_looking"])

    def export_run(self, run_id: int, format: str = "json") -> bytes:
        """A run as a file: json, markdown, evidence, or the program curl, boto3, cli or loom_client."""
        return self._file(f"/runs/{run_id}/export?{urlencode({'format': format})}")

    def check_evidence(self, evidence: bytes) -> Verdict:
        """What the evidence of a run is worth; give it as `export_run` gave it."""
        return Verdict.read(self._json("POST", "/evidence", evidence))
