"""Go's package context: deadlines, cancellation and values that go with a request.

Mirrors Go src/context/context.go. Differs: instants are seconds of time.monotonic(); Canceled and DeadlineExceeded are
exception classes, and Err() gives one instance of them, the same every time; cancel functions may be used in `with`,
which cancels at the end.

A context is canceled once: whoever first sets err, under its lock, closes done, cancels the children that are there and
takes the context from its parent. A child that comes later finds err set and cancels itself.

Locks: a cancelCtx is the mutex of its fields; no two are ever held at once (Go holds a parent's while it locks the
child's). Under it nothing is closed and no function called.  Callers: any goroutine, any thread.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import runtime
from gonet.time import AfterFunc as _timeAfterFunc
from gonet.time import Now
from runtime.asm import lock, mutex, unlock
from runtime.chan import Hchan
from runtime.proc import go
from runtime.select import recv, selectgo

if TYPE_CHECKING:
    from types import TracebackType

__all__ = [
    "AfterFunc",
    "Background",
    "Canceled",
    "Cause",
    "Context",
    "DeadlineExceeded",
    "TODO",
    "WithCancel",
    "WithCancelCause",
    "WithDeadline",
    "WithDeadlineCause",
    "WithTimeout",
    "WithTimeoutCause",
    "WithValue",
    "WithoutCancel",
]
