from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from django.conf import settings
from django.db import models

# Budgets count in whole millionths of a dollar: SQLite adds decimals up as binary fractions, and many small sums drift.
MICROS = 1_000_000
TOTAL_STARTS_AT = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


def usd_of(micros: int) -> Decimal:
    """US dollars of millionths of them, exactly."""
    return Decimal(micros) / MICROS


class TokenPrice(models.Model):
    """What a provider asks for a model's tokens from an instant on, until a later row of the same two says otherwise.

    A run is priced by what was in force when it was sent, so a new price is a new row and never a changed one.
    """

    provider = models.CharField(max_length=60, help_text="Who sends the bill, such as bedrock.")
    model = models.CharField(max_length=120, help_text="The model's name as runs carry it.")
    since_at = models.DateTimeField(help_text="In force from then on, until a newer row of the same model.")
    input_usd = models.DecimalField("input, USD per million", max_digits=12, decimal_places=6)
    output_usd = models.DecimalField("output, USD per million", max_digits=12, decimal_places=6)
    source = models.CharField(max_length=300, help_text="Where the price is published, and when it was read.")

    class Meta:
        ordering = ["provider", "model", "-since_at"]
        constraints = [
            models.UniqueConstraint(fields=["provider", "model", "since_at"], name="token_price_said_once"),
            models.CheckConstraint(
                condition=models.Q(input_usd__gte=0, output_usd__gte=0), name="token_price_not_negative"
            ),
        ]
        indexes = [models.Index(fields=["model", "-since_at"], name="token_price_of_model")]

    def __str__(self) -> str:
        return f"{self.provider} {self.model} since {self.since_at:%Y-%m-%d}"


class Budget(models.Model):
    """What may be spent for something in each of its periods, which are those of UTC.

    With a `scope` it holds every run of what that names, and refuses those beyond it; without one it is a plan's own,
    which reserves from it.
    """

    class Period(models.TextChoices):
        RUN = "run", "Each run"
        DAY = "day", "Each day"
        MONTH = "month", "Each month"
        TOTAL = "total", "Altogether"

    class Scope(models.TextChoices):
        AGENT = "agent", "An agent"
        OWNER = "owner", "A person"
        ALL = "all", "All of Loom"

    WARNED_AT_PERCENT = 80

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="budgets")
    name = models.CharField(max_length=120)
    period = models.CharField(max_length=5, choices=Period.choices, default=Period.TOTAL)
    limit_micros = models.PositiveBigIntegerField("limit, millionths of a USD")
    scope = models.CharField(max_length=5, choices=Scope.choices, blank=True, db_default="")
    # The key of the agent or of the person; nothing of them is imported here.
    scope_id = models.PositiveBigIntegerField(null=True, blank=True)
    ends_session = models.BooleanField(
        db_default=False, help_text="End the session of a run that it stopped, so that its environment is freed."
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["scope", "scope_id"], condition=~models.Q(scope=""), name="budget_of_scope"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def limit_usd(self) -> Decimal:
        return usd_of(self.limit_micros)

    def period_start(self, now: datetime) -> datetime:
        """When the period began that `now` (in UTC) lies in. For a limit of each run that is all time."""
        if self.period in {self.Period.TOTAL, self.Period.RUN}:
            return TOTAL_STARTS_AT
        day = now.replace(hour=0, minute=0, second=0, microsecond=0)
        return day.replace(day=1) if self.period == self.Period.MONTH else day


class BudgetPeriod(models.Model):
    """What of a budget is spent and reserved in one of its periods: the sums over its reservations."""

    budget = models.ForeignKey(Budget, on_delete=models.CASCADE, related_name="periods")
    start_at = models.DateTimeField()
    spent_micros = models.PositiveBigIntegerField(default=0)
    reserved_micros = models.PositiveBigIntegerField(default=0)
    # When most of it, and all of it, was spent: each is told once.
    warned_at = models.DateTimeField(null=True, blank=True)
    exceeded_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-start_at"]
        constraints = [models.UniqueConstraint(fields=["budget", "start_at"], name="budget_period_once")]

    def __str__(self) -> str:
        return f"{self.budget_id} from {self.start_at:%Y-%m-%d}"


class Reservation(models.Model):
    """A part of a budget that something about to happen may cost; the same key of the same budget is the same one."""

    class State(models.TextChoices):
        OPEN = "open"
        SETTLED = "settled"
        RELEASED = "released"  # it did not happen
        EXPIRED = "expired"  # nobody said in time what became of it

    period = models.ForeignKey(BudgetPeriod, on_delete=models.CASCADE, related_name="reservations")
    key = models.CharField(max_length=100)
    state = models.CharField(max_length=8, choices=State.choices, default=State.OPEN)
    reserved_micros = models.PositiveBigIntegerField()
    spent_micros = models.PositiveBigIntegerField(null=True, blank=True)
    expires_at = models.DateTimeField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-id"]
        constraints = [models.UniqueConstraint(fields=["period", "key"], name="reservation_once")]
        indexes = [
            models.Index(fields=["expires_at"], condition=models.Q(state="open"), name="reservation_open_until"),
            models.Index(fields=["key"], name="reservation_key"),
        ]

    def __str__(self) -> str:
        return f"{self.key}: {self.state}"
