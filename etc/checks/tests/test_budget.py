"""The budget: each way to break it is found and named."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import distribution
from pathlib import Path

import pytest
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import path

from apps.accounts.models import User
from etc.checks.apart import ROOT
from etc.checks.budget.imports import PREPARE, STARTS, forbidden_among, modules_after
from etc.checks.budget.limits import Budget, Measured, problems, read_budget, table
from etc.checks.budget.packages import installed_bytes, measure_packages
from etc.checks.budget.pages import Address, Walk
from etc.checks.budget.processes import family
from etc.checks.budget.weight import files_of


@login_not_required
def show_count(request: HttpRequest) -> HttpResponse:
    """A page of two statements, however many users there are."""
    return HttpResponse(f"{User.objects.count()} {User.objects.filter(is_staff=True).exists()}")


@login_not_required
def show_each(request: HttpRequest) -> HttpResponse:
    """A page that asks once for each user."""
    keys = list(User.objects.values_list("pk", flat=True))
    return HttpResponse(" ".join(str(User.objects.get(pk=key)) for key in keys))


@login_not_required
def show_rows(request: HttpRequest) -> HttpResponse:
    return HttpResponse(f"<ul>{'<li>a user</li>' * User.objects.count()}</ul>")


@login_not_required
def show_nothing(request: HttpRequest) -> HttpResponse:
    return HttpResponse(status=500)


urlpatterns = [
    path("count/", show_count),
    path("each/", show_each),
    path("rows/", show_rows),
    path("broken/", show_nothing),
]


def walked(*names: str) -> Measured:
    """Measure these pages with one user and with three."""
    User.objects.create(email="user1@example.com")
    walk = Walk(Client(), [Address(name, f"/{name}/") for name in names])
    walk.first()
    User.objects.bulk_create(User(email=f"user{number}@example.com") for number in (2, 3))
    walk.again()
    return walk.measured


@pytest.mark.django_db
@pytest.mark.urls(__name__)
def test_a_page_with_one_statement_more_than_its_limit_is_named() -> None:
    measured = walked("count")

    assert measured == Measured({"queries": {"count": 2}, "bytes": {}, "elements": {}})
    assert problems(measured, Budget({"queries": {"count": 2}}, ())) == []
    assert problems(measured, Budget({"queries": {"count": 1}}, ())) == ["queries: count is 2, 1 is the limit"]


@pytest.mark.django_db
@pytest.mark.urls(__name__)
def test_a_page_that_asks_once_for_each_row_is_named_with_what_it_asks() -> None:
    measured = walked("each")

    assert measured.numbers["queries"] == {"each": 4}
    (problem,) = measured.problems
    first, *statements = problem.splitlines()
    assert first == (
        "queries: each needs 2, and 4 with three times as many rows, where it must be the same number. "
        "Asked more often:"
    )
    (statement,) = statements
    assert statement.startswith('    2 × SELECT "accounts_user"."id"')
    assert statement.endswith('WHERE "accounts_user"."id" = ? LIMIT ?')


@pytest.mark.django_db
@pytest.mark.urls(__name__)
def test_the_elements_of_a_page_are_counted_with_its_many_rows() -> None:
    measured = walked("rows")

    assert measured.numbers["elements"] == {"rows": 1 + 3}


@pytest.mark.django_db
@pytest.mark.urls(__name__)
def test_a_page_that_fails_is_named() -> None:
    assert walked("broken").problems == ["queries: /broken/ answered 500"]


def test_a_number_without_a_limit_and_a_limit_without_a_number_are_named() -> None:
    measured = Measured({"queries": {"tools:list": 7}})
    budget = Budget({"queries": {"tools:gone": 7}}, ())

    assert problems(measured, budget) == [
        "queries: tools:list is 7 and has no limit: put it into etc/budget.toml",
        "queries: tools:gone has a limit and is not measured: take it out of etc/budget.toml",
    ]


def test_the_table_shows_number_and_limit() -> None:
    measured = Measured({"bytes": {"sessions:detail": 131_353, "sessions:new": 100}})
    budget = Budget({"bytes": {"sessions:detail": 131_352, "sessions:new": 101}}, ())

    lines = [line.split() for line in table(measured, budget)]

    assert lines == [
        ["number", "limit"],
        ["bytes", "sessions:detail", "131,353", "131,352", "over"],
        ["bytes", "sessions:new", "100", "101"],
    ]


def test_a_forbidden_module_is_named_and_what_belongs_to_python_is_not_counted() -> None:
    modules = modules_after("import json.tool, jsonschema.validators")

    assert "jsonschema.validators" in modules
    assert not [name for name in modules if name.startswith("json.")]
    assert forbidden_among(modules, ["strands", "jsonschema", "moto"]) == ["jsonschema"]


@pytest.mark.parametrize("name", ["invoke_agent", "migrate"])
def test_what_is_waited_for_at_a_terminal_leaves_the_rest_of_loom_alone(name: str) -> None:
    """A command that speaks with the web process, and the first step of `make dev`."""
    budget = read_budget(ROOT / "etc" / "budget.toml")

    modules = modules_after(STARTS[name], PREPARE)

    assert "django.db.models" in modules
    assert forbidden_among(modules, [*budget.forbidden, *budget.forbidden_to[name]]) == []
    assert len(modules) <= budget.limits["modules"][name]


def test_what_a_page_loads_is_found_with_its_imports() -> None:
    """live.js imports sending.js, which no page names."""
    html = '<link rel="stylesheet" href="/static/css/base.css"><script type="module" src="/static/js/live.js"></script>'

    sizes = {name: (ROOT / "static" / name).stat().st_size for name in ("css/base.css", "js/live.js", "js/sending.js")}
    found = files_of(html)
    assert found.items() >= sizes.items()
    assert {name for name in found if name.endswith(".css")} == {"css/base.css"}


def test_what_a_page_fetches_only_where_it_is_needed_is_not_counted() -> None:
    """page.js fetches dialogs.js with the first dialog that is opened."""
    found = files_of('<script type="module" src="/static/js/page.js"></script>')
    assert "js/kit.js" in found
    assert "js/dialogs.js" not in found


@pytest.mark.parametrize("address", ["https://example.com/x.js", "/media/x.js"])
def test_a_page_may_load_nothing_from_elsewhere(address: str) -> None:
    with pytest.raises(ValueError, match="no static file of ours"):
        files_of(f'<script src="{address}"></script>')


def test_packages_are_counted_from_the_lock_and_weighed_where_they_are_installed(tmp_path: Path) -> None:
    lock = tmp_path / "run.txt"
    lock.write_text(
        "django==5.2 \\\n    --hash=sha256:0\nnot-for-us==1.0 ; sys_platform == 'win32' \\\n    --hash=sha256:0\n"
        "never-heard-of==1.0 \\\n    --hash=sha256:0\n"
    )

    measured = measure_packages(lock)

    size = installed_bytes(distribution("django"))
    assert measured.numbers["packages"] == {"count": 3, "installed_mb": -(-size // 1_000_000)}
    assert measured.problems == ["packages: never-heard-of is locked and not installed: run make lint once"]
    assert size > 10_000_000


def test_a_process_is_counted_with_its_children() -> None:
    before = family(os.getpid())
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        assert family(os.getpid()) - before == {child.pid}
    finally:
        child.communicate(b"\n")


def test_the_limits_of_this_repository_keep_to_the_design() -> None:
    budget = read_budget(ROOT / "etc" / "budget.toml")

    assert budget.limits["packages"]["count"] <= 110
    assert budget.limits["packages"]["installed_mb"] <= 250
    assert {"strands", "mcp", "grpc", "lightkube", "opentelemetry"} <= set(budget.forbidden)
