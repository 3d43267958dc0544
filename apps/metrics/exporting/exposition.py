"""What all processes counted and what the rows say, in Prometheus' text form
(https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format, version 0.0.4).

Written here: django-q2 loads prometheus-client in every process and command wherever it is installed, which would cost
each of them a tenth of its start. Its parser reads this in `make test.clients`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from apps.core.models import Process
from apps.core.running.health import readiness
from apps.core.running.processes import SILENT_AFTER
from apps.core.running.telemetry import SECONDS, Family, Sample, families
from apps.metrics.exporting.readings import readings

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
# Who is silent for longer is not told of: what it counted last would look as if it were so now.
TOLD_AFTER = max(SILENT_AFTER, timedelta(seconds=10))
BOUNDS = (*map(str, SECONDS), "+Inf")
Labels = Sequence[tuple[str, str]]


def exposition() -> str:
    """All metrics as text. Asks the database."""
    now = timezone.now()
    lines = [*_of_processes(now), *_of_rows(), *_of_health()]
    return "\n".join(lines) + "\n"


def _of_processes(now: datetime) -> Iterator[str]:
    living = list(Process.objects.filter(ended_at=None, beat_at__gte=now - TOLD_AFTER).order_by("kind", "name", "pk"))
    names = _names(living)
    for family in sorted(families.values(), key=lambda family: family.name):
        name = f"{family.name}_total" if family.type == "counter" else family.name
        yield from _head(name, family.documentation, family.type)
        for process in living:
            whose = [("process", names[process.pk]), ("kind", str(process.kind))]
            for sample in (process.telemetry or {}).get(family.name, ()):
                yield from _sample(family, name, whose, sample)
    yield from _head("loom_process_silent_seconds", "Since its last heartbeat", "gauge")
    for process in living:
        whose = [("process", names[process.pk]), ("kind", str(process.kind))]
        yield _line("loom_process_silent_seconds", whose, (now - process.beat_at).total_seconds())


def _names(living: list[Process]) -> dict[Any, str]:
    """What each is called: by its supervisor, with its host where there are several, with its key where two are called
    the same, as while one takes over from another.
    """
    machines = {process.host for process in living}
    names = {
        process.pk: (process.name or f"{process.kind} {process.pid}")
        + (f" on {process.host}" if len(machines) > 1 else "")
        for process in living
    }
    often = Counter(names.values())
    more = {process.pk: f" ({str(process.pk)[:8]})" for process in living}
    return {pk: name + (more[pk] if often[name] > 1 else "") for pk, name in names.items()}


def _sample(family: Family, name: str, whose: Labels, sample: Sample) -> Iterator[str]:
    labels = [*whose, *zip(family.labels, sample[0], strict=False)]
    if family.type != "histogram":
        yield _line(name, labels, sample[1])
        return
    total = 0
    # One of another release may have had other buckets.
    for bound, count in zip(BOUNDS, sample[1], strict=False):
        total += count
        yield _line(f"{name}_bucket", [*labels, ("le", bound)], total)
    yield _line(f"{name}_count", labels, total)
    yield _line(f"{name}_sum", labels, sample[2])


def _of_rows() -> Iterator[str]:
    for told in readings.tell():
        reading = told.reading
        yield from _head(reading.name, reading.documentation, "gauge")
        for values, value in told.values or ():
            yield _line(reading.name, list(zip(reading.labels, values, strict=True)), value)


def _of_health() -> Iterator[str]:
    yield from _head("loom_check", "1 where a check of /readyz is passed, else 0", "gauge")
    for name, problem in readiness.report().problems.items():
        yield _line("loom_check", [("check", name)], 0 if problem else 1)


def _head(name: str, documentation: str, kind: str) -> Iterable[str]:
    text = documentation.replace("\\", r"\\").replace("\n", r"\n")
    return f"# HELP {name} {text}", f"# TYPE {name} {kind}"


def _line(name: str, labels: Labels, value: float) -> str:
    said = ",".join(f'{label}="{_escaped(str(text))}"' for label, text in labels)
    return f"{name}{{{said}}} {value!r}" if said else f"{name} {value!r}"


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
