"""Evidence: the same figures from its contents alone, and no byte of it that can be altered unnoticed."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.accounts.models import User
from apps.agentcore.aws.connection import current_connection
from apps.aws.logs.reading import RuntimeLogs
from apps.metrics.models import Measurement
from apps.metrics.starts.panel import latency_panel
from apps.metrics.starts.sweep import sweep
from apps.metrics.tests.runs import invoke, make_measurement
from apps.metrics.traces.fetching import create_missing_traces, fetch
from apps.sessions.models import Invocation, Session
from apps.sessions.services import start_session
from apps.takeout.evidence.canonical import canonical
from apps.takeout.evidence.checking import check_evidence
from apps.takeout.evidence.making import make_evidence, sealed
from apps.takeout.exceptions import EvidenceError
from apps.takeout.exporting.reading import with_everything
from apps.takeout.tests.conftest import MakeRun

pytestmark = pytest.mark.django_db


@pytest.fixture
def run(make_session: Callable[..., Session], make_run: MakeRun) -> Invocation:
    made = make_run(make_session(), answer="Ünïcode 🚂 and\nlines")
    return with_everything(Invocation.objects.filter(pk=made.pk)).get()


@pytest.fixture
def no_logs(settings: Any) -> None:
    settings.EMULATOR_URL = "http://127.0.0.1:9"


@pytest.fixture
def bundle(run: Invocation, no_logs: None) -> bytes:
    return canonical(make_evidence(run)).encode()


def post(client: Client, data: bytes) -> Any:
    return client.post("/api/evidence", data, content_type="application/json")


def test_the_figures_come_out_of_the_contents(client: Client, alice: User, run: Invocation, bundle: bytes) -> None:
    client.force_login(alice)
    verdict = post(client, bundle).json()

    assert (verdict["is_intact"], verdict["is_signed_here"], verdict["are_figures_same"]) == (True, True, True)
    panel, figures = latency_panel(run), verdict["figures"]
    assert figures["time_to_first_token_ms"] == panel.ttft_ms == 100.0
    assert figures["total_latency_ms"] == panel.total_ms == 2000.5
    assert figures["startup_latency_ms"] == panel.startup_ms == 80.0
    assert (figures["low_ms"], figures["high_ms"]) == (panel.low_ms, panel.high_ms)
    assert (figures["answer_characters"], figures["event_count"], figures["is_gapless"]) == (19, 8, True)
    assert (figures["input_token_count"], figures["output_token_count"]) == (12, 34)
    assert figures["is_start_confirmed"] is False  # the lines were not to be had, and it says so
    assert json.loads(bundle)["contents"]["logs"]["problem"]
    assert verdict["run"]["agent_runtime_arn"] == run.session.agent.runtime.arn


def test_it_holds_no_credentials(bundle: bytes, alice: User) -> None:
    request = json.loads(bundle)["contents"]["request"]
    assert set(request["headers"]) == {"Accept", "Content-Type", "X-Amzn-Bedrock-AgentCore-Runtime-Session-Id"}
    assert alice.email.encode() not in bundle and b"Authorization" not in bundle


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_altered_byte_goes_unnoticed(bundle: bytes, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(bundle) - 1))
    other = data.draw(st.integers(0, 255).filter(lambda byte: byte != bundle[place]))
    altered = bundle[:place] + bytes([other]) + bundle[place + 1 :]
    try:
        verdict = check_evidence(altered)
    except EvidenceError as error:
        assert str(error)
    else:
        assert (verdict.is_intact, verdict.is_signed_here, verdict.figures) == (False, False, None)
        assert verdict.problems


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where in a value something stands that can be replaced."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    below = [found for key, item in inner for found in places(item, (*path, key))]
    return [path, *below] if path else below


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_altered_value_goes_unnoticed(bundle: bytes, data: st.DataObject) -> None:
    evidence = json.loads(bundle)
    path = data.draw(st.sampled_from(places(evidence)))
    holder = evidence
    for key in path[:-1]:
        holder = holder[key]
    before = canonical(holder[path[-1]])
    holder[path[-1]] = data.draw(
        st.one_of(st.none(), st.booleans(), st.integers(), st.text(), st.just([]), st.just({})).filter(
            lambda value: canonical_or_none(value) != before
        )
    )
    try:
        verdict = check_evidence(canonical(evidence).encode("utf-8", "replace"))
    except EvidenceError:
        return
    assert not verdict.is_intact and verdict.figures is None


def canonical_or_none(value: Any) -> str | None:
    try:
        return canonical(value).encode().decode()
    except UnicodeEncodeError:
        return None


def test_what_was_cut_is_no_evidence(bundle: bytes) -> None:
    with pytest.raises(EvidenceError, match="not JSON"):
        check_evidence(bundle[:-1])


@pytest.mark.parametrize(
    "layout",
    [{}, {"separators": (",", ":")}, {"indent": 2}, {"indent": 4, "ensure_ascii": False}, {"sort_keys": True}],
    ids=str,
)
def test_a_program_may_bring_it_back_in_its_own_words(bundle: bytes, layout: dict[str, Any]) -> None:
    written = json.dumps(json.loads(bundle), **layout).encode()

    assert check_evidence(written) == check_evidence(bundle)
    assert check_evidence(written + b"\n").is_intact


@pytest.mark.parametrize(
    ("before", "after"), [(b'": ', b'":\t'), (b", ", b",\n"), (b"{", b"{ ")], ids=["tab", "line", "blank"]
)
def test_a_blank_that_was_altered_is_seen(bundle: bytes, before: bytes, after: bytes) -> None:
    altered = check_evidence(json.dumps(json.loads(bundle)).encode().replace(before, after, 1))

    assert not altered.is_intact and altered.figures is None
    assert "was altered" in altered.problems[0]


def test_another_loom_s_evidence_is_whole_and_not_signed_here(bundle: bytes, settings: Any) -> None:
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "another key", []
    verdict = check_evidence(bundle)
    assert (verdict.is_intact, verdict.is_signed_here) == (True, False)
    assert verdict.figures is not None and "not signed by this Loom" in verdict.problems[-1]


def test_a_key_that_was_replaced_still_counts(bundle: bytes, settings: Any) -> None:
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "the new key", [settings.SECRET_KEY]
    assert check_evidence(bundle).is_signed_here


def test_made_up_contents_with_right_hashes_are_refused_and_never_computed(bundle: bytes) -> None:
    contents = json.loads(bundle)["contents"]
    for part, made_up in (("events", 7), ("run", {}), ("measurement", {"agent_started_at": "soon"}), ("request", [])):
        evidence = sealed({**contents, part: made_up}, made_at=timezone.now())
        with pytest.raises(EvidenceError, match="not those of a run"):
            check_evidence(canonical(evidence).encode())
    evidence = sealed({**contents, "figures": {"time_to_first_token_ms": 1.0}}, made_at=timezone.now())
    verdict = check_evidence(canonical(evidence).encode())
    assert (verdict.is_intact, verdict.are_figures_same) == (True, False)


@pytest.mark.parametrize(
    "data",
    [b"", b"{", b"[]", b"7", b"null", b"{}", b"\xff", b'{"format": "loom.evidence/2"}', b"[" * 100_000, b"NaN",
     b"9" * 5000,
     b'{"format":"loom.evidence/1","a":"\\ud800"}'],
    ids=str,
)  # fmt: skip
def test_what_is_no_evidence_gets_a_reason(client: Client, alice: User, data: bytes) -> None:
    client.force_login(alice)
    answer = post(client, data)
    assert (answer.status_code, answer.json()["error"]) == (422, "no_evidence")
    assert answer.json()["message"].startswith("This ")


def test_a_run_that_goes_on_has_no_evidence_yet(client: Client, alice: User, run: Invocation) -> None:
    Invocation.objects.filter(pk=run.pk).update(status="streaming")
    client.force_login(alice)
    answer = client.get(f"/api/runs/{run.pk}/export?format=evidence")
    assert (answer.status_code, answer.json()["error"]) == (409, "not_finished")


def test_it_is_checked_on_a_page_too(client: Client, alice: User, bundle: bytes) -> None:
    client.force_login(alice)
    assert b"Check evidence" in client.get("/evidence/").content

    def drop(data: bytes) -> tuple[int, str]:
        answer = client.post("/evidence/", {"bundle": SimpleUploadedFile("e.json", data)})
        return answer.status_code, answer.content.decode()

    status, page = drop(bundle)
    assert status == 200 and "signed by this Loom" in page and "time_to_first_token_ms" in page
    status, page = drop(bundle.replace(b"08:12", b"08:13"))
    assert status == 200 and "“events” was altered" in page and "time_to_first_token_ms" not in page
    status, page = drop(b"nothing")
    assert status == 422 and "This is not JSON." in page
    assert client.post("/evidence/").status_code == 422


def test_the_lines_of_a_real_start_are_in_it(demo_agent: Callable[[str], Any], alice: User) -> None:
    """Against the emulator: the marker that the measurement came from is found again in the lines."""
    invocation = invoke(start_session(agent=demo_agent("travel_concierge"), owner=alice))
    make_measurement(invocation)
    Measurement.objects.update(next_at=timezone.now())
    sweep(now=timezone.now(), logs=RuntimeLogs(current_connection()))
    run = with_everything(Invocation.objects.filter(pk=invocation.pk)).get()
    evidence = make_evidence(run)
    verdict = check_evidence(canonical(evidence).encode())

    assert run.measurement.agent_started_at is not None
    logs = evidence["contents"]["logs"]
    assert logs["problem"] == "" and any(line["marker_rank"] for line in logs["lines"])
    assert verdict.is_intact and verdict.are_figures_same and verdict.figures is not None
    assert verdict.figures["is_start_confirmed"] is True
    assert verdict.figures["startup_latency_ms"] == latency_panel(run).startup_ms


def test_the_lines_of_the_run_s_own_spans_are_in_it_as_cloudwatch_has_them(
    demo_agent: Callable[[str], Any], alice: User
) -> None:
    invocation = invoke(start_session(agent=demo_agent("travel_concierge"), owner=alice))
    make_measurement(invocation)
    create_missing_traces(timezone.now())
    fetch(now=timezone.now(), logs=RuntimeLogs(current_connection()))
    run = with_everything(Invocation.objects.filter(pk=invocation.pk)).get()
    evidence = make_evidence(run)

    spans = evidence["contents"]["logs"]["spans"]
    assert (spans["log_group"], spans["is_complete"], spans["problem"]) == ("aws/spans", True, "")
    lines = [json.loads(line["message"]) for line in spans["lines"]]
    assert {line["traceId"] for line in lines} == {run.agent_trace.trace_id}
    kept = [line["span"] for line in spans["lines"]]
    assert [span["name"] for span in kept] == [line["name"] for line in lines]
    assert sorted(span["span_id"] for span in kept) == sorted(span["span_id"] for span in run.agent_trace.spans)
    verdict = check_evidence(canonical(evidence).encode())
    assert verdict.is_intact and verdict.are_figures_same
    spans["lines"][0]["message"] += " "
    assert not check_evidence(canonical(evidence).encode()).is_intact
