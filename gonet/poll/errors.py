"""What can go wrong with a descriptor, other than what the kernel says.

Mirrors Go src/internal/poll/fd.go. Differs: Go compares error values; here each is an exception class, raised as a
fresh instance each time, with Go's words as its text.
"""

from __future__ import annotations

import errno
import os

__all__ = [
    "ErrDeadlineExceeded",
    "ErrFileClosing",
    "ErrNetClosing",
    "ErrNoDeadline",
    "ErrNotPollable",
    "syscallerror",
]


class _PollError(OSError):
    """An OSError of a fixed text; errno as the nearest of the kernel's, or None."""

    text = ""
    code: int | None = None

    def __init__(self, *args: object) -> None:
        super().__init__(*args)
        if self.errno is None:
            self.errno = self.code

    def __str__(self) -> str:
        return self.text

    def Timeout(self) -> bool:
        """Whether a deadline was the cause. Source: Go src/internal/poll/fd.go."""
        return False

    def Temporary(self) -> bool:
        """Whether trying again may help. Source: Go src/internal/poll/fd.go."""
        return False


class ErrNetClosing(_PollError):
    """You closed it: an operation on a closed network connection, or one that was under way when it was closed.

    Source: Go src/internal/poll/fd.go ErrNetClosing.
    """

    text = "use of closed network connection"
    code = errno.EBADF


class ErrFileClosing(_PollError):
    """You closed it, and it was a file. Source: Go src/internal/poll/fd.go ErrFileClosing."""

    text = "use of closed file"
    code = errno.EBADF


class ErrDeadlineExceeded(_PollError, TimeoutError):
    """The deadline that you set has passed. It stays so until you set another.

    Source: Go src/internal/poll/fd.go ErrDeadlineExceeded.
    """

    text = "i/o timeout"
    code = errno.ETIMEDOUT

    def Timeout(self) -> bool:
        """True. Source: Go src/internal/poll/fd.go (*DeadlineExceededError).Timeout."""
        return True

    def Temporary(self) -> bool:
        """True. Source: Go src/internal/poll/fd.go (*DeadlineExceededError).Temporary."""
        return True


class ErrNoDeadline(_PollError):
    """The descriptor is of a kind that cannot have a deadline. Source: Go src/internal/poll/fd.go ErrNoDeadline."""

    text = "file type does not support deadline"
    code = errno.ENOTSUP


class ErrNotPollable(_PollError):
    """The kernel reports an error on the descriptor and will not say when it is ready.

    Source: Go src/internal/poll/fd.go ErrNotPollable.
    """

    text = "not pollable"
    code = errno.EIO


def syscallerror(name: str, code: int) -> OSError:
    """The OSError of errno `code`, of the subclass that belongs to it, with the system call's name in .syscall."""
    err = OSError(code, os.strerror(code))
    err.syscall = name  # type: ignore[attr-defined]
    return err
