"""What a stranger must not read of the account, also where an agent or an error says it."""

from __future__ import annotations

import re

from django.utils.html import escape

from apps.sessions.models import Session

HIDDEN = "‹hidden›"


class Hiding:
    """Takes the ARN, the account, the log group and the owner's address out of whatever is shown of a session."""

    def __init__(self, session: Session) -> None:
        runtime = getattr(session.agent, "runtime", None)
        words = {session.owner.email}
        if runtime is not None:
            words |= {runtime.arn, runtime.log_group, runtime.runtime_id, runtime.account_id}
        words = {form for word in words if word for form in (word, escape(word))}
        # The longest first: one may be a part of another.
        longest_first = sorted(words, key=lambda word: (-len(word), word))
        self._words = re.compile("|".join(map(re.escape, longest_first)), re.IGNORECASE)

    def __call__(self, text: str) -> str:
        return self._words.sub(HIDDEN, text)
