"""Static files in production.

What `collectstatic` gathered, under names that carry a hash, so that browsers keep them for ever.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from starlette.middleware.gzip import GZipMiddleware
from starlette.staticfiles import StaticFiles

FOR_EVER = b"public, max-age=31536000, immutable"


class StaticFilesApp:
    """Serves STATIC_ROOT under STATIC_URL and hands everything else on.

    Django's own handler works in development only.
    """

    def __init__(self, inner: Any) -> None:
        self.inner = inner
        self._files = GZipMiddleware(StaticFiles(directory=settings.STATIC_ROOT, check_dir=False))

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        prefix = settings.STATIC_URL
        if not scope["path"].startswith(prefix):
            await self.inner(scope, receive, send)
            return

        async def send_cached(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start" and message["status"] == 200:
                message["headers"] = [*message["headers"], (b"cache-control", FOR_EVER)]
            await send(message)

        inner_scope = {**scope, "path": "/" + scope["path"].removeprefix(prefix), "root_path": ""}
        await self._files(inner_scope, receive, send_cached)  # type: ignore[arg-type]
