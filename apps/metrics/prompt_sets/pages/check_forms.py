"""A prompt of a set with its checks, as plain forms: one for each check, with the fields that its kind has."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.agents.forms import PromptField
from apps.core.exceptions import InvalidInputError
from apps.metrics.checks.deciding import MAX_CHECKS, MAX_TEXT, problem_with
from apps.metrics.prompt_sets.pages.wording import KINDS
from apps.metrics.prompt_sets.reading import Prompt, prompt_of


class JsonField(forms.CharField):
    """JSON as it was typed; what is wrong is told with its place."""

    def __init__(self, **options: Any) -> None:
        widget = forms.Textarea(attrs={"rows": 4, "class": "mono", "spellcheck": "false"})
        super().__init__(max_length=MAX_TEXT, widget=widget, **options)

    def clean(self, value: Any) -> Any:
        text = super().clean(value)
        if not text.strip():
            return None
        try:
            return json.loads(text, parse_constant=_no_number)
        except json.JSONDecodeError as error:
            told = {"line": error.lineno, "column": error.colno}
            raise forms.ValidationError(
                _("This is not JSON: look at line %(line)s, character %(column)s.") % told
            ) from None
        except (ValueError, RecursionError):
            raise forms.ValidationError(_("This is not JSON that can be read.")) from None


def _no_number(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


class TextField(forms.CharField):
    """Text of an answer: blanks at its ends belong to it."""

    def __init__(self, **options: Any) -> None:
        super().__init__(strip=False, max_length=MAX_TEXT, widget=forms.TextInput(attrs={"dir": "auto"}), **options)


def _fields(kind: str) -> Iterator[tuple[str, forms.Field]]:
    if kind in {"contains", "regex"}:
        if kind == "contains":
            yield "text", TextField(label=_("Text"))
        else:
            yield "pattern", TextField(label=_("Pattern"), help_text=_("As Python’s re.search takes it."))
        yield "is_any_case", forms.BooleanField(label=_("In any case"), required=False)
        yield "is_negated", forms.BooleanField(label=_("Must not be in the answer"), required=False)
    elif kind == "json_schema":
        yield "schema", JsonField(label=_("Schema"), help_text=_("JSON Schema, of which not every word is known."))
    elif kind == "tool_called":
        yield "name", forms.CharField(label=_("Tool"), max_length=MAX_TEXT)
        yield "arguments", JsonField(label=_("With at least these arguments (JSON)"), required=False)
    elif kind == "max_ttft":
        yield "ms", forms.DecimalField(label=_("Milliseconds"), min_value=Decimal("0.001"), max_value=10**9 - 1)
    else:
        yield "usd", forms.DecimalField(label=_("US dollars"), min_value=Decimal("0.000001"), max_value=10**9 - 1)


class CheckForm(forms.Form):
    """A check of one kind."""

    is_removed = forms.BooleanField(label=gettext_lazy("Remove"), required=False)

    def __init__(
        self, data: QueryDict | None = None, *, index: int, kind: str, initial: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(data, prefix=f"check-{index}", initial=dict(initial or {}))
        self.index, self.kind = index, kind
        self.fields = {**dict(_fields(kind)), "is_removed": self.fields["is_removed"]}

    @property
    def title(self) -> str:
        return str(KINDS[self.kind])

    @property
    def texts(self) -> list[forms.BoundField]:
        """The fields that are typed into."""
        return [field for field in self if not isinstance(field.field, forms.BooleanField)]

    @property
    def flags(self) -> list[forms.BoundField]:
        return [field for field in self if isinstance(field.field, forms.BooleanField)]

    @property
    def wants_removal(self) -> bool:
        return bool(self["is_removed"].value())

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if not self.errors and (problem := problem_with(self.check())) is not None:
            self.add_error(None, _("It cannot be used: %(problem)s.") % {"problem": problem})
        return cleaned

    def check(self) -> dict[str, Any]:
        """The check of what was typed."""
        made: dict[str, Any] = {"kind": self.kind}
        for name, value in self.cleaned_data.items():
            if name == "is_any_case" and value:
                made["is_case_sensitive"] = False
            elif name == "is_negated" and value:
                made["is_negated"] = True
            elif isinstance(value, Decimal):
                made[name] = int(value) if name == "ms" and value == int(value) else f"{value:f}"
            elif not isinstance(value, bool) and (value is not None or name == "schema"):
                made[name] = value
        return made


def _initial(check: Mapping[str, Any]) -> dict[str, Any]:
    found = {name: value for name, value in check.items() if name not in {"kind", "is_case_sensitive"}}
    for name in ("schema", "arguments"):
        if name in found:
            found[name] = json.dumps(found[name], ensure_ascii=False, indent=2)
    return found | {"is_any_case": not check.get("is_case_sensitive", True)}


def _as_typed(data: QueryDict, prefix: str) -> dict[str, Any]:
    return {name.removeprefix(prefix): value for name, value in data.items() if name.startswith(prefix)}


class TextForm(forms.Form):
    """The text of a prompt."""

    prompt = PromptField(widget=forms.Textarea(attrs={"rows": 4, "dir": "auto"}))


class PromptEditor:
    """The forms of one prompt: its text, each check, and the kind of one that is to be added."""

    def __init__(self, text: TextForm, checks: list[CheckForm]) -> None:
        self.text, self.checks = text, checks
        self.kinds = list(KINDS.items())
        self.can_add = len(checks) < MAX_CHECKS

    @classmethod
    def of(cls, prompt: str, checks: Sequence[Mapping[str, Any]]) -> PromptEditor:
        """What is stored."""
        made = [CheckForm(index=at, kind=check["kind"], initial=_initial(check)) for at, check in enumerate(checks)]
        return cls(TextForm(initial={"prompt": prompt}), made)

    @classmethod
    def typed(cls, data: QueryDict) -> PromptEditor:
        """What was typed. With `add` there is one more check, of the kind `kind`, and nothing is looked at yet."""
        indexes = [index for index in data.getlist("check")[:MAX_CHECKS] if index.isascii() and index.isdecimal()]
        given = {int(index[:4]): data.get(f"check-{index[:4]}-kind", "") for index in indexes}
        known = [(at, kind) for at, kind in given.items() if kind in KINDS]
        if "add" not in data:
            return cls(TextForm(data), [CheckForm(data, index=at, kind=kind) for at, kind in known])
        checks = [CheckForm(index=at, kind=kind, initial=_as_typed(data, f"check-{at}-")) for at, kind in known]
        editor = cls(TextForm(initial={"prompt": data.get("prompt", "")}), checks)
        editor._add(data.get("kind", ""))
        return editor

    def _add(self, kind: str) -> None:
        kind = kind if kind in KINDS else next(iter(KINDS))
        if not self.can_add:
            return
        index = max((check.index for check in self.checks), default=-1) + 1
        added = CheckForm(index=index, kind=kind)
        next(iter(added.fields.values())).widget.attrs["autofocus"] = True
        self.checks.append(added)
        self.can_add = len(self.checks) < MAX_CHECKS

    def prompt(self) -> Prompt | None:
        """The prompt as it may be stored; None where something has to be mended, which then stands beside it."""
        kept = [check for check in self.checks if not check.wants_removal]
        are_valid = [form.is_valid() for form in (self.text, *kept)]
        if not all(are_valid):
            return None
        try:
            return prompt_of({"prompt": self.text.cleaned_data["prompt"], "checks": [check.check() for check in kept]})
        except InvalidInputError as error:
            self.text.add_error("prompt", error.text())
            return None

    @property
    def has_errors(self) -> bool:
        return any(form.is_bound and form.errors for form in (self.text, *self.checks))
