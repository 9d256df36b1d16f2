"""Go's package context: deadlines, cancellation and values that go with a request.

Mirrors Go src/context/context.go. Differs: instants are seconds of time.monotonic(); Canceled and DeadlineExceeded are
exception classes, and Err() of one context gives the same instance every time; a missing value is None.

A context is canceled once: whoever first sets err, under its lock, closes done, cancels the children that are there,
and takes the context from its parent's. A child that comes later finds err set and cancels itself. No goroutine is
started but for a parent whose Done() is a channel of its own and which has no AfterFunc method.

Locks: a cancelCtx is the mutex of its fields; no two are held at once (Go holds a parent's while it locks the child's),
and under it no channel is closed and no function called.  Callers: any goroutine, any thread.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gonet.time as _time
from runtime.asm import lock, mutex, unlock
from runtime.chan import Hchan
from runtime.newproc import go
from runtime.nocopy import nocopy
from runtime.panic import Error
from runtime.select import selectgo
from runtime.timesleep import number

__all__ = [
    "TODO",
    "AfterFunc",
    "Background",
    "Canceled",
    "Cause",
    "Context",
    "DeadlineExceeded",
    "WithCancel",
    "WithCancelCause",
    "WithDeadline",
    "WithDeadlineCause",
    "WithTimeout",
    "WithTimeoutCause",
    "WithValue",
    "WithoutCancel",
]


class Canceled(Exception):
    """What Err() of a canceled context gives; raised by what waits for one.

    Source: Go src/context/context.go Canceled.
    """

    def __init__(self, text: str = "context canceled") -> None:
        super().__init__(text)


class DeadlineExceeded(TimeoutError):
    """What Err() gives once a context's deadline has passed. Source: Go src/context/context.go DeadlineExceeded."""

    def __init__(self, text: str = "context deadline exceeded") -> None:
        super().__init__(text)

    def Timeout(self) -> bool:
        """True: a timeout. Source: Go src/context/context.go deadlineExceededError.Timeout."""
        return True

    def Temporary(self) -> bool:
        """True. Source: Go src/context/context.go deadlineExceededError.Temporary."""
        return True


class Context:
    """A deadline, a cancellation and values. Any object with these four methods will do for one.

    Source: Go src/context/context.go Context.
    """

    __slots__ = ()

    def Deadline(self) -> tuple[float, bool]:
        """(the instant at which it ends, True), or (0.0, False) if none is set.

        Source: Go src/context/context.go Context.
        """
        return 0.0, False

    def Done(self) -> Any:
        """The channel that is closed when it ends; None if it never does.

        Source: Go src/context/context.go Context.
        """
        return None

    def Err(self) -> BaseException | None:
        """None while it lasts, then Canceled or DeadlineExceeded, the same instance every time.

        Source: Go src/context/context.go Context.
        """
        return None

    def Value(self, key: Any) -> Any:
        """The value of the nearest WithValue whose key equals `key`, or None.

        Source: Go src/context/context.go Context.
        """
        return None


class _emptyCtx(Context):
    """Never ends and has no values."""

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        self._name = name

    def __repr__(self) -> str:
        return self._name

    def __reduce__(self) -> Any:
        return Background if self is _background else TODO, ()  # there is one of each


_background = _emptyCtx("context.Background")
_todo = _emptyCtx("context.TODO")


def Background() -> Context:
    """The root of all contexts: never ends, has no values and no deadline.

    Source: Go src/context/context.go Background.
    """
    return _background


def TODO() -> Context:
    """Background where it is not yet clear which context to use. Source: Go src/context/context.go TODO."""
    return _todo


class _Key:
    """What a cancelCtx answers Value with itself to; no user has it."""

    __slots__ = ()


_cancelCtxKey = _Key()


def _parentof(parent: Any, what: str) -> Any:
    if parent is None:
        raise Error("cannot create context from nil parent")
    for name in ("Deadline", "Done", "Err", "Value"):
        if not callable(getattr(parent, name, None)):
            raise TypeError(f"{what}: a context is wanted, not {type(parent).__name__!r}: it has no method {name}")
    return parent


def _checkcause(cause: Any, what: str) -> None:
    if cause is not None and not isinstance(cause, BaseException):
        raise TypeError(f"{what}: the cause must be an exception or None, not {cause!r}")


class _cancelCtx(mutex, Context):
    """A context that can be canceled. cause, err, done and children are guarded by its lock."""

    __slots__ = ("__weakref__", "_after", "_cause", "_children", "_done", "_err", "_parent")

    def __init__(self, parent: Any) -> None:
        mutex.__init__(self)
        self._parent = parent
        self._done: Any = None  # made when first asked for
        self._err: BaseException | None = None
        self._cause: BaseException | None = None
        self._children: Any = None  # a dict as an ordered set; None for none
        self._after: Any = None  # in a child of a parent with AfterFunc: its stop function

    def Deadline(self) -> tuple[float, bool]:
        return _ancestor(self._parent, (_cancelCtx, _afterFuncCtx, _valueCtx)).Deadline()  # type: ignore[no-any-return]

    def Done(self) -> Any:
        c = self._done
        if c is None:
            fresh: Any = Hchan()
            lock(self)
            if self._done is None:
                self._done = fresh
            c = self._done
            unlock(self)
        return c

    def Err(self) -> BaseException | None:
        return self._err

    def Value(self, key: Any) -> Any:
        return _value(self, key)

    def __repr__(self) -> str:
        return _text(self)

    def __reduce__(self) -> Any:
        return nocopy(self, "a context")

    def _suffix(self) -> str:
        return ".WithCancel"

    def _propagate(self) -> None:
        """See that the parent's end is this one's. Source: Go src/context/context.go propagateCancel."""
        parent = self._parent
        done = parent.Done()
        if done is None:
            return  # the parent never ends
        if selectgo((done,), False)[0] == 0:
            self._cancel(False, parent.Err(), Cause(parent))
            return
        p = _parentCancelCtx(parent, done)
        if p is not None:
            fresh: dict[_cancelCtx, None] = {}
            lock(p)
            err = p._err
            if err is None:
                if p._children is None:
                    p._children = fresh
                p._children[self] = None
            cause = p._cause
            unlock(p)
            if err is not None:
                self._cancel(False, err, cause)
            return
        after = getattr(parent, "AfterFunc", None)
        if callable(after):
            self._after = after(lambda: self._cancel(False, parent.Err(), Cause(parent)))
            if self._err is not None:
                self._stopafter()
            return
        go(_watch, self, parent, done)

    def _stopafter(self) -> None:
        lock(self)
        stop, self._after = self._after, None
        unlock(self)
        if stop is not None:
            stop()

    def _cancel(self, remove: bool, err: BaseException | None, cause: BaseException | None) -> None:
        """End it, once, with err; with remove, take it from its parent's children. Source: Go (*cancelCtx).cancel."""
        if err is None:
            raise Error("context: internal error: missing cancel error")
        todo = [self]  # in place of recursion: contexts may be nested deeper than Python's stack
        while todo:
            c = todo.pop()
            fresh: Any = Hchan()
            lock(c)
            first = c._err is None
            children: Any = None
            if first:
                c._cause = err if cause is None else cause
                c._err = err
                if c._done is None:
                    c._done = fresh
                children = c._children
                c._children = None
            unlock(c)
            if first:
                c._done.close()
                c._ended()
                if remove and c is self:
                    c._remove()
                if children is not None:
                    todo.extend(children)

    def _ended(self) -> None:
        """What a kind of context does besides when it ends."""

    def _remove(self) -> None:
        """Take it out of its parent's children. Source: Go src/context/context.go removeChild."""
        if self._after is not None:
            self._stopafter()
            return
        p = _parentCancelCtx(self._parent, None)
        if p is None:
            return
        lock(p)
        if p._children is not None:
            p._children.pop(self, None)
        unlock(p)


def _ancestor(c: Any, kinds: tuple[type, ...]) -> Any:
    """The nearest of c and its parents whose type is none of kinds."""
    while type(c) in kinds:
        c = c._parent
    return c


def _value(c: Any, key: Any) -> Any:
    """Value of c: a loop, since contexts may be nested deeper than Python's stack. Source: Go context.go value."""
    while True:
        t = type(c)
        if t is _valueCtx:
            if key is not _cancelCtxKey and (c._key is key or c._key == key):
                return c._value
        elif t is _cancelCtx or t is _timerCtx or t is _afterFuncCtx:
            if key is _cancelCtxKey:
                return c
        elif t is _withoutCancelCtx:
            if key is _cancelCtxKey:
                return None
        else:
            return c.Value(key)
        c = c._parent


def _text(c: Any) -> str:
    """The repr of c: a loop, as in _value."""
    parts: list[str] = []
    while isinstance(c, (_cancelCtx, _valueCtx, _withoutCancelCtx)):
        parts.append(c._suffix())
        c = c._parent
    parts.append(repr(c))
    return "".join(reversed(parts))


def _watch(child: _cancelCtx, parent: Any, done: Any) -> None:
    """The goroutine of a child whose parent is none of ours: until one of them ends."""
    if selectgo((done, child.Done()), True)[0] == 0:
        child._cancel(False, parent.Err(), Cause(parent))


def _parentCancelCtx(parent: Any, done: Any) -> Any:
    """The cancelCtx by which parent is canceled; None if there is none, or parent has wrapped it with its own Done.

    Source: Go src/context/context.go parentCancelCtx.
    """
    if done is None:
        done = parent.Done()
        if done is None:
            return None
    p = parent.Value(_cancelCtxKey)
    if not isinstance(p, _cancelCtx) or p.Done() is not done:
        return None
    return p


def WithCancel(parent: Any) -> tuple[Context, Callable[[], None]]:
    """(ctx, cancel): ctx ends when cancel is called or parent ends. Call cancel in any case, to free what it holds.

    Raises: Error, `cannot create context from nil parent`.  Source: Go src/context/context.go WithCancel.
    """
    c = _cancelCtx(_parentof(parent, "WithCancel"))
    c._propagate()
    return c, lambda: c._cancel(True, Canceled(), None)


def WithCancelCause(parent: Any) -> tuple[Context, Callable[[BaseException | None], None]]:
    """WithCancel, with cancel(cause): Cause(ctx) then gives cause, or Err() if that is None.

    Source: Go src/context/context.go WithCancelCause.
    """
    c = _cancelCtx(_parentof(parent, "WithCancelCause"))
    c._propagate()

    def cancel(cause: BaseException | None = None) -> None:
        _checkcause(cause, "cancel")
        c._cancel(True, Canceled(), cause)

    return c, cancel


def Cause(ctx: Any) -> BaseException | None:
    """Why ctx was canceled: the cause given, or else what Err() gives; None while it lasts.

    Source: Go src/context/context.go Cause.
    """
    c = ctx.Value(_cancelCtxKey)
    if isinstance(c, _cancelCtx):
        cause = c._cause
        if cause is not None:
            return cause
    # Nothing of ours above it has ended; but one of another kind below may have.
    return ctx.Err()  # type: ignore[no-any-return]


class _timerCtx(_cancelCtx):
    """A cancelCtx with a deadline, and the timer that cancels it then."""

    __slots__ = ("_deadline", "_timer")

    def __init__(self, parent: Any, deadline: float) -> None:
        _cancelCtx.__init__(self, parent)
        self._deadline = deadline
        self._timer: Any = None

    def Deadline(self) -> tuple[float, bool]:
        return self._deadline, True

    def _suffix(self) -> str:
        left = self._deadline - _time.Now()
        return f".WithDeadline({self._deadline:.6f} [{left:.6f} s])"

    def _ended(self) -> None:
        lock(self)
        t, self._timer = self._timer, None
        unlock(self)
        if t is not None and t.Stop():
            t.fn = t.context = None  # it will not fire, and may stay in the heap for long


def WithDeadline(parent: Any, instant: float) -> tuple[Context, Callable[[], None]]:
    """(ctx, cancel): as WithCancel, and ctx ends at `instant` (of time.Now()) with DeadlineExceeded.

    Source: Go src/context/context.go WithDeadline.
    """
    return WithDeadlineCause(parent, instant, None)


def WithDeadlineCause(parent: Any, instant: float, cause: BaseException | None) -> tuple[Context, Callable[[], None]]:
    """WithDeadline with the Cause of an end by deadline. cancel sets no cause.

    Source: Go src/context/context.go WithDeadlineCause.
    """
    _parentof(parent, "WithDeadline")
    instant = number("WithDeadline: the instant", instant)  # before anybody knows of the new context
    _checkcause(cause, "WithDeadlineCause")
    current, ok = parent.Deadline()
    if ok and current < instant:
        return WithCancel(parent)
    c = _timerCtx(parent, instant)
    c._propagate()
    left = instant - _time.Now()
    if left <= 0:
        c._cancel(True, DeadlineExceeded(), cause)
    elif c._err is None:
        t = _time.AfterFunc(left, lambda: c._cancel(True, DeadlineExceeded(), cause))
        lock(c)
        ended = c._err is not None
        if not ended:
            c._timer = t
        unlock(c)
        if ended and t.Stop():
            t.fn = t.context = None
    return c, lambda: c._cancel(True, Canceled(), None)


def WithTimeout(parent: Any, seconds: float) -> tuple[Context, Callable[[], None]]:
    """WithDeadline(parent, Now() + seconds). Source: Go src/context/context.go WithTimeout."""
    return WithTimeoutCause(parent, seconds, None)


def WithTimeoutCause(parent: Any, seconds: float, cause: BaseException | None) -> tuple[Context, Callable[[], None]]:
    """WithTimeout with the Cause of an end by timeout. Source: Go src/context/context.go WithTimeoutCause."""
    return WithDeadlineCause(parent, _time.Now() + number("WithTimeout: seconds", seconds), cause)


class _afterFuncCtx(_cancelCtx):
    """The child that AfterFunc makes: f is called if it ends before stop takes it."""

    __slots__ = ("_f", "_taken")

    def __init__(self, parent: Any, f: Callable[[], object]) -> None:
        _cancelCtx.__init__(self, parent)
        self._f: Any = f
        self._taken = False

    def _take(self) -> Any:
        """f, for the first to ask."""
        lock(self)
        f, self._f = self._f, None
        unlock(self)
        return f

    def _ended(self) -> None:
        f = self._take()
        if f is not None:
            go(f)


def AfterFunc(ctx: Any, f: Callable[[], object]) -> Callable[[], bool]:
    """Call f in a goroutine of its own once ctx has ended; returns stop.

    stop() keeps f from being called and says whether it has: False if f has been started, or stopped before.
    Raises: TypeError, if f is not callable.  Source: Go src/context/context.go AfterFunc.
    """
    if not callable(f):
        raise TypeError(f"AfterFunc: {type(f).__name__!r} object is not callable")
    a = _afterFuncCtx(_parentof(ctx, "AfterFunc"), f)
    a._propagate()

    def stop() -> bool:
        stopped = a._take() is not None
        if stopped:
            a._cancel(True, Canceled(), None)
        return stopped

    return stop


class _withoutCancelCtx(Context):
    """Its parent's values, and nothing else of it."""

    __slots__ = ("_parent",)

    def __init__(self, parent: Any) -> None:
        self._parent = parent

    def Value(self, key: Any) -> Any:
        return _value(self, key)

    def __repr__(self) -> str:
        return _text(self)

    def __reduce__(self) -> Any:
        return nocopy(self, "a context")

    def _suffix(self) -> str:
        return ".WithoutCancel"


def WithoutCancel(parent: Any) -> Context:
    """A context with the values of parent that does not end when parent does. Source: Go context.go WithoutCancel."""
    return _withoutCancelCtx(_parentof(parent, "WithoutCancel"))


class _valueCtx(Context):
    """Its parent, and one value more."""

    __slots__ = ("_key", "_parent", "_value")

    def __init__(self, parent: Any, key: Any, value: Any) -> None:
        self._parent = parent
        self._key = key
        self._value = value

    def Deadline(self) -> tuple[float, bool]:
        return _ancestor(self, (_valueCtx,)).Deadline()  # type: ignore[no-any-return]

    def Done(self) -> Any:
        return _ancestor(self, (_valueCtx,)).Done()

    def Err(self) -> BaseException | None:
        return _ancestor(self, (_valueCtx,)).Err()  # type: ignore[no-any-return]

    def Value(self, key: Any) -> Any:
        return _value(self, key)

    def __repr__(self) -> str:
        return _text(self)

    def __reduce__(self) -> Any:
        return nocopy(self, "a context")

    def _suffix(self) -> str:
        return f".WithValue({self._key!r}, {self._value!r})"


def WithValue(parent: Any, key: Any, value: Any) -> Context:
    """parent with the value of key, which is compared by ==. Source: Go src/context/context.go WithValue.

    Raises: Error, `nil key`, `cannot create context from nil parent`.
    """
    _parentof(parent, "WithValue")
    if key is None:
        raise Error("nil key")
    return _valueCtx(parent, key, value)
