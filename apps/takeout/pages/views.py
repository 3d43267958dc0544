"""What can be taken out of a session, and the files themselves."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from apps.accounts.http import SignedInRequest
from apps.core.exceptions import LoomError
from apps.core.requests.refusals import refuse
from apps.sessions.models import Invocation, Session
from apps.sessions.selectors import sessions_visible_to
from apps.takeout import services
from apps.takeout.evidence.making import evidence_document
from apps.takeout.exporting.downloads import Document, download
from apps.takeout.exporting.formats import SESSION_FORMATS, run_document, session_document, snippets_of
from apps.takeout.exporting.reading import with_everything
from apps.takeout.forms import ShareForm
from apps.takeout.selectors import links_visible_to

LABELS = {"curl": "curl", "loom_client": "loom_client", "boto3": "boto3", "cli": "AWS CLI"}


def loom_url(request: HttpRequest) -> str:
    """Where this Loom answers, as far as the one who asks is concerned."""
    return settings.PUBLIC_URL or request.build_absolute_uri("/").rstrip("/")


def _session(request: SignedInRequest, public_id: UUID) -> Session:
    return get_object_or_404(sessions_visible_to(request.user).select_related("owner"), public_id=public_id)


def _run(session: Session, number: str) -> Invocation | None:
    """The run of this number; the newest one where the address names none that there is."""
    runs = with_everything(session.invocations.all())
    wanted = runs.filter(number=int(number)).first() if number.isdecimal() and len(number) < 10 else None
    return wanted or runs.order_by("-number").first()


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def take_out(request: SignedInRequest, public_id: UUID) -> HttpResponse:
    """Files of the session and of one `run`, programs that send it again, and links to share; a POST makes a link."""
    session = _session(request, public_id)
    form = ShareForm(request.POST or None)
    secret, problem = "", None
    if request.method == "POST" and form.is_valid():
        try:
            _link, secret = services.share_session(session=session, user=request.user, days=form.cleaned_data["days"])
        except LoomError as error:
            problem = error
    run = _run(session, request.GET.get("run", ""))
    snippets = snippets_of(run, loom_url=loom_url(request)) if run else {}
    context = {
        "session": session,
        "agent": session.agent,
        "run": run,
        "formats": SESSION_FORMATS,
        "snippets": [(name, LABELS[name], text) for name, text in snippets.items()],
        "links": links_visible_to(request.user).filter(session=session),
        "form": form if form.errors else ShareForm(),
        "shared_url": f"{loom_url(request)}/shared/{secret}/" if secret else "",
        "problem": problem,
    }
    is_refused = request.method == "POST" and not secret
    return render(request, "takeout/take_out.html", context, status=422 if is_refused else 200)


@require_POST
def link_revoke(request: SignedInRequest, public_id: UUID, link_id: int) -> HttpResponse:
    """Refuse a shared link from now on."""
    link = get_object_or_404(links_visible_to(request.user), session__public_id=public_id, pk=link_id)
    services.revoke_link(link=link, user=request.user)
    return redirect("sessions:take-out", public_id)


@require_safe
def session_export(request: SignedInRequest, public_id: UUID) -> HttpResponseBase:
    """The session as a file: `format` is markdown, json or html."""
    session = _session(request, public_id)
    return _file(request, lambda: session_document(session, request.GET.get("format", "markdown")))


@require_safe
def run_export(request: SignedInRequest, public_id: UUID, number: int) -> HttpResponseBase:
    """One run as a file: `format` is markdown, json, evidence, or that of a program which sends it again."""
    run = get_object_or_404(with_everything(_session(request, public_id).invocations.all()), number=number)
    wanted = request.GET.get("format", "markdown")
    if wanted == "evidence":
        return _file(request, lambda: evidence_document(run))
    return _file(request, lambda: run_document(run, wanted, loom_url=loom_url(request)))


def _file(request: HttpRequest, make: Callable[[], Document]) -> HttpResponseBase:
    try:
        return download(request, make())
    except LoomError as error:
        return refuse(request, error)
