"""Lists over a table of core's own: processes, which have a kind, a host and an end that may be missing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Lower
from django.http import QueryDict

from apps.core.exceptions import ConflictError, InvalidInputError
from apps.core.models import Notice, Process
from apps.core.tables.bulk import ROWS_AT_ONCE, Outcome, apply, checked_rows
from apps.core.tables.columns import Column, Columns
from apps.core.tables.filters import Choice
from apps.core.tables.page import COUNTED_TO, page_of
from apps.core.tables.table import Table

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 20, tzinfo=UTC)


def search(rows: QuerySet[Process], text: str) -> QuerySet[Process]:
    return rows.filter(Q(host__icontains=text)) if text else rows


def of_end(rows: QuerySet[Process], value: str) -> QuerySet[Process]:
    return rows.filter(ended_at__isnull=value != "ended")


PROCESSES: Table[Process] = Table(
    label="Search processes",
    columns=Columns(
        Column("host", "Host", Lower("host")),
        Column("kind", "Kind", F("kind"), then=("-pid",)),
        Column("ended", "Ended", F("ended_at"), starts_down=True),
        default="host",
        ties=("pid",),
    ),
    search=search,
    filters=(
        Choice("kind", "Kind", "Any kind", "kind", word=str.title, offered_from=2),
        Choice("end", "Running or ended", "Running", keep=of_end, values=lambda _: [("ended", "Ended")],
               parts=frozenset({"ended"})),
    ),
    page_size=2,
)  # fmt: skip


@pytest.fixture(autouse=True)
def stored() -> None:
    add("web", "Ant", 1)
    add("web", "bee", 2)
    add("runner", "ant", 3)
    add("worker", "cow", 4, ended=2)
    add("web", "dog", 5, ended=1)


def add(kind: str, host: str, pid: int, ended: int | None = None) -> None:
    Process.objects.create(
        kind=kind, host=host, pid=pid, started_at=NOW, beat_at=NOW,
        ended_at=None if ended is None else NOW - timedelta(hours=ended),
    )  # fmt: skip


def listed(address: str) -> list[int]:
    return [row.pid for row in PROCESSES.listing(Process.objects.all(), QueryDict(address)).rows]


@pytest.mark.parametrize(
    ("address", "pids"),
    [
        ("", [1, 3]),
        ("page=2", [2]),
        ("page=99", [2]),
        ("page=x", [1, 3]),
        ("sort=-host", [2, 1]),
        ("sort=-host&page=2", [3]),
        ("sort=kind", [3, 2]),
        ("sort=nonsense", [1, 3]),
        ("kind=web", [1, 2]),
        ("kind=submarine", [1, 3]),
        ("q=ANT", [1, 3]),
        ("q=b%00ee", [2]),
        ("q=" + "x" * 201, [1, 3]),
        ("q=nothing", []),
        ("end=ended", [4, 5]),
        ("end=ended&sort=-ended", [5, 4]),
    ],
)
def test_a_list_is_what_its_address_says_as_far_as_it_can_be_meant(address: str, pids: list[int]) -> None:
    assert listed(address) == pids


@pytest.mark.parametrize("sort", ["ended", "-ended"])
def test_rows_without_the_value_come_last_in_either_direction(sort: str) -> None:
    everything = Process.objects.order_by(*PROCESSES.columns.order_by(sort))

    assert [row.pid for row in everything][2:] == [1, 2, 3]


def test_heads_lead_to_the_other_direction_keep_the_filters_and_begin_at_page_one() -> None:
    heads = PROCESSES.listing(Process.objects.all(), QueryDict("kind=web&sort=kind&page=2&q=a%26b")).heads

    assert (heads["kind"].direction, heads["kind"].href) == ("ascending", "?kind=web&sort=-kind&q=a%26b")
    assert (heads["host"].direction, heads["host"].href) == ("", "?kind=web&sort=host&q=a%26b")
    assert (heads["ended"].direction, heads["ended"].href) == ("", "?kind=web&sort=-ended&q=a%26b")


def test_a_filter_is_offered_where_it_can_leave_something_out_or_is_in_use() -> None:
    def offered(address: str) -> list[str]:
        form = PROCESSES.listing(Process.objects.filter(kind="web"), QueryDict(address)).form
        assert form is not None
        return [field.name for field in form.offered]

    assert (offered(""), offered("kind=runner")) == (["end"], ["kind", "end"])


def test_choices_are_the_values_that_occur_and_those_that_the_request_gives() -> None:
    form = PROCESSES.listing(Process.objects.all(), QueryDict(), {"end": [("ended", "Ended (2)")]}).form

    assert form is not None and [
        [str(option.data["label"]) for option in field.subwidgets] for field in form.offered
    ] == [
        ["Any kind", "Runner", "Web", "Worker"],
        ["Running", "Ended (2)"],
    ]


@pytest.mark.parametrize(
    ("address", "is_narrowed"), [("", False), ("end=ended", False), ("kind=web", True), ("q=a", True)]
)
def test_another_part_of_a_list_is_not_a_narrower_one(address: str, is_narrowed: bool) -> None:
    assert PROCESSES.listing(Process.objects.all(), QueryDict(address)).is_narrowed is is_narrowed


def test_what_only_one_filter_hides_can_be_counted() -> None:
    wanted = PROCESSES.wanted(kind="web")

    assert PROCESSES.keep(Process.objects.exclude(ended_at=None), wanted, but="end").count() == 1


def checked(*keys: object, visible: QuerySet[Notice] | None = None) -> list[Notice]:
    form = QueryDict(mutable=True)
    form.setlist("row", [str(key) for key in keys])
    return checked_rows(Notice.objects.all() if visible is None else visible, form)


@pytest.fixture
def notices() -> list[Notice]:
    return [Notice.objects.create(topic=f"session.{number}", kind="told") for number in range(4)]


def test_checked_rows_are_those_that_one_may_see(notices: list[Notice]) -> None:
    one, two, three, hidden = notices
    visible = Notice.objects.exclude(pk=hidden.pk)

    found = checked(three.pk, one.pk, hidden.pk, "nonsense", "9" * 40, "²", visible=visible)

    assert found == [one, three] and two not in found


def test_checking_nothing_or_too_much_is_refused(notices: list[Notice]) -> None:
    for keys, said in (
        ((), "Nothing is checked."),
        (("x", 999), "Nothing is checked."),
        (range(1, 52), "51 rows are checked."),
    ):
        with pytest.raises(InvalidInputError, match=said):
            checked(*keys)
    assert ROWS_AT_ONCE == 50


def test_each_row_tells_what_became_of_it_and_a_refusal_stops_none_of_the_others(notices: list[Notice]) -> None:
    def delete(notice: Notice) -> None:
        if notice.topic == "session.1":
            raise ConflictError("It is answering", advice="Stop it", request_id="r-1")
        notice.delete()

    outcomes = apply(checked(*(notice.pk for notice in notices[:3])), delete)

    assert outcomes == [
        Outcome("session.0 told"),
        Outcome("session.1 told", "It is answering. Stop it. AWS request id r-1."),
        Outcome("session.2 told"),
    ]
    assert [outcome.is_done for outcome in outcomes] == [True, False, True]
    assert list(Notice.objects.values_list("topic", flat=True)) == ["session.1", "session.3"]


def test_many_rows_are_counted_so_far_and_no_further() -> None:
    Notice.objects.bulk_create(Notice(topic="t", kind="finished") for _ in range(COUNTED_TO + 60))
    notices = Notice.objects.order_by("pk")

    first, last = (page_of(notices, QueryDict(f"page={number}"), 50) for number in (1, COUNTED_TO // 50))
    assert (first.paginator.count_text, first.has_next(), last.has_next()) == ("10,000+", True, True)  # type: ignore[attr-defined]
    behind = page_of(notices, QueryDict(f"page={COUNTED_TO // 50 + 1}"), 50)  # whoever goes on sees how many there are
    assert (behind.paginator.count, behind.start_index(), behind.has_next()) == (10_060, 10_001, True)
    few = page_of(notices.filter(pk__lt=notices[5].pk), QueryDict(), 50)
    assert few.paginator.count_text == "5"  # type: ignore[attr-defined]
