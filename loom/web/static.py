"""Static files in production: what `collectstatic` gathered.

Each file is there twice: under a name that carries the hash of its content, which browsers may keep for ever, and under
its own name, which they have to ask about again.
"""

from __future__ import annotations

import re
from typing import Any

from django.conf import settings
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.staticfiles import StaticFiles

FOR_EVER = b"public, max-age=31536000, immutable"
ASK_AGAIN = b"no-cache"
_HASHED_NAME = re.compile(r"\.[0-9a-f]{12}(?:\.[^./]+)?$")  # as ManifestStaticFilesStorage writes them


class StaticFilesApp:
    """Serves STATIC_ROOT under STATIC_URL and hands everything else on.

    Django's own handler works in development only.
    """

    def __init__(self, inner: Any) -> None:
        self.inner = inner
        # StaticFiles raises its 404 and 405 for somebody else to answer.
        files = ExceptionMiddleware(StaticFiles(directory=settings.STATIC_ROOT, check_dir=False))
        self._files = GZipMiddleware(files)

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        prefix = settings.STATIC_URL
        if not scope["path"].startswith(prefix):
            await self.inner(scope, receive, send)
            return
        caching = FOR_EVER if _HASHED_NAME.search(scope["path"]) else ASK_AGAIN

        async def send_cached(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"x-content-type-options", b"nosniff")]
                if message["status"] == 200:
                    message["headers"].append((b"cache-control", caching))
            await send(message)

        inner_scope = {**scope, "path": "/" + scope["path"].removeprefix(prefix), "root_path": ""}
        await self._files(inner_scope, receive, send_cached)  # type: ignore[arg-type]
