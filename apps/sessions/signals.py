"""What is told inside of a process, so that who tells knows nothing of who listens."""

from __future__ import annotations

from django.dispatch import Signal

# Sent with `invocation` inside the transaction that ends a run, so that what listens (measurements) commits with it
# or not at all. A row that a receiver returns is stored there too, unless there is one like it. It exists because
# apps.metrics lies above apps.sessions and must not be imported from here.
invocation_completed = Signal()

# Sent with `runs`, a queryset, before they are deleted. A receiver returns the keys of those that something which goes
# on counts as done: what is gone it would send once more.
runs_deleting = Signal()

# Sent without anything once queued runs are committed: the engine of this process looks into the queue at once.
runs_queued = Signal()
