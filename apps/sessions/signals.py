"""The one signal of the project."""

from __future__ import annotations

from django.dispatch import Signal

# Sent with `invocation` inside the transaction that ends a run, so that what listens (measurements) commits with it
# or not at all. It exists because apps.metrics lies above apps.sessions and must not be imported from here.
invocation_completed = Signal()
