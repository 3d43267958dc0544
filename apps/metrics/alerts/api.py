"""Alerts, their rules and channels over JSON."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.http import HttpRequest
from django.utils import timezone
from ninja import Router, Status
from ninja.params import functions
from pydantic import ValidationError

from apps.accounts.access import may_invoke, may_manage, may_read
from apps.core.exceptions import InvalidInputError, found
from apps.metrics.alerts import services
from apps.metrics.alerts.preview import Preview, preview
from apps.metrics.alerts.selectors import (
    alerts_visible_to,
    channels_visible_to,
    notices_visible_to,
    rules_visible_to,
)
from apps.metrics.alerts.shapes import (
    HIGHEST_KEY,
    LONGEST,
    AlertDetailOut,
    AlertNoteIn,
    AlertRuleIn,
    AlertRuleOut,
    AlertRulePatch,
    AlertsOut,
    ChannelIn,
    ChannelOut,
    NewChannelOut,
    NoticeOut,
    PreviewOut,
    SnoozeIn,
    alert_detail_out,
    alert_out,
    channel_out,
    notice_out,
    rule_data,
    rule_in,
    rule_out,
)
from apps.metrics.alerts.telling import channels, delivering
from apps.metrics.models import Alert, AlertNotice, AlertRule

router = Router(tags=["alerts"])
PAGE = 100
OPEN = "open"
STATES = (OPEN, *Alert.State.values)


def _rule(request: HttpRequest, rule_id: int, *, to_manage: bool = False) -> AlertRule:
    rules = rules_visible_to(request.user, "manage" if to_manage else "read").prefetch_related("channels")
    return found(rules.filter(pk=rule_id).first(), "alert rule", rule_id)


def _alert(request: HttpRequest, alert_id: int, *, to_act: bool = False) -> Alert:
    alerts = alerts_visible_to(request.user, "invoke" if to_act else "read")
    return found(alerts.filter(pk=alert_id).first(), "alert", alert_id)


@router.get("/alert-rules", auth=may_read, response=list[AlertRuleOut], summary="List alert rules")
def list_alert_rules(request: HttpRequest) -> list[dict[str, Any]]:
    """Your own, and those that came with Loom; the staff sees everybody's."""
    return [rule_out(rule) for rule in rules_visible_to(request.user).prefetch_related("channels")]


@router.post("/alert-rules", auth=may_manage, response={201: AlertRuleOut}, summary="Make an alert rule")
def make_alert_rule(request: HttpRequest, body: AlertRuleIn) -> Any:
    owner: Any = request.user  # signed in, or the route was not reached
    rule = services.make_rule(owner=owner, data=rule_data(request, body))
    return Status(201, rule_out(_rule(request, rule.pk)))


@router.post("/alert-rules/preview", auth=may_read, response=PreviewOut, summary="Try a rule on the last seven days")
def preview_alert_rule(request: HttpRequest, body: AlertRuleIn) -> Preview:
    """What the rule would have told; nothing is stored or sent."""
    return preview(services.unstored_rule(rule_data(request, body)), timezone.now())


@router.get("/alert-rules/{int:rule_id}", auth=may_read, response=AlertRuleOut, summary="Read an alert rule")
def get_alert_rule(request: HttpRequest, rule_id: int) -> dict[str, Any]:
    return rule_out(_rule(request, rule_id))


@router.patch("/alert-rules/{int:rule_id}", auth=may_manage, response=AlertRuleOut, summary="Change an alert rule")
def change_alert_rule(request: HttpRequest, rule_id: int, body: AlertRulePatch) -> dict[str, Any]:
    """What is left out stays; a bound that is null is taken away. What is open is judged anew at once."""
    rule = _rule(request, rule_id, to_manage=True)
    given = body.dict(exclude_unset=True)
    for name, value in given.items():
        if value is None and name not in {"warning", "alert"}:
            raise InvalidInputError(f"`{name}` cannot be null.", advice="Leave it out, and it stays as it is.")
    try:
        wanted = AlertRuleIn(**rule_in(rule) | given)
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in problem["loc"])
        raise InvalidInputError(f"`{place}`: {problem['msg']}.") from None
    services.change_rule(rule=rule, data=rule_data(request, wanted, rule))
    return rule_out(_rule(request, rule_id))


@router.delete("/alert-rules/{int:rule_id}", auth=may_manage, response={204: None}, summary="Delete an alert rule")
def delete_alert_rule(request: HttpRequest, rule_id: int) -> Any:
    """Its alerts and their history go with it."""
    services.delete_rule(rule=_rule(request, rule_id, to_manage=True))
    return Status(204, None)


@router.post(
    "/alert-rules/{int:rule_id}/test", auth=may_manage, response={202: list[NoticeOut]}, summary="Try its channels"
)
def test_alert_rule(request: HttpRequest, rule_id: int) -> Any:
    """A notice that says that it is a test goes to each of the rule's channels; 409 where it has none."""
    notices = services.try_channels(rule=_rule(request, rule_id, to_manage=True))
    return Status(202, [notice_out(notice) for notice in notices])


@router.get("/alerts", auth=may_read, response=AlertsOut, summary="List alerts")
def list_alerts(
    request: HttpRequest,
    state: str = functions.Query("", max_length=LONGEST),
    rule_id: int | None = functions.Query(None, ge=1, le=HIGHEST_KEY),
    agent_id: int | None = functions.Query(None, ge=1, le=HIGHEST_KEY),
    before: int | None = functions.Query(None, ge=1, le=HIGHEST_KEY),
) -> dict[str, Any]:
    """The newest first, a hundred at a time; `state` is one of theirs, or `open`. `next` is the address of the rest."""
    if state and state not in STATES:
        raise InvalidInputError(f"state is one of {', '.join(STATES)}.")
    alerts = alerts_visible_to(request.user).order_by("-pk")
    if state == OPEN:
        alerts = alerts.exclude(state=Alert.State.RESOLVED)
    elif state:
        alerts = alerts.filter(state=state)
    chosen = {"rule": rule_id, "agent": agent_id, "pk__lt": before}
    alerts = alerts.filter(**{name: value for name, value in chosen.items() if value is not None})
    page = list(alerts[: PAGE + 1])
    following = None
    if len(page) > PAGE:
        query = request.GET.copy()
        query["before"] = str(page[PAGE - 1].pk)
        following = f"{request.path}?{query.urlencode()}"
    return {"items": [alert_out(alert) for alert in page[:PAGE]], "next": following}


@router.get("/alerts/{int:alert_id}", auth=may_read, response=AlertDetailOut, summary="Read an alert with its history")
def get_alert(request: HttpRequest, alert_id: int) -> dict[str, Any]:
    return alert_detail_out(_alert(request, alert_id))


@router.post("/alerts/{int:alert_id}/acknowledge", auth=may_invoke, response=AlertDetailOut, summary="Acknowledge")
def acknowledge_alert(request: HttpRequest, alert_id: int, body: AlertNoteIn) -> dict[str, Any]:
    """Somebody looks after it: it is quiet until it is over, or gets worse."""
    by: Any = request.user
    services.acknowledge(alert=_alert(request, alert_id, to_act=True), by=by, note=body.note)
    return alert_detail_out(_alert(request, alert_id))


@router.post("/alerts/{int:alert_id}/snooze", auth=may_invoke, response=AlertDetailOut, summary="Snooze")
def snooze_alert(request: HttpRequest, alert_id: int, body: SnoozeIn) -> dict[str, Any]:
    by: Any = request.user
    until = timezone.now() + timedelta(minutes=body.minutes)
    services.snooze(alert=_alert(request, alert_id, to_act=True), by=by, until=until, note=body.note)
    return alert_detail_out(_alert(request, alert_id))


@router.post("/alerts/{int:alert_id}/resolve", auth=may_invoke, response=AlertDetailOut, summary="Resolve")
def resolve_alert(request: HttpRequest, alert_id: int, body: AlertNoteIn) -> dict[str, Any]:
    """It is over; where the rule is still broken a new one begins."""
    by: Any = request.user
    services.resolve(alert=_alert(request, alert_id, to_act=True), by=by, note=body.note)
    return alert_detail_out(_alert(request, alert_id))


@router.get("/alert-channels", auth=may_read, response=list[ChannelOut], summary="List your channels")
def list_alert_channels(request: HttpRequest) -> list[dict[str, Any]]:
    return [channel_out(channel) for channel in channels_visible_to(request.user)]


@router.post("/alert-channels", auth=may_manage, response={201: NewChannelOut}, summary="Make a channel")
def make_alert_channel(request: HttpRequest, body: ChannelIn) -> Any:
    """A signed webhook's key is in the answer, and never again."""
    owner: Any = request.user
    channel, key = channels.make_channel(owner=owner, name=body.name, kind=body.kind, address=body.address)
    return Status(201, channel_out(channel) | {"signing_key": key or None})


@router.delete("/alert-channels/{name}", auth=may_manage, response={204: None}, summary="Delete a channel")
def delete_alert_channel(request: HttpRequest, name: str) -> Any:
    """With its secret; the rules that used it go on without."""
    channel = found(channels_visible_to(request.user).filter(name=name).first(), "alert channel", name)
    channels.delete_channel(channel=channel)
    return Status(204, None)


@router.get("/alert-notices", auth=may_read, response=list[NoticeOut], summary="List what did not arrive")
def list_dead_notices(request: HttpRequest) -> list[dict[str, Any]]:
    """The newest hundred notices of your channels that were given up."""
    dead = notices_visible_to(request.user).filter(state=AlertNotice.State.DEAD)
    return [notice_out(notice) for notice in dead[:PAGE]]


@router.post(
    "/alert-notices/{int:notice_id}/resend", auth=may_manage, response={202: NoticeOut}, summary="Send it again"
)
def resend_notice(request: HttpRequest, notice_id: int) -> Any:
    notice = found(notices_visible_to(request.user).filter(pk=notice_id).first(), "notice", notice_id)
    delivering.resend(notice=notice, now=timezone.now())
    notice.refresh_from_db()
    return Status(202, notice_out(notice))
