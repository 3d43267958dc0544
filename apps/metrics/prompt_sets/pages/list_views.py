"""The list of prompt sets, how one is made, and what is done with a whole one."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from django.views.decorators.vary import vary_on_headers

from apps.accounts.http import SignedInRequest
from apps.core.exceptions import LoomError
from apps.core.requests.return_to import return_to
from apps.core.tables.bulk import checked_rows
from apps.metrics.models import PromptSet
from apps.metrics.prompt_sets import services
from apps.metrics.prompt_sets.files import csv_file, jsonl_file
from apps.metrics.prompt_sets.pages.forms import NameForm, NewSetForm
from apps.metrics.prompt_sets.pages.listing import SETS
from apps.metrics.prompt_sets.reading import MAX_PROMPTS
from apps.metrics.prompt_sets.selectors import prompt_sets_visible_to
from apps.sessions.models import Invocation
from apps.sessions.selectors import invocations_visible_to, sessions_visible_to


# One address gives a page or its table: without this a browser could show the table alone on the way back.
@vary_on_headers("HX-Request", "HX-Target")
@require_safe
def set_list(request: SignedInRequest) -> HttpResponse:
    """The prompt sets, searched by `q` and kept by `owner`, in pages."""
    visible = prompt_sets_visible_to(request.user)
    table = SETS.listing(visible, request.GET)
    context = {"table": table, "has_any": bool(table.rows) or visible.exists()}
    is_table_only = request.htmx and request.htmx.target == "set-table"
    return render(request, "metrics/prompt_set_list.html" + ("#set-table" if is_table_only else ""), context)


@require_http_methods(["GET", "HEAD", "POST"])
def set_new(request: SignedInRequest) -> HttpResponse:
    """Make a set of a file or of what is typed. A refusal comes back with all of it."""
    is_sent = request.method == "POST"
    form = NewSetForm(request.POST if is_sent else None, request.FILES if is_sent else None)
    problem: LoomError | None = None
    if form.is_valid():
        try:
            made = services.make_prompt_set(owner=request.user, name=form.cleaned_data["name"], prompts=form.prompts())
        except services.NameTakenError as error:
            form.add_error("name", error.text())
        except LoomError as error:
            problem = error
        else:
            return redirect(made)
    context = {"form": form, "problem": problem, "most": MAX_PROMPTS}
    return render(request, "metrics/prompt_set_new.html", context, status=422 if is_sent else 200)


@require_POST
def set_from_runs(request: SignedInRequest) -> HttpResponse:
    """Make a set of the prompts of the checked runs, and go there; its name can be changed afterwards."""
    try:
        runs = checked_rows(invocations_visible_to(request.user).order_by("pk"), request.POST)
        return _kept(request, runs, _("Runs of %(at)s") % {"at": f"{timezone.now():%Y-%m-%d}"})
    except LoomError as error:
        messages.error(request, error.text())
        return redirect(return_to(request, reverse("prompt_sets:list")))


@require_POST
def set_from_session(request: SignedInRequest, public_id: UUID) -> HttpResponse:
    """Make a set of the prompts of a session, its first ones where it has more than a set holds."""
    session = get_object_or_404(sessions_visible_to(request.user), public_id=public_id)
    runs = list(session.invocations.order_by("number").defer("response_text", "payload")[:MAX_PROMPTS])
    try:
        return _kept(request, runs, session.title or str(session.public_id))
    except LoomError as error:
        messages.error(request, error.text())
        return redirect(session)


def _kept(request: SignedInRequest, runs: Iterable[Invocation], name: str) -> HttpResponse:
    made, without = services.keep_runs(owner=request.user, name=name, runs=list(runs))
    if without:
        told = ngettext(
            "%(count)s run was left out: it has no prompt that could be sent again.",
            "%(count)s runs were left out: they have no prompt that could be sent again.",
            without,
        )
        messages.info(request, told % {"count": without})
    messages.success(request, _("The prompt set is made: %(name)s. Say what its answers are to hold.") % {"name": made})
    return redirect(made)


def found_set(request: SignedInRequest, set_id: int) -> PromptSet:
    return get_object_or_404(prompt_sets_visible_to(request.user), pk=set_id)


@require_http_methods(["GET", "HEAD", "POST"])
def set_rename(request: SignedInRequest, set_id: int) -> HttpResponse:
    """Give a set another name."""
    prompt_set = found_set(request, set_id)
    form = NameForm(request.POST if request.method == "POST" else None, initial={"name": prompt_set.name})
    if request.method == "POST" and form.is_valid():
        try:
            services.rename_prompt_set(prompt_set=prompt_set, name=form.cleaned_data["name"])
        except LoomError as error:
            form.add_error("name", error.text())
        else:
            messages.success(request, _("The prompt set is renamed."))
            return redirect(prompt_set)
    status = 422 if request.method == "POST" else 200
    return render(request, "metrics/prompt_set_rename.html", {"prompt_set": prompt_set, "form": form}, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
def set_delete(request: SignedInRequest, set_id: int) -> HttpResponse:
    """Ask whether a set is to go, and let it go."""
    prompt_set = found_set(request, set_id)
    if request.method == "POST":
        services.delete_prompt_set(prompt_set=prompt_set)
        messages.success(request, _("The prompt set is deleted: %(name)s.") % {"name": prompt_set})
        return redirect("prompt_sets:list")
    counts = {"prompt_count": prompt_set.items.count(), "plan_count": prompt_set.plans.count()}
    return render(request, "metrics/prompt_set_delete.html", {"prompt_set": prompt_set, **counts})


@require_safe
def set_csv(request: SignedInRequest, set_id: int) -> StreamingHttpResponse:
    """A set as a spreadsheet reads it."""
    return csv_file(request, found_set(request, set_id))


@require_safe
def set_jsonl(request: SignedInRequest, set_id: int) -> StreamingHttpResponse:
    """A set as it is read again, to the letter."""
    return jsonl_file(request, found_set(request, set_id))
