"""The events of a run: what every host emits, every recording holds and every reader understands.

An event is a plain dict with a `kind` (`loom_events.kinds`); once recorded it has a number and a time as well
(`loom_events.recorded`). `loom_events.fold` says what the events of a run add up to.
"""

from __future__ import annotations
