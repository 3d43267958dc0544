"""Background tasks while the database is away: what they would have done is due again when it is back."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec

from django.db import Error as DatabaseError

from apps.core.requests.unavailability import unavailability

logger = logging.getLogger(__name__)

Arguments = ParamSpec("Arguments")


def put_off_while_away(task: Callable[Arguments, object]) -> Callable[Arguments, None]:
    """A task of the queue that does nothing where the database cannot be reached.

    The queue would write the whole trace of each that was at work in that moment. Only for what a tick asks for again.
    """

    @wraps(task)
    def run(*args: Arguments.args, **kwargs: Arguments.kwargs) -> None:
        try:
            task(*args, **kwargs)
        except DatabaseError as error:
            if unavailability(error) is None:
                raise
            logger.warning("task put off name=%s error=%s", task.__name__, type(error).__name__)

    return run
