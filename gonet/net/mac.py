"""Hardware addresses.

Mirrors Go src/net/mac.go.
"""

from __future__ import annotations

from gonet.net.errors import AddrError
from gonet.net.parse import wantText, xtoi

__all__ = ["HardwareAddr", "ParseMAC"]


class HardwareAddr(bytes):
    """The bytes of a hardware address; str() is lower-case pairs with colons between them.

    Source: Go src/net/mac.go HardwareAddr.
    """

    __slots__ = ()

    def __str__(self) -> str:
        return self.hex(":") if self else ""

    def __repr__(self) -> str:
        return f"HardwareAddr({bytes(self)!r})"

    def String(self) -> str:
        """The text, as str() gives it. Source: Go src/net/mac.go HardwareAddr.String."""
        return str(self)


def ParseMAC(s: str) -> HardwareAddr:
    """The address written as 00:00:5e:00:53:01, 00-00-..., 0000.5e00.5301 or 00005e005301, of 6, 8 or 20 bytes.

    Raises: AddrError "invalid MAC address".  Source: Go src/net/mac.go ParseMAC.
    """
    wantText("s", s)
    # What stands after the first group decides the form; the separator is the same throughout.
    if s[2:3] in (":", "-"):
        groups, width = s.split(s[2]), 2
    elif s[4:5] == ".":
        groups, width = s.split("."), 4
    else:
        groups, width = [s], len(s)
    n = len(groups) * width // 2
    if width % 2 or n not in (6, 8, 20) or any(len(g) != width or xtoi(g) is None for g in groups):
        raise AddrError("invalid MAC address", s)
    return HardwareAddr(bytes.fromhex("".join(groups)))
