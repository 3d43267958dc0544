"""A set as a download."""

from __future__ import annotations

from django.http import HttpRequest, StreamingHttpResponse

from apps.core.requests.streaming import streamed
from apps.core.tables.export import csv_response
from apps.metrics.models import PromptSet
from apps.metrics.prompt_sets.writing import HEADS, csv_rows, json_lines


def csv_file(request: HttpRequest, prompt_set: PromptSet) -> StreamingHttpResponse:
    """A set as a spreadsheet reads it."""
    items = prompt_set.items.order_by("position")
    return csv_response(request, f"prompt-set-{prompt_set.pk}", HEADS, csv_rows(items.iterator()))


def jsonl_file(request: HttpRequest, prompt_set: PromptSet) -> StreamingHttpResponse:
    """A set as it is read again, to the letter."""
    items = prompt_set.items.order_by("position")
    response = streamed(request, json_lines(items.iterator()), content_type="application/jsonl; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="prompt-set-{prompt_set.pk}.jsonl"'
    response["Cache-Control"] = "no-store"
    response["X-Content-Type-Options"] = "nosniff"
    return response
