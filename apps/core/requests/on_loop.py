"""Django's middleware as a server of coroutines wants it: on the event loop, and in a thread only where it may wait.

Django hands each hook of its own middleware to a thread, whether or not there is anything to wait for. Together these
were fourteen changes of thread for a request, most of what a prompt cost on its way in. Here a hook says when it may
ask the database, or read what may be large; then it has its thread as before.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from asgiref.sync import sync_to_async
from csp.constants import HEADER
from csp.middleware import CSPMiddleware
from django.conf import settings
from django.contrib.messages.middleware import MessageMiddleware
from django.contrib.sessions.middleware import SessionMiddleware
from django.http import HttpRequest, HttpResponseBase
from django.middleware.clickjacking import XFrameOptionsMiddleware
from django.middleware.common import CommonMiddleware
from django.middleware.csrf import CsrfViewMiddleware
from django.middleware.security import SecurityMiddleware
from django.utils.deprecation import MiddlewareMixin

View = Callable[..., Any]
_SHOWN_BY_DJANGO = frozenset({404, 500})  # with DEBUG its own pages need their own scripts
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})


class OnLoop(MiddlewareMixin):
    """Stands before a class of Django's. It counts where the handler is a coroutine, and changes no answer."""

    def __init__(self, get_response: Any) -> None:
        super().__init__(get_response)
        self._hooks = cast(Any, self)
        if self.async_mode and hasattr(self, "process_view"):
            self._view_hook: Any = self._hooks.process_view
            self._hooks.process_view = self._before_view

    def view_may_wait(self, request: HttpRequest, view: View) -> bool:
        """Whether what is done before this view asks the database, or reads the body."""
        return False

    def answer_may_wait(self, request: HttpRequest) -> bool:
        """Whether what is done with the answer of this request asks the database."""
        return False

    async def __acall__(self, request: HttpRequest) -> HttpResponseBase:
        response = self._hooks.process_request(request) if hasattr(self, "process_request") else None
        response = response or await self._hooks.get_response(request)
        if hasattr(self, "process_response"):
            if self.answer_may_wait(request):
                response = await sync_to_async(self._hooks.process_response)(request, response)
            else:
                response = self._hooks.process_response(request, response)
        found: HttpResponseBase = response
        return found

    async def _before_view(self, request: HttpRequest, view: View, args: Any, kwargs: Any) -> HttpResponseBase | None:
        if self.view_may_wait(request, view):
            waited: HttpResponseBase | None = await sync_to_async(self._view_hook)(request, view, args, kwargs)
            return waited
        found: HttpResponseBase | None = self._view_hook(request, view, args, kwargs)
        return found


class Security(OnLoop, SecurityMiddleware):
    pass


class ContentPolicy(OnLoop, CSPMiddleware):
    """Puts together anew only what a view has asked to be different; nearly all answers have the same policy."""

    _same: tuple[object, str] | None = None

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        is_other = hasattr(request, "_csp_nonce") or any(name.startswith("_csp") for name in vars(response))
        if is_other or HEADER in response or (settings.DEBUG and response.status_code in _SHOWN_BY_DJANGO):
            return super().process_response(request, response)
        policy: object = settings.CONTENT_SECURITY_POLICY
        if self._same is not None and self._same[0] is policy:
            response[HEADER] = self._same[1]
            return response
        response = super().process_response(request, response)
        self._same = (policy, response[HEADER])
        return response


class WebSession(OnLoop, SessionMiddleware):
    """Loaded by whoever asks for what is in it; stored where that has changed."""

    def answer_may_wait(self, request: HttpRequest) -> bool:
        session = getattr(request, "session", None)
        return session is not None and bool(session.modified)


class Common(OnLoop, CommonMiddleware):
    pass


class Csrf(OnLoop, CsrfViewMiddleware):
    """A form's token stands in its body."""

    def view_may_wait(self, request: HttpRequest, view: View) -> bool:
        return request.method not in SAFE_METHODS and not getattr(view, "csrf_exempt", False)


class Messages(OnLoop, MessageMiddleware):
    """Kept in a cookie, and in the web session what does not fit."""

    def answer_may_wait(self, request: HttpRequest) -> bool:
        messages = getattr(request, "_messages", None)
        return messages is not None and bool(messages.used or messages.added_new)


class FrameOptions(OnLoop, XFrameOptionsMiddleware):
    pass
