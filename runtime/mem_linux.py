"""The heap in huge pages, once many goroutines live in it.

Mirrors sysHugePageCollapse of Go src/runtime/mem_linux.go and getHugePageSize of os_linux.go. Whoever runs next among
a thousand goroutines has been away long enough for the TLB to have forgotten the dozen pages that it lives in: its
stack's copy, its buffer, its objects. In pages of 2 MB that cost goes (a message at 1,000 connections: 5 % of its CPU).

What is collapsed is the heap that malloc keeps below brk, which is where goroutines' stacks and buffers are. It is done
by the monitor, without the GIL, a huge page a tick, and for every page once. No mapping is changed: what the heap grows
by later comes in small pages again. Nothing is done where the system's administrator has turned huge pages off ("never"
in /sys/kernel/mm/transparent_hugepage/enabled), with GODEBUG=disablethp=1, which is Go's name for it, on a kernel
before Linux 6.1, and where malloc does not use brk.

Callers: the monitor alone.
"""

from __future__ import annotations

import errno
from contextlib import suppress

from runtime.debug import debug
from runtime.gmp import sched
from runtime.rawsys import heaptop, madvise

__all__ = ["MANY", "Heap", "getHugePageSize", "heap"]

MANY = 256  # goroutines; with fewer, all their pages are in the TLB
MADV_COLLAPSE = 25  # madvise(2)

_THP = "/sys/kernel/mm/transparent_hugepage/"


def _text(path: str) -> str:
    with open(path, encoding="ascii", errors="replace") as f:
        return f.read()


def getHugePageSize() -> int:
    """The size (bytes) of a transparent huge page; 0 if there are none. Source: Go src/runtime/os_linux.go."""
    try:
        if "[never]" in _text(_THP + "enabled"):
            return 0
        size = int(_text(_THP + "hpage_pmd_size"))
    except (FileNotFoundError, PermissionError, ValueError):
        return 0
    return size if size > 0 and size & (size - 1) == 0 else 0


def _heapbottom() -> int:
    """The lowest address of the heap, 0 if there is none."""
    for line in _text("/proc/self/maps").splitlines():
        if line.endswith("[heap]"):
            return int(line.partition("-")[0], 16)
    return 0


class Heap:
    """What has been collapsed of the heap: all whole huge pages from its bottom up to done (an address)."""

    __slots__ = ("done", "pagesize")

    def __init__(self) -> None:
        self.pagesize = -1  # bytes; -1 not yet looked up, 0 nothing to be done here
        self.done = 0

    def advance(self) -> bool:
        """Collapse the next huge page, if many goroutines live here; whether there was one."""
        if self.pagesize == 0 or len(sched.allgs) < MANY:
            return False
        if self.pagesize < 0:
            with suppress(OSError):  # no descriptors now, say: the next tick tries again
                self._lookup()
            if self.pagesize <= 0:
                return False
        top = heaptop() & -self.pagesize
        if self.done >= top:
            self.done = top  # what malloc has given back and takes again is small pages
            return False
        if madvise(self.done, self.pagesize, MADV_COLLAPSE) == -errno.EINVAL:
            self.pagesize = 0  # the kernel knows no such advice
            return False
        self.done += self.pagesize  # also if it was refused, for want of memory, say
        return True

    def _lookup(self) -> None:
        size = 0 if debug.disablethp else getHugePageSize()
        if size:
            bottom = _heapbottom()
            if bottom and heaptop():
                self.done = -(-bottom // size) * size
            else:
                size = 0
        self.pagesize = size


heap = Heap()
