"""The environments of sessions: warm, idle or ended, until when they are kept, what they cost, how sure an end is.

AgentCore lists no sessions, so everything here is told by what Loom sent, by the agent's timeouts and by the logs.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Literal

from django.db.models import Count, Max, Q, QuerySet, Sum

from apps.agentcore.invoking.environment import Life, lives_of
from apps.agentcore.models import Runtime
from apps.costs.runtime import prices, rounded_up
from apps.sessions.models import Invocation, Session

State = Literal["warm", "idle", "ended"]
Proof = Literal["accepted", "verified", "refuted"]
Reason = Literal["", "asked", "idle timeout", "maximum lifetime"]

MOST_OPEN = 2_000  # sessions that are looked through for those with an environment
RUNS_READ = 1_000  # of one session, the newest
STEP = Decimal("0.000001")


@dataclass(frozen=True, slots=True)
class End:
    """The last end that was asked for. AWS accepted it; a run after it shows whether the environment was gone.

    `proof` is verified where a later run wrote to another log stream than the last one before (each environment has a
    stream of its own), refuted where it wrote to the same one; `run_number` is that run.
    """

    accepted_at: datetime
    proof: Proof
    run_id: int | None = None
    run_number: int | None = None
    shown_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Board:
    """A session's environment. `cost_usd` is what the runs and the idle time cost, the latter at most; None where no
    cost is known, and `unknown_count` runs are not in it.
    """

    state: State
    reason: Reason
    born_at: datetime | None
    idle_ends_at: datetime | None
    lifetime_ends_at: datetime | None
    version: str
    run_count: int
    cost_usd: Decimal | None
    idle_usd: Decimal
    unknown_count: int
    is_cut: bool
    end: End | None

    @property
    def expires_at(self) -> datetime | None:
        """When AgentCore frees it, or freed it; None while a run is answered, and where an end was asked for."""
        if self.state == "warm" or self.reason == "asked":
            return None
        return min(filter(None, (self.idle_ends_at, self.lifetime_ends_at)), default=None)

    @property
    def shown_usd(self) -> Decimal | None:
        return None if self.cost_usd is None else rounded_up(self.cost_usd)

    @property
    def shown_idle_usd(self) -> Decimal:
        return rounded_up(self.idle_usd)

    @property
    def is_open(self) -> bool:
        return self.state != "ended"


@dataclass(frozen=True, slots=True)
class _Run:
    pk: int
    number: int
    invoked_at: datetime
    completed_at: datetime | None
    version: str
    stream: str


def on_board(sessions: QuerySet[Session]) -> QuerySet[Session]:
    """Those that an environment was ever asked for: of agents on AgentCore, with a prompt that was sent."""
    return sessions.filter(agent__runtime__isnull=False, last_invoked_at__isnull=False)


def states_of(sessions: QuerySet[Session], now: datetime) -> dict[int, State]:
    """Which of `sessions` have an environment now, and whether it is warm or idle; of very many the newest."""
    longest = Runtime.objects.aggregate(longest=Max("max_lifetime_ms"))["longest"] or 0
    since = now - timedelta(milliseconds=longest)
    # An environment is no older than the maximum lifetime, and was made for a run of its session. Who is answering may
    # have begun before.
    answering = Invocation.objects.filter(status__in=Invocation.RUNNING).values("session")
    recent = sessions.filter(Q(last_invoked_at__gt=since) | Q(pk__in=answering)).select_related("agent__runtime")
    found = list(recent.order_by("-last_invoked_at", "-pk")[:MOST_OPEN])
    runs = _runs(Q(session__in=[session.pk for session in found], invoked_at__gt=since - (now - since)))
    states = {session.pk: _state(session, runs[session.pk], now)[0] for session in found}
    return {key: state for key, state in states.items() if state != "ended"}


def boards_of(sessions: Sequence[Session], now: datetime) -> dict[int, Board]:
    """What is told of some sessions (with their agents' runtimes loaded), by their keys: three statements."""
    keys = [session.pk for session in sessions]
    of_them = Invocation.objects.filter(session__in=keys).order_by().values("session")
    sums: dict[int, dict[str, Any]] = {
        row["session"]: dict(row)
        for row in of_them.annotate(
            usd=Sum("cost_usd"), known=Count("cost_usd"), sent=Count("invoked_at"), newest=Max("number")
        )
    }
    long = Q(pk__in=[])
    for key, row in sums.items():
        if row["newest"] > RUNS_READ:
            long |= Q(session=key, number__lte=row["newest"] - RUNS_READ)
    runs = _runs(Q(session__in=keys) & ~long)
    return {session.pk: _board(session, runs[session.pk], sums.get(session.pk, {}), now) for session in sessions}


def _runs(wanted: Q) -> defaultdict[int, list[_Run]]:
    """The runs that reached an agent, by session and in their order."""
    reached = Invocation.objects.filter(wanted, invoked_at__isnull=False, is_unsent=False)
    rows = reached.exclude(http_status__in=Invocation.REFUSED).order_by("session", "number")
    found: defaultdict[int, list[_Run]] = defaultdict(list)
    for key, pk, number, invoked_at, completed_at, version, stream in rows.values_list(
        "session", "pk", "number", "invoked_at", "completed_at", "version", "measurement__log_stream"
    ):
        assert invoked_at is not None
        found[key].append(_Run(pk, number, invoked_at, completed_at, version, stream or ""))
    return found


def _state(session: Session, runs: Sequence[_Run], now: datetime) -> tuple[State, Reason, list[Life]]:
    lives = lives_of(session, [(run.invoked_at, run.completed_at) for run in runs], now)
    if not lives:
        return "ended", "", lives
    life = lives[-1]
    if session.is_ended:
        return "ended", "asked", lives
    if life.is_busy:
        return "warm", "", lives
    if life.expires_at > now:
        return "idle", "", lives
    return "ended", "idle timeout" if life.idle_ends_at <= life.lifetime_ends_at else "maximum lifetime", lives


def _board(session: Session, runs: Sequence[_Run], sums: dict[str, Any], now: datetime) -> Board:
    state, reason, lives = _state(session, runs, now)
    life = lives[-1] if lives else None
    is_cut = sums.get("newest", 0) > RUNS_READ
    waited = [_idle_usd(one, session, lives[at + 1 :], now) for at, one in enumerate(lives)]
    idle_usd = Decimal(0) if is_cut else sum(waited, Decimal(0))
    known = sums.get("known", 0)
    return Board(
        state=state,
        reason=reason,
        born_at=life.born_at if life else None,
        idle_ends_at=life.idle_ends_at if life and not life.is_busy else None,
        lifetime_ends_at=life.lifetime_ends_at if life else None,
        version=runs[-1].version if runs else "",
        run_count=sums.get("sent", 0),
        cost_usd=(sums["usd"] + idle_usd).quantize(STEP) if known else None,
        idle_usd=idle_usd.quantize(STEP),
        unknown_count=sums.get("sent", 0) - known,
        is_cut=is_cut,
        end=_end(session, runs),
    )


def _idle_usd(life: Life, session: Session, later: Sequence[Life], now: datetime) -> Decimal:
    """What an environment cost at most while it waited: until its timeout, its end or now."""
    until = min(now, life.expires_at)
    if later:
        until = min(until, later[0].born_at)
    if session.ended_at is not None and session.ended_at >= life.born_at:
        until = min(until, session.ended_at)
    idle = max(until - life.born_at - life.busy, timedelta())
    return prices().session_usd(timedelta(), idle=idle)


def _end(session: Session, runs: Sequence[_Run]) -> End | None:
    """What is known of the last end that was asked for."""
    ended_at = session.ended_at
    if ended_at is None:
        return None
    before = [run.stream for run in runs if run.invoked_at <= ended_at]
    last_stream = before[-1] if before else ""
    for run in runs:
        if run.invoked_at > ended_at and run.stream and last_stream:
            proof: Proof = "refuted" if run.stream == last_stream else "verified"
            return End(ended_at, proof, run.pk, run.number, run.invoked_at)
    return End(ended_at, "accepted")
