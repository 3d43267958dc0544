"""Prepare a database for a cell, run in Loom's environment: a user who is signed in, the source's agent, sessions.

    python -m bench.stream.seed --sessions 100

Prints one JSON object: `argv`, the command by which `make run` starts the web process, `settings`, the names that
Loom's environment knows, `cookie`, `agent_id`, and `sessions` with `public_id` and `runtime_session_id` of each. With
`--start-only` nothing is stored, and there are the first two alone.
"""

from __future__ import annotations

import argparse
import json
import os

import django

from bench.stream.source import RUNTIME_ARN

EMAIL = "bench@example.com"


def main() -> None:
    options = argparse.ArgumentParser(description="Prepare a database for a cell.")
    options.add_argument("--sessions", type=int, default=100)
    options.add_argument("--start-only", action="store_true", help="only say how the web process is started")
    chosen = options.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "loom.settings")
    django.setup()
    print(json.dumps(start() | ({} if chosen.start_only else seed(chosen.sessions))))


def start() -> dict[str, object]:
    """How the web process is started in this environment."""
    from loom.environment import FIELDS  # noqa: PLC0415 -- after setup
    from loom.processes.start_all import MANAGE, web_count, web_spec  # noqa: PLC0415

    argv = web_spec().argv if web_count(is_production=False) == 1 else (*MANAGE, "web")
    return {"argv": list(argv), "settings": list(FIELDS)}


def seed(session_count: int) -> dict[str, object]:
    """Everything through Loom's own services; only the sign-in is stored as the login page would store it."""
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY  # noqa: PLC0415 -- after setup
    from django.contrib.sessions.backends.db import SessionStore  # noqa: PLC0415
    from django.core.management import call_command  # noqa: PLC0415
    from django.db import transaction  # noqa: PLC0415

    from apps.accounts.models import User  # noqa: PLC0415
    from apps.agentcore.services import register_agent  # noqa: PLC0415
    from apps.sessions.services import start_session  # noqa: PLC0415

    call_command("migrate", "--no-input", verbosity=0)
    user = User.objects.create_user(email=EMAIL)
    agent = register_agent(arn=RUNTIME_ARN, user=user)
    with transaction.atomic():
        sessions = [start_session(agent=agent, owner=user) for _ in range(session_count)]
    store = SessionStore()
    store[SESSION_KEY] = str(user.pk)
    store[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
    store[HASH_SESSION_KEY] = user.get_session_auth_hash()
    store.create()
    return {
        "cookie": f"sessionid={store.session_key}",
        "agent_id": agent.pk,
        "sessions": [
            {"public_id": str(session.public_id), "runtime_session_id": session.runtime_session_id}
            for session in sessions
        ],
    }


if __name__ == "__main__":
    main()
