"""What can be asked for in the list of runs: its filters, and what they keep."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from django.contrib.auth.models import AnonymousUser
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.http import QueryDict
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.accounts.models import User
from apps.agents.models import Endpoint
from apps.agents.selectors import registry_visible_to
from apps.core.models import Tag
from apps.core.tables.filters import LONGEST_VALUE, Choice, Choices, FilterForm
from apps.metrics.figures.pages.ranges import TimeRange, parse_range
from apps.overview.models import Rating
from apps.overview.selectors import ratings_visible_to
from apps.sessions.models import Invocation, InvocationTag, Session, SessionTag
from apps.sessions.selectors import invocations_visible_to, sessions_visible_to

RUNNING = "running"
ANY_ERROR = "any"
SHOWN, ONLY = "shown", "only"
LISTED_AT_MOST = 200  # values of one filter
ERRORS_OF = 500  # the newest failed runs, whose codes can be chosen
FAILED = (Invocation.Status.FAILED, Invocation.Status.INTERRUPTED)
_HAS_FAILED = Q(status="failed") | Q(status="interrupted")  # in the words of the index that is for them
PERIODS = {
    "15m": timedelta(minutes=15), "1h": timedelta(hours=1), "24h": timedelta(days=1), "7d": timedelta(days=7),
    "30d": timedelta(days=30),
}  # fmt: skip
STARTS = {"cold": ("created", "pooled"), "warm": ("reused",), "unknown": ("unknown",)}

NEWEST = "-time"
TTFT, TOTAL, TOKENS_IN, TOKENS_OUT, COST = FIGURES = ("ttft", "total", "tokens_in", "tokens_out", "cost")
ORDERS = [NEWEST, *(order for figure in FIGURES for order in (figure, f"-{figure}"))]

STATUSES: Choices = [(RUNNING, _("Running")), *((status.value, status.label) for status in Invocation.FINISHED)]
_NAMES: tuple[Choice[Invocation], ...] = (
    Choice("agent", _("Agent"), _("Any agent"), offered_from=2),
    Choice("qualifier", _("Endpoint"), _("Any endpoint"), offered_from=2, is_open=True),
    Choice("version", _("Version"), _("Any version"), offered_from=2, is_open=True),
    Choice("status", _("Status"), _("Any status")),
    Choice("rated", _("Rating"), _("Rated or not")),
    Choice("error", _("Error"), _("With or without an error"), offered_from=2, is_open=True),
    Choice("start", _("Cold or warm"), _("Cold or warm")),
    Choice("source", _("Source"), _("Any source")),
    Choice("owner", _("Owner"), _("Anybody’s"), offered_from=2),
    Choice("tag", _("Tag"), _("Any tag"), offered_from=1, is_open=True),
    Choice("range", _("Time"), _("Any time")),
    Choice("measure_start", _("Measure start"), _("Measure start: hidden")),
)
NAMES = [choice.name for choice in _NAMES]
QUERY_NAMES = ("q", *NAMES, "sort")


@dataclass(frozen=True, slots=True)
class Asked:
    """Which runs are wanted, in which order; an empty text or choice asks for nothing."""

    text: str
    sort: str
    chosen: Mapping[str, str]

    @property
    def is_narrowed(self) -> bool:
        """Whether a run can have been left out that the list would show."""
        return bool(self.text.strip()) or any(
            value for name, value in self.chosen.items() if value and not (name == "measure_start" and value == SHOWN)
        )

    def of_agent(self, agent_id: int) -> Asked:
        """The same of one agent alone."""
        return replace(self, chosen={**self.chosen, "agent": str(agent_id)})


def nothing(**chosen: str) -> Asked:
    """What is wanted where no address says it."""
    return Asked("", NEWEST, dict.fromkeys(NAMES, "") | chosen)


def filter_form(user: User, query: QueryDict, *, but: str = "") -> FilterForm:
    """The form of the page, with the values that there are to choose from; without the filter named `but`."""
    values = _values(user)
    own_range = query.get("range", "")
    if own := between(own_range, timezone.now()):
        values["range"] = [*values["range"], (own_range, own.words)]
    choices = [(choice, values[choice.name]) for choice in _NAMES if choice.name != but]
    return FilterForm(query, choices, ORDERS, _("Search runs"))


def asked_of(form: FilterForm) -> Asked:
    """What a filled form asks for."""
    wanted = form.wanted(NEWEST)
    return Asked(wanted.text, wanted.sort, {**dict.fromkeys(NAMES, ""), **wanted.chosen})


def saved_query(query: QueryDict) -> str:
    """What a saved view keeps of an address: what is asked for, and not the page."""
    kept = QueryDict(mutable=True)
    for name in QUERY_NAMES:
        if value := query.get(name, "").replace("\0", ""):
            kept[name] = value
    return kept.urlencode()


def between(text: str, now: datetime) -> TimeRange | None:
    """A range of its own as an address names it, `from/to` in UTC; None where the text is none."""
    start, is_own, end = text.partition("/")
    if not is_own or len(text) > LONGEST_VALUE:
        return None
    found = parse_range({"range": "custom", "from": start, "to": end}, now)
    return found if found.is_custom else None


def period_of(text: str, now: datetime) -> tuple[datetime | None, datetime | None]:
    """From when and until before when a range goes; None where it has no such end."""
    if text in PERIODS:
        return now - PERIODS[text], None
    own = between(text, now)
    return (None, None) if own is None else (own.start, own.end)


def _values(user: User) -> dict[str, Choices]:
    # Archived ones too: their runs are here.
    agents = registry_visible_to(user).order_by("name", "pk").values_list("pk", "name", "removed_at")
    endpoints = Endpoint.objects.filter(agent__in=registry_visible_to(user)).order_by()
    names = sorted(set(endpoints.values_list("name", "live_version").distinct()))
    return {
        "agent": [(str(pk), _("{name} (archived)").format(name=name) if at else name) for pk, name, at in agents],
        "qualifier": [(name, name) for name in dict.fromkeys(name for name, _version in names)],
        "version": [(version, version) for version in sorted({version for _name, version in names if version})],
        "status": STATUSES,
        "rated": [("up", _("Rated up")), ("down", _("Rated down")), ("note", _("With a note"))],
        "error": _errors(user),
        "start": [("cold", _("Cold")), ("warm", _("Warm")), ("unknown", _("Not known"))],
        "source": [(value, label) for value, label in Invocation.Source.choices if value != Invocation.Source.MEASURE],
        "owner": _owners(user),
        "tag": [(name, name) for name in _tags(user)],
        "range": [
            ("15m", _("15 minutes")), ("1h", _("1 hour")), ("24h", _("24 hours")), ("7d", _("7 days")),
            ("30d", _("30 days")),
        ],
        "measure_start": [(SHOWN, _("Measure start: shown")), (ONLY, _("Measure start: only these"))],
    }  # fmt: skip


def _errors(user: User) -> Choices:
    """The codes of the newest runs that failed."""
    failed = Invocation.objects.filter(status=Invocation.Status.FAILED).order_by("-requested_at")
    newest = list(failed.values_list("pk", flat=True)[:ERRORS_OF])
    # Asked of each of these: joined, SQLite would begin with the sessions that somebody may see, which are many.
    own = Exists(sessions_visible_to(user).order_by().filter(pk=OuterRef("session_id")))
    codes = Invocation.objects.filter(own, pk__in=newest).exclude(error_code="").order_by()
    found = sorted(set(codes.values_list("error_code", flat=True).distinct()))
    return [(ANY_ERROR, _("With an error")), *((code, code) for code in found)]


def _owners(user: User) -> Choices:
    if not user.is_staff:
        return []
    return [
        (str(pk), email) for pk, email in User.objects.order_by("email").values_list("pk", "email")[:LISTED_AT_MOST]
    ]


def _tags(user: User) -> list[str]:
    sessions = sessions_visible_to(user).order_by().filter(pk=OuterRef("session_id"))
    runs = invocations_visible_to(user).order_by().filter(pk=OuterRef("invocation_id"))
    of_session = SessionTag.objects.filter(Exists(sessions), tag=OuterRef("pk")).order_by()
    of_run = InvocationTag.objects.filter(Exists(runs), tag=OuterRef("pk")).order_by()
    own = Tag.objects.filter(Exists(of_session) | Exists(of_run))
    return list(own.order_by("name").values_list("name", flat=True)[:LISTED_AT_MOST])


def sessions_asked(user: User | AnonymousUser, chosen: Mapping[str, str]) -> QuerySet[Session]:
    """The sessions of the runs that are wanted, of those that `user` may see; a tag may be the run's own."""
    sessions = sessions_visible_to(user).select_related(None).order_by()
    same = {"agent": "agent_id", "qualifier": "qualifier", "owner": "owner_id"}
    sessions = sessions.filter(**{column: chosen[name] for name, column in same.items() if chosen[name]})
    if chosen["measure_start"] != SHOWN:
        is_only = chosen["measure_start"] == ONLY
        sessions = sessions.filter(purpose=Session.Purpose.MEASURE_START if is_only else Session.Purpose.CONVERSATION)
    return sessions


def sessions_tagged(sessions: QuerySet[Session], tag: str) -> QuerySet[Session]:
    """Those of `sessions` that have the tag: all of their runs are found by it."""
    return sessions.filter(Exists(SessionTag.objects.filter(session=OuterRef("pk"), tag__name=tag)))


def keys_tagged(sessions: QuerySet[Session], tag: str) -> QuerySet[InvocationTag, int]:
    """The keys of the runs of `sessions` that have the tag of their own."""
    own = sessions.filter(pk=OuterRef("invocation__session_id"))
    return InvocationTag.objects.filter(Exists(own), tag__name=tag).order_by().values_list("invocation", flat=True)


def has_tag(tag: str) -> Q:
    """What is asked of a run where many have the tag: its session has it, or it has it itself."""
    of_session = SessionTag.objects.filter(session=OuterRef("session_id"), tag__name=tag)
    return Q(Exists(of_session)) | Q(Exists(InvocationTag.objects.filter(invocation=OuterRef("pk"), tag__name=tag)))


def keys_rated(user: User | AnonymousUser, rated: str) -> QuerySet[Rating, int]:
    """The keys of the runs that somebody rated so, as far as `user` may see the rating."""
    ratings = ratings_visible_to(user).order_by()
    ratings = ratings.exclude(note="") if rated == "note" else ratings.filter(thumb=rated)
    return ratings.values_list("invocation", flat=True)


def runs_asked(chosen: Mapping[str, str], now: datetime) -> QuerySet[Invocation]:
    """The runs that are wanted, whosever they are and but for what is asked of their sessions."""
    runs = Invocation.objects.filter(_status(chosen["status"]))
    if chosen["error"]:
        runs = runs.filter(_HAS_FAILED)
        if chosen["error"] != ANY_ERROR:
            runs = runs.filter(error_code=chosen["error"])
    if chosen["version"]:
        runs = runs.filter(version=chosen["version"])
    if chosen["source"]:
        missing = Q(source__isnull=True) if chosen["source"] == Invocation.Source.MANUAL else Q()
        runs = runs.filter(Q(source=chosen["source"]) | missing)
    if chosen["start"]:
        runs = runs.filter(measurement__start_kind__in=STARTS[chosen["start"]])
    since, until = period_of(chosen["range"], now)
    if since is not None:
        runs = runs.filter(requested_at__gte=since)
    if until is not None:
        runs = runs.filter(requested_at__lt=until)
    return runs


def _status(status: str) -> Q:
    if not status:
        return Q()
    if status == RUNNING:
        return Q(status__in=Invocation.UNFINISHED)
    if status in FAILED:
        return Q(status=status)
    # Nearly all are completed: by what they are not, so that no index of the status is asked before that of the time.
    return ~Q(status__in=[other for other in Invocation.Status if other != status])


def of_few_statuses(chosen: Mapping[str, str]) -> QuerySet[Invocation] | None:
    """Where only failed runs are wanted, all of those: an index has them in the order of time."""
    if chosen["status"] in FAILED:
        return Invocation.objects.filter(status=chosen["status"])
    return Invocation.objects.filter(_HAS_FAILED) if chosen["error"] else None
