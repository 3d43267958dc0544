"""Why no log line of an agent, a session or a run is found: one look, each cause as a check with what to do."""

from __future__ import annotations
