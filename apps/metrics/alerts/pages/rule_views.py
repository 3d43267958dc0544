"""Rules: their list, one with what it would have said, and channels."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from django.views.decorators.vary import vary_on_headers

from apps.accounts.http import SignedInRequest
from apps.accounts.policy import decide, subject_of
from apps.agents.selectors import agents_visible_to
from apps.core.exceptions import LoomError
from apps.metrics.alerts import services
from apps.metrics.alerts.pages.forms import RuleForm, typed
from apps.metrics.alerts.pages.listing import RULES, alert_row, rule_row
from apps.metrics.alerts.preview import Preview, preview
from apps.metrics.alerts.selectors import alerts_visible_to, channels_visible_to, rules_visible_to, with_open
from apps.metrics.alerts.wording import value_words
from apps.metrics.models import AlertRule

AGENTS_AT_MOST = 500
SHOWN_ALERTS = 20
SHOWN_EPISODES = 50


@vary_on_headers("HX-Request", "HX-Target")
@require_safe
def rule_list(request: SignedInRequest) -> HttpResponse:
    """One's own rules and those that came with Loom."""
    visible = with_open(rules_visible_to(request.user))
    table = RULES.listing(visible, request.GET)
    context = {
        "table": table,
        "rows": [rule_row(rule) for rule in table.rows],
        "has_any": bool(table.rows) or visible.exists(),
    }
    is_table_only = request.htmx and request.htmx.target == "rule-table"
    return render(request, "metrics/alert_rules.html" + ("#rule-table" if is_table_only else ""), context)


@require_http_methods(["GET", "HEAD", "POST"])
def rule_new(request: SignedInRequest) -> HttpResponse:
    """Make a rule, or see first what it would have said; an address may name an agent and a metric."""
    initial = {name: request.GET[name] for name in ("agent", "metric", "kind") if name in request.GET}
    form = _form(request, initial=initial)
    return _edited(request, form, None)


@require_http_methods(["GET", "HEAD", "POST"])
def rule_detail(request: SignedInRequest, rule_id: int) -> HttpResponse:
    """A rule with its alerts; whoever may changes it here."""
    rule = get_object_or_404(rules_visible_to(request.user).prefetch_related("channels"), pk=rule_id)
    if not decide(subject_of(request.user), "manage", rule):
        if request.method == "POST":
            get_object_or_404(rules_visible_to(request.user, "manage"), pk=rule_id)
        return render(request, "metrics/alert_rule.html", _about(request, rule))
    return _edited(request, _form(request, initial=typed(rule), window_s=rule.window_s, rule=rule), rule)


@require_http_methods(["GET", "HEAD", "POST"])
def rule_delete(request: SignedInRequest, rule_id: int) -> HttpResponse:
    """Ask whether a rule is to go, and let it go."""
    rule = get_object_or_404(rules_visible_to(request.user, "manage"), pk=rule_id)
    if request.method == "POST":
        services.delete_rule(rule=rule)
        messages.success(request, _("The rule is deleted: %(name)s.") % {"name": rule.name})
        return redirect("alerts:rules")
    return render(request, "metrics/alert_rule_delete.html", {"rule": rule, "alert_count": rule.alerts.count()})


@require_POST
def rule_test(request: SignedInRequest, rule_id: int) -> HttpResponse:
    """Send a test to each of a rule's channels."""
    rule = get_object_or_404(rules_visible_to(request.user, "manage"), pk=rule_id)
    try:
        count = len(services.try_channels(rule=rule))
    except LoomError as error:
        messages.error(request, error.text())
    else:
        told = ngettext(
            "A test goes to %(count)d channel. What does not arrive is listed.",
            "A test goes to %(count)d channels. What does not arrive is listed.",
            count,
        )
        messages.success(request, told % {"count": count})
    return redirect(rule)


def _form(request: SignedInRequest, rule: AlertRule | None = None, **kwargs: Any) -> RuleForm:
    agents = list(agents_visible_to(request.user).order_by("name", "pk")[:AGENTS_AT_MOST])
    channels = list(channels_visible_to(request.user))
    if rule is not None:  # its agent may be archived, and its channels another's: they stay
        agents += [rule.agent] if rule.agent is not None and rule.agent not in agents else []
        channels = list({channel.pk: channel for channel in (*channels, *rule.channels.all())}.values())
    sent = request.POST if request.method == "POST" else None
    return RuleForm(sent, agents=agents, channels=channels, **kwargs)


def _edited(request: SignedInRequest, form: RuleForm, rule: AlertRule | None) -> HttpResponse:
    """The form, what a rule of it would have said where that was asked for, or what was wrong with it."""
    problem: LoomError | None = None
    seen: dict[str, Any] = {}
    status = 200
    if request.method == "POST":
        status = 422
        if form.is_valid():
            try:
                data = form.data_of()
                if "preview" in request.POST:
                    trial = services.unstored_rule(data)
                    seen, status = _preview_context(trial, preview(trial, timezone.now())), 200
                elif rule is None:
                    made = services.make_rule(owner=request.user, data=data)
                    messages.success(request, _("The rule is made, and looked at from now on."))
                    return redirect(made)
                else:
                    services.change_rule(rule=rule, data=data)
                    messages.success(request, _("The rule is changed."))
                    return redirect(rule)
            except services.RuleNameTakenError as error:
                form.add_error("name", error.text())
            except LoomError as error:
                problem = error
    context = {"form": form, "problem": problem, **seen, **(_about(request, rule) if rule else {"rule": None})}
    return render(request, "metrics/alert_rule.html", context, status=status)


def _preview_context(rule: AlertRule, made: Preview) -> dict[str, Any]:
    episodes = [(one, value_words(rule, one.worst)) for one in made.episodes[-SHOWN_EPISODES:][::-1]]
    compared = [(one, value_words(rule, one.more)) for one in made.compared]
    return {"made": made, "episodes": episodes, "compared": compared}


def _about(request: SignedInRequest, rule: AlertRule) -> dict[str, Any]:
    alerts = alerts_visible_to(request.user).filter(rule=rule)[:SHOWN_ALERTS]
    return {
        "rule": rule,
        "row": rule_row(rule),
        "alerts": [alert_row(alert) for alert in alerts],
        "rule_channels": list(rule.channels.all()),
    }
