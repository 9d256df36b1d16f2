"""What goroutines are doing: the dump of Stack, of a deadlock's Error and of a goroutine that dies.

Mirrors Go src/runtime/traceback.go (goroutineheader, printcreatedby, tracebackothers) and mprof.go Stack. The heading
of a block is Go's; below it stand Python's lines, the innermost frame last, as everywhere in Python. Differs: calls of
compiled modules leave no frames, so what gonet itself does in between is seen only uncompiled.

A dump is taken in any state: from a signal handler that interrupted the scheduler, beside threads that run. So nothing
here takes a lock, relies on two fields agreeing, or raises. What another thread switches to or away from at that very
moment may be shown without its frames.

Where the frames of a goroutine are
  running here             the calling frame's chain
  running elsewhere        sys._current_frames() of its M's thread, if it is still there when that has been read
  parked, or runnable      gr_frame of its greenlet
  a foreign thread's       on that thread, which it does not leave
  not yet run              only its function is known
"""

from __future__ import annotations

import linecache
import sys
import traceback
from _thread import get_ident
from collections import deque
from types import CodeType, FrameType
from typing import Any

from runtime.asm import getcurrent, getm
from runtime.debug import gotraceback
from runtime.gmp import G, M, _Gdead, _Gwaiting, foreigngs, sched
from runtime.rawsys import compiled, nanotime

__all__ = ["Stack", "created_by", "goroutineheader", "tracebackothers"]

_INNER = 50  # Go's tracebackInnerFrames: of a deeper stack so many frames are shown,
_OUTER = 50  # Go's tracebackOuterFrames: and so many of its beginning

_Call = tuple[CodeType, int]  # what runs, and at which line


def Stack(all: bool = False) -> str:
    """The calling goroutine's block, `goroutine N [running]:` and its traceback; with all, every other one's too.

    Each tells its state in Go's words, the minutes it has been waiting if there are any, and where it was started.
    The runtime's own goroutines and frames are left out, unless GOTRACEBACK=system. Never raises; takes no lock, but
    in a thread's very first call. Where a signal handler interrupted the scheduler itself, the caller is goroutine 0.

    Source: Go src/runtime/mprof.go Stack.
    """
    try:
        return _stack(all)
    except Exception as err:  # of memory, or of depth
        return f"goroutine ? [running]:\n\t(no traceback: {type(err).__name__})\n"


def _stack(all: bool) -> str:
    mp = getm()
    if mp is None:
        from runtime.proc import acquirem

        mp = acquirem()
    gp: G = mp.g0 if mp.curg is None else mp.curg
    d = _Dump()
    blocks = [d.block(gp, sys._getframe(1))]
    if all:
        blocks += d.others(gp)
    return "\n".join(blocks)


def tracebackothers(me: G | None = None, bubble: Any = None) -> list[str]:
    """The blocks of all goroutines but me, foreign threads that have called in among them, in order of their numbers.

    Of a bubble's goroutines only, if one is given. Source: Go src/runtime/traceback.go tracebackothers.
    """
    return _Dump().others(me, bubble)


def goroutineheader(gp: G, running: bool = False) -> str:
    """The first line of gp's block. Source: Go src/runtime/traceback.go goroutineheader."""
    waiting = not running and gp.status == _Gwaiting
    state = "running" if running else gp.state()
    since = gp.waitsince
    if waiting and gp.durable:
        state += " (durable)"
    if waiting and since != 0:
        minutes = (nanotime() - since) // 60_000_000_000
        if minutes >= 1:
            state += f", {minutes} minutes"
    if gp.lockedExt > 0:
        state += ", locked to thread"
    if gp.bubble is not None:
        state += f", synctest bubble {gp.bubble.id}"
    return f"goroutine {gp.goid} [{state}]:\n"


def created_by(gp: G) -> str:
    """The two lines that tell where gp was started, or "" for a goroutine that nobody started (main, a thread's).

    Source: Go src/runtime/traceback.go printcreatedby.
    """
    if gp.gopc is None:
        return ""
    name, where = _site(*gp.gopc)
    return f"created by {name} in goroutine {gp.parentgoid}\n\t{where}\n"


def _site(code: CodeType, lasti: int) -> tuple[str, str]:
    """The name of code, and the file and line of its instruction."""
    line = code.co_firstlineno
    for start, end, n in code.co_lines():
        if start <= lasti < end and n is not None:
            line = n
    return getattr(code, "co_qualname", code.co_name), f"{code.co_filename}:{line}"


class _Dump:
    """One dump: what it has formatted is kept, since goroutines by the thousand stand at few places."""

    def __init__(self) -> None:
        self.system = gotraceback()[0] >= 2
        self.formatted: dict[tuple[Any, ...], str] = {}
        self.created: dict[tuple[Any, ...], str] = {}

    def others(self, me: G | None, bubble: Any = None) -> list[str]:
        """See tracebackothers."""
        gs = set(sched.allgs)
        gs.update(foreigngs())
        if self.system:
            gs.update(mp.g0 for mp in list(sched.allm) if mp.g0 is not None)
        gs.discard(me)
        if bubble is not None:
            gs = {gp for gp in gs if gp.bubble is bubble}
        blocks = ((gp, self.block(gp, None)) for gp in sorted(gs, key=_goid))
        return [text for gp, text in blocks if gp.status != _Gdead]  # others may run meanwhile

    def block(self, gp: G, frame: FrameType | None) -> str:
        """gp's block; frame is the caller's if gp is the caller."""
        try:
            if frame is None and gp.status == _Gwaiting and gp.waitsince == 0:
                gp.waitsince = nanotime()  # the next dump can tell
            text = goroutineheader(gp, frame is not None) + self.body(gp, frame)
            site = (gp.gopc, gp.parentgoid)
            created = self.created.get(site)
            if created is None:
                created = self.created[site] = created_by(gp)
        except Exception as err:
            return f"goroutine {gp.goid} [{gp.state()}]:\n\t(no traceback: {type(err).__name__})\n"
        return text + created

    def body(self, gp: G, frame: FrameType | None) -> str:
        """The lines of gp's frames."""
        if frame is None:
            frame = _topframe(gp)
        calls, elided = self.calls(frame)
        if not calls:
            calls = _entry(gp)
        if not calls:
            return ""
        key = (elided, *calls)
        text = self.formatted.get(key)
        if text is None:
            inner, outer = calls[:_INNER], calls[_INNER:]
            lines = ["Traceback (most recent call last):\n"]
            if elided:
                lines += [*_format(outer), f"  ...{elided} frames elided...\n", *_format(inner)]
            else:
                lines += _format(calls)
            text = self.formatted[key] = "".join(lines)
        return text

    def calls(self, frame: FrameType | None) -> tuple[list[_Call], int]:
        """What runs in frame and its callers, innermost first, and how many in the middle are left out."""
        inner: list[_Call] = []
        outer: deque[_Call] = deque(maxlen=_OUTER)
        n = 0
        while frame is not None:
            if self.system or not _ours(frame):
                code = frame.f_code
                if code.co_filename not in linecache.cache:
                    linecache.lazycache(code.co_filename, frame.f_globals)  # sources that are no files
                n += 1
                (inner if n <= _INNER else outer).append((code, frame.f_lineno or code.co_firstlineno))
            frame = frame.f_back
        return inner + list(outer), max(0, n - _INNER - _OUTER)


def _format(calls: list[_Call]) -> list[str]:
    """Python's lines for calls, innermost first."""
    summaries = [traceback.FrameSummary(c.co_filename, n, c.co_name, lookup_line=False) for c, n in reversed(calls)]
    return traceback.StackSummary.from_list(summaries).format()


def _ours(frame: FrameType) -> bool:
    """Whether the frame is the runtime's own."""
    name = frame.f_globals.get("__name__")
    return isinstance(name, str) and (name == "runtime" or name.startswith("runtime."))


def _topframe(gp: G) -> FrameType | None:
    """gp's innermost frame; None if it has none or it cannot be told."""
    for _ in range(10):  # it may be switched to, or away from, while we look
        mp: Any = gp.m
        if mp is None or gp.fn is not None:
            return None
        stack = gp.gr
        if mp.isextra or (_runs(mp, gp) and not _tobeswitched(stack)):
            frame = _threadframe(mp)
            if mp.isextra or (_runs(mp, gp) and not _tobeswitched(stack)):
                return frame
        elif stack is None or stack is getcurrent():
            return None if stack is None else sys._getframe()  # it is about to park, or chooses who runs next
        else:
            found: FrameType | None = stack.gr_frame
            if found is not None or not stack:
                return found
            if not compiled:  # the same, on another thread
                found = _threadframe(mp)
                if gp.gr is stack and stack.gr_frame is None:
                    return found
            elif not _runs(mp, gp):
                return None  # its function is compiled as well
    return None


def _threadframe(mp: M) -> FrameType | None:
    """The innermost frame of mp's thread."""
    return sys._getframe() if mp.ident == get_ident() else sys._current_frames().get(mp.ident)


def _runs(mp: M, gp: G) -> bool:
    """Whether gp has its M's thread at this moment."""
    return (mp.g0 if mp.curg is None else mp.curg) is gp


def _tobeswitched(stack: Any) -> bool:
    """Whether a goroutine on this stack, running by all accounts, is only about to be switched to (uncompiled)."""
    return not compiled and stack is not None and stack.gr_frame is not None


def _entry(gp: G) -> list[_Call]:
    """The function of a goroutine that has not run yet."""
    fn = gp.fn
    for _ in range(8):  # what wraps what
        code = getattr(fn, "__code__", None)
        if isinstance(code, CodeType):
            return [(code, code.co_firstlineno)]
        fn = getattr(fn, "__func__", None) or getattr(fn, "func", None)
    return []


def _goid(gp: G) -> int:
    return gp.goid
