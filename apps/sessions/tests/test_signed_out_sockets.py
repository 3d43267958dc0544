"""An open socket ends with what let its user in, and takes no prompt once that has ended."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from channels.auth import AuthMiddlewareStack
from channels.testing import WebsocketCommunicator
from django.apps import apps
from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from apps.accounts.middleware import SocketSignIn
from apps.accounts.models import Token, User
from apps.accounts.services import create_token, revoke_token
from apps.core.models import Notice
from apps.sessions.models import Invocation, Session
from apps.sessions.tests.viewing import Page, sockets

Open = Callable[..., Awaitable[Page]]
DAY = timedelta(days=1)


def at_the_door(headers: dict[str, str]) -> Callable[..., Page]:
    """A viewer that has to sign in, with headers as a browser or a program sends them."""

    def make(session: Session, user: Any, query: str) -> Page:
        page = Page(session, AnonymousUser(), query)
        door: Any = AuthMiddlewareStack(SocketSignIn(sockets))
        sent = [(name.encode(), value.encode()) for name, value in headers.items()]
        page.socket = WebsocketCommunicator(door, page.path, headers=sent)
        return page

    return make


@pytest.fixture
def knock(pages: Any) -> Open:
    """Open a session's socket as whoever the headers name, and look at the page."""

    async def open_socket(session: Session, **headers: str) -> Page:
        page: Page = await pages(session, None, make=at_the_door(headers))
        await page.join()
        return page

    return open_socket


def cookie_of(client: Client) -> str:
    return f"{settings.SESSION_COOKIE_NAME}={client.cookies[settings.SESSION_COOKIE_NAME].value}"


@pytest.fixture
def browser(alice: User) -> Client:
    """Alice, signed in with her password."""
    alice.set_password("correct horse battery")
    alice.save()
    client = Client()
    assert client.login(username=alice.email, password="correct horse battery")
    return client


@pytest.fixture
def token(alice: User) -> tuple[Token, str]:
    return create_token(user=alice, scope="invoke", life=DAY)


def sign_out(browser: Client, alice: User) -> None:
    browser.post(reverse("accounts:logout"))


def sign_out_of_the_administration(browser: Client, alice: User) -> None:
    User.objects.filter(pk=alice.pk).update(is_staff=True, is_superuser=True)
    browser.post(reverse("admin:logout"))


def change_password(browser: Client, alice: User) -> None:
    alice.set_password("another correct horse")
    alice.save()


def deactivate(browser: Client, alice: User) -> None:
    alice.is_active = False
    alice.save()


def delete(browser: Client, alice: User) -> None:
    alice.delete()


@pytest.mark.parametrize("end", [sign_out, sign_out_of_the_administration, change_password, deactivate, delete])
async def test_a_page_ends_with_its_web_session(
    knock: Open, session: Session, browser: Client, alice: User, end: Callable[[Client, User], None]
) -> None:
    page = await knock(session, cookie=cookie_of(browser))
    await sync_to_async(end)(browser, alice)

    assert await page.close_code() == 4401


def revoke(token: Token, alice: User) -> None:
    revoke_token(token=token)


def delete_token(token: Token, alice: User) -> None:
    token.delete()


def deactivate_user(token: Token, alice: User) -> None:
    deactivate(Client(), alice)


@pytest.mark.parametrize("end", [revoke, delete_token, deactivate_user])
async def test_a_program_ends_with_its_token(
    knock: Open, session: Session, token: tuple[Token, str], alice: User, end: Callable[[Token, User], None]
) -> None:
    page = await knock(session, authorization=f"Bearer {token[1]}")
    await sync_to_async(end)(token[0], alice)

    assert await page.close_code() == 4401


async def test_a_program_ends_when_its_token_expires(
    knock: Open, session: Session, token: tuple[Token, str], alice: User
) -> None:
    """Nobody announces that."""
    await Token.objects.aupdate(expires_at=timezone.now() + timedelta(seconds=2))
    page = await knock(session, authorization=f"Bearer {token[1]}")

    assert await page.close_code() == 4401


async def lose_web_session(alice: User) -> None:
    await apps.get_model("sessions.Session").objects.all().adelete()


async def lose_rights(alice: User) -> None:
    await User.objects.filter(pk=alice.pk).aupdate(is_active=False)


async def lose_password(alice: User) -> None:
    await User.objects.filter(pk=alice.pk).aupdate(password="!")


@pytest.mark.parametrize("lose", [lose_web_session, lose_rights, lose_password])
@pytest.mark.parametrize("message", [{"action": "invoke", "prompt": "After the end"}, {"action": "stop"}])
async def test_no_message_counts_after_the_end_though_no_notice_came(
    knock: Open,
    session: Session,
    browser: Client,
    alice: User,
    lose: Callable[[User], Awaitable[None]],
    message: dict[str, str],
) -> None:
    page = await knock(session, cookie=cookie_of(browser))
    await lose(alice)
    await page.send(**message)

    assert await page.close_code() == 4401
    assert await Invocation.objects.acount() == 0


async def test_a_token_that_reaches_less_takes_no_prompt(
    knock: Open, session: Session, token: tuple[Token, str]
) -> None:
    page = await knock(session, authorization=f"Bearer {token[1]}")
    await Token.objects.aupdate(scope="read")
    await page.send(action="invoke", prompt="After the end")

    assert await page.close_code() == 4401


async def test_what_else_is_signed_in_stays_open(
    knock: Open, session: Session, browser: Client, alice: User, carol: User
) -> None:
    """Another browser of the same user, and other users."""
    other, carols = Client(), Client()
    await sync_to_async(other.force_login)(alice)
    await sync_to_async(carols.force_login)(carol)
    mine, elsewhere, hers = [await knock(session, cookie=cookie_of(one)) for one in (browser, other, carols)]
    await sync_to_async(sign_out)(browser, alice)
    assert await mine.close_code() == 4401

    for page in (elsewhere, hers):
        await page.join()


async def test_who_may_see_less_by_now_is_shown_no_more(knock: Open, session: Session, carol: User) -> None:
    """Staff no more: the session is not there for her, as a reload would say."""
    client = Client()
    await sync_to_async(client.force_login)(carol)
    page = await knock(session, cookie=cookie_of(client))
    carol.is_staff = False
    await carol.asave()

    assert await page.close_code() == 4404


async def test_a_sign_in_alone_closes_nothing(knock: Open, session: Session, browser: Client, alice: User) -> None:
    page = await knock(session, cookie=cookie_of(browser))
    await sync_to_async(Client().force_login)(alice)

    await page.join()


def test_no_notice_holds_what_somebody_could_sign_in_with(browser: Client, alice: User) -> None:
    key = browser.session.session_key
    browser.post(reverse("accounts:logout"))

    (notice,) = Notice.objects.filter(kind="signed_out")
    assert key is not None and key not in notice.topic
