"""A list holds what opens by its address, for whoever asks: the policy's decisions against its filters."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser
from django.db import transaction
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.accounts.models import User
from apps.accounts.policy import ROWS, SCOPE_OF, Subject, decide, subject_of, visible
from apps.accounts.tokens import SCOPES
from apps.agentcore.models import AwsAccount
from apps.agents.models import Agent
from apps.agents.selectors import agents_visible_to, registry_visible_to
from apps.costs.models import Budget
from apps.metrics.models import Alert, AlertChannel, AlertNotice, AlertRule, Plan, PromptSet, StartSeries
from apps.metrics.series.selectors import series_visible_to
from apps.overview.models import Rating, SavedView
from apps.overview.selectors import saved_views_visible_to
from apps.sessions.models import Invocation, Session
from apps.sessions.selectors import invocations_visible_to, sessions_visible_to
from apps.takeout.models import SharedLink
from apps.takeout.selectors import links_visible_to
from apps.vault.models import Secret

pytestmark = pytest.mark.django_db

MODELS: tuple[Any, ...] = (
    Agent,
    Session,
    Invocation,
    StartSeries,
    AwsAccount,
    Budget,
    PromptSet,
    Plan,
    SharedLink,
    SavedView,
    Rating,
    Secret,
    AlertRule,
    Alert,
    AlertChannel,
    AlertNotice,
)
NOW = timezone.now()


def make(agent: Agent, owner: User, number: int) -> None:
    """A session of the owner's with a rated run and a shared link, a series, a budget, a prompt set, a plan, a view."""
    SavedView.objects.create(owner=owner, name=f"Mine {number}", created_at=NOW)
    AwsAccount.objects.create(origin="emulator", label=f"Account {number}", account_id=f"{number:012}")
    budget = Budget.objects.create(owner=owner, name="Trials", limit_micros=1)
    PromptSet.objects.create(owner=owner, name=f"Trips {number}", created_at=NOW)
    Plan.objects.create(owner=owner, name="Trips", source="prompt_set", budget=budget, until_at=NOW, created_at=NOW)
    session = Session.objects.create(agent=agent, owner=owner, runtime_session_id=f"{number:036}", created_at=NOW)
    run = Invocation.objects.create(session=session, number=1, status="completed", prompt="Hi", requested_at=NOW)
    Rating.objects.create(owner=owner, invocation=run, thumb="up", rated_at=NOW)
    SharedLink.objects.create(
        session=session, made_by=owner, digest=f"{owner.pk} {number}", shown="", created_at=NOW, expires_at=NOW
    )
    Secret.objects.create(owner=owner, name=f"Key {number}", ciphertext="x", key_id="x", created_at=NOW, changed_at=NOW)
    channel = AlertChannel.objects.create(owner=owner, name=f"Ops {number}", kind="email", address="x", created_at=NOW)
    for of in (owner, None):
        rule = AlertRule.objects.create(
            owner=of, name=f"Errors {number}", metric="error_rate", window_s=300, alert=0.1, min_n=1, created_at=NOW,
            next_at=NOW,
        )  # fmt: skip
        Alert.objects.create(rule=rule, agent=agent, level="alert", since_at=NOW, opened_at=NOW, seen_at=NOW)
    AlertNotice.objects.create(rule=rule, channel=channel, created_at=NOW)
    StartSeries.objects.create(
        agent=agent, owner=owner, prompt="Hi", count=1, max_cost_usd=1, estimated_cost_usd=0, state="done",
        created_at=NOW,
    )  # fmt: skip


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
def test_a_list_holds_exactly_what_is_decided_of_each_thing(
    make_agent: Callable[..., Agent], alice: User, bob: User, carol: User, data: st.DataObject
) -> None:
    owners = data.draw(st.lists(st.sampled_from([alice, bob, carol]), max_size=5))
    subject = data.draw(
        st.builds(
            Subject,
            st.sampled_from([None, alice.pk, bob.pk, carol.pk, 0]),
            st.booleans(),
            st.sampled_from([None, *SCOPES]),
        )
    )
    with transaction.atomic():
        for number, owner in enumerate(owners):
            make(make_agent(), owner, number)
        if data.draw(st.booleans()):
            Session.objects.filter(owner=alice).update(deleted_at=NOW)
        for model, action in product(MODELS, SCOPE_OF):
            things = model.objects.all()
            decided = {thing.pk for thing in things if decide(subject, action, thing)}
            assert (
                model,
                action,
                set(things.filter(visible(subject, model, action)).values_list("pk", flat=True)),
            ) == (
                model,
                action,
                decided,
            )
        transaction.set_rollback(True)


def test_what_a_selector_gives_is_what_the_policy_decides(
    make_agent: Callable[..., Agent], alice: User, bob: User, carol: User
) -> None:
    agent = make_agent()
    for number, owner in enumerate((alice, bob, bob)):
        make(agent, owner, number)
    archived = make_agent(removed_at=NOW)
    make_agent(origin="aws")
    for user, count in ((AnonymousUser(), 0), (alice, 1), (bob, 2), (carol, 3)):
        for given_things, model in (
            (sessions_visible_to(user), Session),
            (invocations_visible_to(user), Invocation),
            (series_visible_to(user), StartSeries),
            (links_visible_to(user), SharedLink),
        ):
            decided = {thing.pk for thing in model.objects.all() if decide(subject_of(user), "read", thing)}
            assert (len(decided), {thing.pk for thing in given_things}) == (count, decided)
        assert {view.owner_id for view in saved_views_visible_to(user)} == {user.pk} & {alice.pk, bob.pk}
        is_signed_in = user.is_authenticated
        assert set(agents_visible_to(user)) == ({agent} if is_signed_in else set())
        assert set(registry_visible_to(user)) == ({agent, archived} if is_signed_in else set())


def test_every_row_is_about_a_model_that_is_there() -> None:
    assert {row.model for row in ROWS} == {model._meta.label for model in MODELS}
