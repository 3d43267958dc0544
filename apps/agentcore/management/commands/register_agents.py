from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError, CommandParser

from apps.accounts.models import User
from apps.agentcore.importing.arn_lists import ArnEntry, ArnListError, read_arns
from apps.agentcore.importing.bulk import Registration, Result, register_many
from apps.agentcore.importing.describing import CONCURRENCY, MAX_CONCURRENCY
from apps.agentcore.importing.discovery import Place, find_runtimes, places_everywhere, suggested_regions
from apps.agentcore.importing.report import Report, said_once
from apps.agentcore.selectors import account_named
from apps.core.commands import LoomCommand
from apps.core.exceptions import LoomError, MissingError
from apps.core.text.encodings import decoded

STDIN = "-"
EVERY_ACCOUNT = "all"
NOTHING_USABLE = 2
INTERRUPTED = 130


class Command(LoomCommand):
    help = (
        "Register many agents: the ARNs of a list, or the runtimes of the account. Exit status: 0 all are registered, "
        "1 some were refused, 2 nothing could be used or AWS could not be reached."
    )
    examples = (
        "--discover --region us-east-1",
        "--discover --account all",
        "arns.csv --dry-run",
    )

    def add_arguments(self, parser: CommandParser) -> None:
        source = parser.add_mutually_exclusive_group(required=True)
        source.add_argument(
            "file", nargs="?", help="one ARN a line, CSV, JSON, or what AWS's tools print; - reads standard input"
        )
        source.add_argument("--discover", action="store_true", help="take the account's runtimes instead of a list")
        parser.add_argument(
            "--region", action="append", metavar="R", help="with --discover, may be repeated; AWS_REGION by default"
        )
        parser.add_argument(
            "--account", metavar="A", help="with --discover, the name or id of an AWS account in the list; all for each"
        )
        parser.add_argument("--user", metavar="EMAIL", help="who is shown as having registered them")
        parser.add_argument("--dry-run", action="store_true", help="ask AWS, store nothing")
        parser.add_argument(
            "--concurrency",
            type=int,
            default=CONCURRENCY,
            metavar="N",
            help=f"calls at a time, {CONCURRENCY} unless told",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        for name in ("region", "account"):
            if options[name] and not options["discover"]:
                raise CommandError(
                    f"--{name} goes with --discover; an ARN names its own {name}.", returncode=NOTHING_USABLE
                )
        if not 1 <= options["concurrency"] <= MAX_CONCURRENCY:
            raise CommandError(f"--concurrency takes 1 to {MAX_CONCURRENCY}.", returncode=NOTHING_USABLE)
        user = _find_user(options["user"])
        failed_regions = 0
        if options["discover"]:
            entries, failed_regions = self._discover(_places(options["account"], options["region"]))
        else:
            entries = _read_entries(options["file"])
        counts = self._register(entries, user, options["dry_run"], options["concurrency"])
        _raise_for(counts, len(entries), failed_regions)

    def _discover(self, places: list[Place]) -> tuple[list[ArnEntry], int]:
        """The unregistered runtimes of `places`, and how many of them could not be listed."""
        entries: list[ArnEntry] = []
        failed = 0
        for place in places:
            try:
                found = find_runtimes(place.region, place.account)
            except LoomError as error:
                self.stderr.write(f"{place}: {error.text()}")
                failed += 1
                continue
            self.stdout.write(f"{place}: {len(found.unregistered)} to register, {found.registered_count} known already")
            entries += [ArnEntry(str(place), runtime.arn) for runtime in found.unregistered]
        if failed == len(places):
            raise CommandError("The runtimes could not be listed.", returncode=NOTHING_USABLE)
        return entries, failed

    def _register(self, entries: list[ArnEntry], user: User | None, is_dry_run: bool, concurrency: int) -> Counter[str]:
        report = Report(self.stdout, len(entries))
        counts: Counter[str] = Counter()
        try:
            with said_once():
                for done in register_many(entries, user=user, is_dry_run=is_dry_run, concurrency=concurrency):
                    counts[done.result] += 1
                    counts["unreachable"] += done.is_unreachable
                    report.add(_describe(done, is_dry_run))
        except KeyboardInterrupt:
            report.finish(_summary(counts, report.elapsed_s, is_dry_run))
            raise CommandError(
                "Interrupted. What was registered stays; start it again for the rest.", returncode=INTERRUPTED
            ) from None
        report.finish(_summary(counts, report.elapsed_s, is_dry_run))
        return counts


def _places(account: str | None, regions: list[str] | None) -> list[Place]:
    """Where to look: in the regions that were named, else in those of each account."""
    if account == EVERY_ACCOUNT:
        return [place for place in places_everywhere() if not regions or place.region in regions]
    if account is None:
        return [Place(None, region) for region in dict.fromkeys(regions or [settings.AWS_REGION])]
    try:
        found = account_named(account)
    except MissingError as error:
        raise CommandError(error.text(), returncode=NOTHING_USABLE) from error
    return [Place(found, region) for region in dict.fromkeys(regions or suggested_regions(found))]


def _find_user(email: str | None) -> User | None:
    if email is None:
        return None
    try:
        return User.objects.get_by_natural_key(email)
    except User.DoesNotExist:
        raise CommandError(f"There is no user {email}.", returncode=NOTHING_USABLE) from None


def _read_entries(name: str) -> list[ArnEntry]:
    """Read the list; its suffix names its format, anything else is recognised by its content."""
    try:
        content = sys.stdin.buffer.read() if name == STDIN else Path(name).read_bytes()
        suffix = Path(name).suffix.lower()
        entries = read_arns(decoded(content), "json" if suffix == ".json" else "csv" if suffix == ".csv" else None)
    except OSError as error:
        raise CommandError(f"{name} cannot be read: {error.strerror}.", returncode=NOTHING_USABLE) from error
    except UnicodeDecodeError:
        raise CommandError(f"{name} is not a text. Save it as UTF-8.", returncode=NOTHING_USABLE) from None
    except ArnListError as error:
        raise CommandError(str(error), returncode=NOTHING_USABLE) from error
    if not entries:
        raise CommandError("The list is empty.", returncode=NOTHING_USABLE)
    return entries


def _describe(done: Registration, is_dry_run: bool) -> str:
    if done.result is Result.REGISTERED and done.agent is not None:
        verb = "would be registered" if is_dry_run else "registered"
        notes = "".join(f"; {obstacle.message}" for obstacle in done.agent.runtime.obstacles)
        where = f"{done.agent.runtime.region}, version {done.agent.version}"
        return f"{done.entry.place}: {verb}: {done.agent.name} ({where}){notes}"
    if done.result is Result.KNOWN:
        return f"{done.entry.place}: {done.result}: {done.error}"
    reason = "" if done.error is None else f": {done.error.text()}"
    return f"{done.entry.place}: {done.result}{reason}"


def _summary(counts: Counter[str], elapsed_s: float, is_dry_run: bool) -> str:
    verb = "would be registered" if is_dry_run else "registered"
    return (
        f"{counts[Result.REGISTERED]} {verb}, {counts[Result.KNOWN]} known already, "
        f"{counts[Result.REFUSED]} refused in {elapsed_s:.1f} s"
    )


def _raise_for(counts: Counter[str], total: int, failed_regions: int) -> None:
    """End with the exit status that tells a program how it went."""
    refused = counts[Result.REFUSED]
    if refused == 0 and failed_regions == 0:
        return
    if counts["unreachable"] and not counts[Result.REGISTERED]:
        raise CommandError("AWS could not be reached.", returncode=NOTHING_USABLE)
    if total and refused == total:
        raise CommandError("Not one of them could be registered.", returncode=NOTHING_USABLE)
    regions = f" {failed_regions} regions could not be listed." if failed_regions else ""
    raise CommandError(f"{refused} of {total} were refused.{regions}", returncode=1)
