"""What is done to several runs of the list at once: tagged, or deleted after a question."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_POST

from apps.accounts.http import SignedInRequest
from apps.core.exceptions import InvalidInputError, LoomError
from apps.core.models import Tag
from apps.core.requests.return_to import return_to
from apps.core.tables.bulk import checked_rows
from apps.sessions.models import Invocation
from apps.sessions.selectors import invocations_visible_to
from apps.sessions.services import delete_invocations, runs_in_use, tag_invocations, untag_invocations

Runs = list[Invocation]


class TagForm(forms.Form):
    """A tag for the runs that are checked."""

    tag = forms.CharField(
        label=gettext_lazy("Tag"),
        max_length=Tag.NAME_LENGTH,
        error_messages={"required": gettext_lazy("Type the word that the runs are to be found by.")},
    )


@require_POST
def run_bulk(request: SignedInRequest) -> HttpResponse:
    """Do `action` to the runs checked as `row`. What is typed wrong is asked for again on a page that keeps the rest;
    to delete is asked about on one whose button sends `is_confirmed`.
    """
    back = return_to(request, reverse("overview:runs"))
    action = request.POST.get("action", "")
    try:
        if action not in {"tag", "untag", "delete"}:
            raise InvalidInputError(_("Nothing was done: the button was not understood."))
        checked = invocations_visible_to(request.user, "manage").defer("response_text", "payload")
        runs = checked_rows(checked.order_by("-requested_at", "-pk"), request.POST)
    except InvalidInputError as error:
        messages.error(request, error.text())
        return redirect(back)
    if action != "delete":
        return _tag(request, runs, back, is_added=action == "tag")
    if not request.POST.get("is_confirmed"):
        return render(request, "overview/run_bulk_delete.html", _deletion(runs, back))
    _delete(request, runs)
    return redirect(back)


def _tag(request: SignedInRequest, runs: Runs, back: str, *, is_added: bool) -> HttpResponse:
    form = TagForm(request.POST)
    if form.is_valid():
        try:
            told = (_tagged if is_added else _untagged)(runs, form.cleaned_data["tag"])
        except LoomError as error:
            form.add_error("tag", error.text())
        else:
            messages.success(request, told)
            return redirect(back)
    return render(request, "overview/run_bulk_tag.html", {"form": form, "runs": runs, "back": back}, status=422)


def _tagged(runs: Runs, name: str) -> str:
    name = tag_invocations(invocations=runs, name=name)
    told = ngettext("{count} run is tagged {name}.", "{count} runs are tagged {name}.", len(runs))
    return told.format(count=len(runs), name=name)


def _untagged(runs: Runs, name: str) -> str:
    count = untag_invocations(invocations=runs, name=name)
    told = ngettext("{name} is taken from {count} run.", "{name} is taken from {count} runs.", count)
    return told.format(count=count, name=name)


def _deletion(runs: Runs, back: str) -> dict[str, Any]:
    """What the question tells: which runs go, and which stay because they or what has sent them are not over."""
    in_use = runs_in_use(Invocation.objects.filter(pk__in=[run.pk for run in runs]))
    going = [run for run in runs if not run.is_unfinished and run.pk not in in_use]
    return {"runs": runs, "going": going, "staying_count": len(runs) - len(going), "back": back}


def _delete(request: SignedInRequest, runs: Runs) -> None:
    gone = delete_invocations(invocations=runs)
    if gone:
        told = ngettext(
            "{count} run is deleted, with its recording and measurements.",
            "{count} runs are deleted, with their recordings and measurements.",
            len(gone),
        )
        messages.success(request, told.format(count=len(gone)))
    if staying := [run for run in runs if run.pk not in gone]:
        told = ngettext(
            "{count} run was not deleted: it, or what has sent it, is not over, or it is gone already. Stop it first.",
            "{count} runs were not deleted: they, or what has sent them, are not over, or they are gone already. "
            "Stop them first.",
            len(staying),
        )
        messages.error(request, told.format(count=len(staying)))
