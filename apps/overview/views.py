"""The list of all runs, and the views of it that somebody saved."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django import forms
from django.contrib import messages
from django.http import HttpResponse, QueryDict, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST, require_safe
from django.views.decorators.vary import vary_on_headers

from apps.accounts.http import SignedInRequest
from apps.agents.models import Agent
from apps.agents.selectors import registry_visible_to
from apps.core.exceptions import LoomError
from apps.core.search import SERVED_LENGTH, is_served, words_of
from apps.core.tables.columns import Column, Columns
from apps.core.tables.export import csv_response
from apps.core.tables.filters import FilterForm
from apps.overview import services
from apps.overview.models import SavedView
from apps.overview.runs import asked as asking
from apps.overview.runs import finding
from apps.overview.runs.files import HEADS, file_rows
from apps.overview.runs.places import read_place
from apps.overview.runs.rows import read_rows
from apps.overview.selectors import saved_views_visible_to
from apps.sessions.indexing import index_state
from apps.sessions.models import SearchText
from apps.sessions.selectors import newest_run, sessions_visible_to

COLUMNS = Columns(
    Column("time", gettext_lazy("When"), starts_down=True),
    Column(asking.TTFT, gettext_lazy("TTFT"), starts_down=True),
    Column(asking.TOTAL, gettext_lazy("Total"), starts_down=True),
    Column(asking.TOKENS_IN, gettext_lazy("Tokens in"), starts_down=True),
    Column(asking.TOKENS_OUT, gettext_lazy("Tokens out"), starts_down=True),
    Column(asking.COST, gettext_lazy("Cost"), starts_down=True),
    default=asking.NEWEST,
)


class SaveViewForm(forms.Form):
    """The name of a view, and what it asks for."""

    name = forms.CharField(max_length=SavedView.NAME_LENGTH)
    query = forms.CharField(required=False, max_length=SavedView.QUERY_LENGTH, widget=forms.HiddenInput)


class RunTable:
    """What the list's search and heads ask of a table."""

    def __init__(self, form: Any, asked: asking.Asked, query: QueryDict) -> None:
        without_place = query.copy()
        without_place.pop("after", None)
        self.form = form
        self.wanted = asked
        self.own_sort = "" if asked.sort == asking.NEWEST else asked.sort
        self.heads = COLUMNS.heads(asked.sort, without_place)
        self.is_narrowed = asked.is_narrowed


# One address gives a page or its table: without this a browser could show the table alone on the way back.
@vary_on_headers("HX-Request", "HX-Target")
@require_safe
def run_list(request: SignedInRequest) -> HttpResponse:
    """All runs, searched by `q` and kept by the filters, in pages that begin `after` a row."""
    form = asking.filter_form(request.user, request.GET)
    context = {
        **_list_context(request, form, asking.asked_of(form)),
        "list_url": reverse("overview:runs"),
        "query": asking.saved_query(request.GET),
        "views": saved_views_visible_to(request.user),
    }
    return _list_page(request, "overview/run_list.html", context)


@vary_on_headers("HX-Request", "HX-Target")
@require_safe
def agent_runs(request: SignedInRequest, pk: int) -> HttpResponse:
    """The same of one agent, beside the other pages of it."""
    agent = get_object_or_404(registry_visible_to(request.user), pk=pk)
    form = asking.filter_form(request.user, request.GET, but="agent")
    query = request.GET.copy()
    query["agent"] = str(agent.pk)
    context = {
        **_list_context(request, form, asking.asked_of(form), agent),
        "agent": agent,
        "list_url": reverse("agents:runs", args=[agent.pk]),
        "query": asking.saved_query(query),
    }
    return _list_page(request, "overview/agent_runs.html", context)


@require_safe
def agent_last_run(request: SignedInRequest, pk: int) -> HttpResponse:
    """Lead to the newest run of an agent that the reader may see; to the list of them where there is none."""
    agent = get_object_or_404(registry_visible_to(request.user), pk=pk)
    run = newest_run(sessions_visible_to(request.user).filter(agent=agent))
    return redirect("agents:runs", agent.pk) if run is None else redirect("sessions:run", run.pk)


def _list_page(request: SignedInRequest, template: str, context: dict[str, Any]) -> HttpResponse:
    is_table_only = request.htmx and request.htmx.target == "run-table"
    return render(request, template + ("#run-table" if is_table_only else ""), context)


def _list_context(
    request: SignedInRequest, form: FilterForm, own: asking.Asked, agent: Agent | None = None
) -> dict[str, Any]:
    """What a page of runs shows; `own` is what was chosen on it, beside its agent."""
    asked = own if agent is None else own.of_agent(agent.pk)
    sessions = sessions_visible_to(request.user)
    if agent is not None:
        sessions = sessions.filter(agent=agent)
    place = read_place(request.GET.get("after", ""))
    page = finding.find_runs(request.user, asked, place, limit=finding.PAGE_SIZE, counts=place is None)
    words = words_of(asked.text)
    return {
        "table": RunTable(form, own, request.GET),
        "page": page,
        "rows": read_rows(page.keys, words),
        "is_further": place is not None,
        "has_hidden": not asked.chosen["measure_start"] and sessions.filter(purpose="measure_start").exists(),
        "has_any": bool(page.keys) or own.is_narrowed or sessions.exists(),
        "short_words": [word for word in words if len(word) < SERVED_LENGTH],
        "is_looked_through": bool(words) and not any(is_served(word, SearchText) for word in words),
        "index": index_state(),
        "figures_query": _figures_query(asked),
    }


@require_safe
def run_list_csv(request: SignedInRequest) -> StreamingHttpResponse:
    """All runs that the same address of the list would find, on whatever page, as a file."""
    asked = asking.asked_of(asking.filter_form(request.user, request.GET))
    return csv_response(request, "runs", HEADS, file_rows(request.user, asked))


def _figures_query(asked: asking.Asked) -> str:
    """What Operate is asked for to show the figures of these runs, as far as it can."""
    chosen = asked.chosen
    # There an endpoint and a version are those of an agent.
    names = ("agent", "qualifier", "version", "measure_start") if chosen["agent"] else ("measure_start",)
    kept = {name: chosen[name] for name in names if chosen[name]}
    start, is_own, end = chosen["range"].partition("/")
    if is_own:
        kept |= {"range": "custom", "from": start, "to": end}
    elif start:
        kept["range"] = start
    if chosen["error"] or chosen["status"] in asking.FAILED:
        kept["show"] = "failed"
        if chosen["error"] and chosen["error"] != asking.ANY_ERROR:
            kept["error"] = chosen["error"]
    return urlencode(kept)


@require_POST
def view_save(request: SignedInRequest) -> HttpResponse:
    """Keep what is asked for under a name."""
    form = SaveViewForm(request.POST)
    address = reverse("overview:runs")
    if not form.is_valid():
        messages.error(request, _("The view was not saved: its name is missing or too long."))
        return redirect(address)
    query = asking.saved_query(QueryDict(form.cleaned_data["query"]))
    try:
        view = services.save_view(owner=request.user, name=form.cleaned_data["name"], query=query)
    except LoomError as error:
        messages.error(request, error.text())
    else:
        messages.success(request, _("The view is saved: {name}.").format(name=view.name))
    return redirect(f"{address}?{query}" if query else address)


@require_POST
def view_remove(request: SignedInRequest, pk: int) -> HttpResponse:
    """Forget a saved view."""
    view = get_object_or_404(saved_views_visible_to(request.user), pk=pk)
    services.remove_view(view=view)
    messages.success(request, _("The view is removed: {name}.").format(name=view.name))
    return redirect(reverse("overview:runs"))
