"""opCtx: the deadline and the cancellation that one dial or look-up obeys.

Stands for the contexts that Go src/net/dial.go (dialCtx, dialParallel) and fd_unix.go (connect) derive. Differs: a
dial without a context, the usual one, then costs no context, no timer and no goroutine: the deadline is given to the
poller with the connecting socket, and cancel interrupts that socket.

Invariants
  After leave, or before enter, no socket's deadline is touched: ending the context later changes nothing.
  cancel sets `canceled` before it looks at `fd`, and leave clears `fd` before `canceled` is looked at; whoever is
  second sees the other's mark, also between threads.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from gonet import context
from gonet.net.errors import canceledError, errTimeout, mapErr
from gonet.time import Now

if TYPE_CHECKING:
    from gonet.net.fd import netFD
    from gonet.net.mailbox import mailbox

__all__ = ["aLongTimeAgo", "minNonzero", "opCtx"]

aLongTimeAgo = 1e-9  # an instant, but none that is still to come


def minNonzero(a: float, b: float) -> float:
    """The earlier of two instants, where 0 is none."""
    return a if b == 0 or (a != 0 and a < b) else b


class opCtx:
    """What ends an operation early: `deadline` (an instant or 0), the end of `parent` (a context or None), cancel()."""

    __slots__ = ("_stop", "canceled", "deadline", "fd", "parent")

    def __init__(self, parent: Any = None, deadline: float = 0.0) -> None:
        self.parent = parent
        self.deadline = deadline
        self.canceled = False
        self.fd: netFD | None = None  # the socket in its connect
        self._stop: Any = None
        if parent is not None:
            if not callable(getattr(parent, "Deadline", None)):
                raise TypeError(f"ctx must be a context, not {type(parent).__name__}")
            t, ok = parent.Deadline()
            if ok:
                self.deadline = minNonzero(deadline, t)

    def Err(self) -> BaseException | None:
        """Why the operation must end now, in net's words; None if it need not."""
        if self.parent is not None:
            err = self.parent.Err()
            if err is not None:
                return mapErr(err)
        if self.canceled:
            return canceledError()
        if self.deadline != 0 and Now() >= self.deadline:
            return errTimeout()
        return None

    def Done(self) -> Any:
        """The channel that is closed when the parent ends; None if there is no such thing."""
        return None if self.parent is None else self.parent.Done()

    def cancel(self) -> None:
        """End the operation; callable from any goroutine, and again."""
        self.canceled = True
        fd = self.fd
        if fd is not None:
            fd.interrupt()

    def enter(self, fd: netFD) -> None:
        """From now on cancel and the parent's end interrupt fd."""
        self.fd = fd
        if self.Done() is not None:
            self._afterEnd(self.cancel)
        if self.canceled:
            fd.interrupt()

    def onEnd(self, box: mailbox) -> None:
        """From now on the parent's end posts None to box."""
        self._afterEnd(partial(box.post, None))

    def _afterEnd(self, f: Callable[[], None]) -> None:
        self._stop = context.AfterFunc(self.parent, f)

    def leave(self) -> None:
        """Undo enter or onEnd."""
        self.fd = None
        stop, self._stop = self._stop, None
        if stop is not None:
            stop()
