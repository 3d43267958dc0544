"""`manage.py check_aws`: what an identity lacks for Loom on AWS, found by calls that change nothing."""

from __future__ import annotations
