"""The poller of the uncompiled form: EpollPoller with a loop of its own over the events.

The loop of netpoll_epoll calls Epoll.next for each event and finds the PollDesc by the number in it, which costs
nothing in C. Here it takes them from the list that select.epoll has made, the PollDesc stands in Epoll.tags itself,
and what netpollready does for nearly every message is in line: three calls less an event.

Differs: no fdseq is looked at. tags has the PollDesc of this life of the descriptor, or none; an event fetched
before the descriptor was closed may so wake its successor for nothing (see rawsys). It must not do more: an error,
after which nobody may wait any more, is looked for anew.
"""

from __future__ import annotations

from select import EPOLLERR, EPOLLIN, EPOLLOUT, poll
from typing import Any

from runtime.asm import LOCKS
from runtime.netpoll import PollDesc, netpollready
from runtime.netpoll_epoll import REGISTER, EpollPoller, eventmode
from runtime.pollcodes import BOTH, aheadMax, pdReady, pdWait, rnNone
from runtime.rawsys import SHORT, recvahead

__all__ = ["PurePoller"]

# What comes with nearly every message, as the socket is writable all the time; none of the poller's own descriptors
# has it.
_INOUT = -1 if LOCKS else EPOLLIN | EPOLLOUT
_COUNT = SHORT - 1


def _inerror(fd: int) -> bool:
    """Whether fd is in error now, so that an event which says so is not of an earlier life."""
    p = poll()
    p.register(fd, 0)
    return bool(p.poll(0))


class PurePoller(EpollPoller):
    """The one poller of the process."""

    __slots__ = ()

    def netpollopen(self, fd: int, pd: PollDesc) -> int:
        return self.ep.add(fd, REGISTER, pd)

    def drain(self, delay: int) -> list[Any]:
        ready = self.ep.ready
        tags = self.ep.tags
        ahead = aheadMax
        glist: list[Any] = []
        while ready:
            fd, ev = ready.pop()
            pd = tags.get(fd)
            if ev == _INOUT and pd is not None:
                # A reader that has lent its buffer, and no writer: nobody comes between the look at rg and taking it
                # (see asm, Locks).
                rg = pd.rg
                wg = pd.wg
                if (
                    pd.rbuf is not None
                    and rg is not None
                    and rg is not pdReady
                    and rg is not pdWait
                    and (wg is None or wg is pdReady)
                    and not pd.everr
                    and ahead > 0
                ):
                    pd.rg = pd.wg = pdReady
                    n = recvahead(pd.fd, pd.rbuf)  # no longer fd, if pd was given to another since tags.get
                    pd.rbuf = None
                    if n != rnNone:
                        pd.rn = n
                        if pd.rg is pdReady:
                            pd.rg = None
                        if n > 0:
                            ahead -= n & _COUNT
                    glist.append(rg)
                    continue
            if type(pd) is int:
                self.ownevent(pd, delay)
            elif pd is not None:  # else it has been taken out since
                mode = eventmode(pd, ev) if ev != EPOLLERR or _inerror(fd) else BOTH
                ahead -= netpollready(glist, pd, mode, ahead > 0)
        return glist
