"""The accounts beside Loom's own: their list with their regions, and one of them."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from apps.accounts.http import SignedInRequest
from apps.accounts.policy import Action
from apps.agentcore.accounts import services
from apps.agentcore.accounts.forms import AccountForm, new_external_id
from apps.agentcore.accounts.rows import AccountRow, account_rows, own_row
from apps.agentcore.importing.discovery import suggested_regions
from apps.agentcore.models import AwsAccount
from apps.agentcore.selectors import accounts_visible_to, may_manage_accounts
from apps.core.exceptions import LoomError


@require_safe
def account_list(request: SignedInRequest) -> HttpResponse:
    """Accounts by regions, with how looking there went last."""
    rows = account_rows(accounts_visible_to(request.user))
    context = {
        "rows": [own_row(suggested_regions(None)), *rows],
        "has_accounts": bool(rows),
        "failing": [row for row in rows if row.state == "failing"],
        "may_manage": may_manage_accounts(request.user),
    }
    return render(request, "agentcore/account_list.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
def account_new(request: SignedInRequest) -> HttpResponse:
    """Add an account and ask it at once, so that a role that lets nobody in is seen where it was entered."""
    if not may_manage_accounts(request.user):
        raise Http404
    if request.method != "POST":
        form = AccountForm(initial={"external_id": new_external_id(), "regions": settings.AWS_REGION})
        return render(request, "agentcore/account_new.html", {"form": form})
    form = AccountForm(request.POST)
    if form.is_valid():
        try:
            account = services.add_account(**form.cleaned_data)
        except LoomError as error:
            form.add_error(None, error.text())
        else:
            return _checked(request, account)
    return render(request, "agentcore/account_new.html", {"form": form}, status=422)


@require_http_methods(["GET", "HEAD", "POST"])
def account_detail(request: SignedInRequest, account_key: int) -> HttpResponse:
    """One account: its regions, and for who may, its role."""
    action: Action = "manage" if request.method == "POST" else "read"
    account = get_object_or_404(accounts_visible_to(request.user, action), pk=account_key)
    form = AccountForm(request.POST if request.method == "POST" else None, initial=AccountForm.of(account))
    if form.is_valid():
        try:
            services.change_account(account=account, **form.cleaned_data)
        except LoomError as error:
            form.add_error(None, error.text())
        else:
            return _checked(request, accounts_visible_to(request.user).get(pk=account_key))
    # What was typed and refused is in the form, not in the account.
    kept = get_object_or_404(accounts_visible_to(request.user), pk=account_key)
    context = {"form": form, "row": _row(kept), "may_manage": may_manage_accounts(request.user)}
    return render(request, "agentcore/account_detail.html", context, status=422 if form.is_bound else 200)


@require_POST
def account_check(request: SignedInRequest, account_key: int) -> HttpResponse:
    """Take on the role and list each region's runtimes."""
    return _checked(request, _managed(request, account_key))


@require_POST
def account_check_all(request: SignedInRequest) -> HttpResponse:
    """The same for every account that is enabled."""
    if not may_manage_accounts(request.user):
        raise Http404
    services.check_accounts(accounts_visible_to(request.user))
    rows = account_rows(accounts_visible_to(request.user))
    if failing := [row for row in rows if row.state == "failing"]:
        names = ", ".join(row.account.label for row in failing if row.account is not None)
        messages.error(request, _("Not every region answered. See %(names)s.") % {"names": names})
    else:
        messages.success(request, _("Every region of every enabled account answered."))
    return redirect("aws_accounts:list")


@require_POST
def account_enable(request: SignedInRequest, account_key: int) -> HttpResponse:
    """Enable an account, or disable it: `is_enabled` says which."""
    is_enabled = request.POST.get("is_enabled") == "1"
    account = services.change_account(account=_managed(request, account_key), is_enabled=is_enabled)
    if is_enabled:
        return _checked(request, account)
    messages.success(request, _("%(name)s is disabled: nothing is asked of it any more.") % {"name": account.label})
    return redirect("aws_accounts:detail", account_key)


@require_http_methods(["GET", "HEAD", "POST"])
def account_delete(request: SignedInRequest, account_key: int) -> HttpResponse:
    """Ask whether an account is to go, and let it go; refused while agents use it and are not handed back."""
    account = _managed(request, account_key)
    context: dict[str, Any] = {"row": _row(account)}
    if request.method != "POST":
        return render(request, "agentcore/account_delete.html", context)
    try:
        services.delete_account(account=account, hands_back="hands_back" in request.POST)
    except LoomError as error:
        return render(request, "agentcore/account_delete.html", context | {"error": error}, status=error.http_status)
    messages.success(request, _("The account is gone: %(name)s.") % {"name": account.label})
    return redirect("aws_accounts:list")


def _managed(request: SignedInRequest, account_key: int) -> AwsAccount:
    return get_object_or_404(accounts_visible_to(request.user, "manage"), pk=account_key)


def _row(account: AwsAccount) -> AccountRow:
    return account_rows([account])[0]


def _checked(request: SignedInRequest, account: AwsAccount) -> HttpResponse:
    """Ask the account and say how that went, on its page."""
    services.check_account(account)
    row = _row(accounts_visible_to(request.user).get(pk=account.pk))
    failing = [region.region for region in row.regions if region.state == "failing"]
    if failing:
        words = {"name": account.label, "regions": ", ".join(failing)}
        messages.error(request, _("%(name)s does not answer in %(regions)s. The page says why.") % words)
    elif account.is_enabled:
        messages.success(request, _("%(name)s answers in every region.") % {"name": account.label})
    return redirect("aws_accounts:detail", account.pk)
