"""Fragments that go out by the thousand: a template is rendered once for each of its shapes, then its holes are filled.

The template stays what says how a fragment looks. Its subject has two kinds of attributes: by some the template
decides (`shape`), the others are texts that it puts somewhere (`holes`). Rendered once for a shape, with a mark in
place of each text, it is a list of pieces, between which the texts of any subject of that shape belong.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from html import escape
from operator import attrgetter
from typing import Any

from django.conf import settings
from django.template.loader import render_to_string
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import get_language

Texts = Callable[[object], tuple[Any, ...]]
_Filling = tuple[list[str], Texts, list[int]]
"""Pieces of HTML with a hole behind each, what gets the texts of a subject, and which of them belongs in which hole."""

MOST_SHAPES = 500
"""So many are kept of one template; they are few unless somebody counts what he should not."""
_MARK = "\x00"  # stands in no template, and what stands in a text is not looked for


class ShapeError(Exception):
    """A template asks its subject for something that is neither of its shape nor a hole."""


class Skeleton:
    """A template whose context holds `name`, the subject."""

    def __init__(self, template: str, name: str, *, shape: Iterable[str], holes: Iterable[str]) -> None:
        self._template, self._name = template, name
        self._shape_names, self._holes = tuple(shape), frozenset(holes)
        self._shape_of = _getter_of(list(self._shape_names))
        self._skeletons: dict[Hashable, _Filling] = {}

    def render(self, subject: object) -> str:
        """The template, filled with the texts of a subject; a template that is being worked on is rendered anew."""
        if settings.DEBUG:
            return self.render_whole(subject)
        shape = self._shape_of(subject)
        key = (get_language(), shape)
        skeleton = self._skeletons.get(key)
        if skeleton is None:
            if len(self._skeletons) >= MOST_SHAPES:
                self._skeletons.clear()
            skeleton = self._skeletons[key] = self._skeleton_of(shape)
        pieces, texts_of, places = skeleton
        texts = [text if isinstance(text, SafeString) else escape(text) for text in texts_of(subject)]
        filled = pieces.copy()
        filled[1::2] = [texts[place] for place in places]
        return "".join(filled)

    def render_whole(self, subject: object) -> str:
        """The same in one go, as a page does that includes the template."""
        return render_to_string(self._template, {self._name: subject})

    def _skeleton_of(self, shape: tuple[object, ...]) -> _Filling:
        standin = _Standin(dict(zip(self._shape_names, shape, strict=True)), self._holes)
        pieces = self.render_whole(standin).split(_MARK)
        if standin.unknown_names:
            raise ShapeError(f"{self._template} asks for {', '.join(sorted(standin.unknown_names))}")
        names = list(dict.fromkeys(pieces[1::2]))
        return pieces, _getter_of(names), [names.index(name) for name in pieces[1::2]]


class _Standin:
    """Has the shape of a subject, and a mark for each of its texts."""

    def __init__(self, shape: dict[str, object], holes: frozenset[str]) -> None:
        self._shape, self._holes = shape, holes
        self.unknown_names: set[str] = set()

    def __getattr__(self, name: str) -> object:
        if name in self._shape:
            return self._shape[name]
        if name in self._holes:
            return mark_safe(f"{_MARK}{name}{_MARK}")  # noqa: S308 -- two marks around a name of ours
        self.unknown_names.add(name)  # templates take an AttributeError for an empty text
        raise AttributeError(name)


def _getter_of(names: list[str]) -> Texts:
    """What gets these attributes, as a tuple also where they are one or none."""
    if len(names) > 1:
        return attrgetter(*names)
    return lambda subject: tuple(getattr(subject, name) for name in names)
