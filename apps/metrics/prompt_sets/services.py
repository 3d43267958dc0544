"""Every change of prompt sets."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.accounts.models import User
from apps.core.exceptions import ConflictError, InvalidInputError, MissingError
from apps.metrics.models import Plan, PromptSet, PromptSetItem
from apps.metrics.prompt_sets.reading import MAX_PROMPTS, Prompt
from apps.metrics.series.plans import Asked, Limits, Target, start_plan
from apps.sessions.invoking import check_storable
from apps.sessions.models import Invocation
from apps.sessions.selectors import invocations_visible_to

logger = logging.getLogger(__name__)

NAME_LENGTH = 120
NAMES_TRIED = 50  # of sets that get their names from what they are made of


class NameTakenError(ConflictError):
    """Each of a person's sets has a name of its own: commands know them by it."""

    code = "name_taken"


def make_prompt_set(*, owner: User, name: str, prompts: Sequence[Prompt], runs: Sequence[Invocation] = ()) -> PromptSet:
    """Store a set; `runs` are those that its prompts were made from, in their order, where there are any.

    Raises InvalidInputError and NameTakenError.
    """
    name = _checked_name(name)
    check_count(len(prompts))
    try:
        with transaction.atomic():
            made = PromptSet.objects.create(owner=owner, name=name, created_at=timezone.now())
            _add(made, 0, prompts, runs)
    except IntegrityError:
        raise _name_taken() from None
    logger.info("prompt set made id=%s prompts=%d", made.pk, len(prompts))
    return made


def rename_prompt_set(*, prompt_set: PromptSet, name: str) -> None:
    """Give a set another name. Raises InvalidInputError and NameTakenError."""
    name = _checked_name(name)
    try:
        with transaction.atomic():
            PromptSet.objects.filter(pk=prompt_set.pk).update(name=name)
    except IntegrityError:
        raise _name_taken() from None


def _checked_name(name: str) -> str:
    name = " ".join(name.split())
    check_storable(name)
    if not 1 <= len(name) <= NAME_LENGTH:
        raise InvalidInputError(_("A set has a name of 1 to %(count)s characters.") % {"count": NAME_LENGTH})
    return name


def _name_taken() -> NameTakenError:
    return NameTakenError(_("There is a prompt set of this name already."), advice=_("Give this one another name."))


def check_count(count: int) -> None:
    """Raise InvalidInputError where a set cannot have as many prompts."""
    if not 1 <= count <= MAX_PROMPTS:
        raise InvalidInputError(_("A set has 1 to %(count)s prompts.") % {"count": f"{MAX_PROMPTS:,}"})


def _add(made: PromptSet, first: int, prompts: Sequence[Prompt], runs: Sequence[Invocation]) -> None:
    origins = [*runs, *[None] * (len(prompts) - len(runs))]
    PromptSetItem.objects.bulk_create(
        PromptSetItem(prompt_set=made, position=first + at, prompt=prompt.text, checks=prompt.checks, made_from=origin)
        for at, (prompt, origin) in enumerate(zip(prompts, origins, strict=True))
    )


def runs_for_set(*, user: User, run_ids: Sequence[int]) -> list[Invocation]:
    """The runs of these keys, in this order. Raises MissingError for one that the user may not see."""
    found = invocations_visible_to(user).in_bulk(list(dict.fromkeys(run_ids))[: MAX_PROMPTS + 1])
    for key in run_ids:
        if key not in found:
            raise MissingError.of("run", key)
    return [found[key] for key in dict.fromkeys(run_ids)]


def make_from_runs(*, owner: User, name: str, run_ids: Sequence[int]) -> PromptSet:
    """Make a set of the prompts of past runs, without checks."""
    runs = runs_for_set(user=owner, run_ids=run_ids)
    return make_prompt_set(owner=owner, name=name, prompts=[_prompt_of(run) for run in runs], runs=runs)


def keep_runs(*, owner: User, name: str, runs: Sequence[Invocation]) -> tuple[PromptSet, int]:
    """Make a set of what these runs asked, each prompt once, under this name or one beside it; return also how many
    runs had no prompt that could be sent again. Raises InvalidInputError where none has one.
    """
    named = [run for run in runs if run.prompt.strip()]
    first: dict[str, Invocation] = {}
    for run in named:
        first.setdefault(run.prompt, run)
    once = list(first.values())
    if not once:
        raise InvalidInputError(
            _("None of these runs has a prompt that could be sent again."),
            advice=_("They were sent as payloads, or their content was removed."),
        )
    for number in range(1, NAMES_TRIED + 1):
        end = f" ({number})" if number > 1 else ""
        shown = name[: NAME_LENGTH - len(end)] + end
        try:
            made = make_prompt_set(owner=owner, name=shown, prompts=[_prompt_of(run) for run in once], runs=once)
        except NameTakenError:
            continue
        return made, len(runs) - len(named)
    raise _name_taken()


def add_runs(*, prompt_set: PromptSet, user: User, run_ids: Sequence[int]) -> int:
    """Add the prompts of past runs to a set; one that was made from the same run is not added again. Return how many
    were.
    """
    runs = runs_for_set(user=user, run_ids=run_ids)
    with transaction.atomic():
        PromptSet.objects.select_for_update().filter(pk=prompt_set.pk).first()
        items = list(prompt_set.items.order_by("position"))
        known = {item.made_from_id for item in items}
        runs = [run for run in runs if run.pk not in known]
        check_count(len(items) + len(runs))
        _add(prompt_set, items[-1].position + 1 if items else 0, [_prompt_of(run) for run in runs], runs)
    return len(runs)


def _prompt_of(run: Invocation) -> Prompt:
    if not run.prompt.strip():
        raise InvalidInputError(
            _("Run %(id)s has no prompt that could be sent again.") % {"id": run.pk},
            advice=_("It was sent as a payload, or its content was removed."),
        )
    return Prompt(run.prompt)


def delete_prompt_set(*, prompt_set: PromptSet) -> None:
    """Delete a set; what its runs found stays with their plans."""
    PromptSet.objects.filter(pk=prompt_set.pk).delete()
    logger.info("prompt set deleted id=%s", prompt_set.pk)


def run_prompt_set(
    *, prompt_set: PromptSet, owner: User, targets: Sequence[Target], limits: Limits, request_key: str = ""
) -> Plan:
    """Ask for every prompt of a set to be sent to each target. Raises InvalidInputError."""
    return start_plan(
        owner=owner,
        name=prompt_set.name,
        source=Invocation.Source.PROMPT_SET,
        targets=targets,
        prompts=[Asked(item.prompt, item.checks) for item in prompt_set.items.order_by("position")],
        limits=limits,
        prompt_set=prompt_set,
        request_key=request_key,
    )
