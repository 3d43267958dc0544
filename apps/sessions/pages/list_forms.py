"""What is typed into the dialogs of the list of sessions."""

from __future__ import annotations

from django import forms

from apps.sessions.services import TITLE_LENGTH


class RenameForm(forms.Form):
    """A session's new title; an empty one takes the title away."""

    title = forms.CharField(
        label="Title",
        required=False,
        max_length=TITLE_LENGTH,
        error_messages={"max_length": f"A title has at most {TITLE_LENGTH} characters; this one has %(show_value)s."},
    )
