"""What is asked of the list of sessions, and what is typed into its dialogs."""

from __future__ import annotations

from typing import Any

from django import forms
from django.db.models import QuerySet

from apps.sessions.models import Session
from apps.sessions.pages import listing
from apps.sessions.pages.listing import SessionFilter
from apps.sessions.services import TITLE_LENGTH


class SessionFilterForm(forms.Form):
    """The list's query string. A value that cannot be meant is left out, so that an old link still shows a list."""

    q = forms.CharField(label="Search sessions", required=False, max_length=200)
    agent = forms.TypedChoiceField(label="Agent", required=False, coerce=int, empty_value=None)
    status = forms.ChoiceField(label="Status", required=False, choices=[("", "Any status"), *listing.STATUSES])
    qualifier = forms.ChoiceField(label="Endpoint", required=False)
    measure_start = forms.ChoiceField(label="Measure start", required=False, choices=listing.MEASURE_START)
    sort = forms.ChoiceField(required=False, choices=[(name, name) for name in listing.SORTS])

    def __init__(self, data: Any, *, sessions: QuerySet[Session]) -> None:
        super().__init__(data)
        agents = listing.agents_of(sessions).values_list("pk", "name")
        qualifiers = [(name, name) for name in listing.qualifiers_of(sessions)]
        for name, choices in {
            "agent": [("", "Any agent"), *((str(pk), agent_name) for pk, agent_name in agents)],
            "qualifier": [("", "Any endpoint"), *qualifiers],
        }.items():
            field = self.fields[name]
            assert isinstance(field, forms.ChoiceField)
            field.choices = choices

    def wanted(self) -> SessionFilter:
        """The filter as far as it is valid."""
        self.full_clean()
        valid = self.cleaned_data
        return SessionFilter(
            text=valid.get("q", ""),
            agent_id=valid.get("agent"),
            status=valid.get("status", ""),
            qualifier=valid.get("qualifier", ""),
            measure_start=valid.get("measure_start", ""),
            sort=valid.get("sort") or listing.DEFAULT_SORT,
        )


class RenameForm(forms.Form):
    """A session's new title; an empty one takes the title away."""

    title = forms.CharField(
        label="Title",
        required=False,
        max_length=TITLE_LENGTH,
        error_messages={"max_length": f"A title has at most {TITLE_LENGTH} characters; this one has %(show_value)s."},
    )
