"""Knocking at an address as everybody."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from django.db import transaction
from django.test import Client
from django.utils import timezone

from apps.accounts.models import User
from apps.accounts.services import create_token
from apps.accounts.tokens import SCOPES
from apps.costs.models import Budget
from apps.metrics.models import Plan, PromptSetItem, StartSeries
from apps.overview.models import SavedView
from apps.sessions.models import Session
from loom.tests.comparisons import make_bench, make_comparison
from loom.tests.doors.furnishing import keys_of_alert, make_account, make_alert
from loom.tests.walking import Address


class Walk:
    """A Loom with a session and a series of alice's, and everybody's way to knock at an address of it."""

    def __init__(self, session: Session, series: StartSeries, plan: Plan, people: Mapping[str, User]) -> None:
        self._session, self._series, self._plan = session, series, plan
        view = SavedView.objects.create(owner=session.owner, name="Mine", query="", created_at=timezone.now())
        self._view_key = view.pk
        limited = {"scope": Budget.Scope.OWNER, "scope_id": session.owner_id, "period": Budget.Period.DAY}
        self._budget_key = Budget.objects.create(owner=session.owner, name="Mine", limit_micros=10**9, **limited).pk
        self._account_key = make_account().pk
        self._comparison_key, self._bench_key = make_comparison(session).pk, make_bench(session).pk
        self._of_alert = keys_of_alert(make_alert(session))
        self._cookies = {"stranger": "", **{role: self._sign_in(user) for role, user in people.items()}}
        self._secrets = {f"owner's token to {scope}": self._token(people["owner"], scope) for scope in SCOPES}
        self._secrets |= {"other's token to manage": self._token(people["other"], "manage")}

    @property
    def tokens(self) -> list[str]:
        """The roles that are tokens."""
        return list(self._secrets)

    @staticmethod
    def _sign_in(user: User) -> str:
        client = Client()
        client.force_login(user)
        return client.cookies["sessionid"].value

    @staticmethod
    def _token(user: User, scope: str) -> str:
        return create_token(user=user, scope=scope, life=timedelta(days=1))[1]

    def path(self, address: Address) -> str:
        agent = self._session.agent_id
        keys = {
            "pk": self._key_of(address, agent),
            "agent_pk": agent,
            "agent_id": agent,
            "series_id": self._series.pk,
            "set_id": self._plan.prompt_set_id,
            "item_id": PromptSetItem.objects.get(prompt_set=self._plan.prompt_set).pk,
            "plan_id": self._plan.pk,
            "comparison_id": self._comparison_key,
            "bench_id": self._bench_key,
            "link_id": self._session.shared_links.get().pk,
            "public_id": self._session.public_id,
            "session_id": self._session.runtime_session_id,
            "run_id": self._session.invocations.get().pk,
            "prompt_id": self._session.queued_prompts.get().pk,
            "view_id": self._view_key,
            "budget_id": self._budget_key,
            "account_key": self._account_key,
            **self._of_alert,
        }
        return address.at({} if address.is_admin else keys)

    def _key_of(self, address: Address, agent: int) -> int:
        if "/runs/views/<" in address.route:
            return self._view_key
        if "/alerts/<" in address.route:
            return int(self._of_alert["alert_id"])
        if "/start-series/<" in address.route:
            return self._series.pk
        if "/queue/<" in address.route:
            return self._session.queued_prompts.get().pk
        return self._session.invocations.get().pk if "/runs/<int:pk>" in address.route else agent

    def knock(self, address: Address, method: str, body: str = "{}") -> dict[str, int]:
        """The status that each role gets; what it changes is taken back."""
        kind = "application/json" if address.is_api else "application/x-www-form-urlencoded"
        body = body if address.is_api and method in {"POST", "PUT", "PATCH"} else ""
        found = {}
        for role in (*self._cookies, *self._secrets):
            client = Client(raise_request_exception=False)
            client.cookies["sessionid"] = self._cookies.get(role, "")
            headers = {"Authorization": f"Bearer {self._secrets[role]}"} if role in self._secrets else {}
            with transaction.atomic():
                answer = client.generic(method, self.path(address), body, content_type=kind, headers=headers)
                transaction.set_rollback(True)
            found[role] = answer.status_code
        return found
