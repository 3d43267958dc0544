from __future__ import annotations

from typing import Any

from django.urls import path

from apps.sessions.viewing.consumer import SessionConsumer

# Django's `path` is typed for views; channels' router takes ASGI applications in their place.
_session_socket: Any = SessionConsumer.as_asgi()

websocket_urlpatterns: list[Any] = [path("ws/sessions/<uuid:public_id>/", _session_socket)]
