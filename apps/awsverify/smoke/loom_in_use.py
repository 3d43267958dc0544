"""Which Loom a smoke run goes through, and with whose token: one that runs, or one of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.db import DatabaseError

from apps.accounts.selectors import user_of_command
from apps.accounts.services import passing_token
from apps.aws.connection import Connection
from apps.awsverify.smoke.own_loom import own_loom
from apps.core.exceptions import InvalidInputError
from apps.core.network import is_loom_there, url_of
from loom_client import ApiError, Client

TOKEN_LIFE = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a smoke run is told to go: all of it may be left open."""

    url: str | None = None
    token: str | None = None
    email: str | None = None


@dataclass(frozen=True, slots=True)
class LoomInUse:
    """A Loom to ask, the connection to what it speaks to, and both in words."""

    client: Client
    connection: Connection
    described: str


@contextmanager
def loom_in_use(connection: Connection, place: Place, say: Callable[[str], None]) -> Iterator[LoomInUse]:
    """The Loom at the given URL, else the one of these settings if it runs, else one that lives as long as the block.

    Without a token it gets one that does too. Raises LoomError where none can be used, and ClientError.
    """
    url = place.url
    if url is None and is_loom_there(settings.BACKEND_HOST, settings.BACKEND_PORT):
        url = url_of(settings.BACKEND_HOST, settings.BACKEND_PORT)
    with ExitStack() as stack:
        if url is not None:
            token, whose = _token(stack, place, url)
            described = f"the running Loom at {url}, {whose}"
        elif place.token is not None:
            raise InvalidInputError(
                "There is a token, but no Loom that runs.", advice="Start it with `make dev`, or name it with --url."
            )
        else:
            say("No Loom runs here: starting one for this run, with a database of its own.")
            url, token, connection = stack.enter_context(own_loom(connection))
            described = "a Loom of this run's own, which ends with it"
        client = _client(url, token)
        _check_token(client)
        yield LoomInUse(client, connection, described)


def _token(stack: ExitStack, place: Place, url: str) -> tuple[str, str]:
    """The token, and in words whose it is."""
    if place.token is not None:
        return place.token, "with the given token"
    try:
        user = user_of_command(place.email)
        token = passing_token(user=user, scope="manage", life=TOKEN_LIFE, name="manage.py smoke")
        return stack.enter_context(token), f"with a token of {user} that ends with this run"
    except DatabaseError as error:
        raise InvalidInputError(
            f"This command has no database in common with the Loom at {url}.", advice="Give a token with --token."
        ) from error


def _client(url: str, token: str) -> Client:
    try:
        return Client(url, token)
    except ValueError as error:
        raise InvalidInputError(str(error)) from error


def _check_token(client: Client) -> None:
    try:
        client.agents()
    except ApiError as error:
        if error.code != "token_refused":
            raise
        raise InvalidInputError(
            f"The Loom at {client.url} does not take the token: {error}",
            advice="Where it works on another database than this command, give one of its own with --token.",
        ) from error
