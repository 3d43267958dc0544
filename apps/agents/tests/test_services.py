from __future__ import annotations

from collections.abc import Callable

import pytest

from apps.agents.models import Agent, Endpoint
from apps.agents.services import LAST_POSITION, order_endpoints, position_of_new, set_agent_tags
from apps.core.exceptions import InvalidInputError
from apps.core.models import Tag

pytestmark = pytest.mark.django_db


def names(agent: Agent) -> list[str]:
    return list(agent.agenttag_set.values_list("tag__name", flat=True))


def test_the_tags_of_an_agent_replace_those_it_had_and_are_shared_with_others(make_agent: Callable[..., Agent]) -> None:
    one, other = make_agent(), make_agent()
    set_agent_tags(agent=other, names=["Travel"])

    assert set_agent_tags(agent=one, names=["zoo", "travel", "ZOO"]) == ["zoo", "Travel"]
    assert (names(one), names(other), Tag.objects.count()) == (["zoo", "Travel"], ["Travel"], 2)
    with pytest.raises(InvalidInputError):
        set_agent_tags(agent=one, names=["x" * 41])
    assert names(one) == ["zoo", "Travel"]
    set_agent_tags(agent=one, names=[])
    assert (names(one), names(other)) == ([], ["Travel"])


@pytest.mark.parametrize(("positions", "new"), [([], 0), ([0, 0], 0), ([0, 3], 4), ([LAST_POSITION], LAST_POSITION)])
def test_a_new_endpoint_is_offered_last_where_somebody_has_put_them_in_order(positions: list[int], new: int) -> None:
    assert position_of_new(positions) == new


def test_an_order_that_was_typed_before_an_endpoint_came_keeps_it(make_agent: Callable[..., Agent]) -> None:
    typed = make_agent(available_qualifiers=["DEFAULT", "prod"])
    for name in ("DEFAULT", "beta", "prod"):
        Endpoint.objects.get_or_create(agent=typed, name=name, defaults={"status": "READY"})
    Agent.objects.filter(pk=typed.pk).update(available_qualifiers=["DEFAULT", "beta", "prod"])

    order_endpoints(agent=typed, names=["prod", "DEFAULT"])

    assert Agent.objects.get(pk=typed.pk).available_qualifiers == ["prod", "DEFAULT", "beta"]
