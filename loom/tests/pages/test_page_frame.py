from __future__ import annotations

import pytest
from django.test import RequestFactory
from django.urls import resolve
from pytest_django import Settings

from loom.web.page_frame import shell


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("/agents/7/settings/", "Agents"),
        ("/sessions/", "Sessions"),
        ("/sessions/new/", "Sessions"),
        ("/runs/", "Runs"),
        ("/prompt-sets/", "Runs"),
        ("/prompt-sets/7/results/8/", "Runs"),
        ("/operate/", "Operate"),
        ("/compare/", "Operate"),
        ("/compare/new/", "Operate"),
        # Reached from an agent's page, and below it in their breadcrumbs.
        ("/sessions/logs/7/", "Agents"),
        ("/sessions/logs/7/doctor/", "Agents"),
        ("/operate/start-series/7/", "Agents"),
    ],
)
def test_the_place_where_the_reader_is_is_marked(rf: RequestFactory, path: str, place: str) -> None:
    request = rf.get(path)
    request.resolver_match = resolve(path)

    context = shell(request)

    assert [item.label for item in context["navigation"]] == ["Agents", "Sessions", "Runs", "Operate"]
    assert [item.label for item in context["navigation"] if item.is_current] == [place]


def test_a_page_without_a_match_has_a_frame_too(rf: RequestFactory, settings: Settings) -> None:
    settings.LOOM_AWS = "emulator"

    context = shell(rf.get("/nowhere/"))

    assert not any(item.is_current for item in context["navigation"])
    assert (context["mode"].label, context["mode"].detail, context["mode"].is_emulator) == ("Emulator", "", True)
