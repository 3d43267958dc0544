"""A prompt set: its prompts with their checks, one page for each prompt, and their order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from django.views.decorators.vary import vary_on_headers

from apps.accounts.http import SignedInRequest
from apps.core.exceptions import LoomError
from apps.core.tables.page import page_of
from apps.metrics.models import PromptSet, PromptSetItem
from apps.metrics.prompt_sets import editing
from apps.metrics.prompt_sets.pages.check_forms import PromptEditor
from apps.metrics.prompt_sets.pages.list_views import found_set
from apps.metrics.prompt_sets.pages.wording import check_words
from apps.metrics.prompt_sets.reading import MAX_PROMPTS, Prompt
from apps.metrics.prompt_sets.selectors import plans_visible_to

PAGE_SIZE = 50
PLANS_SHOWN = 10


@dataclass(frozen=True, slots=True)
class ItemRow:
    """A prompt as the set shows it; `number` counts from 1."""

    item: PromptSetItem
    number: int

    @property
    def checks(self) -> list[str]:
        return [check_words(check) for check in self.item.checks]

    @property
    def above(self) -> int:
        return self.number - 1

    @property
    def below(self) -> int:
        return self.number + 1


def _context(request: SignedInRequest, prompt_set: PromptSet) -> dict[str, Any]:
    items = prompt_set.items.order_by("position").select_related("made_from__session")
    items = items.defer("made_from__response_text", "made_from__payload", "made_from__prompt")
    page = page_of(items, request.GET, PAGE_SIZE)
    rows = [ItemRow(item, number) for number, item in enumerate(page.object_list, page.start_index())]
    return {
        "prompt_set": prompt_set,
        "page": page,
        "rows": rows,
        "is_full": page.paginator.count >= MAX_PROMPTS,
        "plans": list(plans_visible_to(request.user).filter(prompt_set=prompt_set).order_by("-pk")[:PLANS_SHOWN]),
    }


@vary_on_headers("HX-Request", "HX-Target")
@require_safe
def set_detail(request: SignedInRequest, set_id: int) -> HttpResponse:
    """The prompts of a set, in pages, and what it was sent for lately."""
    context = _context(request, found_set(request, set_id))
    is_table_only = request.htmx and request.htmx.target == "prompt-table"
    return render(request, "metrics/prompt_set_detail.html" + ("#prompt-table" if is_table_only else ""), context)


@require_http_methods(["GET", "HEAD", "POST"])
def prompt_new(request: SignedInRequest, set_id: int) -> HttpResponse:
    """Add a prompt with its checks."""
    prompt_set = found_set(request, set_id)
    if request.method != "POST":
        return _editor(request, prompt_set, PromptEditor.of("", []))
    editor = PromptEditor.typed(request.POST)
    prompt = None if "add" in request.POST else editor.prompt()
    if prompt is None:
        return _editor(request, prompt_set, editor, status=200 if "add" in request.POST else 422)
    try:
        editing.add_prompts(prompt_set=prompt_set, prompts=[prompt])
    except LoomError as error:
        return _editor(request, prompt_set, editor, problem=error, status=422)
    messages.success(request, _("The prompt is added."))
    return redirect(prompt_set)


@require_http_methods(["GET", "HEAD", "POST"])
def prompt_edit(request: SignedInRequest, set_id: int, item_id: int) -> HttpResponse:
    """Change a prompt and its checks. What somebody else has changed meanwhile is shown beside what was typed."""
    prompt_set = found_set(request, set_id)
    item = get_object_or_404(prompt_set.items, pk=item_id)
    if request.method != "POST":
        return _editor(request, prompt_set, PromptEditor.of(item.prompt, item.checks), item=item)
    editor = PromptEditor.typed(request.POST)
    mark = request.POST.get("mark", "")
    prompt = None if "add" in request.POST else editor.prompt()
    if prompt is None:
        return _editor(request, prompt_set, editor, item=item, mark=mark, status=200 if "add" in request.POST else 422)
    try:
        editing.change_prompt(prompt_set=prompt_set, item_id=item_id, prompt=prompt, mark=mark)
    except LoomError as error:
        item = get_object_or_404(prompt_set.items, pk=item_id)
        return _editor(request, prompt_set, editor, item=item, problem=error, status=int(error.http_status))
    messages.success(request, _("The prompt is saved."))
    return redirect(prompt_set)


def _editor(
    request: SignedInRequest,
    prompt_set: PromptSet,
    editor: PromptEditor,
    *,
    item: PromptSetItem | None = None,
    mark: str = "",
    problem: LoomError | None = None,
    status: int = 200,
) -> HttpResponse:
    """The page of a prompt, with the mark of what it was when it was shown first, or is now that it has changed."""
    has_changed = isinstance(problem, editing.ChangedMeanwhileError)
    context = {
        "prompt_set": prompt_set,
        "editor": editor,
        "form": editor.text,
        "item": item,
        "mark": mark or (editing.mark_of(item) if item is not None else ""),
        "problem": problem,
        "stored": Prompt(item.prompt, item.checks) if item is not None and has_changed else None,
        "stored_checks": [check_words(check) for check in item.checks] if item is not None and has_changed else [],
    }
    return render(request, "metrics/prompt_set_prompt.html", context, status=status)


@require_POST
def prompt_remove(request: SignedInRequest, set_id: int, item_id: int) -> HttpResponse:
    """Take a prompt out of a set, as it was shown."""
    prompt_set = found_set(request, set_id)
    get_object_or_404(prompt_set.items, pk=item_id)
    try:
        editing.remove_prompt(prompt_set=prompt_set, item_id=item_id, mark=request.POST.get("mark", ""))
    except LoomError as error:
        messages.error(request, error.text())
    else:
        messages.success(request, _("The prompt is removed."))
    return redirect(prompt_set)


@require_POST
def prompt_move(request: SignedInRequest, set_id: int, item_id: int) -> HttpResponse:
    """Put a prompt at the place `to` of its set."""
    prompt_set = found_set(request, set_id)
    get_object_or_404(prompt_set.items, pk=item_id)
    to = request.POST.get("to", "")
    if to.isascii() and to.isdecimal():
        editing.move_prompt(prompt_set=prompt_set, item_id=item_id, to=int(to[:6]))
    if request.htmx:
        return render(request, "metrics/prompt_set_detail.html#prompt-table", _context(request, prompt_set))
    return redirect(prompt_set)
