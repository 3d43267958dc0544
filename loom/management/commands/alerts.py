from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from django.core.management.base import CommandError, CommandParser

from apps.core.commands import LoomCommand
from apps.core.text.escapes import shown_in_terminal
from loom.cli.terminal import add_connection_arguments, connected
from loom_client import Alert, AlertRule, Client

STATES = ("open", "pending", "firing", "acknowledged", "snoozed", "resolved")


class Command(LoomCommand):
    help = (
        "Show alerts, the newest first, one a line; or the rules; or do something with one alert. "
        "Exit status: 0 some were found or it was done, 1 none."
    )
    examples = ("--state firing", "--rules", '--acknowledge 17 --note "the new model is slow"', "--test-rule 3")

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--state", choices=STATES, default="open", help="which ones (default: %(default)s)")
        parser.add_argument("--rules", action="store_true", help="show the rules instead")
        parser.add_argument("--acknowledge", type=int, metavar="ID", help="say that somebody looks after an alert")
        parser.add_argument("--snooze", type=int, metavar="ID", help="be quiet about an alert for --minutes")
        parser.add_argument("--resolve", type=int, metavar="ID", help="say that an alert is over")
        parser.add_argument("--minutes", type=int, default=60, help="how long (default: %(default)s)")
        parser.add_argument("--note", default="", help="why, for its history")
        parser.add_argument("--test-rule", type=int, metavar="ID", help="send a test to each channel of a rule")
        parser.add_argument("--json", action="store_true", help="the answer of the API instead of lines")
        add_connection_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        with connected(email=options["user"], url=options["url"], name="manage.py alerts") as client:
            if (done := self._act(client, options)) is not None:
                self._write([done], options)
            elif options["test_rule"] is not None:
                notices = client.test_alert_rule(options["test_rule"])
                self.stdout.write(f"{len(notices)} tests are on their way")
            else:
                self._write(
                    client.alert_rules() if options["rules"] else client.alerts(options["state"]).items, options
                )

    @staticmethod
    def _act(client: Client, options: dict[str, Any]) -> Alert | None:
        if options["acknowledge"] is not None:
            return client.acknowledge_alert(options["acknowledge"], options["note"])
        if options["snooze"] is not None:
            return client.snooze_alert(options["snooze"], options["minutes"], options["note"])
        if options["resolve"] is not None:
            return client.resolve_alert(options["resolve"], options["note"])
        return None

    def _write(self, found: list[Alert] | list[AlertRule], options: dict[str, Any]) -> None:
        if options["json"]:
            self.stdout.write(json.dumps([asdict(one) for one in found]))
        else:
            for one in found:
                self.stdout.write(shown_in_terminal(_line(one)))
        if not found:
            raise CommandError("There is none.", returncode=1)


def _line(one: Alert | AlertRule) -> str:
    if isinstance(one, AlertRule):
        state = "on" if one.is_enabled else "off"
        return f"{one.id:>5}  {state:<3}  {one.metric:<13}  {one.name}"
    return f"{one.id:>5}  {one.state:<12}  {one.level:<7}  {one.opened_at[:19]}Z  {one.title}"
