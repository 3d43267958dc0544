"""Changes of single prompts of a set. Two who change a set at once wait for each other, and none undoes unseen what
the other did: whoever changes a prompt says which state of it was looked at.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

from django.db import transaction
from django.utils.translation import gettext as _

from apps.core.exceptions import ConflictError, InvalidInputError, MissingError, found
from apps.metrics.models import PromptSet, PromptSetItem
from apps.metrics.prompt_sets.reading import Prompt
from apps.metrics.prompt_sets.services import check_count

# Positions from here on are counted from 0 again: the column ends at 32,767.
HIGHEST_POSITION = 10_000
MARK_LENGTH = 32


class ChangedMeanwhileError(ConflictError):
    """A prompt is not any more what its editor looked at."""

    code = "changed_meanwhile"


def mark_of(item: PromptSetItem) -> str:
    """What tells one state of a prompt from another."""
    return hashlib.sha256(json.dumps([item.prompt, item.checks], sort_keys=True).encode()).hexdigest()[:MARK_LENGTH]


def add_prompts(*, prompt_set: PromptSet, prompts: Sequence[Prompt]) -> None:
    """Add prompts at the end of a set, all or none. Raises InvalidInputError where it has no room for them."""
    with transaction.atomic():
        _lock(prompt_set)
        keys = _keys(prompt_set)
        check_count(len(keys) + len(prompts))
        last = prompt_set.items.order_by("position").last()
        following = 0 if last is None else last.position + 1
        if following > HIGHEST_POSITION:
            _number(keys)
            following = len(keys)
        PromptSetItem.objects.bulk_create(
            PromptSetItem(prompt_set=prompt_set, position=following + at, prompt=prompt.text, checks=prompt.checks)
            for at, prompt in enumerate(prompts)
        )


def change_prompt(*, prompt_set: PromptSet, item_id: int, prompt: Prompt, mark: str) -> None:
    """Replace a prompt and its checks, if it still is what `mark` stands for. Raises ChangedMeanwhileError."""
    with transaction.atomic():
        _lock(prompt_set)
        _unchanged(prompt_set, item_id, mark)
        PromptSetItem.objects.filter(pk=item_id).update(prompt=prompt.text, checks=prompt.checks)


def remove_prompt(*, prompt_set: PromptSet, item_id: int, mark: str) -> None:
    """Take a prompt out of its set, if it still is what `mark` stands for. What plans have found of it stays."""
    with transaction.atomic():
        _lock(prompt_set)
        _unchanged(prompt_set, item_id, mark)
        if prompt_set.items.count() == 1:
            raise InvalidInputError(_("It is the last prompt of the set."), advice=_("Delete the set instead."))
        PromptSetItem.objects.filter(pk=item_id).delete()


def move_prompt(*, prompt_set: PromptSet, item_id: int, to: int) -> None:
    """Put a prompt at the place `to`, counted from 1, or the nearest there is; the others keep their order."""
    with transaction.atomic():
        _lock(prompt_set)
        keys = _keys(prompt_set)
        if item_id not in keys:
            raise MissingError.of("prompt", item_id)
        moved = [key for key in keys if key != item_id]
        moved.insert(max(to - 1, 0), item_id)
        if moved != keys:
            _number(moved)


def _lock(prompt_set: PromptSet) -> None:
    found(PromptSet.objects.select_for_update().filter(pk=prompt_set.pk).first(), "prompt set", prompt_set.pk)


def _keys(prompt_set: PromptSet) -> list[int]:
    return list(prompt_set.items.order_by("position").values_list("pk", flat=True))


def _number(keys: Sequence[int]) -> None:
    """Give these prompts of a set, which are all of it, their places from 0; by way of places that none of them has."""
    highest = PromptSetItem.objects.filter(pk__in=keys).order_by("-position").values_list("position", flat=True)[0]
    for first in (highest + 1, 0):
        items = [PromptSetItem(pk=key, position=first + at) for at, key in enumerate(keys)]
        PromptSetItem.objects.bulk_update(items, ["position"])


def _unchanged(prompt_set: PromptSet, item_id: int, mark: str) -> None:
    item = found(prompt_set.items.filter(pk=item_id).first(), "prompt", item_id)
    if mark_of(item) != mark:
        raise ChangedMeanwhileError(
            _("This prompt was changed by somebody else meanwhile."),
            advice=_("Look at what it is now, and save again what is to stay."),
        )
