"""What each agent's last seven days come to, kept by the worker, so that ten thousand agents can be put in order."""

from __future__ import annotations
