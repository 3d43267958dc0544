"""The part of the client that is about alerts."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, urlencode

from loom_client.alerting import Alert, AlertChannel, AlertNotice, AlertRule, Alerts
from loom_client.wire import Wire


class AlertCalls(Wire):
    """Rules, alerts and channels, in the words of the API."""

    def alert_rules(self) -> list[AlertRule]:
        return [AlertRule.read(item) for item in self._json("GET", "/alert-rules")]

    def alert_rule(self, rule_id: int) -> AlertRule:
        return AlertRule.read(self._json("GET", f"/alert-rules/{rule_id}"))

    def make_alert_rule(self, name: str, metric: str, **rule: Any) -> AlertRule:
        """`rule` in the words of the API: kind, target, window_s, warning, alert, min_n, no_data, channels, …"""
        return AlertRule.read(self._json("POST", "/alert-rules", {"name": name, "metric": metric, **rule}))

    def change_alert_rule(self, rule_id: int, **rule: Any) -> AlertRule:
        """Change what is named; a bound that is None is taken away."""
        return AlertRule.read(self._json("PATCH", f"/alert-rules/{rule_id}", rule))

    def delete_alert_rule(self, rule_id: int) -> None:
        self._json("DELETE", f"/alert-rules/{rule_id}")

    def preview_alert_rule(self, name: str, metric: str, **rule: Any) -> dict[str, Any]:
        """What a rule would have said of the last seven days, as the API describes it."""
        found: dict[str, Any] = self._json("POST", "/alert-rules/preview", {"name": name, "metric": metric, **rule})
        return found

    def test_alert_rule(self, rule_id: int) -> list[AlertNotice]:
        """Send a test to each channel of a rule."""
        return [AlertNotice.read(item) for item in self._json("POST", f"/alert-rules/{rule_id}/test")]

    def alerts(self, state: str = "", **query: Any) -> Alerts:
        """Alerts, the newest first: of a state, or `open` ones; `query` may have rule_id, agent_id and before."""
        asked = {"state": state, **{name: value for name, value in query.items() if value is not None}}
        return Alerts.read(self._json("GET", f"/alerts?{urlencode(asked)}"))

    def alert(self, alert_id: int) -> Alert:
        """An alert with its history."""
        return Alert.read(self._json("GET", f"/alerts/{alert_id}"))

    def acknowledge_alert(self, alert_id: int, note: str = "") -> Alert:
        return Alert.read(self._json("POST", f"/alerts/{alert_id}/acknowledge", {"note": note}))

    def snooze_alert(self, alert_id: int, minutes: int = 60, note: str = "") -> Alert:
        return Alert.read(self._json("POST", f"/alerts/{alert_id}/snooze", {"minutes": minutes, "note": note}))

    def resolve_alert(self, alert_id: int, note: str = "") -> Alert:
        return Alert.read(self._json("POST", f"/alerts/{alert_id}/resolve", {"note": note}))

    def alert_channels(self) -> list[AlertChannel]:
        return [AlertChannel.read(item) for item in self._json("GET", "/alert-channels")]

    def make_alert_channel(self, name: str, kind: str, address: str) -> AlertChannel:
        """A channel of the kind email, webhook or slack; the `signing_key` of a webhook comes this once."""
        return AlertChannel.read(
            self._json("POST", "/alert-channels", {"name": name, "kind": kind, "address": address})
        )

    def delete_alert_channel(self, name: str) -> None:
        self._json("DELETE", f"/alert-channels/{quote(name, safe='')}")

    def undelivered_alerts(self) -> list[AlertNotice]:
        """What was given up, by your channels."""
        return [AlertNotice.read(item) for item in self._json("GET", "/alert-notices")]

    def resend_alert(self, notice_id: int) -> AlertNotice:
        return AlertNotice.read(self._json("POST", f"/alert-notices/{notice_id}/resend"))
