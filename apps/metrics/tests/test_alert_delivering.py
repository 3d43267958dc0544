"""Notices over a real mail server and a real HTTP sink, both on loopback through the guard's allowed networks."""

from __future__ import annotations

import email
import hashlib
import hmac
import ipaddress
import json
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from email import policy
from typing import Any

import pytest
from django.utils import timezone
from django_q.models import OrmQ

from apps.accounts.models import User
from apps.aws.tests.loopback import Exchange, loopback
from apps.core.exceptions import ConflictError, InvalidInputError
from apps.core.net_guard.checking import UrlRefusedError
from apps.metrics.alerts import tasks
from apps.metrics.alerts.mail_check import check_mail
from apps.metrics.alerts.services import try_channels as tell_channels
from apps.metrics.alerts.telling.channels import ChannelNameTakenError, delete_channel, make_channel
from apps.metrics.alerts.telling.delivering import LATER, LEASE, deliver, deliver_due, due_notices, prune, resend
from apps.metrics.models import AlertChannel, AlertNotice, AlertRule
from apps.metrics.spending.budgets import change_budget, count_run, limit_spending
from apps.metrics.tests.alerting import look_again, rule_of, runs_at
from apps.metrics.tests.mail_sink import MailSink, mail_sink
from apps.metrics.tests.runs import make_run
from apps.sessions.models import Session
from apps.vault.models import Secret, SecretUse

pytestmark = pytest.mark.django_db
MakeSession = Callable[..., Session]
PLANTED = "planted-prompt-4711"


@pytest.fixture(autouse=True)
def on_loopback(settings: Any) -> None:
    settings.ALLOWED_NETWORKS = (ipaddress.ip_network("127.0.0.0/8"),)
    settings.PUBLIC_URL = "https://loom.example.com"


@pytest.fixture
def mail(settings: Any) -> Iterator[MailSink]:
    with mail_sink() as sink:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", sink.port
        settings.DEFAULT_FROM_EMAIL = "loom@example.com"
        yield sink


@pytest.fixture
def now() -> datetime:
    return timezone.now()


def fire(session: Session, rule: AlertRule, now: datetime) -> None:
    runs_at(session, now, 20, failed=4, prompt=PLANTED, error_message=PLANTED, response_text=PLANTED)
    for second in (1, 2):
        look_again(rule, now + timedelta(seconds=second))


def answer(status: int) -> Callable[[Exchange], None]:
    return lambda exchange: exchange.reply(status)


def test_a_mail_says_what_is_wrong_and_where_to_look(
    mail: MailSink, make_session: MakeSession, alice: User, now: datetime
) -> None:
    channel, _key = make_channel(owner=alice, name="Ops", kind="email", address="ops@example.com, ada@example.com")
    rule = rule_of(alice, name="Errors & more", channels=[channel])
    session = make_session()
    fire(session, rule, now)

    assert deliver_due(now + timedelta(seconds=3)) == 1

    [(recipients, text)] = mail.mails
    message = email.message_from_string(text, policy=policy.default)
    body = message.get_content()
    alert = rule.alerts.get()
    assert recipients == ["ops@example.com", "ada@example.com"]
    assert message["Subject"] == f"[alert] {session.agent.name}: Error rate is 20.0 %"
    assert message["From"] == "loom@example.com"
    assert f"https://loom.example.com/alerts/{alert.pk}/" in body
    assert f"https://loom.example.com/runs/?agent={session.agent_id}" in body
    assert "20 runs" in body and "Errors & more" in body
    assert PLANTED not in text
    assert message["Message-ID"] == f"<loom-alert-{AlertNotice.objects.get().pk}@loom.example.com>"


def test_a_webhook_is_signed_over_its_time_and_body(make_session: MakeSession, alice: User, now: datetime) -> None:
    with loopback(answer(204)) as hook:
        channel, key = make_channel(owner=alice, name="Hook", kind="webhook", address=f"{hook.url}/in?x=1")
        rule = rule_of(alice, channels=[channel])
        session = make_session()
        fire(session, rule, now)
        assert deliver_due(now + timedelta(seconds=3)) == 1

    [request] = hook.requests
    timestamp = request.headers["x-loom-timestamp"]
    made = hmac.new(key.encode(), f"{timestamp}.".encode() + request.body, hashlib.sha256).hexdigest()
    assert request.headers["x-loom-signature"] == f"sha256={made}"
    body = json.loads(request.body)
    notice = AlertNotice.objects.get()
    assert (request.path, body["type"], body["delivery"]) == ("/in?x=1", "alert.firing", notice.pk)
    assert (body["alert"]["agent"], body["alert"]["state"]) == (session.agent.name, "firing")
    assert (body["alert"]["value"], body["alert"]["n"], body["rule"]["metric"]) == (0.2, 20, "error_rate")
    assert body["url"] == f"https://loom.example.com{rule.alerts.get().get_absolute_url()}"
    assert PLANTED.encode() not in request.body
    assert (notice.state, notice.http_status) == ("sent", 204)
    assert SecretUse.objects.get().what == "alert channel Hook"


def test_a_budget_is_told_when_most_and_when_all_of_it_is_spent(
    mail: MailSink, make_session: MakeSession, alice: User, bob: User
) -> None:
    session = make_session()
    with loopback(answer(204)) as hook:
        post, _key = make_channel(owner=alice, name="Ops", kind="email", address="ops@example.com")
        signed, _key = make_channel(owner=alice, name="Hook", kind="webhook", address=f"{hook.url}/in")
        make_channel(owner=bob, name="Others", kind="email", address="bob@example.com")
        budget = limit_spending(
            owner=alice, scope="owner", scope_id=alice.pk, period="day", limit_usd=Decimal(2), name="Mine\nBcc: x",
            channels=[post, signed],
        )  # fmt: skip
        for usd in ("1.00", "0.66", "0.10", "0.34"):
            run = make_run(session, completed_at=timezone.now(), cost_usd=Decimal(usd))
            count_run(run)
            deliver_due(timezone.now())

    subjects = [email.message_from_string(text, policy=policy.default)["Subject"] for _to, text in mail.mails]
    assert subjects == [
        "[nearly spent] Budget Mine Bcc: x: $1.66 of $2.00 a day", "[spent] Budget Mine Bcc: x: $2.10 of $2.00 a day",
    ]  # fmt: skip
    assert {tuple(recipients) for recipients, _text in mail.mails} == {("ops@example.com",)}
    assert "https://loom.example.com/costs/" in mail.mails[0][1]
    bodies = [json.loads(request.body) for request in hook.requests]
    assert [body["type"] for body in bodies] == ["budget.warned", "budget.exceeded"]
    assert (bodies[1]["budget"]["id"], bodies[1]["budget"]["spent_usd"]) == (budget.pk, 2.1)
    assert set(AlertNotice.objects.values_list("state", flat=True)) == {"sent"}

    change_budget(budget=budget, limit_usd=Decimal(3), channels=[signed])
    assert deliver_due(timezone.now()) == 0
    count_run(make_run(session, completed_at=timezone.now(), cost_usd=Decimal("0.50")))
    assert list(AlertNotice.objects.filter(state="waiting").values_list("channel__name", "budget_level")) == [
        ("Hook", "warned")
    ]


def test_a_chat_gets_text_without_markup_of_anybodys(make_session: MakeSession, alice: User, now: datetime) -> None:
    with loopback(answer(200)) as hook:
        channel, key = make_channel(owner=alice, name="Chat", kind="slack", address=f"{hook.url}/services/T0/secret")
        rule = rule_of(alice, name="<!channel> & all", channels=[channel])
        [_notice] = tell_channels(rule=rule)
        assert deliver_due(timezone.now()) == 1

    assert (key, channel.address) == ("", "127.0.0.1")
    [request] = hook.requests
    assert request.path == "/services/T0/secret"
    text = json.loads(request.body)["text"]
    assert "&lt;!channel&gt; &amp; all" in text and "<!channel>" not in text
    assert "This is a test" in text


def test_what_fails_is_tried_again_ever_later_and_is_dead_in_the_end(alice: User, now: datetime) -> None:
    with loopback(answer(503)) as hook:
        channel, _key = make_channel(owner=alice, name="Hook", kind="webhook", address=hook.url)
        [notice] = tell_channels(rule=rule_of(alice, channels=[channel]))
        at = timezone.now()
        waited = []
        while (current := AlertNotice.objects.get()).state == "waiting":
            assert not deliver(notice.pk, at)
            after = AlertNotice.objects.get()
            assert after.error_message == "The webhook answered 503."
            if after.next_at is not None:
                waited.append(after.next_at - at)
                assert not deliver(notice.pk, after.next_at - timedelta(seconds=1))
                at = after.next_at
        assert tuple(waited) == LATER
        assert (current.tries, current.next_at, current.http_status) == (len(LATER) + 1, None, 503)
        assert len(hook.requests) == len(LATER) + 1


def test_what_is_dead_can_be_sent_once_more(alice: User, now: datetime) -> None:
    statuses = iter((410, 200))
    with loopback(lambda exchange: exchange.reply(next(statuses))) as hook:
        channel, _key = make_channel(owner=alice, name="Hook", kind="webhook", address=hook.url)
        [notice] = tell_channels(rule=rule_of(alice, channels=[channel]))
        deliver(notice.pk, timezone.now())
        with pytest.raises(ConflictError, match="did not arrive"):
            resend(notice=notice, now=now)
        AlertNotice.objects.update(state="dead", next_at=None)

        resend(notice=notice, now=timezone.now())
        assert deliver(notice.pk, timezone.now())

    assert [json.loads(request.body)["delivery"] for request in hook.requests] == [notice.pk] * 2


def test_a_redirect_is_a_failure_that_says_what_to_do(alice: User) -> None:
    away = {"Location": "http://169.254.169.254/"}
    with loopback(lambda exchange: exchange.reply(302, headers=away)) as hook:
        channel, _key = make_channel(owner=alice, name="Hook", kind="webhook", address=hook.url)
        [notice] = tell_channels(rule=rule_of(alice, channels=[channel]))
        deliver(notice.pk, timezone.now())

    notice.refresh_from_db()
    assert notice.error_message == "The webhook answered 302. It leads elsewhere: enter that address itself."
    assert len(hook.requests) == 1


def test_an_address_that_became_forbidden_is_given_up_at_once(alice: User, settings: Any) -> None:
    with loopback(answer(200)) as hook:
        channel, _key = make_channel(owner=alice, name="Hook", kind="webhook", address=hook.url)
        [notice] = tell_channels(rule=rule_of(alice, channels=[channel]))
        settings.ALLOWED_NETWORKS = ()
        deliver(notice.pk, timezone.now())

    notice.refresh_from_db()
    assert (notice.state, hook.requests) == ("dead", [])
    assert "private or reserved network" in notice.error_message


def test_a_mail_server_that_refuses_is_said_so_without_its_words(mail: MailSink, alice: User) -> None:
    mail.refusal = "550 no such sesame"
    channel, _key = make_channel(owner=alice, name="Ops", kind="email", address="ops@example.com")
    [notice] = tell_channels(rule=rule_of(alice, channels=[channel]))

    assert not deliver(notice.pk, timezone.now())

    notice.refresh_from_db()
    assert notice.error_message == "The mail server refuses these recipients. (SMTPRecipientsRefused)"
    assert notice.state == "waiting"


def test_without_mail_a_notice_says_what_to_set(alice: User, settings: Any) -> None:
    settings.EMAIL_HOST = ""
    channel, _key = make_channel(owner=alice, name="Ops", kind="email", address="ops@example.com")
    [notice] = tell_channels(rule=rule_of(alice, channels=[channel]))

    assert not deliver(notice.pk, timezone.now())

    notice.refresh_from_db()
    assert "EMAIL_URL" in notice.error_message
    assert notice.state == "dead"


def test_two_workers_at_once_send_a_notice_once(alice: User) -> None:
    """The second finds a try counted; only after the lease is it due again."""
    inner: list[bool] = []
    at = timezone.now()

    with loopback(answer(200)) as hook:
        channel, _key = make_channel(owner=alice, name="Hook", kind="webhook", address=hook.url)
        [notice] = tell_channels(rule=rule_of(alice, channels=[channel]))
        at = timezone.now()
        AlertNotice.objects.update(tries=1, next_at=at + LEASE)  # as whoever is sending has left it
        inner.append(deliver(notice.pk, at))
        assert deliver(notice.pk, at + LEASE)

    assert inner == [False]
    assert len(hook.requests) == 1


def test_a_secret_is_in_no_row_of_a_channel_and_goes_with_it(alice: User) -> None:
    with loopback(answer(200)) as hook:
        chat, _none = make_channel(owner=alice, name="Chat", kind="slack", address=f"{hook.url}/T0/sesame")
        made, key = make_channel(owner=alice, name="Hook", kind="webhook", address=hook.url)

    rows = str(list(AlertChannel.objects.values()))
    assert "sesame" not in rows and key not in rows and len(key) > 40
    for channel in (chat, made):
        delete_channel(channel=channel)
    assert not Secret.objects.exists()


@pytest.mark.parametrize(
    ("kind", "address", "error"),
    [
        ("email", "", InvalidInputError),
        ("email", "nobody", InvalidInputError),
        ("email", "a@example.com\nBcc: b@example.com", InvalidInputError),
        ("email", ",".join(["a@example.com"] * 11), InvalidInputError),
        ("webhook", "http://10.0.0.1/", UrlRefusedError),
        ("webhook", "ftp://127.0.0.1/", UrlRefusedError),
        ("slack", "http://169.254.169.254/latest", UrlRefusedError),
        ("pager", "x", InvalidInputError),
    ],
)
def test_an_address_that_cannot_be_told_is_refused(
    alice: User, kind: str, address: str, error: type[Exception]
) -> None:
    with pytest.raises(error):
        make_channel(owner=alice, name="Hook", kind=kind, address=address)
    assert not Secret.objects.exists() and not AlertChannel.objects.exists()


def test_a_name_is_given_once_and_stands_on_one_line(alice: User, bob: User) -> None:
    make_channel(owner=alice, name="Ops", kind="email", address="ops@example.com")

    with pytest.raises(ChannelNameTakenError):
        make_channel(owner=alice, name="Ops", kind="email", address="ops@example.com")
    make_channel(owner=bob, name="Ops", kind="email", address="ops@example.com")
    with pytest.raises(InvalidInputError, match="on one line"):
        make_channel(owner=alice, name="Ops\nBcc: x", kind="email", address="ops@example.com")


def test_what_arrived_a_month_ago_is_forgotten_and_what_did_not_stays(alice: User, now: datetime) -> None:
    channel, _key = make_channel(owner=alice, name="Ops", kind="email", address="ops@example.com")
    rule = rule_of(alice, channels=[channel])
    for state in ("sent", "dead", "waiting"):
        [notice] = tell_channels(rule=rule)
        AlertNotice.objects.filter(pk=notice.pk).update(state=state, created_at=now - timedelta(days=31))

    prune(now)

    assert sorted(AlertNotice.objects.values_list("state", flat=True)) == ["dead", "waiting"]


@pytest.mark.django_db(transaction=True)
def test_the_ticker_hands_over_what_is_due_once(alice: User) -> None:
    channel, _key = make_channel(owner=alice, name="Ops", kind="email", address="ops@example.com")
    tell_channels(rule=rule_of(alice, channels=[channel]))

    tasks.enqueue_due_alerts()
    tasks.enqueue_due_alerts()

    assert sorted(task.name() for task in OrmQ.objects.all()) == ["deliver alerts", "evaluate alerts"]
    tasks.evaluate_alerts()
    tasks.deliver_alerts()
    assert due_notices(timezone.now()) == []


def test_mail_with_links_that_lead_nowhere_is_warned_of(settings: Any) -> None:
    settings.EMAIL_HOST, settings.PUBLIC_URL, settings.DEBUG = "mail.example.com", "", False
    assert [message.id for message in check_mail(None)] == ["metrics.W001"]
    settings.PUBLIC_URL = "https://loom.example.com"
    assert check_mail(None) == []
