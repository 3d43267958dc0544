"""Send what waits to be told: by mail, by signed webhooks and to chats.

A notice is taken by counting a try before it is sent, so a kill in the middle costs a try and the notice comes again
after the lease; that it may then arrive twice is why it carries its own number. What fails is tried again, ever later,
and is dead in the end: it stays in the list of what did not arrive, from where it can be sent once more.
"""

from __future__ import annotations

import logging
import smtplib
from collections.abc import Callable
from datetime import datetime, timedelta

from django.conf import settings
from django.utils.translation import gettext as _

from apps.core.exceptions import ConflictError, LoomError
from apps.core.net_guard.sending import Answer, send
from apps.metrics.alerts.telling import messages
from apps.metrics.models import AlertChannel, AlertNotice
from apps.vault.services import use_secret

logger = logging.getLogger(__name__)

State, Kind = AlertNotice.State, AlertChannel.Kind
# Between the first try and the last lie seven hours.
LATER = (
    timedelta(seconds=30), timedelta(minutes=2), timedelta(minutes=10), timedelta(hours=1), timedelta(hours=6),
)  # fmt: skip
LEASE = timedelta(minutes=3)  # longer than a task may take
LONGEST_REASON = 300
KEPT_FOR = timedelta(days=30)


class NoMailError(ConflictError):
    """Loom does not know how mail leaves."""

    code = "no_mail"
    is_retryable = False

    def __init__(self) -> None:
        super().__init__(
            _("Loom cannot send mail."),
            advice=_("Whoever runs Loom sets EMAIL_URL, as smtp://user:password@host:587?from=loom@example.com."),
        )


class NotTakenError(LoomError):
    """What a webhook answered is no success."""

    code = "not_taken"
    is_retryable = True

    def __init__(self, answer: Answer) -> None:
        self.status = answer.status
        is_redirect = 300 <= answer.status < 400
        super().__init__(
            _("The webhook answered %(status)d.") % {"status": answer.status},
            advice=_("It leads elsewhere: enter that address itself.") if is_redirect else "",
        )


def due_notices(now: datetime) -> list[int]:
    due = AlertNotice.objects.filter(state=State.WAITING, next_at__lte=now)
    return list(due.order_by("next_at", "pk").values_list("pk", flat=True))


def deliver_due(now: datetime, is_over: Callable[[], bool] = lambda: False) -> int:
    """Try every notice that is due, until `is_over`; return how many arrived."""
    count = 0
    for pk in due_notices(now):
        if is_over():
            break
        count += deliver(pk, now)
    return count


def deliver(pk: int, now: datetime) -> bool:
    """Try one notice; False where it did not arrive, or somebody else has it."""
    notice = (
        AlertNotice.objects.select_related(
            "channel__secret", "rule__agent", "change__alert__agent", "change__alert__rule", "budget_period__budget"
        )
        .filter(pk=pk, state=State.WAITING, next_at__lte=now)
        .first()
    )
    if notice is None:
        return False
    tries = notice.tries + 1
    taken = AlertNotice.objects.filter(pk=pk, state=State.WAITING, tries=notice.tries, next_at=notice.next_at)
    if not taken.update(tries=tries, next_at=now + LEASE):
        return False
    ours = AlertNotice.objects.filter(pk=pk, state=State.WAITING, tries=tries)
    try:
        status = _send(notice, now)
    except (LoomError, OSError, smtplib.SMTPException, ValueError) as error:
        ours.update(**_after_failure(error, tries, now))
        logger.info("alert not delivered notice=%d try=%d error=%s", pk, tries, type(error).__name__)
        return False
    ours.update(state=State.SENT, sent_at=now, next_at=None, error_message="", http_status=status)
    return True


def resend(*, notice: AlertNotice, now: datetime) -> None:
    """Let what is dead be tried anew. Raises ConflictError where it is not."""
    dead = AlertNotice.objects.filter(pk=notice.pk, state=State.DEAD)
    if not dead.update(state=State.WAITING, tries=0, next_at=now, error_message="", http_status=None):
        raise ConflictError(_("This notice is not among those that did not arrive."))


def prune(now: datetime) -> None:
    """Forget what arrived a month ago; what did not arrive stays until somebody looks."""
    AlertNotice.objects.filter(state=State.SENT, created_at__lt=now - KEPT_FOR).delete()


def _send(notice: AlertNotice, now: datetime) -> int | None:
    """Send by the notice's channel; return the status of what answered by HTTP."""
    channel = notice.channel
    if channel.kind == Kind.EMAIL:
        if not settings.EMAIL_HOST:
            raise NoMailError
        messages.email(notice).send()
        return None
    assert channel.secret is not None, "the services make no other"
    secret = use_secret(secret=channel.secret, what=f"alert channel {channel.name}", now=now)
    if channel.kind == Kind.SLACK:
        answer = send(secret.reveal(), body=messages.slack_body(notice), headers={"Content-Type": "application/json"})
    else:
        body = messages.webhook_body(notice)
        headers = messages.webhook_headers(notice, secret.reveal(), body, now)
        answer = send(channel.address, body=body, headers=headers)
    if not answer.is_success:
        raise NotTakenError(answer)
    return answer.status


def _after_failure(error: Exception, tries: int, now: datetime) -> dict[str, object]:
    told = error.text() if isinstance(error, LoomError) else _mail_words(error)
    is_final = isinstance(error, LoomError) and error.is_retryable is False
    columns: dict[str, object] = {
        "error_message": told[:LONGEST_REASON],
        "http_status": error.status if isinstance(error, NotTakenError) else None,
    }
    if is_final or tries > len(LATER):
        return columns | {"state": State.DEAD, "next_at": None}
    return columns | {"next_at": now + LATER[tries - 1]}


def _mail_words(error: Exception) -> str:
    """What went wrong with mail, without what a server may repeat of a password."""
    code = getattr(error, "smtp_code", None)
    known = {
        smtplib.SMTPAuthenticationError: _("The mail server does not take Loom's user and password."),
        smtplib.SMTPRecipientsRefused: _("The mail server refuses these recipients."),
        smtplib.SMTPSenderRefused: _("The mail server refuses the sender in EMAIL_URL."),
    }
    said = known.get(type(error), _("The mail server could not be reached, or hung up."))
    return f"{said} ({type(error).__name__}{f' {code}' if code else ''})"
