from __future__ import annotations

import pytest
from django.contrib.auth.models import AnonymousUser

from apps.core.notices import topics


def test_the_longest_registered_prefix_decides_and_an_unknown_topic_is_nobodys() -> None:
    asked: list[str] = []

    def allow(_user: object, topic: str) -> bool:
        asked.append(topic)
        return True

    topics.register("topictest:", allow)
    topics.register("topictest:secret:", lambda _user, _topic: False)

    joined = {
        topic: topics.may_join(AnonymousUser(), topic)
        for topic in ["topictest:1", "topictest:secret:1", "topictest", "unheard:1", ""]
    }

    assert joined == {
        "topictest:1": True,
        "topictest:secret:1": False,
        "topictest": False,
        "unheard:1": False,
        "": False,
    }
    assert asked == ["topictest:1"]


@pytest.mark.parametrize("prefix", ["", "topictest:taken:"])
def test_a_second_check_for_a_prefix_is_refused(prefix: str) -> None:
    if prefix:
        topics.register(prefix, lambda _user, _topic: True)
    with pytest.raises(ValueError, match="topic prefix"):
        topics.register(prefix, lambda _user, _topic: True)
