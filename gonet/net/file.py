"""File, the owner of a descriptor that has left the poller.

Stands for Go's os.File in what Conn.File and Listener.File return (Go src/net/file.go, src/os/file_unix.go). Differs:
there is no reading and writing here, as Python has its own for descriptors.

Invariants
  A descriptor is closed exactly once: by close, at the end of a `with`, or when its last owner is forgotten.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from runtime import rawsys
from runtime.nocopy import nocopy

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["File"]


class File:
    """An open descriptor, the caller's own: fileno() tells it, close() closes it, detach() gives it away."""

    __slots__ = ("__weakref__", "_fd", "_name")

    def __init__(self, fd: int, name: str) -> None:
        self._fd = fd
        self._name = name

    def fileno(self) -> int:
        """The descriptor's number; -1 once closed or detached."""
        return self._fd

    def Fd(self) -> int:
        return self._fd

    def Name(self) -> str:
        """What it was opened as, such as "tcp:127.0.0.1:80->127.0.0.1:5000"."""
        return self._name

    def detach(self) -> int:
        """Give up the descriptor without closing it; returns its number."""
        fd, self._fd = self._fd, -1
        return fd

    def close(self) -> None:
        """Close the descriptor; a second call does nothing."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            rawsys.close(fd)

    def Close(self) -> None:
        self.close()

    @property
    def closed(self) -> bool:
        return self._fd < 0

    def __enter__(self) -> File:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self, _warn: Any = warnings.warn) -> None:
        if getattr(self, "_fd", -1) >= 0:
            _warn(f"unclosed {self!r}", ResourceWarning, stacklevel=2, source=self)
            self.close()

    def __reduce__(self) -> Any:
        return nocopy(self, "a net.File")  # both would close the descriptor

    def __repr__(self) -> str:
        return f"<File {self._name} fd={self._fd}>"
