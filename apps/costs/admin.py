"""Prices, which are entered here, and budgets with what was reserved of them."""

from __future__ import annotations

from django.contrib import admin

from apps.core.admin import LargeTableAdmin, RecordAdmin
from apps.costs.models import Budget, BudgetPeriod, Reservation, TokenPrice


@admin.register(TokenPrice)
class TokenPriceAdmin(LargeTableAdmin[TokenPrice]):
    list_display = ["model", "provider", "since_at", "input_usd", "output_usd"]
    list_filter = ["provider"]
    search_fields = ["model", "provider"]
    ordering = ["model", "-since_at"]


@admin.register(Budget)
class BudgetAdmin(LargeTableAdmin[Budget]):
    list_display = ["name", "owner", "period", "limit_usd", "created_at"]
    list_select_related = ["owner"]
    list_filter = ["period"]
    search_fields = ["name", "owner__email"]
    autocomplete_fields = ["owner"]


@admin.register(BudgetPeriod)
class BudgetPeriodAdmin(RecordAdmin[BudgetPeriod]):
    list_display = ["id", "budget", "start_at", "spent_micros", "reserved_micros"]
    list_select_related = ["budget"]


@admin.register(Reservation)
class ReservationAdmin(RecordAdmin[Reservation]):
    list_display = ["key", "state", "reserved_micros", "spent_micros", "expires_at"]
    list_filter = ["state"]
    search_fields = ["=key"]
