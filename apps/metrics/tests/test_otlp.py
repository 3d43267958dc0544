"""Spans of runs, sent by OTLP over HTTP to a collector on loopback and read there."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import transaction
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from apps.aws.tests.loopback import Exchange, loopback
from apps.metrics.exporting import otlp
from apps.metrics.tests.runs import at, make_run
from apps.sessions.models import Invocation, Session
from apps.sessions.signals import invocation_completed

pytestmark = pytest.mark.django_db(transaction=True)
TRACE = "5759e988bd862e3fe1be46a994272793"


class Collector:
    """Keeps the spans that it is sent."""

    def __init__(self) -> None:
        self.spans: list[Any] = []
        self.status = 200

    def __call__(self, exchange: Exchange) -> None:
        body = exchange.request.body
        if body[:2] == b"\x1f\x8b":
            body = gzip.decompress(body)
        sent = ExportTraceServiceRequest.FromString(body)
        for resource in sent.resource_spans:
            for scope in resource.scope_spans:
                self.spans += scope.spans
        exchange.reply(self.status, b"")


@pytest.fixture
def collector(settings: Any) -> Iterator[Collector]:
    found = Collector()
    with loopback(found) as server:
        settings.OTEL_EXPORTER_OTLP_ENDPOINT = server.url
        otlp.spans = otlp.Spans(otlp._provider)
        yield found
        otlp.spans.provider().shutdown()


def end(run: Invocation) -> None:
    with transaction.atomic():
        invocation_completed.send(sender=Invocation, invocation=run)
    otlp.spans.provider().force_flush()


def attributes(span: Any) -> dict[str, Any]:
    return {
        each.key: each.value.string_value or each.value.int_value or each.value.double_value for each in span.attributes
    }


def test_a_run_is_one_trace_with_its_agent_and_says_nothing_of_what_was_said(
    collector: Collector, session: Session
) -> None:
    run = make_run(
        session, trace_id=f"Root=1-{TRACE[:8]}-{TRACE[8:]}", prompt="a secret", response_text="another",
        requested_at=at(-0.5), input_token_count=7, output_token_count=9,
    )  # fmt: skip
    end(run)

    spans = {span.name: span for span in collector.spans}
    root = spans[f"invoke_agent {session.agent.name}"]
    assert set(spans) == {root.name, "wait", "time to first token", "answer"}
    assert {span.trace_id.hex() for span in collector.spans} == {TRACE}
    assert {span.parent_span_id for span in collector.spans if span is not root} == {root.span_id}
    assert (root.end_time_unix_nano - root.start_time_unix_nano) / 1e9 == 3.5
    first = spans["time to first token"]
    assert (first.end_time_unix_nano - first.start_time_unix_nano) / 1e9 == 2
    said = attributes(root)
    assert (said["gen_ai.usage.input_tokens"], said["gen_ai.usage.output_tokens"]) == (7, 9)
    assert (said["gen_ai.conversation.id"], said["loom.prompt.length"]) == (session.runtime_session_id, 8)
    assert "secret" not in str(collector.spans) and "another" not in str(collector.spans)


def test_one_that_never_got_an_answer_has_what_there_was(collector: Collector, session: Session) -> None:
    end(make_run(session, status="failed", error_code="AccessDenied", first_chunk_at=None, first_token_at=None))

    assert {span.name for span in collector.spans} == {f"invoke_agent {session.agent.name}", "wait"}
    (root,) = [span for span in collector.spans if span.name != "wait"]
    assert (root.status.code, root.status.message) == (2, "AccessDenied")
    assert attributes(root)["error.type"] == "AccessDenied"


def test_an_end_that_is_not_committed_sends_nothing(collector: Collector, session: Session) -> None:
    run = make_run(session)
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        invocation_completed.send(sender=Invocation, invocation=run)
        raise ZeroDivisionError
    otlp.spans.provider().force_flush()

    assert collector.spans == []


def test_without_the_setting_nothing_is_loaded(session: Session, settings: Any) -> None:
    settings.OTEL_EXPORTER_OTLP_ENDPOINT = ""
    otlp.spans = otlp.Spans(lambda: pytest.fail("it was made"))
    with transaction.atomic():
        invocation_completed.send(sender=Invocation, invocation=make_run(session))
