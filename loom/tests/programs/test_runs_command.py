"""`manage.py runs` asks the API whatever the page of all runs can be asked."""

from __future__ import annotations

import pytest
from django.http import QueryDict

from apps.accounts.models import User
from apps.overview.runs import asked as asking
from loom.management.commands.runs import Command

pytestmark = pytest.mark.django_db
ITS_OWN = {"q": "text", "version": "version_asked"}  # --version is Django's


def test_it_has_the_filters_of_the_page_and_their_values(alice: User) -> None:
    options = {action.dest: action for action in Command().create_parser("manage.py", "runs")._actions}
    fields = asking.filter_form(alice, QueryDict()).fields
    for name, field in fields.items():
        option = options[ITS_OWN.get(name, name)]
        if option.choices is not None:
            values = {value for value, _words in field.choices}  # type: ignore[attr-defined]
            assert set(option.choices) == values - {""}, name
