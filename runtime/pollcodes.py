"""The words in which netpoll and internal/poll talk: modes, error codes, and the marks in rg and wg.

Mirrors constants of Go src/runtime/netpoll.go. A module of its own so that compiled callers can hold them as C values.
"""

from __future__ import annotations

import errno

READ = 1  # modes: Go's 'r',
WRITE = 2  # 'w',
BOTH = 3  # and 'r'+'w'

pollNoError = 0
pollErrClosing = 1  # the descriptor is closing
pollErrTimeout = 2  # the deadline has passed
pollErrNotPollable = 3  # the kernel reports an error on it and nothing else

rnNone = -errno.EAGAIN  # in PollDesc.rn: the poller has not read
aheadMax = 65536  # bytes a poll reads for parked readers; measured: with more, messages of 16 KB leave the cache


class _Mark:
    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return self.name


pdReady = _Mark("pdReady")
pdWait = _Mark("pdWait")
