"""Every text that a person or a program can send has a longest length, or is checked as what it is."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from typing import Any

import pytest
from django import forms
from django.urls import get_resolver

from apps.agents.payload import MAX_PAYLOAD_LENGTH, PayloadError, check_payload
from apps.core.exceptions import InvalidInputError
from apps.sessions.invoking import check_prompt
from loom.api import api

# Read as JSON, with a limit and words of its own.
AS_JSON = {"InvokeForm.payload", "PromptForm.payload", "InvocationSettingsForm.payload_template"}


def all_forms(kind: type[forms.BaseForm] = forms.BaseForm) -> Iterator[type[forms.BaseForm]]:
    for form in kind.__subclasses__():
        yield form
        yield from all_forms(form)


def test_every_text_of_a_form_has_a_longest_length() -> None:
    import_module(str(get_resolver().urlconf_name))
    found = {
        f"{form.__name__}.{name}": getattr(field, "max_length", None)
        for form in all_forms()
        if form.__module__.startswith(("apps.", "loom."))
        for name, field in getattr(form, "base_fields", {}).items()
        if isinstance(field, forms.CharField) and not isinstance(field, forms.EmailField)
    }

    assert len(found) >= 10
    assert {name for name, length in found.items() if length is None} - AS_JSON <= {
        # Django's own, of its administration.
        name
        for name in found
        if name.startswith("UserAddForm.") or name.startswith("SignInForm.")
    }


def texts(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The texts that a schema takes as such; a number may be written as one."""
    parts = [schema, *schema.get("anyOf", ()), *schema.get("allOf", ())]
    if any(part.get("type") == "number" for part in parts):
        return
    for part in parts:
        if part.get("type") == "string":
            yield {**schema, **part}


def test_every_text_of_the_api_has_a_longest_length_or_a_pattern() -> None:
    document = api.get_openapi_schema(path_prefix="")
    found = {}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            fields = {one["name"]: one["schema"] for one in operation.get("parameters", ()) if one["in"] != "path"}
            if "requestBody" in operation:
                body = operation["requestBody"]["content"]["application/json"]["schema"]
                if "$ref" in body:
                    body = document["components"]["schemas"][body["$ref"].rpartition("/")[2]]
                fields |= body.get("properties", {})
            for name, schema in fields.items():
                for text in texts(schema):
                    found[f"{method.upper()} {path} {name}"] = text

    assert len(found) >= 10
    without = [name for name, text in found.items() if not {"maxLength", "pattern", "enum", "format"} & text.keys()]
    assert without == []


def test_texts_are_refused_with_their_length_whoever_sends_them() -> None:
    with pytest.raises(InvalidInputError, match="at most 100,000 characters; this one has 100,001"):
        check_prompt("x" * 100_001)
    with pytest.raises(PayloadError, match="at most 1,000,000 are taken"):
        check_payload('"' + "x" * MAX_PAYLOAD_LENGTH + '"')
