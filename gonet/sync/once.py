"""Once, OnceFunc, OnceValue, OnceValues: what is done once, however many ask for it.

Mirrors Go src/sync/once.go and oncefunc.go. An exception counts as done, whatever its kind, Goexit's too; the three
functions then raise that same exception object at every call. Go's leave no trace of the function once it has run; here
the traceback of its exception does: the first call's is complete, down to the function, and it is dropped at the first
garbage collection at which nobody but this module has the exception (see cleanup), or when it is raised again.

Locks: m is held while the function runs, so whoever calls meanwhile waits for its end, in state sync.Mutex.Lock.
`done` is set last. Callers: any goroutine, any thread.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn, TypeVar

from gonet.sync import cleanup
from gonet.sync.mutex import Mutex
from runtime.gmp import sched
from runtime.nocopy import nocopy
from runtime.panic import GoexitException
from runtime.proc import getg

__all__ = ["Once", "OnceFunc", "OnceValue", "OnceValues"]

_T = TypeVar("_T")


class Once:
    """Performs one action. Source: Go src/sync/once.go Once."""

    __slots__ = ("__weakref__", "done", "m")

    def __init__(self) -> None:
        self.done = False
        self.m = Mutex()

    def Do(self, f: Callable[[], object]) -> None:
        """Call f(), if no call of Do has come before this one; return when the first one's f has ended.

        What f raises comes out of the first call alone. f must not call Do of the same Once: it would wait for itself.
        Source: Go src/sync/once.go Do.
        """
        if not self.done:
            self._doslow(f)

    def __reduce__(self) -> Any:
        return nocopy(self)

    def _doslow(self, f: Any) -> int:
        self.m.Lock()
        try:
            if not self.done:
                try:
                    f()
                finally:
                    self.done = True
        finally:
            self.m.Unlock()
        return 0


class oncecall:
    """What OnceFunc and its kin return. exc is what f raised, value what it returned."""

    __slots__ = ("__weakref__", "done", "exc", "f", "keep", "m", "traced", "value")

    def __init__(self, f: Any, keep: bool) -> None:
        if not callable(f):
            raise TypeError(f"{type(f).__name__!r} object is not callable")
        self.f = f
        self.keep = keep  # the value, or None instead
        self.done = False
        self.exc: Any = None
        self.traced = False  # exc has a traceback, which is to be dropped
        self.value: Any = None
        self.m = Mutex()

    def __call__(self) -> Any:
        if not self.done:
            self._first()
        if self.exc is not None:
            self._again()
        return self.value

    def __reduce__(self) -> Any:
        return nocopy(self)

    def _first(self) -> int:
        self.m.Lock()
        try:
            if not self.done:
                self._call()
        finally:
            self.m.Unlock()
        return 0

    def _call(self) -> int:
        try:
            value = self.f()
            if self.keep:
                self.value = value
        except BaseException as exc:
            self.exc = exc
            self.traced = True
            cleanup.forgettraceback(self)
            raise
        finally:
            self.f = None
            self.done = True
        return 0

    def _again(self) -> NoReturn:
        # No local variable has the exception: its traceback will hold this frame.
        self.exc.__traceback__ = None  # each call would make it longer, and keep more frames alive
        if not self.traced:
            self.traced = True
            cleanup.forgettraceback(self)
        if isinstance(self.exc, GoexitException) and getg() is sched.maing:
            from runtime.main import hookmainexit

            hookmainexit()
        raise self.exc


def OnceFunc(f: Callable[[], object]) -> Callable[[], None]:
    """A function that calls f() the first time it is called, and does nothing later, or raises what f raised.

    It keeps f only until then. Raises: TypeError.  Source: Go src/sync/oncefunc.go OnceFunc.
    """
    return oncecall(f, False)


def OnceValue(f: Callable[[], _T]) -> Callable[[], _T]:
    """A function that calls f() the first time it is called, and returns or raises each time what f did.

    It keeps f only until then. Raises: TypeError.  Source: Go src/sync/oncefunc.go OnceValue.
    """
    return oncecall(f, True)


def OnceValues(f: Callable[[], _T]) -> Callable[[], _T]:
    """OnceValue for an f that returns a tuple. Source: Go src/sync/oncefunc.go OnceValues."""
    return oncecall(f, True)
