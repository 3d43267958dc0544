"""Spans of every run for whoever collects OpenTelemetry's: sent by OTLP over HTTP to `OTEL_EXPORTER_OTLP_ENDPOINT`.

The one module that knows OpenTelemetry, and an extra (`make otlp`): without the setting nothing of it is loaded. Spans
are made of a run's instants when its end is committed, and sent in batches by a thread of the exporter's own; what a
collector does not take is dropped, and never waited for.

A run's spans have the trace id under which its agent was invoked, so they join the agent's own where both go to the
same place. Names of attributes are those of OpenTelemetry's conventions for generative AI
(https://opentelemetry.io/docs/specs/semconv/gen-ai/); no prompt and no answer is among them.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from django.conf import settings

from apps.aws.traces import trace_hex
from apps.sessions.models import Invocation

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Part:
    """A span of a run, within the run's own."""

    name: str
    start_at: datetime | None
    end_at: datetime | None


def parts_of(run: Invocation) -> list[Part]:
    """What a run is made of, as far as it got: waiting for its turn, for the agent's first word, and the answer."""
    return [
        Part("wait", run.requested_at, run.invoked_at),
        Part("time to first token", run.invoked_at, run.first_token_at),
        Part("answer", run.first_token_at, run.completed_at),
    ]


def attributes_of(run: Invocation) -> dict[str, str | int | float]:
    """What its spans say of it, without what is not known."""
    session = run.session
    known: dict[str, str | int | float | None] = {
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.agent.name": session.agent.name,
        "gen_ai.agent.id": str(session.agent_id),
        "gen_ai.agent.version": run.version or None,
        "gen_ai.conversation.id": session.runtime_session_id,
        "gen_ai.request.model": run.model or None,
        "gen_ai.usage.input_tokens": run.input_token_count,
        "gen_ai.usage.output_tokens": run.output_token_count,
        "error.type": run.error_code or None,
        "loom.invocation.id": run.pk,
        "loom.invocation.status": str(run.status),
        "loom.invocation.source": run.source or None,
        "loom.endpoint": session.qualifier,
        "loom.prompt.length": len(run.prompt),
        "loom.chunk_count": run.chunk_count,
    }
    return {name: value for name, value in known.items() if value is not None}


class Spans:
    """Makes and sends the spans of runs. `provider` makes what they are handed to, once."""

    def __init__(self, provider: Callable[[], TracerProvider]) -> None:
        self._make_provider = provider
        self._provider: TracerProvider | None = None
        self._lock = threading.Lock()

    def send(self, run: Invocation) -> None:
        """Hand over the spans of a run that is over (with its session and agent); waits for nobody."""
        if run.completed_at is None:
            return
        from opentelemetry import trace  # noqa: PLC0415 -- an extra

        tracer = self.provider().get_tracer("loom")
        # A span's trace id is its parent's: one that was never there has the agent's.
        joined = trace.SpanContext(
            int(trace_hex(run.trace_id) or secrets.token_hex(16), 16), secrets.randbits(64) or 1,
            is_remote=True, trace_flags=trace.TraceFlags(trace.TraceFlags.SAMPLED),
        )  # fmt: skip
        root = tracer.start_span(
            f"invoke_agent {run.session.agent.name}",
            context=trace.set_span_in_context(trace.NonRecordingSpan(joined)),
            kind=trace.SpanKind.CLIENT,
            start_time=_ns(run.requested_at),
            attributes=attributes_of(run),
        )
        if run.status == Invocation.Status.FAILED:
            root.set_status(trace.Status(trace.StatusCode.ERROR, run.error_code))
        inside = trace.set_span_in_context(root)
        for part in parts_of(run):
            if part.start_at is not None and part.end_at is not None and part.start_at <= part.end_at:
                span = tracer.start_span(part.name, context=inside, start_time=_ns(part.start_at))
                span.end(_ns(part.end_at))
        root.end(_ns(run.completed_at))

    def provider(self) -> TracerProvider:
        with self._lock:
            if self._provider is None:
                self._provider = self._make_provider()
            return self._provider


def _ns(at: datetime) -> int:
    return (at - EPOCH) // timedelta(microseconds=1) * 1_000


def _provider() -> TracerProvider:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415 -- an extra
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

    provider = TracerProvider(resource=Resource.create({"service.name": "loom"}))
    exporter = OTLPSpanExporter(endpoint=f"{settings.OTEL_EXPORTER_OTLP_ENDPOINT}/v1/traces")
    provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=1_000))
    return provider


spans = Spans(_provider)
