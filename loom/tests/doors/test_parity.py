"""Whatever pages do with agents, runs, sessions and prompt sets, a program can do: each page names what does it.

An address that is missing here fails, and so does an operation that there is not. That the client has a method for each
operation, `test_api_routes.py` tests, and `test_browser_client.py` the same of the module for browsers.
"""

from __future__ import annotations

from loom.tests.doors.scopes import SCOPE_OF
from loom.tests.walking import addresses

NOUNS = ("sessions:", "overview:", "prompt_sets:", "compare:", "bench:", "takeout:", "aws_accounts:")
IN_OTHER_APPS = (
    "agents:list",
    "agents:list-csv",
    "agents:star",
    "agents:bulk",
    "agents:archive",
    "agents:refresh",
    "agents:revive",
    "agents:recent-fragment",
    "agents:sessions",
    "agents:runs",
    "agents:last-run",
    "metrics:latency-fragment",
    "metrics:latency-check",
    "metrics:environments",
    "metrics:environments-csv",
    "metrics:environments-end",
)

SESSION = "/agents/{agent_id}/sessions/{session_id}"
READ, RUN = f"GET {SESSION}", f"GET {SESSION}/invocations/{{number}}"
KEPT = "/sessions/{public_id}"
ACCOUNT = "/aws-accounts/{account_key}"
RUNS, PLAN = "GET /runs", "GET /plans/{plan_id}"
SET, PROMPT = "/prompt-sets/{set_id}", "/prompt-sets/{set_id}/prompts/{item_id}"
START = "POST /agents/{agent_id}/invoke"

DOES: dict[str, tuple[str, ...]] = {
    "agents:list": ("GET /agents",),
    "agents:list-csv": ("GET /agents",),
    "agents:star": ("PUT /agents/{agent_id}/star", "DELETE /agents/{agent_id}/star"),
    "agents:bulk": ("POST /agents/together",),
    "agents:archive": ("DELETE /agents/{agent_id}",),
    "agents:refresh": ("POST /agents/{agent_id}/refresh",),
    "agents:revive": ("POST /agents/together", "POST /agents"),
    "agents:recent-fragment": (RUNS,),
    "agents:sessions": ("GET /sessions", "GET /agents/{agent_id}/sessions"),
    "agents:runs": (RUNS,),
    "agents:last-run": (RUNS,),
    "sessions:list": ("GET /sessions",),
    "sessions:list-csv": ("GET /sessions",),
    "sessions:new": ("GET /agents",),
    "sessions:start": (START,),
    "sessions:run": (RUNS,),
    "sessions:detail": (READ, f"GET {SESSION}/events"),
    "sessions:turns-fragment": (READ,),
    "sessions:answer": (RUN,),
    "sessions:unread": (f"{RUN}/unread",),
    "sessions:invoke": (START,),
    "sessions:stop": (f"POST {SESSION}/stop",),
    "sessions:end": (f"POST {SESSION}/end",),
    "sessions:rename": (f"PATCH {SESSION}",),
    "sessions:keep": tuple(f"POST {KEPT}/{how}" for how in ("pin", "unpin", "archive", "revive")),
    "sessions:bulk": (f"POST {KEPT}/archive", f"DELETE {KEPT}"),
    "sessions:deleted": (f"DELETE {KEPT}",),
    "sessions:restore": (f"POST {KEPT}/restore",),
    "sessions:agent-options-fragment": ("GET /agents",),
    "sessions:again": ("POST /runs/{run_id}/repeat",),
    "sessions:turn-menu-fragment": ("POST /runs/{run_id}/repeat", "GET /runs/{run_id}/export"),
    "sessions:queue-fragment": (f"GET {SESSION}/queue", f"POST {SESSION}/queue", f"POST {SESSION}/queue/send"),
    "sessions:queued-prompt": (
        f"PATCH {SESSION}/queue/{{prompt_id}}",
        f"DELETE {SESSION}/queue/{{prompt_id}}",
        f"DELETE {SESSION}/queue",
    ),
    "sessions:agent-logs": ("GET /agents/{agent_id}/logs",),
    "sessions:agent-logs-download": ("GET /agents/{agent_id}/logs",),
    "sessions:agent-log-doctor": ("GET /agents/{agent_id}/logs/check",),
    "sessions:logs": (f"GET {SESSION}/logs",),
    "sessions:logs-download": (f"GET {SESSION}/logs",),
    "sessions:run-log-fragment": (f"GET {SESSION}/logs",),
    "sessions:log-doctor": ("GET /agents/{agent_id}/logs/check",),
    "sessions:timeline": ("GET /runs/{run_id}/timeline",),
    "sessions:replay": (f"GET {SESSION}/events",),  # every event with its offset
    "sessions:replay-film": (f"GET {SESSION}/events",),
    "sessions:expectation": ("GET /runs",),  # the median of what a program finds with start= and sort=
    "metrics:latency-fragment": (f"GET {SESSION}/latency",),
    "metrics:latency-check": ("POST /runs/{run_id}/latency/check",),
    "metrics:environments": ("GET /environments",),
    "metrics:environments-csv": ("GET /environments",),
    "metrics:environments-end": (f"POST {SESSION}/end",),
    "sessions:take-out": (f"GET {SESSION}/links", f"POST {SESSION}/links"),
    "sessions:link-revoke": (f"DELETE {SESSION}/links/{{link_id}}",),
    "sessions:export": (f"GET {SESSION}/export",),
    "sessions:run-export": ("GET /runs/{run_id}/export",),
    "takeout:evidence": ("POST /evidence",),
    "takeout:shared": (READ,),
    "overview:runs": (RUNS, "GET /views"),
    "overview:runs-csv": (RUNS,),
    "overview:rating": ("GET /runs/{run_id}/rating", "PUT /runs/{run_id}/rating", "DELETE /runs/{run_id}/rating"),
    "overview:bulk": ("POST /runs/tag", "POST /runs/untag", "POST /runs/delete"),
    "overview:view-save": ("POST /views",),
    "overview:view-remove": ("DELETE /views/{view_id}",),
    "prompt_sets:list": ("GET /prompt-sets",),
    "prompt_sets:new": ("POST /prompt-sets",),
    "prompt_sets:from-runs": ("POST /prompt-sets", f"POST {SET}/prompts"),
    "prompt_sets:from-session": ("POST /prompt-sets",),
    "prompt_sets:detail": (f"GET {SET}", "GET /plans"),
    "prompt_sets:rename": (f"PATCH {SET}",),
    "prompt_sets:delete": (f"DELETE {SET}",),
    "prompt_sets:csv": (f"GET {SET}/export",),
    "prompt_sets:jsonl": (f"GET {SET}/export",),
    "prompt_sets:prompt-new": (f"POST {SET}/prompts",),
    "prompt_sets:prompt": (f"PATCH {PROMPT}",),
    "prompt_sets:prompt-remove": (f"DELETE {PROMPT}",),
    "prompt_sets:prompt-move": (f"PATCH {PROMPT}",),
    "prompt_sets:replay": (f"POST {SET}/run",),
    "prompt_sets:estimate-fragment": (f"POST {SET}/estimate",),
    "prompt_sets:results": (PLAN,),
    "prompt_sets:results-fragment": (PLAN,),
    "prompt_sets:results-csv": (PLAN,),
    "prompt_sets:compare": (PLAN, "GET /compare"),
    "prompt_sets:stop": ("POST /plans/{plan_id}/cancel",),
    "aws_accounts:list": ("GET /aws-accounts",),
    "aws_accounts:new": ("POST /aws-accounts",),
    "aws_accounts:detail": (f"GET {ACCOUNT}", f"PATCH {ACCOUNT}"),
    "aws_accounts:check": (f"POST {ACCOUNT}/check",),
    "aws_accounts:check-all": (f"POST {ACCOUNT}/check",),
    "aws_accounts:enable": (f"PATCH {ACCOUNT}",),
    "aws_accounts:delete": (f"DELETE {ACCOUNT}",),
    "bench:list": ("GET /benches",),
    "bench:new": ("POST /benches", "GET /benches/{bench_id}"),
    "bench:estimate-fragment": ("POST /benches/estimate",),
    "bench:detail": ("GET /benches/{bench_id}",),
    "bench:progress-fragment": ("GET /benches/{bench_id}",),
    "bench:csv": ("GET /benches/{bench_id}", "GET /runs"),
    "bench:stop": ("POST /benches/{bench_id}/cancel",),
    "compare:list": ("GET /plans", "GET /compare"),
    "compare:new": ("POST /side-by-side",),
    "compare:estimate-fragment": ("POST /side-by-side/estimate",),
    "compare:chosen": ("GET /compare",),
    "compare:targets": ("GET /compare",),
    "compare:targets-csv": ("GET /compare",),
    "compare:plan": (PLAN, "GET /compare"),
    "compare:again": ("POST /side-by-side",),
    "compare:stop": ("POST /plans/{plan_id}/cancel",),
    "compare:stop-runs": (f"POST {SESSION}/stop",),
}


def test_every_page_of_runs_sessions_and_prompt_sets_names_what_does_the_same_for_a_program() -> None:
    pages = {address.name for address in addresses() if not address.is_api and not address.is_admin}
    wanted = {name for name in pages if name.startswith(NOUNS) or name in IN_OTHER_APPS}
    assert wanted == DOES.keys()


def test_every_operation_that_a_page_names_is_there() -> None:
    operations = {f"{method} {path}" for method, path in SCOPE_OF}
    assert {operation for named in DOES.values() for operation in named} <= operations
