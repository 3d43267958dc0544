"""Every address of Loom, walked in every role: what is missing in these tables fails here. What others than the owner
and the staff may not reach answers them 404, as if there were no such thing. Statuses of those who may are what an
empty form or body gets, and an AWS that refuses everything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser

from apps.accounts.models import User
from apps.accounts.tokens import SCOPES
from apps.aws.tests.loopback import loopback
from apps.core.notices import topics
from apps.sessions.models import Session
from apps.sessions.viewing.routing import websocket_urlpatterns
from loom.tests.doors.administration import ADMIN, ADMIN_OF_MODELS
from loom.tests.doors.door import EVERYBODY, GONE_ON, of_staff, owned, private, shared
from loom.tests.doors.furnishing import furnish, make_plan, refuse
from loom.tests.doors.knocking import Walk
from loom.tests.doors.scopes import SCOPE_OF
from loom.tests.doors.test_signed_out import FOR_EVERYBODY
from loom.tests.fixtures import make_user
from loom.tests.walking import Address, addresses

pytestmark = pytest.mark.django_db


PAGES = {
    "home": shared("GET", GONE_ON),
    "design": of_staff("GET", 200),
    "palette-fragment": shared("GET", 200),
    "palette-results-fragment": shared("GET", 200),
    "agents:list": shared("GET", 200),
    "agents:list-csv": shared("GET", 200),
    "agents:detail": shared("GET", 200),
    "agents:archive": shared("POST", GONE_ON),
    "agents:register": shared("POST", 422),
    "agents:first-steps-close": shared("POST", GONE_ON),
    "agents:aws-account-fragment": shared("GET", 200),
    "agents:aws-permissions-fragment": shared("GET", 200),
    "agents:sessions": shared("GET", 200),
    "agents:runs": shared("GET", 200),
    "agents:last-run": shared("GET", GONE_ON),
    "agents:measure": shared("GET", 200),
    "agents:keep-warm": shared("GET", 200),
    "agents:import": shared("GET", 200),
    "agents:import-chosen": shared("POST", 422),
    "agents:refresh": shared("POST", GONE_ON),
    "agents:revive": shared("POST", GONE_ON),
    "agents:bulk": shared("POST", GONE_ON),
    "agents:star": shared("POST", GONE_ON),
    "agents:recent-fragment": shared("GET", 200),
    "agents:settings": shared("POST", 422),
    "agents:account-fragment": shared("GET", 200),
    "agents:versions": shared("GET", 200),
    "agents:aws-metrics-fragment": shared("GET", 200),
    "sessions:list": shared("GET", 200),
    "sessions:list-csv": shared("GET", 200),
    "sessions:new": shared("GET", 200),
    "sessions:start": shared("POST", 422),
    "sessions:detail": owned("GET", 200),
    "sessions:run": owned("GET", GONE_ON),
    "sessions:again": owned("GET", 200),
    "sessions:turn-menu-fragment": owned("GET", 200),
    "sessions:queue-fragment": owned("GET", GONE_ON),
    "sessions:queued-prompt": owned("GET", 200),
    "sessions:answer": owned("GET", 200),
    "sessions:unread": owned("GET", 200),
    "sessions:end": owned("POST", GONE_ON),
    "sessions:invoke": owned("POST", 422),
    "sessions:rename": owned("POST", GONE_ON),
    "sessions:keep": owned("POST", GONE_ON),
    "sessions:bulk": shared("POST", GONE_ON),
    "sessions:deleted": shared("GET", 200),
    "sessions:agent-options-fragment": shared("GET", 200),
    "sessions:restore": shared("POST", GONE_ON),
    "sessions:stop": owned("POST", GONE_ON),
    "sessions:turns-fragment": owned("GET", 200),
    "sessions:agent-logs": shared("GET", 200),
    "sessions:agent-logs-download": shared("GET", 502),
    "sessions:logs": owned("GET", 200),
    "sessions:logs-download": owned("GET", 502),
    "sessions:run-log-fragment": owned("GET", 200),
    "sessions:log-doctor": owned("GET", 200),
    "sessions:agent-log-doctor": shared("GET", 200),
    "sessions:take-out": owned("GET", 200),
    "sessions:export": owned("GET", 200),
    "sessions:run-export": owned("GET", 200),
    "sessions:link-revoke": owned("POST", GONE_ON),
    "takeout:evidence": shared("GET", 200),
    "overview:runs": shared("GET", 200),
    "overview:rating": owned("GET", 200),
    "overview:runs-csv": shared("GET", 200),
    "overview:bulk": shared("POST", GONE_ON),
    "overview:view-save": shared("POST", GONE_ON),
    "overview:view-remove": private("POST", GONE_ON),
    "prompt_sets:list": shared("GET", 200),
    "prompt_sets:new": shared("POST", 422),
    "prompt_sets:from-runs": shared("POST", GONE_ON),
    "prompt_sets:from-session": owned("POST", GONE_ON),
    "prompt_sets:detail": owned("GET", 200),
    "prompt_sets:rename": owned("POST", 422),
    "prompt_sets:delete": owned("POST", GONE_ON),
    "prompt_sets:csv": owned("GET", 200),
    "prompt_sets:jsonl": owned("GET", 200),
    "prompt_sets:prompt-new": owned("POST", 422),
    "prompt_sets:prompt": owned("POST", 422),
    "prompt_sets:prompt-remove": owned("POST", GONE_ON),
    "prompt_sets:prompt-move": owned("POST", GONE_ON),
    "prompt_sets:replay": owned("POST", 422),
    "prompt_sets:estimate-fragment": owned("GET", 200),
    "prompt_sets:results": owned("GET", 200),
    "prompt_sets:results-fragment": owned("GET", 200),
    "prompt_sets:results-csv": owned("GET", 200),
    "prompt_sets:compare": owned("GET", 200),
    "prompt_sets:stop": owned("POST", GONE_ON),
    "compare:list": shared("GET", 200),
    "compare:targets": shared("GET", 200),
    "compare:targets-csv": shared("GET", GONE_ON),
    "compare:new": shared("GET", 200),
    "compare:estimate-fragment": shared("GET", 200),
    "compare:chosen": shared("POST", GONE_ON),
    "compare:stop-runs": shared("POST", GONE_ON),
    "compare:plan": owned("GET", 200),
    "compare:again": owned("POST", GONE_ON),
    "compare:stop": owned("POST", GONE_ON),
    "metrics:cold-starts": shared("GET", 200),
    "metrics:cold-starts-csv": shared("GET", 200),
    "metrics:environments": shared("GET", 200),
    "metrics:environments-csv": shared("GET", 200),
    "metrics:environments-end": shared("POST", GONE_ON),
    "bench:list": shared("GET", 200),
    "bench:new": shared("POST", 422),
    "bench:estimate-fragment": shared("GET", 200),
    "bench:detail": owned("GET", 200),
    "bench:progress-fragment": owned("GET", 200),
    "bench:csv": owned("GET", 200),
    "bench:stop": owned("POST", GONE_ON),
    "costs:list": shared("GET", 200),
    "costs:csv": shared("GET", 200),
    "costs:budget-new": shared("POST", 422),
    "costs:budget": owned("GET", 200),
    "costs:budget-delete": owned("POST", GONE_ON),
    "aws_accounts:list": shared("GET", 200),
    "aws_accounts:new": of_staff("POST", 422),
    "aws_accounts:check-all": of_staff("POST", GONE_ON),
    "aws_accounts:detail": shared("GET", 200),
    "aws_accounts:check": of_staff("POST", GONE_ON),
    "aws_accounts:enable": of_staff("POST", GONE_ON),
    "aws_accounts:delete": of_staff("POST", GONE_ON),
    "alerts:list": shared("GET", 200),
    "alerts:detail": owned("GET", 200),
    "alerts:act": owned("POST", GONE_ON),
    "alerts:rules": shared("GET", 200),
    "alerts:rule-new": shared("POST", 422),
    "alerts:rule": owned("POST", 422),
    "alerts:rule-delete": owned("POST", GONE_ON),
    "alerts:rule-test": owned("POST", GONE_ON),
    "alerts:channels": shared("POST", 422),
    "alerts:channel-delete": private("POST", GONE_ON),
    "alerts:notices": shared("GET", 200),
    "alerts:notice-resend": private("POST", GONE_ON),
    "metrics:operate": shared("GET", 200),
    "metrics:operate-csv": shared("GET", 200),
    "metrics:operate-drawings-fragment": shared("GET", 200),
    "metrics:operate-live-fragment": shared("GET", 200),
    "metrics:latency-fragment": owned("GET", 200),
    "metrics:latency-check": owned("POST", GONE_ON),
    "sessions:timeline": owned("GET", 200),
    "sessions:replay": owned("GET", 200),
    "sessions:replay-film": owned("GET", 200),
    "sessions:expectation": owned("GET", 200),
    "metrics:start-series-estimate-fragment": shared("GET", 200),
    "metrics:start-series-start": shared("POST", 422),
    "metrics:start-series": owned("GET", 200),
    "metrics:start-series-progress-fragment": owned("GET", 200),
    "metrics:start-series-cancel": owned("POST", GONE_ON),
    "metrics:agent-figures-fragment": shared("GET", 200),
}
# Operations by their names; how far a token has to go is in `SCOPE_OF`.
API = {
    "api:list_agents": shared("GET", 200),
    "api:create_agent": shared("POST", 400),
    "api:get_agent": shared("GET", 200),
    "api:delete_agent": shared("DELETE", 204),
    "api:refresh_agent": shared("POST", 502),
    "api:add_star": shared("PUT", 204),
    "api:remove_star": shared("DELETE", 204),
    "api:change_agents": shared("POST", 400),
    "api:read_agent_logs": shared("GET", 502),
    "api:check_agent_logs": shared("GET", 200),
    "api:invoke_agent": shared("POST", 400),
    "api:find_sessions": shared("GET", 200),
    "api:rename_session": replace(owned("PATCH", 200), body='{"title": "Ghent"}'),
    "api:list_runs": shared("GET", 200),
    "api:tag_runs": shared("POST", 400),
    "api:untag_runs": shared("POST", 400),
    "api:delete_runs": shared("POST", 400),
    "api:search_again": owned("POST", 202),
    "api:compare_runs": shared("GET", 400),
    "api:get_rating": owned("GET", 200),
    "api:rate_run": owned("PUT", 200),
    "api:remove_rating": owned("DELETE", 204),
    "api:list_views": shared("GET", 200),
    "api:save_view": shared("POST", 400),
    "api:remove_view": private("DELETE", 204),
    "api:list_sessions": shared("GET", 200),
    "api:get_session": owned("GET", 200),
    "api:get_invocation": owned("GET", 200),
    "api:get_unread": owned("GET", 200),
    "api:follow_events": owned("GET", 200),
    "api:stop_session": owned("POST", 200),
    "api:pin_session": owned("POST", 200),
    "api:unpin_session": owned("POST", 200),
    "api:archive_session": owned("POST", 200),
    "api:revive_session": owned("POST", 200),
    "api:delete_session": owned("DELETE", 204),
    "api:restore_session": owned("POST", 200),
    "api:end_session": owned("POST", 502),
    "api:get_queue": owned("GET", 200),
    "api:add_queued": owned("POST", 400),
    "api:send_queued": owned("POST", 202),
    "api:change_queued": owned("PATCH", 200),
    "api:remove_queued": owned("DELETE", 204),
    "api:clear_queue": owned("DELETE", 200),
    "api:repeat": replace(owned("POST", 400), body='{"prompt": " "}'),
    "api:read_session_logs": owned("GET", 502),
    "api:get_latency": owned("GET", 202),
    "api:get_timeline": owned("GET", 200),
    "api:start_series": shared("POST", 400),
    "api:get_start_series": owned("GET", 200),
    "api:cancel_start_series": owned("POST", 202),
    "api:get_keep_warm": shared("GET", 200),
    "api:get_cold_starts": shared("GET", 200),
    "api:list_environments": shared("GET", 200),
    "api:list_budgets": shared("GET", 200),
    "api:make_budget": shared("POST", 400),
    "api:get_budget": owned("GET", 200),
    "api:change_budget": owned("PATCH", 200),
    "api:delete_budget": owned("DELETE", 204),
    "api:list_aws_accounts": shared("GET", 200),
    "api:add_aws_account": shared("POST", 400),
    "api:get_aws_account": shared("GET", 200),
    "api:change_aws_account": of_staff("PATCH", 200),
    "api:delete_aws_account": of_staff("DELETE", 204),
    "api:check_aws_account": of_staff("POST", 200),
    "api:list_prompt_sets": shared("GET", 200),
    "api:make_prompt_set": shared("POST", 400),
    "api:get_prompt_set": owned("GET", 200),
    "api:rename_prompt_set": replace(owned("PATCH", 200), body='{"name": "Days"}'),
    "api:delete_prompt_set": owned("DELETE", 204),
    "api:export_prompt_set": owned("GET", 200),
    "api:add_prompts": replace(owned("POST", 201), body='{"prompts": [{"prompt": "Ho"}]}'),
    "api:change_prompt": owned("PATCH", 200),
    "api:remove_prompt": owned("DELETE", 400),
    "api:estimate_prompt_set": shared("POST", 400),
    "api:run_prompt_set": shared("POST", 400),
    "api:side_by_side": shared("POST", 400),
    "api:estimate_side_by_side": shared("POST", 400),
    "api:estimate_bench": shared("POST", 400),
    "api:begin_bench": shared("POST", 400),
    "api:list_benches": shared("GET", 200),
    "api:get_bench": owned("GET", 200),
    "api:cancel_bench": owned("POST", 202),
    "api:list_plans": shared("GET", 200),
    "api:get_plan": owned("GET", 200),
    "api:cancel_runs": owned("POST", 202),
    "api:list_alert_rules": shared("GET", 200),
    "api:make_alert_rule": shared("POST", 400),
    "api:preview_alert_rule": shared("POST", 400),
    "api:get_alert_rule": owned("GET", 200),
    "api:change_alert_rule": owned("PATCH", 200),
    "api:delete_alert_rule": owned("DELETE", 204),
    "api:test_alert_rule": owned("POST", 202),
    "api:list_alerts": shared("GET", 200),
    "api:get_alert": owned("GET", 200),
    "api:acknowledge_alert": owned("POST", 200),
    "api:snooze_alert": owned("POST", 200),
    "api:resolve_alert": owned("POST", 200),
    "api:list_alert_channels": shared("GET", 200),
    "api:make_alert_channel": shared("POST", 400),
    "api:delete_alert_channel": private("DELETE", 204),
    "api:list_dead_notices": shared("GET", 200),
    "api:resend_notice": private("POST", 202),
    "api:export_session": owned("GET", 200),
    "api:export_run": owned("GET", 200),
    "api:check": shared("POST", 422),
    "api:list_links": owned("GET", 200),
    "api:make_link": owned("POST", 201),
    "api:revoke_link": owned("DELETE", 204),
    "api:answer_unknown_path": shared("GET", 404),
}
# For the owner and staff. What a socket closes with, tests of the consumer know.
TOPICS = {"session."}
SOCKETS = {"ws/sessions/<uuid:public_id>/"}


@pytest.fixture
def people(alice: User, bob: User, carol: User) -> dict[str, User]:
    dave = make_user("dave@example.com", is_staff=True, is_superuser=True)
    return {"other": bob, "owner": alice, "staff": carol, "superuser": dave}


@pytest.fixture
def walk(make_session: Callable[..., Session], people: dict[str, User], settings: Any) -> Iterator[Walk]:
    session = make_session()
    series = furnish(session)
    with loopback(refuse) as aws:
        settings.EMULATOR_URL = aws.url
        yield Walk(session, series, make_plan(session), people)


def walked(is_wanted: Callable[[Address], bool]) -> dict[str, Address]:
    return {address.name: address for address in addresses() if is_wanted(address)}


@pytest.mark.slow("more than a hundred pages, each asked for by everybody")
def test_every_page_in_every_role(walk: Walk) -> None:
    """A token opens no page."""
    pages = walked(lambda address: not address.is_api and not address.is_admin and address.name not in FOR_EVERYBODY)
    assert pages.keys() == PAGES.keys()
    for name, door in PAGES.items():
        expected = {"stranger": 302, **dict.fromkeys(EVERYBODY, door.others), **dict.fromkeys(door.may, door.status)}
        tokens = dict.fromkeys(walk.tokens, 302)
        assert (name, walk.knock(pages[name], door.method)) == (name, {**expected, **tokens})


def test_every_operation_of_the_api_in_every_role(walk: Walk) -> None:
    operations = walked(lambda address: address.is_api and address.name not in FOR_EVERYBODY)
    assert operations.keys() == API.keys()
    for name, door in API.items():
        address = operations[name]
        route = address.route.removeprefix("/api").replace("<int:", "<").replace("<", "{").replace(">", "}")
        needed = SCOPES.index(SCOPE_OF.get((door.method, route), "read"))
        owners = door.status if "owner" in door.may else door.others
        tokens = {f"owner's token to {scope}": owners if reach >= needed else 403 for reach, scope in enumerate(SCOPES)}
        expected = {"stranger": 401, **dict.fromkeys(EVERYBODY, door.others), **dict.fromkeys(door.may, door.status)}
        tokens["other's token to manage"] = door.others
        assert (name, walk.knock(address, door.method, door.body)) == (name, {**expected, **tokens})


@pytest.mark.slow("some two hundred pages, each asked for by everybody")
def test_every_page_of_the_administration_in_every_role(walk: Walk) -> None:
    pages = walked(lambda address: address.is_admin and address.name not in FOR_EVERYBODY)
    assert ADMIN.keys() <= pages.keys()
    for name, address in pages.items():
        statuses = walk.knock(address, "GET")
        found = statuses.pop("staff"), statuses.pop("superuser")
        of_model = "" if name.startswith("admin:/") else name.rpartition("_")[2]
        allowed = {ADMIN[name]} if name in ADMIN else ADMIN_OF_MODELS[of_model]
        assert (name, found in allowed, found) == (name, True, found)
        if name != "admin:/admin/<url>":
            assert (name, set(statuses.values())) == (name, {302})


def test_every_topic_in_every_role(walk: Walk, people: dict[str, User]) -> None:
    assert topics._checks.keys() == TOPICS
    assert {str(pattern.pattern) for pattern in websocket_urlpatterns} == SOCKETS
    session = Session.objects.get()
    for user in (AnonymousUser(), people["other"]):
        assert not topics.may_join(user, session.topic)
    for role in owned("GET", 200).may:
        assert topics.may_join(people[role], session.topic)
