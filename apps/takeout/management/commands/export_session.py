from __future__ import annotations

from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.management.base import CommandError, CommandParser
from django.db.models import QuerySet

from apps.accounts.selectors import user_of_command
from apps.core.commands import LoomCommand
from apps.core.exceptions import LoomError, found
from apps.sessions.models import Session
from apps.sessions.selectors import sessions_visible_to
from apps.takeout.evidence.making import evidence_document
from apps.takeout.exporting.downloads import Document
from apps.takeout.exporting.formats import RUN_FORMATS, SESSION_FORMATS, run_document, session_document
from apps.takeout.exporting.reading import with_everything


class Command(LoomCommand):
    help = (
        "Write a session, or one run of it, to standard output: as a text to keep, as evidence, or as a program that "
        "sends it again."
    )
    examples = (
        "3f2a9c1e-8b7d-4c2f-9a10-5d6e7f8090a1 --format html >session.html",
        "3f2a9c1e-8b7d-4c2f-9a10-5d6e7f8090a1 --run 2 --format evidence >evidence.json",
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "session", metavar="ID", help="the id in the address of its page, or its runtime session id"
        )
        formats = dict.fromkeys([*SESSION_FORMATS, *RUN_FORMATS, "evidence"])
        parser.add_argument("--format", choices=list(formats), default="markdown", help="default: %(default)s")
        parser.add_argument("--run", type=int, metavar="N", help="only this run; programs and evidence need one")
        parser.add_argument("--user", metavar="EMAIL", help="as whom; needed unless there is one superuser")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            sessions = sessions_visible_to(user_of_command(options["user"])).select_related("owner")
            document = _document(_one(sessions, options["session"]), options)
        except LoomError as error:
            raise CommandError(error.text()) from error
        for chunk in document.chunks:
            self.stdout.write(chunk, ending="")


def _one(sessions: QuerySet[Session], key: str) -> Session:
    try:
        chosen = sessions.filter(public_id=UUID(key))
    except ValueError:
        chosen = sessions.none()
    # An id of Loom's own making may be either.
    return found(chosen.first() or sessions.filter(runtime_session_id=key).first(), "session", key)


def _document(session: Session, options: dict[str, Any]) -> Document:
    wanted, number = options["format"], options["run"]
    if number is None:
        if wanted not in SESSION_FORMATS:
            raise CommandError(f"{wanted} is made of one run: say which by --run.")
        return session_document(session, wanted)
    runs = with_everything(session.invocations.filter(number=number))
    run = found(runs.first(), "run", number, within="in this session")
    if wanted == "evidence":
        return evidence_document(run)
    loom_url = settings.PUBLIC_URL or f"http://{settings.BACKEND_HOST}:{settings.BACKEND_PORT}"
    return run_document(run, wanted, loom_url=loom_url)
