"""Access to a connection's descriptor, as Control functions are given it.

Mirrors Go src/net/rawconn.go (syscall.RawConn).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from gonet.net.errors import ErrClosed, OpError

if TYPE_CHECKING:
    from gonet.net.fd import netFD

__all__ = ["rawConn"]


class rawConn:
    """A connection's or listener's descriptor, which stays open while a function given to this object runs."""

    __slots__ = ("fd",)

    def __init__(self, fd: netFD) -> None:
        self.fd = fd

    def Control(self, f: Callable[[int], object]) -> None:
        """Call f(descriptor). What f raises passes through.

        Raises: OpError "raw-control" if the connection is closed.
        """
        try:
            self.fd.RawControl(f)
        except ErrClosed as err:
            raise OpError("raw-control", self.fd.net, None, self.fd.laddr(), err) from None
