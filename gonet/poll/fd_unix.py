"""FD: a descriptor on which goroutines read, write and accept.

Mirrors Go src/internal/poll/fd_unix.go and fd_poll_runtime.go. Differs in two things. After a short read of a TCP
stream the socket is known to be drained, and the next Read parks at once instead of asking the kernel for an EAGAIN
(epoll(7), "Questions and answers" 9); likewise after a short write. What can make a read short with more behind it
is excluded: an event with RDHUP, HUP, ERR or PRI since the last EAGAIN (PollDesc.hup), and everything but a plain
read of TCP. The readiness that an edge leaves in the PollDesc is therefore not reset before a Read that parks first.

Buffers: a view of the caller's buffer is held during the system call, and by a Write for as long as it runs, so that
nobody can resize what is still to be sent; never after the call has returned, nor by a Read that is parked.

Locks: the fdMutex, held over the wait as in Go. Callers: any goroutine, any thread.
"""

from __future__ import annotations

import errno
import warnings
from collections.abc import Callable
from select import POLLIN, poll
from typing import Any

from gonet.poll.errors import (
    ErrDeadlineExceeded,
    ErrFileClosing,
    ErrNetClosing,
    ErrNoDeadline,
    ErrNotPollable,
    syscallerror,
)
from gonet.poll.fd_mutex import fdMutex
from gonet.poll.fd_mutex_bits import mutexClosed, mutexRef, mutexRLock, mutexRWait, mutexWLock
from runtime import rawsys
from runtime.asm import LOCKS, lock, unlock
from runtime.gmp import sched
from runtime.idle import queuefinalizer
from runtime.netpoll import (
    PollDesc,
    netpollblock,
    poll_runtime_pollClose,
    poll_runtime_pollOpen,
    poll_runtime_pollReset,
    poll_runtime_pollSetDeadline,
    poll_runtime_pollUnblock,
    poll_runtime_pollWait,
)
from runtime.nocopy import nocopy
from runtime.pollcodes import BOTH, READ, WRITE, pollErrClosing, pollErrTimeout
from runtime.proc import checkpreempt
from runtime.rawsys import MAXRW, SHORT, close, read, recv, send, writable_nbytes, write
from runtime.sema import Sema, semacquire, semrelease
from runtime.time import maxWhen, realtime
from runtime.timesleep import number

__all__ = ["FD"]

_EAGAIN = -errno.EAGAIN
_EINTR = -errno.EINTR

# The fdMutex word in one look (fd_mutex has the bits): what keeps a side from being taken in one step, or given up.
_manyrefs = 1 << 22
_rbusy = mutexClosed | mutexRLock | _manyrefs
_wbusy = mutexClosed | mutexWLock | _manyrefs
_rtake = mutexRLock + mutexRef
_wtake = mutexWLock + mutexRef
_sought = mutexRWait  # from here on, somebody waits for a side (compared: as masks, these bits take Python two digits)


class FD(fdMutex):
    """A descriptor, owned. The calls raise ErrNetClosing (or ErrFileClosing), ErrDeadlineExceeded or OSError."""

    __slots__ = ("IsStream", "Sysfd", "ZeroReadIsEOF", "csema", "drained", "hint", "isFile", "opened", "pd")

    def __init__(self, sysfd: int, isstream: bool = True, zeroreadiseof: bool = True) -> None:
        fdMutex.__init__(self)
        self.Sysfd = sysfd
        self.IsStream = isstream
        self.ZeroReadIsEOF = zeroreadiseof
        self.isFile = False
        self.hint = False  # a short read of it means that it is drained
        self.drained = False  # guarded by the read side
        self.pd: Any = None  # PollDesc, once Init has registered it
        self.csema: Any = None  # what Close waits on for the last operation
        self.opened = True  # last: __del__ may see an object whose __init__ was never called, or failed

    def Init(self, net: str, pollable: bool) -> None:
        """Register with the poller, if pollable; net is "file" or the network.  Raises: OSError (epoll_ctl(2))."""
        self.isFile = net == "file"
        self.hint = net in ("tcp", "tcp4", "tcp6")
        if not pollable:
            return
        pd, code = poll_runtime_pollOpen(self.Sysfd)
        if code != 0:
            raise syscallerror("epoll_ctl", code)
        self.pd = pd

    # ---- closing

    def Close(self) -> None:
        """Wake all who wait on it, let the operations that run end, and close the descriptor; then return.

        Raises: ErrNetClosing, if it was closed before.
        """
        if not self.increfAndClose():
            raise self._errclosing()
        pd = self.pd
        try:
            if pd is not None:
                poll_runtime_pollUnblock(pd)
        finally:
            last = self.decref()
            if last:
                self._destroy()
        if last:
            return
        sema = Sema()
        lock(self)
        wait = self.Sysfd >= 0
        if wait:
            self.csema = sema
        unlock(self)
        if wait:
            semacquire(sema)

    def _destroy(self) -> int:
        """Close the descriptor: closed and without users, it is nobody's any more."""
        fd = self.Sysfd
        pd = self.pd
        try:
            if pd is not None:
                self.pd = None
                poll_runtime_pollClose(pd)
        finally:  # whatever is wrong with that (a stack that is too deep), nobody else will close it
            close(fd)  # what it says is not acted on: on Linux the descriptor is gone in any case
            lock(self)
            self.Sysfd = -1
            sema = self.csema
            unlock(self)
            if sema is not None:
                semrelease(sema)
        return 0

    def __del__(self) -> None:
        if not getattr(self, "opened", False) or self.Sysfd < 0 or not self.markclosed():
            return
        queue: Any = queuefinalizer
        if queue is None:  # the interpreter ends and has cleared this module; the kernel closes it
            return
        queue(_abandoned, (self.Sysfd, self.pd))
        warnings.warn(f"unclosed {type(self).__name__} fd={self.Sysfd}", ResourceWarning, source=self, stacklevel=2)

    def __reduce__(self) -> Any:
        return nocopy(self, "a descriptor")

    def opError(self, op: str, err: OSError) -> OSError:
        """The exception for err in a Read or Write: itself, or what a subclass wraps it in.

        Here and not in a try around each call, for a parked goroutine has to store the frame of every one.
        """
        return err

    # ---- entering and leaving an operation
    # What is taken by one call is given back by one call: where the stack ends, a second one would be one too many.

    def _errclosing(self) -> OSError:
        return ErrFileClosing() if self.isFile else ErrNetClosing()

    def _pollerror(self, code: int) -> OSError:
        """The exception of a poll_runtime_ code. Source: Go fd_poll_runtime.go convertErr."""
        if code == pollErrClosing:
            return self._errclosing()
        if code == pollErrTimeout:
            return ErrDeadlineExceeded()
        return ErrNotPollable()

    def _prepare(self, mode: int) -> int:
        """Before the first attempt: raise if closing or past the deadline; forget an old readiness."""
        pd: PollDesc = self.pd
        if pd is not None:
            code = poll_runtime_pollReset(pd, mode)
            if code != 0:
                raise self._pollerror(code)
        return 0

    def _pdwait(self, mode: int, name: str) -> int:
        """After an EAGAIN: park until the descriptor is ready."""
        pd: PollDesc = self.pd
        if pd is None:
            raise syscallerror(name, errno.EAGAIN)
        code = poll_runtime_pollWait(pd, mode)
        if code != 0:
            raise self._pollerror(code)
        return 0

    # ---- I/O

    def Read(self, buf: Any) -> int:
        """Read into any writable buffer, parking until there is something; n, 0 at the end or if buf is empty.

        Raises: TypeError or BufferError, if buf is not writable; then nothing has been read.
        Source: Go src/internal/poll/fd_unix.go (*FD).Read.
        """
        if sched.preempt:
            checkpreempt()  # here, for it may raise: what has been read would be lost
        state = self.state
        if LOCKS or state & _rbusy or self.epoch != sched.forkepoch:
            if not self.rwlock(True):
                raise self.opError("read", self._errclosing())
        else:
            self.state = state + _rtake  # rwlock(True) when nobody is in the way
        try:
            pd: PollDesc = self.pd
            n = _EAGAIN
            if self.drained:
                if type(buf) is bytearray:
                    whole = buf
                    if not whole:
                        return 0
                elif writable_nbytes(buf) == 0:
                    return 0
                pd.rbuf = buf
                if not netpollblock(pd, READ, False):
                    code = poll_runtime_pollWait(pd, READ)
                    if code != 0:
                        raise self.opError("read", self._pollerror(code))
                n = pd.rn  # the poller may have read already
                pd.rn = _EAGAIN
                if n > SHORT and pd.hup == 0:
                    return n - SHORT  # and the socket is drained again
                self.drained = False
            elif pd is not None and (pd.closing or pd.everr or pd.rd < 0):
                code = poll_runtime_pollReset(pd, READ)
                if code != 0:
                    raise self.opError("read", self._pollerror(code))
            while n < 0:
                if n != _EAGAIN and n != _EINTR:
                    raise self.opError("read", syscallerror("read", -n))
                hup = 0 if pd is None else pd.hup
                n = read(self.Sysfd, buf) if self.isFile else recv(self.Sysfd, buf)
                if n == _EAGAIN:
                    if pd is None:
                        raise self.opError("read", syscallerror("read", -n))
                    if hup != 0 and not self._heard(hup):
                        continue
                    code = poll_runtime_pollWait(pd, READ)
                    if code != 0:
                        raise self.opError("read", self._pollerror(code))
            if n > SHORT:
                n -= SHORT
                self.drained = self.hint and pd.hup == 0
            elif n == SHORT:
                n = 0
        finally:
            state = self.state
            if LOCKS or state & mutexClosed or state >= _sought:
                if self.rwunlock(True):
                    self._destroy()
            else:
                self.state = state - _rtake
        return n

    def _heard(self, hup: int) -> bool:
        """An EAGAIN after `hup` events that void the hint: whether all that came with them has been read.

        At an urgent mark with more behind it Linux says EAGAIN too, if a signal is pending for the thread. No event
        would come for what is there already.
        """
        if self.hint:
            p = poll()
            p.register(self.Sysfd, POLLIN)
            if any(events & POLLIN for _, events in p.poll(0)):
                return False
        pd: PollDesc = self.pd
        lock(pd)
        if pd.hup == hup:
            pd.hup = 0
        unlock(pd)
        return True

    def Write(self, data: Any) -> int:
        """Write all of a bytes-like object, parking as often as need be; its size. Writes never mix.

        Raises: TypeError or BufferError, if data is not bytes-like; else what stopped it, when part may be sent.
        Source: Go src/internal/poll/fd_unix.go (*FD).Write.
        """
        if sched.preempt:
            checkpreempt()
        state = self.state
        if LOCKS or state & _wbusy or self.epoch != sched.forkepoch:
            if not self.rwlock(False):
                raise self.opError("write", self._errclosing())
        else:
            self.state = state + _wtake
        try:
            pd: PollDesc = self.pd
            if pd is not None and (pd.closing or pd.wd < 0):
                code = poll_runtime_pollReset(pd, WRITE)
                if code != 0:
                    raise self.opError("write", self._pollerror(code))
            n = write(self.Sysfd, data, 0) if self.isFile else send(self.Sysfd, data, 0)
            if n < 0 or n >= MAXRW:  # or SHORT
                n = self._writerest(data, n)
        finally:
            state = self.state
            if LOCKS or state & mutexClosed or state >= _sought:
                if self.rwunlock(False):
                    self._destroy()
            else:
                self.state = state - _wtake
        return n

    def _writerest(self, data: Any, n: int) -> int:
        """Go on after a first send(2) that gave n and has not sent all; the size of data."""
        off = 0
        with memoryview(data) as mv:
            size = mv.nbytes
            while True:
                if n >= SHORT:
                    off += n - SHORT
                    if self.hint:
                        self._writewait()  # the socket took less than it was given: it is full
                elif n >= 0:
                    off += n
                    if off >= size:
                        return size
                elif n == _EAGAIN:
                    self._writewait()
                elif n != _EINTR:
                    raise self.opError("write", syscallerror("write", -n))
                n = write(self.Sysfd, mv, off) if self.isFile else send(self.Sysfd, mv, off)

    def _writewait(self) -> int:
        pd: PollDesc = self.pd
        if pd is None:
            raise self.opError("write", syscallerror("write", errno.EAGAIN))
        code = poll_runtime_pollWait(pd, WRITE)
        if code != 0:
            raise self.opError("write", self._pollerror(code))
        return 0

    def Accept(self) -> tuple[int, Any]:
        """Accept a connection, parking until there is one: (descriptor, opaque address of the peer).

        A connection that was aborted before it was accepted is passed over.  Raises: OSError (EMFILE and its like).
        Source: Go src/internal/poll/fd_unix.go (*FD).Accept.
        """
        if sched.preempt:
            checkpreempt()
        if not self.rwlock(True):
            raise self._errclosing()
        try:
            self._prepare(READ)
            while True:
                r: Any = rawsys.accept4(self.Sysfd)
                if type(r) is tuple:
                    break
                if r == _EAGAIN:
                    self._pdwait(READ, "accept4")
                elif r != _EINTR and r != -errno.ECONNABORTED:
                    raise syscallerror("accept4", -r)
        finally:
            if self.rwunlock(True):
                self._destroy()
        return r

    def WaitWrite(self) -> None:
        """Park until the descriptor is writable, as after connect(2). Source: Go (*FD).WaitWrite."""
        if not self.incref():
            raise self._errclosing()
        try:
            self._pdwait(WRITE, "connect")
        finally:
            if self.decref():
                self._destroy()

    # ---- deadlines

    def SetDeadline(self, t: float | None) -> None:
        """Set both deadlines to the instant t of time.monotonic(); 0 or None: none."""
        self._setdeadline(t, BOTH)

    def SetReadDeadline(self, t: float | None) -> None:
        """Set the deadline of Read and Accept."""
        self._setdeadline(t, READ)

    def SetWriteDeadline(self, t: float | None) -> None:
        """Set the deadline of Write."""
        self._setdeadline(t, WRITE)

    def _setdeadline(self, t: Any, mode: int) -> int:
        d = _instant(t)
        if not self.incref():
            raise self._errclosing()
        try:
            if self.pd is None:
                raise ErrNoDeadline()
            poll_runtime_pollSetDeadline(self.pd, d, mode)
        finally:
            if self.decref():
                self._destroy()
        return 0

    # ---- the rest

    def Shutdown(self, how: int) -> None:
        """shutdown(2).  Raises: OSError."""
        self._call("shutdown", rawsys.shutdown, how)

    def SetsockoptInt(self, level: int, opt: int, value: int) -> None:
        """setsockopt(2) of an int.  Raises: OSError."""
        self._call("setsockopt", rawsys.setsockopt, level, opt, value)

    def SetsockoptBytes(self, level: int, opt: int, value: bytes) -> None:
        """setsockopt(2) of a packed struct.  Raises: OSError."""
        self._call("setsockopt", rawsys.setsockopt_bytes, level, opt, value)

    def GetsockoptInt(self, level: int, opt: int) -> int:
        """getsockopt(2) of an int.  Raises: OSError."""
        return self._call("getsockopt", rawsys.getsockopt, level, opt)

    def Dup(self) -> int:
        """A close-on-exec duplicate of the descriptor, the caller's.  Raises: OSError."""
        return self._call("fcntl", rawsys.dup)

    def RawControl(self, fn: Callable[[int], Any]) -> None:
        """Call fn(descriptor), which stays open meanwhile. Its exception passes through."""
        if not self.incref():
            raise self._errclosing()
        try:
            fn(self.Sysfd)
        finally:
            if self.decref():
                self._destroy()

    def _call(self, name: str, fn: Callable[..., int], *args: Any) -> int:
        if not self.incref():
            raise self._errclosing()
        try:
            n = fn(self.Sysfd, *args)
        finally:
            if self.decref():
                self._destroy()
        if n < 0:
            raise syscallerror(name, -n)
        return n


def _instant(t: Any) -> int:
    """An instant of time.Now() as the poller's ns: 0 for none, at most maxWhen, negative for the distant past."""
    if type(t) is float:
        x = t
        if 0.0 < x < 9.2e9:
            n = int(x * 1e9) or 1
            return n if sched.bubbles == 0 else realtime(n) or -1
    if t is None:
        return 0
    x = number("deadline", t)
    if x == 0.0:
        return 0
    if x >= 9.2e9:
        return maxWhen
    if x < 0.0:
        return -1
    d = int(x * 1e9) or 1
    return d if sched.bubbles == 0 else realtime(d) or -1


def _abandoned(fdpd: Any) -> None:
    """Close what was dropped unclosed; nobody can be waiting on it."""
    fd, pd = fdpd
    if pd is not None:
        poll_runtime_pollUnblock(pd)
        poll_runtime_pollClose(pd)
    close(fd)
