"""The registry's list, with what a first look at it needs: a prompt to try, what to do next, and the account on AWS."""

from __future__ import annotations
