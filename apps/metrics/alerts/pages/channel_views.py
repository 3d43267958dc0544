"""Channels: their list with the form for a new one, and removing one."""

from __future__ import annotations

from django.contrib import messages
from django.db.models import Count
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from apps.accounts.http import SignedInRequest
from apps.core.exceptions import LoomError
from apps.metrics.alerts.pages.forms import ChannelForm
from apps.metrics.alerts.selectors import channels_visible_to
from apps.metrics.alerts.telling.channels import ChannelNameTakenError, delete_channel, make_channel


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def channel_list(request: SignedInRequest) -> HttpResponse:
    """One's own channels. A new webhook's key is shown with the answer to its form, and never again."""
    form = ChannelForm(request.POST if request.method == "POST" else None)
    problem: LoomError | None = None
    made, key = None, ""
    status = 422 if request.method == "POST" else 200
    if request.method == "POST" and form.is_valid():
        try:
            made, key = make_channel(owner=request.user, **form.cleaned_data)
        except ChannelNameTakenError as error:
            form.add_error("name", error.text())
        except LoomError as error:
            problem = error
        else:
            if not key:
                messages.success(request, _("The channel is made: %(name)s.") % {"name": made})
                return redirect("alerts:channels")
            form, status = ChannelForm(), 200
    channels = channels_visible_to(request.user).annotate(rule_count=Count("rules"))
    context = {"form": form, "problem": problem, "made": made, "key": key, "channels": channels}
    return render(request, "metrics/alert_channels.html", context, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
def channel_delete(request: SignedInRequest, channel_id: int) -> HttpResponse:
    """Ask whether a channel is to go, and let it go."""
    channel = get_object_or_404(channels_visible_to(request.user), pk=channel_id)
    if request.method == "POST":
        delete_channel(channel=channel)
        messages.success(request, _("The channel is deleted: %(name)s.") % {"name": channel.name})
        return redirect("alerts:channels")
    context = {"channel": channel, "rule_count": channel.rules.count()}
    return render(request, "metrics/alert_channel_delete.html", context)
