"""Tie the life of a process to its parent's, so that no kill of any process leaves orphans.

Linux only (prctl(2), PR_SET_PDEATHSIG). On other systems nothing happens: there a kill -9 of the supervisor leaves its
children behind.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1
# Looked up before any fork: between fork and exec nothing may be imported.
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None
_parent_pid = 0


def end_with_parent(parent_pid: int, signal_number: signal.Signals) -> None:
    """Let the calling process get `signal_number` when the thread of `parent_pid` that forked it ends."""
    if _libc is None:
        return
    _libc.prctl(_PR_SET_PDEATHSIG, int(signal_number))
    if os.getppid() != parent_pid:  # it died before the call
        os.kill(os.getpid(), signal_number)


def tie_forked_children() -> None:
    """Let every process forked from now on, by this process or its children, be killed together with its parent."""
    os.register_at_fork(before=_remember_parent, after_in_child=_follow_parent)


def _remember_parent() -> None:
    global _parent_pid
    _parent_pid = os.getpid()


def _follow_parent() -> None:
    end_with_parent(_parent_pid, signal.SIGKILL)
