"""Walk every page on a database of its own, and write what was measured as one line of JSON.

python -m etc.checks.budget.walk, in an environment such as `throw_away_environment` gives.
"""

from __future__ import annotations

import json
import logging
import math
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "loom.settings")
django.setup()

from django.conf import settings  # noqa: E402 -- needs the app registry, as do the next
from django.core.management import call_command  # noqa: E402
from django.test import Client  # noqa: E402
from django.test.utils import setup_test_environment  # noqa: E402

from apps.metrics.alerts.bell import bell  # noqa: E402
from etc.checks.budget.filling import Filling  # noqa: E402
from etc.checks.budget.limits import Measured  # noqa: E402
from etc.checks.budget.pages import Objects, Walk, admin_lists, pages, reads  # noqa: E402

ROWS = 3
READY = "emulator listening on"


@contextmanager
def emulator() -> Iterator[str]:
    """The address of an emulator of our own, for the pages that ask AWS."""
    options = ["--port", "0", "--seed", "7", "--time-scale", "0.05", "--log-delay-scale", "0"]
    process = subprocess.Popen(
        [sys.executable, "-m", "apps.emulator", *options], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert process.stdout is not None
    try:
        line = next(line for line in process.stdout if READY in line)
        yield line.split(READY)[1].split()[0]
    finally:
        process.terminate()
        process.communicate()


def walk() -> Measured:
    """Fill, ask, fill more, ask again."""
    filling = Filling()
    filling.grow(ROWS)
    objects = Objects(
        agent=filling.agent.pk, session_public_id=filling.session.public_id,
        session_id=filling.session.runtime_session_id, series=filling.series.pk,
        run=filling.session.invocations.get(number=1).pk,
        prompt_set=filling.plan.prompt_set_id or 0, prompt_set_item=filling.prompt_set_item, plan=filling.plan.pk,
        comparison=filling.comparison.pk, bench=filling.bench.pk, budget=filling.budget.pk,
        account=filling.account.pk, link=filling.link.pk, link_token=filling.link_token,
        alert=filling.notice.change.alert_id if filling.notice.change else 0, rule=filling.notice.rule_id or 0,
        channel=filling.notice.channel_id, notice=filling.notice.pk,
    )  # fmt: skip
    client = Client()
    client.force_login(filling.viewer)
    bell.lasting_s = math.inf  # a page asks for it every ten seconds: what is measured must not depend on when
    queries = {
        "sessions:turns-fragment": "?before=100",
        "GET /api/compare": f"?runs={','.join(map(str, filling.compared))}",
        "palette-results-fragment": "?q=tra",
    }
    schema = client.get("/api/openapi.json").json()
    walking = Walk(client, [*pages(objects, queries), *reads(schema, objects, queries), *admin_lists()])
    walking.first()
    filling.grow(2 * ROWS)
    walking.again()
    return walking.measured


if __name__ == "__main__":
    setup_test_environment(debug=False)
    logging.disable(logging.WARNING)  # addresses that only take forms
    call_command("migrate", verbosity=0)
    with emulator() as settings.EMULATOR_URL:
        sys.stdout.write(f"{json.dumps(asdict(walk()))}\n")
