"""Cond: waiting for a condition that others bring about, under a lock.

Mirrors Go src/sync/cond.go. Differs: a wait may be ended by an exception. It comes out with L locked, as after a
Signal, so that a `with` or a finally block may unlock it; a Signal that has reached the goroutine goes to another. To
that end an exception that comes while L is being locked again waits until it is; not that of a deadlock, for then L
would never be. (Where L is not of this package the exception comes out at once.)

Callers: any goroutine, any thread; Signal and Broadcast, a signal handler or finalizer too.
"""

from __future__ import annotations

from typing import Any

from gonet.sync.locker import Locker
from gonet.sync.mutex import Mutex
from gonet.sync.rwmutex import RWMutex, rlocker
from runtime.nocopy import nocopy
from runtime.panic import Error
from runtime.proc import raiseinjected
from runtime.sema import (
    notifyList,
    notifyListAdd,
    notifyListCancel,
    notifyListNotifyAll,
    notifyListNotifyOne,
    notifyListWait,
)

__all__ = ["Cond", "NewCond"]


class Cond:
    """A place to wait for a change of what L guards. Source: Go src/sync/cond.go Cond."""

    __slots__ = ("L", "__weakref__", "notify")

    def __init__(self, lock: Locker) -> None:
        self.L: Any = lock
        self.notify = notifyList()

    def Wait(self) -> None:
        """Unlock L, park until Signal or Broadcast, and lock L again. The condition is then to be looked at anew.

        Source: Go src/sync/cond.go Wait.
        """
        w = notifyListAdd(self.notify)
        try:
            self.L.Unlock()
        except BaseException:
            notifyListCancel(self.notify, w)
            raise
        if notifyListWait(self.notify, w):
            try:
                raiseinjected()
            finally:
                _lockagain(self.L)
        try:
            _lockagain(self.L)
        except BaseException:
            notifyListCancel(self.notify, w)
            raise

    def Signal(self) -> None:
        """Wake the goroutine that has waited longest, if there is any; L need not be locked.

        Source: Go src/sync/cond.go Signal.
        """
        notifyListNotifyOne(self.notify)

    def Broadcast(self) -> None:
        """Wake all goroutines that wait; L need not be locked. Source: Go src/sync/cond.go Broadcast."""
        notifyListNotifyAll(self.notify)

    def __reduce__(self) -> Any:
        return nocopy(self)


def NewCond(lock: Locker) -> Cond:
    """Cond(lock). Source: Go src/sync/cond.go NewCond."""
    return Cond(lock)


def _lockagain(l: Any) -> int:  # noqa: E741
    """Lock l; what is raised meanwhile is raised when it is locked."""
    late: Any = None
    while True:
        try:
            l.Lock()
            break
        except Error:
            raise
        except BaseException as exc:
            if not isinstance(l, (Mutex, RWMutex, rlocker)):
                raise
            late = exc
    if late is not None:
        try:
            raise late
        finally:
            late = None  # its traceback holds this frame
    return 0
