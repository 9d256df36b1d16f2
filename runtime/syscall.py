"""Blocking calls: a helper thread makes the call while its goroutine is parked.

Mirrors Go src/runtime/proc.go entersyscall and exitsyscall in purpose. Differs: a goroutine cannot go on on another
thread, so it is not its P that is handed off but the call: helpers are Ms without P or G. They are started on need,
reused, at most maxHelpers, and end after ten idle seconds. A call still running does not hold up the program's end.
"""

from __future__ import annotations

import contextvars
from collections import deque
from collections.abc import Callable
from typing import Any, NoReturn, ParamSpec, TypeVar

from runtime.asm import lock, mutex, unlock
from runtime.gmp import G, WaitLock, sched, waitReasonSyscall
from runtime.idle import addnsyscall
from runtime.main import childexit, exitstatus
from runtime.note import note
from runtime.os_linux import newosproc
from runtime.panic import report
from runtime.proc import acquirem, gopark, goready

__all__ = ["Syscall"]

_P = ParamSpec("_P")
_T = TypeVar("_T")

maxHelpers = 256
_IDLE = 10_000_000_000  # ns


class Call(WaitLock):
    """One call under way, its own lock; gp is set while its goroutine is parked on it."""

    __slots__ = ("args", "ctx", "done", "exc", "fn", "gp", "kwargs", "result")

    def __init__(self, fn: Any, args: Any, kwargs: Any) -> None:
        WaitLock.__init__(self)
        self.fn = fn
        self.args = args
        self.kwargs = kwargs
        self.ctx = contextvars.copy_context()
        self.gp: Any = None
        self.done = False
        self.result: Any = None
        self.exc: BaseException | None = None

    def unlockf(self, gp: G, mode: int) -> bool:
        """Leave gp with the helper, unless the call is over."""
        lock(self)
        parked = not self.done
        if parked:
            self.gp = gp
        unlock(self)
        return parked

    def cancelf(self, gp: G, mode: int) -> bool:
        """Give the call up: it goes on, and what comes of it is dropped."""
        lock(self)
        won = self.gp is gp
        if won:
            self.gp = None
        unlock(self)
        return won

    def run(self) -> None:
        """On the helper: make the call, and ready its goroutine."""
        epoch = sched.forkepoch
        try:
            self.result = self.ctx.run(self.fn, *self.args, **self.kwargs)
        except BaseException as exc:
            self.exc = exc
        self.fn = self.args = self.kwargs = self.ctx = None  # type: ignore[assignment]
        if epoch != sched.forkepoch:
            _endchild(self.exc)
        lock(self)
        self.done = True
        gp = self.gp
        self.gp = None
        unlock(self)
        if gp is not None:
            goready(gp)


class _Helpers(mutex):
    """The pool. Its lock guards all of it; a helper that idles has its note in idle."""

    __slots__ = ("calls", "count", "epoch", "idle")

    def __init__(self) -> None:
        mutex.__init__(self)
        self.calls: deque[Call] = deque()
        self.idle: list[note] = []
        self.count = 0
        self.epoch = sched.forkepoch


_helpers = _Helpers()


def Syscall(fn: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs) -> _T:
    """Run the blocking call fn(*args, **kwargs) on a helper thread; return its result or raise its very exception.

    Parks only the calling goroutine; a foreign thread makes the call itself. fn runs in a copy of the caller's
    contextvars context and must not use gonet's blocking calls to wait for its caller. A child that fn forks has nobody
    to return to: it ends when fn ends, with the status of what fn raises.
    Raises: TypeError, if fn is not callable.  Source: Go src/runtime/proc.go entersyscall, exitsyscall.
    """
    if not callable(fn):
        raise TypeError(f"Syscall: {type(fn).__name__!r} object is not callable")
    if acquirem().p is None:
        return fn(*args, **kwargs)
    call = Call(fn, args, kwargs)
    addnsyscall(1)
    _submit(call)
    gopark(call, waitReasonSyscall, 0)
    exc = call.exc
    if exc is None:
        result: _T = call.result
        return result
    call.exc = None  # its traceback holds the call, where that has a frame
    try:
        raise exc
    finally:
        del exc, call


def _submit(call: Call) -> None:
    global _helpers
    if _helpers.epoch != sched.forkepoch:
        _helpers = _Helpers()
    h = _helpers
    lock(h)
    h.calls.append(call)
    waiter = h.idle.pop() if h.idle else None
    start = waiter is None and h.count < maxHelpers
    if start:
        h.count += 1
    unlock(h)
    if waiter is not None:
        waiter.wakeup()
    elif start:
        try:
            newosproc(_helper, h)
        except RuntimeError:
            lock(h)
            h.count -= 1
            alone = h.count == 0 and call in h.calls  # nobody will ever come for it
            if alone:
                h.calls.remove(call)
            unlock(h)
            if alone:
                _run(call)


def _endchild(exc: BaseException | None) -> NoReturn:
    """In a child that the call has forked: there is no goroutine that waits for it, and no work for a helper."""
    if exc is not None and not isinstance(exc, (SystemExit, KeyboardInterrupt)):
        report(sched.maing, exc)
    childexit(0 if exc is None else exitstatus(exc))


def _run(call: Call) -> None:
    call.run()
    addnsyscall(-1)


def _helper(h: _Helpers) -> None:
    me = note()
    while True:
        lock(h)
        call = h.calls.popleft() if h.calls else None
        if call is None and me not in h.idle:
            h.idle.append(me)
        unlock(h)
        if call is not None:
            _run(call)
            call = None
            continue
        if not me.sleep(_IDLE):
            lock(h)
            unused = me in h.idle
            if unused:
                h.idle.remove(me)
                h.count -= 1
            unlock(h)
            if unused:
                return
