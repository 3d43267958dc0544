"""The names of tags: how they are written, how many there may be, and their rows."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

from apps.core.exceptions import InvalidInputError
from apps.core.models import Tag

TAGS_AT_MOST = 20


def tag_key(name: str) -> str:
    """What two names have in common that are the same tag, whatever a database takes for upper and lower case."""
    return unicodedata.normalize("NFC", name).casefold()


def normalised(names: Iterable[str]) -> list[str]:
    """The names in their order: blanks joined, empty ones and those that say the same again left out.

    Raises InvalidInputError for one that cannot be a tag, and for too many.
    """
    found: dict[str, str] = {}
    for given in names:
        name = " ".join(unicodedata.normalize("NFC", given).split())
        if any(unicodedata.category(sign) in {"Cc", "Cs"} for sign in name):
            raise InvalidInputError("A tag cannot have control characters.", advice="Type it anew.")
        if len(name) > Tag.NAME_LENGTH:
            raise InvalidInputError(
                f"A tag has at most {Tag.NAME_LENGTH} characters; “{name[:20]}…” has {len(name):,}.",
                advice="Choose a shorter word.",
            )
        if name:
            found.setdefault(tag_key(name), name)
    if len(found) > TAGS_AT_MOST:
        raise InvalidInputError(
            f"There can be {TAGS_AT_MOST} tags at most; these are {len(found):,}.", advice="Leave some out."
        )
    return list(found.values())


def one_tag(name: str) -> str:
    """The name of a single tag, normalised. Raises InvalidInputError for one that cannot be a tag, and for none."""
    found = normalised([name])
    if not found:
        raise InvalidInputError("The tag has no name.", advice="Type a word that it is to be found by.")
    return found[0]


def tags_named(names: list[str]) -> list[Tag]:
    """The tags of normalised names, in their order. Those that do not exist are made; one that does keeps its case."""
    Tag.objects.bulk_create((Tag(name=name, key=tag_key(name)) for name in names), ignore_conflicts=True)
    keys = [tag_key(name) for name in names]
    tags = {tag.key: tag for tag in Tag.objects.filter(key__in=keys)}
    return [tags[key] for key in keys]
