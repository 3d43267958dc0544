"""The drawings of Overview: what is counted, how it is drawn, what changed against before, and what is kept for all."""

from __future__ import annotations

import csv
import io
import re
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django.utils.safestring import SafeString

from apps.accounts.models import User
from apps.metrics.figures.pages.heat import heat_of, known_zone
from apps.metrics.figures.pages.kept import FRESH_S, LONGEST_S, Keeper, parts
from apps.metrics.figures.pages.ranges import TimeRange
from apps.metrics.figures.periods import DAY, HOUR, read_counts
from apps.metrics.figures.readings import STORED_AS, Selection
from apps.metrics.figures.store_periods import settle_figures
from apps.metrics.models import FigurePeriod
from apps.metrics.tests.runs import NOON, make_measured, make_run
from apps.metrics.tests.test_views import run_now, text_of
from apps.sessions.models import Session

pytestmark = pytest.mark.django_db
MakeSession = Callable[..., Session]
PAGE, DRAWINGS, LIVE = "/operate/", "/operate/drawings/", "/operate/live/"
TODAY = Selection(NOON - timedelta(hours=12), NOON + timedelta(hours=12))
DAY_OF_NOON = {"range": "custom", "from": "2026-11-20T00:00", "to": "2026-11-21T00:00"}


@pytest.fixture
def as_alice(client: Client, alice: User) -> Iterator[Client]:
    client.force_login(alice)
    parts.clear()
    yield client
    parts.clear()


@pytest.fixture
def day(make_session: MakeSession) -> list[Session]:
    """Two agents over some hours around noon: two versions, two kinds of errors, tokens and costs."""
    sessions = [make_session(), make_session(purpose=Session.Purpose.MEASURE_START)]
    for number, session in enumerate(sessions):
        for hour in range(-5, 6):
            run = make_run(session, hour * 3600.0 + 60, version="3" if hour < 2 else "4", input_token_count=100,
                           output_token_count=20, cost_usd=Decimal("0.002") if number else None,
                           cost_source="priced" if number else "unknown")  # fmt: skip
            make_measured(run, 900.0, start_kind="created" if hour % 2 else "reused")
        for code in ("LookupError", "LookupError", "ThrottlingException"):
            make_run(session, 120, status="failed", error_code=code, first_token_at=None, version="3")
    return sessions


@pytest.mark.parametrize("part", list(STORED_AS))
@pytest.mark.parametrize("narrowed", [False, True])
def test_stored_counts_say_what_the_rows_say(day: list[Session], part: str, narrowed: bool) -> None:
    selection = Selection(TODAY.start, TODAY.end, day[0].agent_id if narrowed else None, measure_start=part)
    from_rows = {step: read_counts(selection, step) for step in (HOUR, DAY)}
    assert settle_figures(NOON + timedelta(hours=30)) > 10

    with CaptureQueriesContext(connection) as asked:
        stored = {step: read_counts(selection, step) for step in (HOUR, DAY)}
    assert not any("error_code" in query["sql"] for query in asked.captured_queries)  # no row was counted
    for step, reading in stored.items():
        assert reading.by_step == from_rows[step].by_step
        assert reading.overall == from_rows[step].overall
    if part == "" and not narrowed:
        overall = stored[DAY].overall
        assert (overall.invocation_count, overall.codes) == (14, {"LookupError": 2, "ThrottlingException": 1})
        assert overall.tokens == [11, 1100, 11, 220] and overall.costs == {}


def test_what_a_process_of_the_release_before_stored_is_made_again(day: list[Session]) -> None:
    settle_figures(NOON + timedelta(hours=30))
    FigurePeriod.objects.update(counts=None, count_totals=None)

    assert read_counts(TODAY, HOUR).overall.invocation_count == 28  # from the rows
    assert settle_figures(NOON + timedelta(hours=30)) > 10
    assert not FigurePeriod.objects.filter(counts=None).exists()


def test_every_drawing_stands_there_with_its_table_and_file(as_alice: Client, day: list[Session]) -> None:
    answer = as_alice.get(DRAWINGS, {**DAY_OF_NOON, "start": "cold"})
    shown = answer.content.decode()

    titles = re.findall(r"<h2>([^<]*)</h2>", shown)
    assert titles == ["Time to first token: p50, p90, p95", "Runs", "Errors by code", "Cold share", "Tokens",
                      "Histogram of Time to first token", "Cold and warm", "Runs by hour"]  # fmt: skip
    assert shown.count("<summary>Table</summary>") + shown.count('class="heat"') == len(titles) - 1  # one has no bands
    text = " ".join(re.sub(r"<[^>]*>", " ", shown).split())
    assert "2 LookupError · 1 ThrottlingException" in text
    assert "1,100 in · 220 out" in text
    assert "No step of this range has six runs" in text


def test_bands_are_drawn_where_a_step_has_enough_runs(as_alice: Client, make_session: MakeSession) -> None:
    session = make_session()
    for number in range(40):
        make_measured(make_run(session, float(number), first_byte_s=1 + number / 100), 500, start_kind="reused")
    shown = as_alice.get(DRAWINGS, DAY_OF_NOON).content.decode()

    assert 'class="band band-p50"' in shown and 'class="band band-p90"' in shown
    assert 'class="band band-p95"' not in shown and "needs 72" in shown
    assert "p50 1.19 s · p90 1.35 s · n = 40" in shown


def test_a_changed_version_is_marked_and_leads_to_before_and_after(as_alice: Client, day: list[Session]) -> None:
    shown = as_alice.get(PAGE, {**DAY_OF_NOON, "agent": str(day[0].agent_id)}).content.decode()

    assert re.findall(r'class="marker" x1="([^"]*)%"', shown) == ["58.33"]  # two in the afternoon
    href = re.search(r'<a class="link" href="(/compare/targets/[^"]*)">[^<]*version 3 → 4', shown)
    assert href is not None
    assert as_alice.get(href[1].replace("&amp;", "&")).content.decode().count("Take away") == 2
    assert (
        as_alice.get(DRAWINGS, {**DAY_OF_NOON, "agent": str(day[0].agent_id)}).content.decode().count('x1="58.33%"')
        >= 4
    )


def test_tiles_say_what_changed_and_only_what_is_certain(as_alice: Client, make_session: MakeSession) -> None:
    session = make_session()
    for minute in range(10):
        for ago, ttft_s in ((20, 3.0 + minute / 100), (80, 1.0 + minute / 100)):
            sent = timezone.now() - timedelta(minutes=ago + minute)
            run = run_now(session, minutes_ago=ago + minute, first_token_at=sent + timedelta(seconds=ttft_s))
            make_measured(run, 500, start_kind="reused")
    run_now(session, minutes_ago=30, status="failed", first_token_at=None)
    shown = text_of(as_alice, f"{PAGE}?range=1h")

    assert "+10% against before (10)" in shown
    assert re.search(r"\+2\.0\d s against before \(\+1\.\d+ s … \+2\.\d+ s\)", shown)
    assert re.search(r"no telling from before: −\d+\.\d points … \+\d+\.\d points", shown)
    before = text_of(as_alice, f"{PAGE}?range=24h")
    assert "none before" in before and "n = 0 before" in before


def test_the_page_needs_no_script_for_its_drawings(as_alice: Client, day: list[Session]) -> None:
    shown = as_alice.get(PAGE, DAY_OF_NOON).content.decode()
    assert 'hx-get="/operate/drawings/?' in shown and "Show the other drawings" in shown

    assert "<h2>Runs by hour</h2>" in as_alice.get(PAGE, {**DAY_OF_NOON, "drawings": "yes"}).content.decode()


def test_zooming_out_is_the_next_range_or_twice_as_long(as_alice: Client, day: list[Session]) -> None:
    def out(**query: Any) -> str:
        found = re.search(r'class="[^"]*zoom-out" href="([^"]*)"', as_alice.get(PAGE, query).content.decode())
        return found[1].replace("&amp;", "&") if found else ""

    assert out(range="1h") == f"{PAGE}?range=24h" and out(range="30d") == ""
    assert out(**DAY_OF_NOON).endswith("from=2026-11-19T12%3A00&to=2026-11-21T12%3A00")


def test_the_zone_of_the_page_is_that_of_its_hours(as_alice: Client, day: list[Session]) -> None:
    def row(**query: str) -> str:
        shown = as_alice.get(DRAWINGS, {**DAY_OF_NOON, **query}).content.decode()
        return str(re.findall(r'title="([^"]*12:00: [^"]*)"', shown)[0])

    assert row() == "Fri 20 Nov 12:00: 4 runs, 3 failed"
    assert row(local="Asia/Tokyo") != row() == row(local="Mars/Olympus")
    assert 'data-clock="UTC"' in as_alice.get(PAGE, {**DAY_OF_NOON, "zone": "UTC"}).content.decode()
    assert "data-clock" not in as_alice.get(PAGE, {**DAY_OF_NOON, "zone": "../etc"}).content.decode()


def test_hours_of_weeks_are_put_together_by_weekday() -> None:
    at = datetime(2026, 3, 29, 0, 30, tzinfo=UTC)
    weeks = TimeRange("30d", "", at - timedelta(days=20), at + timedelta(days=1), DAY)
    heat = heat_of({at: (3, 0), at - timedelta(days=7): (3, 0)}, weeks, "Europe/Brussels")

    sunday = heat.days[6]
    assert (heat.by_weekday, sunday.label, sunday.fields[1].count, heat.most) == (True, "Sunday", 6, 6)
    assert (sunday.fields[1].shade, sunday.fields[2].shade) == (5, 0)
    assert known_zone("Europe/Brussels") and not known_zone("Europe/Nowhere") and not known_zone("/etc/passwd")


@pytest.mark.parametrize(
    ("table", "first"),
    [
        ("counts", {"counted": "status", "key": "completed", "run_count": "1"}),
        ("histogram", {"metric": "ttft", "cold_count": "6"}),
        ("hours", {"from": "2026-11-20T07:00:00+00:00", "invocation_count": "1"}),
    ],
)
def test_each_drawing_is_a_file(as_alice: Client, day: list[Session], table: str, first: dict[str, str]) -> None:
    answer = as_alice.get("/operate/csv/", {**DAY_OF_NOON, "table": table})
    lines = list(csv.DictReader(io.StringIO(answer.getvalue().decode())))

    assert {name: lines[0][name] for name in first} == first


def test_who_looks_at_the_same_is_told_once_and_only_what_changed(
    as_alice: Client, day: list[Session], bob: User
) -> None:
    query = {**DAY_OF_NOON, "refresh": "5", "junk": "alice"}
    first = as_alice.get(LIVE, query)
    shown = first.content.decode()
    assert shown.count('hx-swap-oob="true"') == 3 and "junk" not in shown
    have = re.search(r"have=([\w.]+)", shown)
    assert have is not None
    made = parts.made_count

    other = Client()
    other.force_login(bob)
    with CaptureQueriesContext(connection) as asked:
        assert other.get(LIVE, {**query, "have": have[1]}).status_code == 204
        assert other.get(LIVE, query).content == first.content
    assert parts.made_count == made
    assert len(asked) == 4  # the web session and its user, twice
    assert other.get(LIVE, {**query, "metric": "total"}).content != first.content and parts.made_count == made + 2


class TestKeeper:
    """By a clock that only moves when it is told to."""

    now = 0.0

    def keeper(self, **options: Any) -> Keeper:
        return Keeper(clock=lambda: self.now, **options)

    def test_a_part_is_made_anew_after_a_change_but_not_more_often_than_that(self, make_session: MakeSession) -> None:
        keeper, made = self.keeper(), []

        def make() -> SafeString:
            made.append(self.now)
            return SafeString(f"<p>{len(made)}</p>")

        for self.now, run, wanted in (
            (0.0, False, 1), (FRESH_S - 1, True, 1), (FRESH_S + 1, False, 2), (FRESH_S + 30, False, 2),
            (FRESH_S + 2 + LONGEST_S, False, 3),
        ):  # fmt: skip
            if run:
                run_now(make_session())
            assert keeper.part("a", make).html == f"<p>{wanted}</p>"

    def test_what_was_not_asked_for_longest_goes_first(self) -> None:
        keeper, made = self.keeper(most_bytes=25), []

        def ask(key: str) -> None:
            keeper.part(key, lambda: (made.append(key), SafeString("x" * 10))[1])  # type: ignore[func-returns-value]

        for key in ("a", "b", "a", "c", "a", "b"):
            ask(key)
        assert made == ["a", "b", "c", "b"]

    def test_a_failure_is_kept_by_nobody(self) -> None:
        keeper = self.keeper()
        with pytest.raises(ZeroDivisionError):
            keeper.part("a", lambda: SafeString(str(1 // 0)))
        assert keeper.part("a", lambda: SafeString("fine")).html == "fine"


@pytest.mark.django_db(transaction=True)
def test_a_hundred_who_ask_at_once_wait_for_one() -> None:
    keeper, begun, may_end = Keeper(), threading.Event(), threading.Event()
    found: list[str] = []

    def make() -> SafeString:
        begun.set()
        assert may_end.wait(10)
        return SafeString("one")

    def ask() -> None:
        found.append(keeper.part("a", make).html)
        connection.close()

    threads = [threading.Thread(target=ask) for _ in range(100)]
    for thread in threads:
        thread.start()
    assert begun.wait(10)
    may_end.set()
    for thread in threads:
        thread.join(20)
    assert (found, keeper.made_count) == (["one"] * 100, 1)
