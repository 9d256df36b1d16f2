"""Descriptors that goroutines wait on: Go's package internal/poll.

FD wraps a descriptor that the poller knows; its calls retry what the kernel interrupts, park where it says EAGAIN,
and raise ErrNetClosing, ErrDeadlineExceeded or the OSError of the system call. gonet.net builds on it.
"""

from gonet.poll.errors import ErrDeadlineExceeded, ErrFileClosing, ErrNetClosing, ErrNoDeadline, ErrNotPollable
from gonet.poll.fd_mutex import fdMutex
from gonet.poll.fd_unix import FD

__all__ = [
    "FD",
    "ErrDeadlineExceeded",
    "ErrFileClosing",
    "ErrNetClosing",
    "ErrNoDeadline",
    "ErrNotPollable",
    "fdMutex",
]
