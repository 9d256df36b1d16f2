"""Group: whoever asks for what is being fetched already waits for it, and shares it.

Mirrors golang.org/x/sync singleflight. Differs: what fails raises, and that exception is raised to every caller (or is
the Err of every Result); Goexit of the function is Goexit of all who share it, and DoChan's channels then stay empty.

Invariants
  A call that is finished is joined by nobody: one that an interruption left in the map is replaced.
  finished is set before anybody is woken, and chans does not change any more.

Locks: Group._mu guards the map (keys may have methods of their own, so it is a Mutex); a _call is the mutex of dups,
chans and finished.  Callers: any goroutine, any thread.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any

import runtime
from gonet.sync.mutex import Mutex
from gonet.sync.waitgroup import WaitGroup
from runtime.asm import lock, mutex, unlock
from runtime.chan import Hchan
from runtime.gmp import sched
from runtime.newproc import newproc
from runtime.nocopy import nocopy
from runtime.panic import GoexitException

__all__ = ["Group", "Result"]


class Result:
    """What DoChan's channel gives: Val, or the exception Err, and whether more than one caller got it.

    Source: golang.org/x/sync/singleflight Result.
    """

    __slots__ = ("Err", "Shared", "Val")

    def __init__(self, Val: Any = None, Err: BaseException | None = None, Shared: bool = False) -> None:
        self.Val = Val
        self.Err = Err
        self.Shared = Shared

    def __repr__(self) -> str:
        return f"Result(Val={self.Val!r}, Err={self.Err!r}, Shared={self.Shared})"


class _call(mutex):
    """One call of a function, under way or finished."""

    __slots__ = ("chans", "dups", "err", "finished", "tb", "val", "wg")

    def __init__(self) -> None:
        mutex.__init__(self)
        self.wg = WaitGroup()
        self.wg.Add(1)
        self.val: Any = None
        self.err: BaseException | None = None
        self.tb: Any = None
        self.dups = 0  # how many joined the first caller
        self.chans: list[Any] = []
        self.finished = False

    def join(self, ch: Any) -> bool:
        """Count one more caller, with its channel or None; False if it is too late for that."""
        lock(self)
        early = not self.finished
        if early:
            self.dups += 1
            if ch is not None:
                self.chans.append(ch)
        unlock(self)
        return early


class Group:
    """Calls by key, of which there is one at a time. Source: golang.org/x/sync/singleflight Group."""

    __slots__ = ("__weakref__", "_epoch", "_m", "_mu")

    def __init__(self) -> None:
        self._setup()

    def _setup(self) -> None:
        self._mu = Mutex()
        self._m: dict[Hashable, _call] = {}
        self._epoch = sched.forkepoch

    def Do(self, key: Hashable, fn: Callable[[], Any]) -> tuple[Any, bool]:
        """(fn()'s result, whether others got it too); of a call with that key that is under way, the result of that.

        Raises: what fn raises; TypeError, if fn is not callable.  Source: golang.org/x/sync/singleflight Do.
        """
        c, mine = self._find(key, fn, "Do", None)
        if mine:
            self._docall(c, key, fn)
            return c.val, c.dups > 0
        c.wg.Wait()
        if c.err is None:
            return c.val, True
        if isinstance(c.err, GoexitException):
            runtime.Goexit()
        raise c.err.with_traceback(c.tb)  # as it was: the tracebacks of several callers would add up

    def DoChan(self, key: Hashable, fn: Callable[[], Any]) -> Any:
        """Do in a goroutine of its own: a channel that gives the Result, and is not closed.

        Raises: TypeError, if fn is not callable.  Source: golang.org/x/sync/singleflight DoChan.
        """
        ch: Any = Hchan(1)
        c, mine = self._find(key, fn, "DoChan", ch)
        if mine:
            try:
                newproc(self._background, (c, key, fn), None)
            except BaseException as err:
                c.err = err
                self._finish(c, key)
                raise
        return ch

    def Forget(self, key: Hashable) -> None:
        """Have the next Do call its function though one is under way. Source: golang.org/x/sync/singleflight Forget."""
        with self._lock():
            self._m.pop(key, None)

    def __reduce__(self) -> Any:
        return nocopy(self)

    def _lock(self) -> Mutex:
        if self._epoch != sched.forkepoch:  # in a forked child those who made the calls, and held the Mutex, are gone
            self._setup()
        return self._mu

    def _find(self, key: Hashable, fn: Any, what: str, ch: Any) -> tuple[_call, bool]:
        """The call of that key, and whether it is a new one, which the caller must make."""
        if not callable(fn):
            raise TypeError(f"Group.{what}: {type(fn).__name__!r} object is not callable")
        fresh = _call()
        with self._lock():
            c = self._m.get(key)
            if c is not None and c.join(ch):
                return c, False
            if ch is not None:
                fresh.chans.append(ch)
            self._m[key] = fresh
        return fresh, True

    def _docall(self, c: _call, key: Hashable, fn: Any) -> None:
        try:
            c.val = fn()
        except BaseException as err:
            c.err = err
            c.tb = err.__traceback__
            raise
        finally:
            self._finish(c, key)

    def _finish(self, c: _call, key: Hashable) -> None:
        lock(c)
        c.finished = True
        unlock(c)
        try:
            with self._lock():
                if self._m.get(key) is c:
                    del self._m[key]
        finally:
            c.wg.Done()
            if not isinstance(c.err, GoexitException):
                for ch in c.chans:
                    ch.send(Result(c.val, c.err, c.dups > 0))

    def _background(self, c: _call, key: Hashable, fn: Any) -> None:
        """The goroutine of DoChan. An Exception is told to the channels and not to the panic hook."""
        try:
            self._docall(c, key, fn)
        except Exception as err:
            if err is not c.err:
                raise
