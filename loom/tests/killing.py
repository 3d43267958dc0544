"""Tasks for tests that kill the processes which run them. Each leaves rows that tell how often it began and ended."""

from __future__ import annotations

import os
import threading

from apps.core.models import Notice


def work(key: str, seconds: float = 0.0) -> None:
    """Task: note that it began and in which process, take its time, and make its effect unless that is made already."""
    Notice.objects.create(topic=f"begun {key}", kind=str(os.getpid()))
    threading.Event().wait(seconds)
    Notice.objects.get_or_create(topic=f"done {key}", kind="effect")


def pids_of(key: str) -> list[int]:
    """The processes in which the task began, in order."""
    return [int(kind) for kind in Notice.objects.filter(topic=f"begun {key}").values_list("kind", flat=True)]


def effect_count(key: str) -> int:
    """How often the task had its effect."""
    return Notice.objects.filter(topic=f"done {key}").count()
