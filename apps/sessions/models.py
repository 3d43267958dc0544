from __future__ import annotations

import logging
import re
import uuid
from datetime import datetime, timedelta

from django.conf import settings
from django.db import models
from django.db.models.functions import Coalesce
from django.urls import reverse

from apps.sessions.recording_rows import Recording as Recording
from apps.sessions.recording_rows import RecordingBatch as RecordingBatch
from apps.sessions.search_rows import SearchDue as SearchDue
from apps.sessions.search_rows import SearchProgress as SearchProgress
from apps.sessions.search_rows import SearchText as SearchText
from apps.sessions.tag_rows import InvocationTag as InvocationTag
from apps.sessions.tag_rows import SessionTag as SessionTag

RUNTIME_SESSION_ID_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_-]{32,99}$"
_RUNTIME_SESSION_ID = re.compile(RUNTIME_SESSION_ID_PATTERN)
# What lists of conversations show where nobody asks for more.
SHOWN = models.Q(purpose="conversation", archived_at=None, deleted_at=None)
SHOWN_COLUMNS = ("purpose", "archived_at", "deleted_at")


def elapsed_ms(start: datetime | None, end: datetime | None) -> float | None:
    """Milliseconds from `start` to `end`, to the microsecond, or None while either is unknown."""
    return None if start is None or end is None else (end - start) / timedelta(milliseconds=1)


class Session(models.Model):
    """A conversation with an agent: one runtime session, which AgentCore serves from one environment at a time."""

    class Purpose(models.TextChoices):
        CONVERSATION = "conversation"
        MEASURE_START = "measure_start", "Measure start"
        PROMPT_SET = "prompt_set", "Prompt set"
        BENCH = "bench", "Bench"

    RUNS_LOOKED_AT = 100  # for what becomes of an environment; more of them in one only happen to programs

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    agent = models.ForeignKey("agents.Agent", on_delete=models.PROTECT, related_name="sessions")
    runtime_session_id = models.CharField(max_length=100)
    is_own_id = models.BooleanField(
        default=True, help_text="Loom made the runtime session id, so nobody else has used it."
    )
    qualifier = models.CharField(max_length=48, default="DEFAULT")
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="agent_sessions")
    title = models.CharField(max_length=200, blank=True, default="")
    tags = models.ManyToManyField("core.Tag", through="SessionTag", related_name="sessions")
    # The names of its tags, written for processes of the release before and read by none of this one. The next release
    # takes over what such a process wrote meanwhile, which only the administration can, and drops the column.
    former_tags = models.JSONField(db_column="tags", default=list, blank=True)
    purpose = models.CharField(
        max_length=16,
        choices=Purpose.choices,
        default=Purpose.CONVERSATION,
        help_text="Lists leave the sessions of Measure start out unless they are asked for.",
    )
    request_key = models.CharField(
        max_length=64, blank=True, default="", help_text="The caller's own name of the request that made the session."
    )
    created_at = models.DateTimeField()
    last_invoked_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True, help_text="When AWS accepted StopRuntimeSession.")
    is_pinned = models.BooleanField(db_default=False, help_text="Stands before the others beside every page.")
    archived_at = models.DateTimeField(null=True, blank=True, help_text="Lists leave it out unless they are asked.")
    deleted_at = models.DateTimeField(
        null=True, blank=True, help_text="Nobody sees it any more; it can be brought back until it is purged."
    )

    class Meta:
        ordering = ["-created_at", "-id"]
        constraints = [
            models.UniqueConstraint(fields=["agent", "runtime_session_id"], name="runtime_session_id_unique_per_agent"),
            models.UniqueConstraint(
                fields=["owner", "request_key"],
                condition=~models.Q(request_key=""),
                name="session_request_key_unique_per_owner",
            ),
        ]
        indexes = [
            models.Index(fields=["owner", "-created_at"], name="session_of_owner"),
            models.Index(
                fields=["agent", "owner"], condition=models.Q(purpose="measure_start"), name="session_of_measure_start"
            ),
            models.Index(
                fields=["owner"], condition=models.Q(purpose="measure_start"), name="session_of_measure_owner"
            ),
            # The list of conversations, of all and of one's own: its order and its count. What the condition asks for
            # stands among the columns too; SQLite would else look it up in each row that is counted.
            models.Index(
                Coalesce("last_invoked_at", "created_at").desc(),
                models.F("id").desc(),
                *SHOWN_COLUMNS,
                condition=SHOWN,
                name="conversation_shown",
            ),
            models.Index(
                "owner",
                Coalesce("last_invoked_at", "created_at").desc(),
                models.F("id").desc(),
                *SHOWN_COLUMNS,
                condition=SHOWN,
                name="conversation_of_owner_shown",
            ),
            # Few are pinned, few are deleted, and others cost these nothing.
            models.Index(fields=["owner"], condition=models.Q(is_pinned=True), name="session_pinned"),
            models.Index(
                fields=["owner", "archived_at"],
                condition=models.Q(archived_at__isnull=False),
                name="session_archived",
            ),
            models.Index(fields=["deleted_at"], condition=models.Q(deleted_at__isnull=False), name="session_deleted"),
        ]

    def __str__(self) -> str:
        return self.title or self.runtime_session_id

    def get_absolute_url(self) -> str:
        return reverse("sessions:detail", args=[self.public_id])

    @property
    def log_level(self) -> int:
        """How loudly logs tell of it."""
        return logging.INFO if self.purpose == self.Purpose.CONVERSATION else logging.DEBUG

    @property
    def topic(self) -> str:
        """The name under which changes of this session are announced."""
        return f"session.{self.public_id}"

    @property
    def is_ended(self) -> bool:
        """AWS accepted the end of its environment, and no prompt was sent since: the next one gets a new one."""
        if self.ended_at is None:
            return False
        return self.last_invoked_at is None or self.last_invoked_at <= self.ended_at

    def sent_runs(self) -> list[tuple[datetime, datetime | None]]:
        """When the runs that reached the agent were sent and when they ended, in order: what decides about what its
        host keeps for the session.
        """
        sent = self.invocations.filter(invoked_at__isnull=False, is_unsent=False).exclude(
            http_status__in=Invocation.REFUSED
        )
        newest = sent.order_by("-number").values_list("invoked_at", "completed_at")[: self.RUNS_LOOKED_AT]
        return [(sent, ended) for sent, ended in reversed(newest) if sent is not None]

    @staticmethod
    def is_valid_id(text: str) -> bool:
        """Whether this can be a runtime session id: 33 to 100 of `[A-Za-z0-9_-]`, no sign first.

        InvokeAgentRuntime allows up to 256 characters, but its response and the names of log streams do not.
        """
        return _RUNTIME_SESSION_ID.fullmatch(text) is not None


class Invocation(models.Model):
    """One run of an agent in a session: prompt in, recording out."""

    class Status(models.TextChoices):
        QUEUED = "queued"  # stored, and no process has taken it yet
        PENDING = "pending"
        STREAMING = "streaming"
        WAITING = "waiting"  # needs a person; no process holds it
        COMPLETED = "completed"
        FAILED = "failed"
        STOPPED = "stopped"
        INTERRUPTED = "interrupted"

    class Source(models.TextChoices):
        """What asked for the run. Figures and prices keep some of them apart."""

        MANUAL = "manual"
        API = "api", "API"
        TASK = "task"
        DEMO = "demo"
        MEASURE = "measure", "Measure start"
        PROMPT_SET = "prompt_set", "Prompt set"
        SIDE_BY_SIDE = "side_by_side", "Side by side"
        BENCH = "bench", "Bench"

    OF_MANY = (Source.DEMO, Source.MEASURE, Source.PROMPT_SET, Source.BENCH)  # nobody asks for each of them by hand
    RUNNING = (Status.PENDING, Status.STREAMING)  # a process has it
    UNFINISHED = (Status.QUEUED, *RUNNING, Status.WAITING)
    FINISHED = (Status.COMPLETED, Status.FAILED, Status.STOPPED, Status.INTERRUPTED)
    REFUSED = frozenset({400, 401, 402, 403, 404, 409, 429})  # AWS answered these before any environment was asked

    session = models.ForeignKey(Session, on_delete=models.CASCADE, related_name="invocations")
    number = models.PositiveIntegerField(help_text="Counts from 1 within the session.")
    status = models.CharField(max_length=12, choices=Status.choices, default=Status.PENDING)
    prompt = models.TextField()
    payload = models.TextField(blank=True, default="", help_text="The body as it was sent.")
    request_key = models.CharField(
        max_length=64,
        blank=True,
        default="",
        help_text="The caller's own name of the request: sent again, it is the same run.",
    )
    response_text = models.TextField(blank=True, default="")
    requested_at = models.DateTimeField(db_index=True)
    claimed_at = models.DateTimeField(
        null=True, blank=True, help_text="When a process took the run to itself; no other may send it."
    )
    invoked_at = models.DateTimeField(null=True, blank=True)
    headers_at = models.DateTimeField(null=True, blank=True)
    first_chunk_at = models.DateTimeField(null=True, blank=True)
    first_token_at = models.DateTimeField(null=True, blank=True)
    completed_at = models.DateTimeField(null=True, blank=True, db_index=True)
    http_status = models.PositiveSmallIntegerField(null=True, blank=True)
    content_type = models.CharField(max_length=255, blank=True, default="")
    request_id = models.CharField(max_length=255, blank=True, default="")
    trace_id = models.CharField(max_length=255, blank=True, default="")
    error_code = models.CharField(max_length=100, blank=True, default="")
    error_message = models.TextField(blank=True, default="")
    error_advice = models.TextField(blank=True, default="")
    is_unsent = models.BooleanField(default=False, help_text="The prompt provably never reached the agent.")
    attempt_count = models.PositiveSmallIntegerField(default=0)
    chunk_count = models.PositiveIntegerField(default=0)
    byte_count = models.PositiveBigIntegerField(default=0)
    input_token_count = models.PositiveIntegerField(null=True, blank=True)
    output_token_count = models.PositiveIntegerField(null=True, blank=True)
    version = models.CharField(max_length=10, blank=True, default="")
    is_version_assumed = models.BooleanField(default=True)
    process = models.ForeignKey("core.Process", on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    stop_requested_at = models.DateTimeField(null=True, blank=True)
    last_sequence = models.PositiveIntegerField(default=0)
    lost_event_count = models.PositiveIntegerField(
        default=0, help_text="How many events at the end of the recording could not be stored."
    )
    content_removed_at = models.DateTimeField(null=True, blank=True)
    # Null in what a process of the release before stores. No column here has a default of Django's: SQLite would copy
    # the whole table for each.
    kind = models.CharField(max_length=10, null=True, blank=True, db_default="agentcore", help_text="The agent's kind.")  # noqa: DJ001
    source = models.CharField(max_length=12, choices=Source.choices, null=True, blank=True, db_default="manual")  # noqa: DJ001
    queued_at = models.DateTimeField(
        null=True, blank=True, help_text="When it was put into the queue; null for one that its caller ran at once."
    )
    attempt = models.PositiveSmallIntegerField(
        null=True, blank=True, help_text="How often a process has taken it out of the queue."
    )
    model = models.CharField(max_length=120, null=True, blank=True, help_text="The model that answered.")  # noqa: DJ001
    cost_usd = models.DecimalField(max_digits=12, decimal_places=6, null=True, blank=True)
    cost_source = models.CharField(  # noqa: DJ001 -- null in rows of the release before
        max_length=10, null=True, blank=True, help_text="reported, priced, estimate or unknown."
    )
    waited_ms = models.FloatField(null=True, blank=True, help_text="How long it waited for people.")
    tags = models.ManyToManyField("core.Tag", through="InvocationTag", related_name="invocations")
    parent = models.ForeignKey("self", on_delete=models.SET_NULL, null=True, blank=True, related_name="children")
    repeated_from = models.ForeignKey(
        "self", on_delete=models.SET_NULL, null=True, blank=True, related_name="repeats", db_index=False,
        help_text="The run whose prompt was sent once more.",
    )  # fmt: skip
    unread_event_count = models.PositiveIntegerField(
        null=True, blank=True, help_text="How much of the answer its reader did not understand."
    )
    agent_error_type = models.CharField(  # noqa: DJ001
        max_length=100, null=True, blank=True, help_text="What the agent itself called its failure."
    )

    class Meta:
        ordering = ["session_id", "number"]
        constraints = [
            models.UniqueConstraint(fields=["session", "number"], name="invocation_number_unique_per_session"),
            models.UniqueConstraint(
                fields=["session"],
                condition=models.Q(status__in=["queued", "pending", "streaming", "waiting"]),
                name="one_unfinished_invocation_per_session",
            ),
            models.UniqueConstraint(
                fields=["session", "request_key"],
                condition=~models.Q(request_key=""),
                name="invocation_request_key_unique_per_session",
            ),
        ]
        indexes = [
            models.Index(fields=["status", "completed_at"], name="invocation_status_end"),
            # The newest failures of a month. With "or", not "in": SQLite then sees that one status is among them.
            models.Index(
                fields=["status", "-requested_at"],
                condition=models.Q(status="failed") | models.Q(status="interrupted"),
                name="invocation_failed",
            ),
            models.Index(
                fields=["error_code", "-requested_at"],
                condition=models.Q(status="failed") | models.Q(status="interrupted"),
                name="invocation_failed_with",
            ),
            # Asked many times a second by every process that streams, and nearly always empty.
            models.Index(
                fields=["process"], condition=models.Q(stop_requested_at__isnull=False), name="invocation_asked_to_stop"
            ),
            # Asked four times a second by every process that runs agents, and nearly always empty.
            models.Index(fields=["queued_at"], condition=models.Q(status="queued"), name="invocation_queued"),
            # Few runs are repeated: all others cost it nothing.
            models.Index(
                fields=["repeated_from"],
                condition=models.Q(repeated_from__isnull=False),
                name="invocation_repeated_from",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.session_id}/{self.number} {self.status}"

    @property
    def log_level(self) -> int:
        """How loudly logs tell of it: of what nobody asks by hand there may be a hundred in a row."""
        is_one_of_many = self.source in self.OF_MANY
        return logging.DEBUG if is_one_of_many else logging.INFO

    @property
    def is_unfinished(self) -> bool:
        """It is answering, or will: queued, with a process, or waiting for a person."""
        return self.status in self.UNFINISHED

    @property
    def has_reached_agent(self) -> bool:
        """An environment may have been asked at all."""
        return self.invoked_at is not None and not self.is_unsent and self.http_status not in self.REFUSED

    @property
    def time_to_first_token_ms(self) -> float | None:
        """invoked_at to the first text or tool event; None for a JSON body."""
        return elapsed_ms(self.invoked_at, self.first_token_at)

    @property
    def total_latency_ms(self) -> float | None:
        """invoked_at to the end, however it ended, without the time that it waited for people."""
        elapsed = elapsed_ms(self.invoked_at, self.completed_at)
        return elapsed if elapsed is None or not self.waited_ms else round(elapsed - self.waited_ms, 3)


class QueuedPrompt(models.Model):
    """What was typed ahead in a session: it becomes the next run, with its number, when the session gets free."""

    session = models.ForeignKey(Session, on_delete=models.CASCADE, related_name="queued_prompts")
    position = models.PositiveIntegerField(help_text="Counts from 1; the lowest is next.")
    text = models.TextField()
    payload = models.TextField(  # noqa: DJ001
        null=True, blank=True, help_text="The body to send as it is; null for what the host makes of the text."
    )
    request_key = models.CharField(max_length=64, blank=True, default="")
    source = models.CharField(max_length=12, choices=Invocation.Source.choices, default=Invocation.Source.MANUAL)
    repeated_from = models.ForeignKey(
        Invocation, on_delete=models.SET_NULL, null=True, blank=True, related_name="+", help_text="As that of the run."
    )
    is_held = models.BooleanField(
        db_default=False, help_text="The answer before it was stopped: it waits for a person to send or remove it."
    )
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["session_id", "position"]
        constraints = [
            models.UniqueConstraint(fields=["session", "position"], name="queued_prompt_position_unique_per_session"),
            models.UniqueConstraint(
                fields=["session", "request_key"],
                condition=~models.Q(request_key=""),
                name="queued_prompt_request_key_unique_per_session",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.session_id}: {self.position}"
