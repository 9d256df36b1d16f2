"""What Go writes in assembly: the thread's M, the switch between stacks, and the mutex's compare-and-swap.

Mirrors Go src/runtime/asm_*.s (gogo, the TLS slot behind getg) and lock_futex.go (lock, unlock). This is the
portable form, in Python; asm.pyx is the same interface in C, and asm.pxd declares it for compiled callers.

Differs from Go: a stack is a greenlet, so gogo switches greenlets, and what gobuf saves in Go (sp, pc) greenlet
saves for us. A stack belongs for ever to the thread that started it.

Locks. With the GIL, a stretch of lines without a call and without a loop runs whole: the interpreter gives way only at
calls and at backward jumps, and a compiled module not even there. The few stretches that every message passes use
that, and take their mutex only `if LOCKS`: on a free-threaded build, on another interpreter than CPython, and where a
trace function was set before the import (it runs between any two lines). tests/runtime/test_asm.py checks that they
contain neither. All other code takes its locks.

Invariants
  gogo is called only by the thread to which the stack belongs.
  The M in the slot is the one made by this thread; it is None until runtime.m adopts the thread.
  Between lock and unlock nothing is allocated that the garbage collector tracks and nothing is dropped that could
  be the last reference: no finalizer, and so no Python of the user's, runs there. A holder never parks. Where the
  interpreter may run a collection all the same (in this form at any line), the lock is reentrant.
  In a forked child a mutex that a thread of the parent held is free (afterfork): nobody need make it anew. What the
  holder had half done is left so; hence who has more than a flag to mend looks at sched.forkepoch too.
"""

from __future__ import annotations

import sys
import sysconfig
from _thread import RLock, _local, get_ident, start_new_thread
from _thread import allocate_lock as Lock
from collections import deque
from contextlib import suppress
from typing import Any

from greenlet import getcurrent, greenlet

__all__ = [
    "LOCKS",
    "afterfork",
    "callersite",
    "curcontext",
    "curstack",
    "getcurrent",
    "getm",
    "gogo",
    "gqueue",
    "immortal",
    "invoke",
    "lock",
    "mutex",
    "newstack",
    "ownstack",
    "setm",
    "smallstack",
    "trylock",
    "unlock",
]


_Key: Any = RLock  # the class of this process's keys: another one in each forked child


class mutex:
    """A runtime lock: held for a few lines, never over a park. Subclassed by what embeds one (PollDesc, timers)."""

    __slots__ = ("key",)

    def __init__(self) -> None:
        self.key: RLock = _Key()


LOCKS: bool = (
    bool(sysconfig.get_config_var("Py_GIL_DISABLED"))
    or sys.implementation.name != "cpython"
    or sys.version_info < (3, 11)  # 3.10 gives way at forward jumps too
    or sys.gettrace() is not None
)


class gqueue(deque[Any]):
    """A FIFO of goroutines for any thread: append, popleft (None if there is none), remove, copy, len.

    Without LOCKS nobody comes between a look at the queue and popleft, and `if q: q.popleft()` is deque's own.
    """

    __slots__ = ()

    def get(self) -> Any:
        """popleft without a look before."""
        try:
            return deque.popleft(self)
        except IndexError:
            return None

    if LOCKS:
        popleft = get

        def copy(self) -> gqueue:
            """A queue of the same. deque's own goes from item to item, and gives up if another thread was between."""
            while True:
                try:
                    return deque.copy(self)
                except RuntimeError:
                    pass


def lock(l: mutex) -> int:  # noqa: E741
    """Acquire l, waiting for another thread if need be."""
    l.key.acquire()
    return 0


def trylock(l: mutex) -> bool:  # noqa: E741
    """Acquire l if that needs no waiting; whether it did."""
    return l.key.acquire(False)


def unlock(l: mutex) -> int:  # noqa: E741
    """Release l, which the caller holds."""
    l.key.release()
    return 0


# Once this process is a forked child, lock and trylock do what these do. Only there has that a price.


def _lock(l: mutex) -> int:  # noqa: E741
    if type(l.key) is not _Key:
        _inherit(l)
    l.key.acquire()
    return 0


def _trylock(l: mutex) -> bool:  # noqa: E741
    if type(l.key) is not _Key:
        _inherit(l)
    return l.key.acquire(False)


_inheriting = RLock()
_forker = 0  # the thread that the last fork has left alive


def _inherit(l: mutex) -> None:  # noqa: E741
    """Give l, made before the fork, a new key, unless the thread that forked holds it, as only that thread can tell."""
    with _inheriting:
        key: Any = l.key
        if type(key) is not _Key and not (get_ident() == _forker and key._is_owned()):
            l.key = _Key()


def afterfork() -> None:
    """In a forked child, before any lock is taken: what other threads held is free. What this one holds it still holds.

    It may hold one where a finalizer has forked.
    """
    global _Key, _forker, _inheriting
    _Key = type("RLock", (RLock,), {"__slots__": ()})
    _inheriting = RLock()
    _forker = get_ident()
    lock.__code__ = _lock.__code__
    trylock.__code__ = _trylock.__code__


_OURS = ("runtime", "gonet")


class _Slot(_local):
    m: Any = None


_tls = _Slot()


def getm() -> Any:
    """The calling thread's M, or None if the thread has not been adopted."""
    return _tls.m


def setm(mp: Any) -> int:
    """Make mp the calling thread's M."""
    _tls.m = mp
    return 0


gogo = greenlet.switch  # gogo(stack): the switch to it, which returns when somebody switches back


def invoke(fn: Any, args: Any, kwargs: Any) -> BaseException | None:
    """Call fn(*args, **kwargs), kwargs None for none; None, or the exception it raised."""
    try:
        if kwargs is None:
            fn(*args)
        else:
            fn(*args, **kwargs)
    except BaseException as exc:
        return exc
    return None


def smallstack() -> int:
    """At the bottom of a new stack, before any Python frame: have the first frames lie in little memory (in C)."""
    return 0


def ownstack(stack: Any) -> int:
    """The caller runs on stack, which is at the bottom of its goroutine and ends with it (for curstack in C)."""
    return 0


curstack = getcurrent


def curcontext() -> Any:
    """The contextvars context that is current, None if there is none yet."""
    return getcurrent().gr_context


def newstack(run: Any) -> Any:
    """A new greenlet that calls run() on its first switch; its parent is the current one."""
    return greenlet(run)


def callersite() -> tuple[Any, int] | None:
    """(code, byte offset of its instruction) of the nearest frame outside gonet, which is not kept alive."""
    f = sys._getframe(1)
    while f is not None and str(f.f_globals.get("__name__")).partition(".")[0] in _OURS:
        f = f.f_back  # type: ignore[assignment]
    return None if f is None else (f.f_code, f.f_lasti)


def immortal(obj: Any) -> None:
    """Keep obj to the very end of the process, beyond the interpreter's own clearing up.

    Goroutines that are parked when the program ends must not be unwound: freeing a greenlet would do that.
    """
    keep, begun = Lock(), Lock()
    keep.acquire()
    begun.acquire()
    with suppress(RuntimeError):  # no threads any more
        start_new_thread(_hold, (keep, begun, obj))
        begun.acquire(True, 1.0)  # one that does not run yet would be taken apart with the rest


def _hold(keep: Any, begun: Any, obj: Any) -> None:
    begun.release()
    keep.acquire()  # never returns; the frame of a daemon thread is never cleared
