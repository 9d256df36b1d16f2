"""IPv6 zones: the names of interfaces and their indexes.

Mirrors zoneCache of Go src/net/interface.go. Differs: it asks the system each time, since only addresses with a zone
get here.
"""

from __future__ import annotations

import _socket

from gonet.net.parse import dtoi

__all__ = ["zoneIndex", "zoneName"]


def zoneName(index: int) -> str:
    """The name of the interface with this index; the index in digits if there is none, "" for 0."""
    if index == 0:
        return ""
    try:
        return _socket.if_indextoname(index)
    except OSError:
        return str(index)


def zoneIndex(name: str) -> int:
    """The index of the interface with this name; if there is none the number the name begins with, or 0."""
    if name == "":
        return 0
    try:
        return _socket.if_nametoindex(name)
    except OSError:
        number = dtoi(name)
        return 0 if number is None else number[0]
