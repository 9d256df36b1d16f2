"""Threads of the runtime's own: Ms, Syscall's helpers, sysmon.

Mirrors newosproc of Go src/runtime/os_linux.go; the thread itself is made by _thread.
"""

from __future__ import annotations

from _thread import start_new_thread
from collections.abc import Callable
from typing import Any

from runtime.asm import lock, unlock
from runtime.gmp import sched

__all__ = ["newosproc"]


def newosproc(fn: Callable[..., None], *args: Any) -> None:
    """Start a thread of the runtime's, which calls fn(*args). Raises: RuntimeError, if there are no more threads.

    Source: Go src/runtime/os_linux.go newosproc.
    """
    _addstarting(1)
    try:
        start_new_thread(_osproc, (fn, args))
    except BaseException:
        _addstarting(-1)
        raise


def _osproc(fn: Callable[..., None], args: tuple[Any, ...]) -> None:
    _addown(1)
    _addstarting(-1)
    try:
        fn(*args)
    finally:
        _addown(-1)


def _addstarting(n: int) -> int:
    """Count a thread that was started and does not run yet."""
    lock(sched)
    sched.own_starting += n
    unlock(sched)
    return 0


def _addown(n: int) -> int:
    """Count a thread of the runtime's: called by itself, first (1) and last (-1), so that it is never counted early."""
    lock(sched)
    sched.own_threads += n
    unlock(sched)
    return 0
