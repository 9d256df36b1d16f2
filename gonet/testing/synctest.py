"""Testing concurrent code in a bubble, whose time takes no time.

Mirrors Go src/testing/synctest. Test(fn) runs fn in a bubble; the goroutines started there belong to it too. Within,
the clock of gonet.time (Now, Sleep, timers and tickers, and with them the deadlines of gonet.context) is the bubble's
own. It starts at the same instant in every bubble and moves only when every goroutine of the bubble is durably blocked:
then straight to the next instant for which one is waiting.

    def test_timeout():
        def body():
            ctx, cancel = context.WithTimeout(context.Background(), 5 * time.Second)
            time.Sleep(5 * time.Second - time.Nanosecond)
            synctest.Wait()
            assert ctx.Err() is None
            time.Sleep(time.Nanosecond)
            synctest.Wait()
            assert isinstance(ctx.Err(), context.DeadlineExceeded)

        synctest.Test(body)

Durably blocked is who can only be woken by another goroutine of the bubble, or by its clock:

  in send, recv and select, if all the channels were made in the bubble (or are None)
  in Sleep, Cond.Wait, and WaitGroup.Wait if Add was called in the bubble

and not who waits for a Mutex or RWMutex, for input or output, for Syscall, or for a channel from outside: that may end
at any moment, and until then the clock stands. Deadlines of connections are counted by the bubble's clock when they
are set, but pass in real time.

Differs from Go: what fn raises is raised by Test, since that is how tests fail here, and what it returns is returned. A
deadlock is raised by Test as well; the goroutines that are blocked then are ended as by Goexit. In another goroutine of
the bubble an uncaught exception goes to the panic hook, as everywhere.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar

from runtime.synctest import synctestRun, synctestWait

__all__ = ["Run", "Test", "Wait"]

_P = ParamSpec("_P")
_T = TypeVar("_T")


def Test(fn: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs) -> _T:
    """Call fn(*args, **kwargs) in a new bubble; return its result once every goroutine of the bubble has ended.

    Raises: what fn raises; runtime.Error: `deadlock: all goroutines in bubble are blocked`; `deadlock: main bubble
    goroutine has exited but blocked goroutines remain`, for the clock stands still once fn has returned;
    `synctest.Run called from within a synctest bubble`.  Source: Go src/testing/synctest/synctest.go Test.
    """
    result: _T = synctestRun(fn, args, kwargs)
    return result


Run = Test
Test.__test__ = False  # type: ignore[attr-defined]  # not a test for pytest to collect


def Wait() -> None:
    """Wait until every other goroutine of the caller's bubble is durably blocked or has ended.

    Raises: runtime.Error, `goroutine is not in a bubble`, `wait already in progress` (by another goroutine).
    Source: Go src/testing/synctest/synctest.go Wait.
    """
    synctestWait()
