"""The poller of Linux: epoll(7), edge-triggered, each descriptor registered once for both directions.

Mirrors Go src/runtime/netpoll_epoll.go. What epoll does that decides the rest: an edge is reported once, whoever
waits; events of one descriptor that come before the next epoll_wait are folded into one (data and FIN are IN|RDHUP,
with nothing to follow); an event already fetched outlives the descriptor's close, and its number may be another's by
then. So an event carries its PollDesc's index and fdseq, and one of an earlier life is dropped.

Differs from Go: EPOLLPRI is registered too. It costs nothing until urgent data comes, and then says that a short read
does not mean an empty socket (see hup in netpoll). And it reads for those who wait (see rbuf in netpoll), up to
aheadMax bytes a poll: more would push what was read first out of the cache before its goroutine runs. For the same
reason a poll takes 32 events at most, and not Go's 128: what the kernel keeps of each socket is then still in the cache
when the goroutine writes its answer (a message at 1,000 connections costs 6 % less CPU, at 100 1 %, at 10 the same).

Two descriptors are the poller's own: the eventfd of netpollBreak (index 0), and, for the main thread, the one the
interpreter writes to when a signal arrives (index 1): it closes the gap between the last look for signals and the
sleep. A wakeup fd that the program has set itself is left alone.
"""

from __future__ import annotations

import errno
import os
import signal
import threading
from _thread import allocate_lock
from typing import Any

from runtime import rawsys
from runtime.asm import lock, unlock
from runtime.gmp import NetPoller, sched
from runtime.netpoll import PollDesc, netpollready, pollcache
from runtime.panic import fatal
from runtime.pollcodes import READ, WRITE, aheadMax

__all__ = ["REGISTER", "EpollPoller", "eventmode"]

EPOLLIN = 0x1
EPOLLPRI = 0x2
EPOLLOUT = 0x4
EPOLLERR = 0x8
EPOLLHUP = 0x10
EPOLLRDHUP = 0x2000
EPOLLET = 0x80000000

REGISTER = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLPRI | EPOLLET
_READABLE = EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR | EPOLLPRI
_WRITABLE = EPOLLOUT | EPOLLHUP | EPOLLERR
_VOIDSHORT = EPOLLRDHUP | EPOLLHUP | EPOLLERR | EPOLLPRI
_MAXEVENTS = 32
_SEQMASK = 0x3FFFFFFF
_INDEXMASK = 0xFFFFFFFF


def eventmode(pd: PollDesc, ev: int) -> int:
    """For what pd is ready after an event with the bits ev. What else they tell is noted in pd."""
    mode = 0
    if ev & _READABLE:
        mode = READ
    if ev & _WRITABLE:
        mode |= WRITE
    if ev & _VOIDSHORT:
        lock(pd)
        pd.hup += 1
        pd.everr = ev == EPOLLERR
        unlock(pd)
    elif pd.everr:
        pd.everr = False
    return mode


class EpollPoller(NetPoller):
    """The one poller of the process."""

    __slots__ = ("ep", "eventfd", "sigbuf", "sigr", "sigw", "wakesig")

    def __init__(self) -> None:
        NetPoller.__init__(self)
        self.ep = rawsys.Epoll(_MAXEVENTS)
        self.eventfd = rawsys.eventfd()
        if self.eventfd < 0:
            raise OSError(-self.eventfd, "runtime: netpollinit: eventfd failed")
        self.wakesig = allocate_lock()  # held from netpollBreak until the poll it breaks: Go's netpollWakeSig
        self.ep.add(self.eventfd, EPOLLIN, 0)
        self.sigr = -1
        self.sigw = -1
        self.sigbuf = bytearray(256)

    def opensignals(self) -> int:
        """On the main thread: have signals wake the poller, unless the program has its own use for the wakeup fd."""
        if self.signals or threading.current_thread() is not threading.main_thread():
            return 0
        try:
            r, w = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        except OSError:
            return 0  # no descriptors now: the next sleep tries again
        self.signals = True
        old = signal.set_wakeup_fd(w, warn_on_full_buffer=False)
        if old != -1 or self.ep.add(r, EPOLLIN, 1) < 0:
            signal.set_wakeup_fd(old)
            os.close(r)
            os.close(w)
            return 0
        self.sigr = r
        self.sigw = w
        return 0

    def close(self) -> int:
        """Give up all descriptors; what was registered stays open. In a forked child, and where a race was lost."""
        if self.sigw >= 0:
            if threading.current_thread() is threading.main_thread():
                old = signal.set_wakeup_fd(-1)
                if old != self.sigw:
                    signal.set_wakeup_fd(old)
            os.close(self.sigr)
            os.close(self.sigw)
            self.sigr = self.sigw = -1
        rawsys.close(self.eventfd)
        self.ep.close()
        return 0

    def netpollopen(self, fd: int, pd: PollDesc) -> int:
        """Register fd; 0 or -errno. Source: Go src/runtime/netpoll_epoll.go netpollopen."""
        return self.ep.add(fd, REGISTER, ((pd.fdseq & _SEQMASK) << 32) | pd.index)

    def netpollclose(self, fd: int) -> int:
        """Take fd out; 0 or -errno. Source: Go src/runtime/netpoll_epoll.go netpollclose."""
        return self.ep.delete(fd)

    def netpollBreak(self) -> int:
        """Make the netpoll that sleeps now, or else the next one, return. From any thread."""
        if self.wakesig.acquire(False):
            rawsys.eventfd_write(self.eventfd)
        return 0

    def netpoll(self, delay: int) -> list[Any]:
        """See NetPoller. Source: Go src/runtime/netpoll_epoll.go netpoll."""
        if delay < 0:
            waitms = -1
        elif delay == 0:
            waitms = 0
        elif delay < 1_000_000:
            waitms = 1
        elif delay < 1_000_000_000_000_000:
            waitms = delay // 1_000_000
        else:
            waitms = 1_000_000_000  # 11.5 days: as good as for ever, and fits epoll_wait's int
        if self.ep.wait(waitms) < 0:
            self.failed()
        return self.drain(delay)

    def drain(self, delay: int) -> list[Any]:
        """The Gs that the events of a wait, begun with that delay, have made ready. (Uncompiled: see netpoll_pure.)"""
        ep = self.ep
        ahead = aheadMax
        glist: list[Any] = []
        while ep.next():
            data = ep.data
            if data < 2:
                self.ownevent(data, delay)
                continue
            pd: PollDesc = pollcache.all[data & _INDEXMASK]
            if (pd.fdseq & _SEQMASK) != data >> 32:
                continue  # of an earlier life
            ahead -= netpollready(glist, pd, eventmode(pd, ep.events), ahead > 0)
        return glist

    def failed(self) -> int:
        """epoll_wait has failed: by a signal, or the program has closed the descriptor, and nobody would ever wake.

        Source: Go src/runtime/netpoll_epoll.go netpoll, its throw.
        """
        err = self.ep.wait(0)
        if err < 0 and err != -errno.EINTR:
            fatal(f"runtime: epollwait on fd {self.ep.fileno()} failed with {-err}", "runtime: netpoll failed")
        return 0

    def ownevent(self, data: int, delay: int) -> int:
        """An event of the poller's own descriptors."""
        if data == 0:
            if delay != 0:  # Go's: a poll that does not sleep leaves the wake-up to one that does
                rawsys.eventfd_read(self.eventfd)
                try:
                    self.wakesig.release()
                except RuntimeError:
                    pass  # a nested poll in a signal handler has done it
        elif data == 1:
            rawsys.read(self.sigr, self.sigbuf)  # without bytecode: a handler must not run here, in the middle
            if sched.m0 is not None and sched.m0.blocked == 2:
                sched.m0.park.wakeup()  # handlers run on the main thread
        return 0
