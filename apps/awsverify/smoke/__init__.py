"""`manage.py smoke`: one real agent through everything Loom does with it, and what was seen on the way."""

from __future__ import annotations
