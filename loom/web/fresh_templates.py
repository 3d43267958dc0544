"""Templates as they are on disk now, for whoever works on Loom: a page loaded again shows what was changed."""

from __future__ import annotations

from pathlib import Path

from django.template import Origin, Template
from django.template.loaders.cached import Loader


class FreshLoader(Loader):
    """Keeps templates as Django's cached loader does, and reads one again when its file has changed."""

    def get_template(self, template_name: str, skip: list[Origin] | None = None) -> Template:
        key = self.cache_key(template_name, skip)
        kept = self.get_template_cache.get(key)
        if not isinstance(kept, Template) or _changed_at(kept) != self._changed_at.get(key):
            self.get_template_cache.pop(key, None)  # a missing one is remembered too: it may have come
        template = super().get_template(template_name, skip)
        self._changed_at[key] = _changed_at(template)
        return template

    def reset(self) -> None:
        super().reset()
        self._changed_at.clear()

    def __init__(self, *arguments: object) -> None:
        self._changed_at: dict[str, int] = {}
        super().__init__(*arguments)  # type: ignore[arg-type]


def _changed_at(template: Template) -> int:
    try:
        return Path(str(template.origin)).stat().st_mtime_ns
    except OSError:
        return 0
