"""The list of alerts, one alert with its evidence and history, and what a person does with it."""

from __future__ import annotations

from datetime import timedelta

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST, require_safe
from django.views.decorators.vary import vary_on_headers

from apps.accounts.http import SignedInRequest
from apps.accounts.policy import decide, subject_of
from apps.core.exceptions import LoomError
from apps.metrics.alerts import services
from apps.metrics.alerts.bell import bell
from apps.metrics.alerts.pages.forms import ActForm
from apps.metrics.alerts.pages.listing import ALERTS, NOTICES, alert_row, rule_row
from apps.metrics.alerts.selectors import alerts_visible_to, notices_visible_to
from apps.metrics.alerts.telling import delivering
from apps.metrics.alerts.wording import evidence_address, value_words
from apps.metrics.models import Alert, AlertNotice

DONE = {
    "acknowledge": gettext_lazy("The alert is acknowledged."),
    "snooze": gettext_lazy("The alert is snoozed."),
    "resolve": gettext_lazy("The alert is resolved."),
}


@vary_on_headers("HX-Request", "HX-Target")
@require_safe
def alert_list(request: SignedInRequest) -> HttpResponse:
    """The alerts of the rules that one sees, searched and kept by state, level and agent."""
    visible = alerts_visible_to(request.user)
    table = ALERTS.listing(visible, request.GET)
    context = {
        "table": table,
        "rows": [alert_row(alert) for alert in table.rows],
        "has_any": bool(table.rows) or visible.exists(),
    }
    is_table_only = request.htmx and request.htmx.target == "alert-table"
    return render(request, "metrics/alert_list.html" + ("#alert-table" if is_table_only else ""), context)


@require_safe
def alert_detail(request: SignedInRequest, pk: int) -> HttpResponse:
    """What is wrong, since when, what it rests on, and who did what about it."""
    alert = get_object_or_404(alerts_visible_to(request.user), pk=pk)
    changes = [
        (change, value_words(alert.rule, change.value))
        for change in alert.changes.select_related("by").order_by("-number")
    ]
    notices = notices_visible_to(request.user).filter(change__alert=alert)
    context = {
        "row": alert_row(alert),
        "rule_row": rule_row(alert.rule),
        "worst": value_words(alert.rule, alert.worst),
        "value": value_words(alert.rule, alert.value),
        "evidence_address": evidence_address(alert),
        "changes": changes,
        "notices": notices[:50],
        "form": ActForm(),
        "may_act": alert.is_open and decide(subject_of(request.user), "invoke", alert),
    }
    return render(request, "metrics/alert_detail.html", context)


@require_POST
def alert_act(request: SignedInRequest, pk: int) -> HttpResponse:
    """Acknowledge, snooze or resolve an alert."""
    alert = get_object_or_404(alerts_visible_to(request.user, "invoke"), pk=pk)
    form = ActForm(request.POST)
    if not form.is_valid():
        messages.error(request, _("That cannot be done with an alert."))
        return redirect(alert)
    done = form.cleaned_data["do"]
    try:
        _act(alert, request, form)
    except LoomError as error:
        messages.error(request, error.text())
    else:
        bell.forget()
        messages.success(request, DONE[done])
    return redirect(alert)


def _act(alert: Alert, request: SignedInRequest, form: ActForm) -> None:
    done, note = form.cleaned_data["do"], form.cleaned_data["note"]
    if done == "acknowledge":
        services.acknowledge(alert=alert, by=request.user, note=note)
    elif done == "resolve":
        services.resolve(alert=alert, by=request.user, note=note)
    else:
        until = timezone.now() + timedelta(minutes=int(form.cleaned_data["minutes"]))
        services.snooze(alert=alert, by=request.user, until=until, note=note)


@vary_on_headers("HX-Request", "HX-Target")
@require_safe
def notice_list(request: SignedInRequest) -> HttpResponse:
    """What did not arrive, by one's own channels."""
    dead = notices_visible_to(request.user).filter(state=AlertNotice.State.DEAD)
    table = NOTICES.listing(dead, request.GET)
    context = {"table": table, "has_any": bool(table.rows) or dead.exists()}
    is_table_only = request.htmx and request.htmx.target == "notice-table"
    return render(request, "metrics/alert_notices.html" + ("#notice-table" if is_table_only else ""), context)


@require_POST
def notice_resend(request: SignedInRequest, notice_id: int) -> HttpResponse:
    """Let one be tried anew."""
    notice = get_object_or_404(notices_visible_to(request.user), pk=notice_id)
    try:
        delivering.resend(notice=notice, now=timezone.now())
    except LoomError as error:
        messages.error(request, error.text())
    else:
        messages.success(request, _("It is sent again within seconds."))
    return redirect("alerts:notices")
