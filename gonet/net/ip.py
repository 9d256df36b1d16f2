"""IP addresses, masks and networks: values, texts, parsing.

Mirrors Go src/net/ip.go and the parser and printer of src/net/netip/netip.go. Go's addresses are made and parsed here
without the standard library's ipaddress and inet_pton, whose ideas of what is valid and how it is written differ.

Differs: a slice of bytes becomes a class of immutable bytes, and nil None. Two IPs are equal by Go's IP.Equal, so an
IPv4 address equals itself in IPv6 form; that form, of 16 bytes, is what ParseIP gives, as in Go.

Invariants
  An IP equals, and hashes as, the bytes of its shortest form: a == b implies hash(a) == hash(b), for bytes too.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from gonet.net.errors import AddrError, ParseError
from gonet.net.parse import dtoi, wantText, xtoi

__all__ = [
    "IP",
    "CIDRMask",
    "IPMask",
    "IPNet",
    "IPv4",
    "IPv4Mask",
    "IPv4allrouter",
    "IPv4allsys",
    "IPv4bcast",
    "IPv4len",
    "IPv4zero",
    "IPv6interfacelocalallnodes",
    "IPv6len",
    "IPv6linklocalallnodes",
    "IPv6linklocalallrouters",
    "IPv6loopback",
    "IPv6unspecified",
    "IPv6zero",
    "ParseCIDR",
    "ParseIP",
    "parseAddr",
    "toIP",
]

IPv4len = 4
IPv6len = 16

v4InV6Prefix = b"\0\0\0\0\0\0\0\0\0\0\xff\xff"


class IP(bytes):
    """An IP address: its 4 or 16 bytes in network order. Any other length is no address, but prints.

    Source: Go src/net/ip.go IP.
    """

    __slots__ = ()

    def To4(self) -> IP | None:
        """The address in 4 bytes, or None if it is not an IPv4 address. Source: Go src/net/ip.go IP.To4."""
        if len(self) == IPv4len:
            return self
        if len(self) == IPv6len and self.startswith(v4InV6Prefix):
            return IP(self[12:])
        return None

    def To16(self) -> IP | None:
        """The address in 16 bytes, or None if it is no address. Source: Go src/net/ip.go IP.To16."""
        if len(self) == IPv4len:
            return IP(v4InV6Prefix + self)
        return self if len(self) == IPv6len else None

    def Equal(self, x: object) -> bool:
        """Whether x is the same address; an IPv4 address and its IPv6 form are. Source: Go src/net/ip.go IP.Equal."""
        return self == x

    def __eq__(self, other: object) -> bool:
        if isinstance(other, IP):
            if len(self) == len(other):
                return bytes.__eq__(self, other)
            return bytes.__eq__(self.To4() or self, other.To4() or other)
        if isinstance(other, bytes):
            return bytes.__eq__(self.To4() or self, other)
        return NotImplemented

    def __ne__(self, other: object) -> bool:
        equal = self.__eq__(other)
        return equal if equal is NotImplemented else not equal

    def __hash__(self) -> int:
        return bytes.__hash__(self.To4() or self)

    def __str__(self) -> str:
        if len(self) == 0:
            return "<nil>"
        if len(self) == IPv4len:
            return "%d.%d.%d.%d" % tuple(self)
        if len(self) == IPv6len:
            return "%d.%d.%d.%d" % tuple(self[12:]) if self.startswith(v4InV6Prefix) else _string6(self)
        return "?" + self.hex()

    def __repr__(self) -> str:
        return f"IP({str(self)!r})" if len(self) in (IPv4len, IPv6len) else f"IP({bytes(self)!r})"

    def String(self) -> str:
        """The text, as str() gives it. Source: Go src/net/ip.go IP.String."""
        return str(self)

    def DefaultMask(self) -> IPMask | None:
        """The mask of the address's class, A, B or C; None if it is not an IPv4 address.

        Source: Go src/net/ip.go IP.DefaultMask.
        """
        ip = self.To4()
        if ip is None:
            return None
        return IPv4Mask(255, 0 if ip[0] < 0x80 else 255, 0 if ip[0] < 0xC0 else 255, 0)

    def Mask(self, mask: bytes) -> IP | None:
        """The address with all bits cleared that are not in mask; None if their lengths do not fit.

        Source: Go src/net/ip.go IP.Mask.
        """
        ip: bytes = self
        if len(mask) == IPv6len and len(ip) == IPv4len and mask[:12] == b"\xff" * 12:
            mask = mask[12:]
        if len(mask) == IPv4len and len(ip) == IPv6len and ip.startswith(v4InV6Prefix):
            ip = ip[12:]
        if len(ip) != len(mask):
            return None
        return IP(a & b for a, b in zip(ip, mask))

    def IsUnspecified(self) -> bool:
        """Whether this is 0.0.0.0 or :: Source: Go src/net/ip.go IP.IsUnspecified."""
        return self in (IPv4zero, IPv6unspecified)

    def IsLoopback(self) -> bool:
        """Whether this is of 127.0.0.0/8, or ::1. Source: Go src/net/ip.go IP.IsLoopback."""
        ip = self.To4()
        return ip[0] == 127 if ip is not None else self == IPv6loopback

    def IsPrivate(self) -> bool:
        """Whether this is of RFC 1918 (IPv4) or RFC 4193 (IPv6). Source: Go src/net/ip.go IP.IsPrivate."""
        ip = self.To4()
        if ip is not None:
            return ip[0] == 10 or (ip[0] == 172 and ip[1] & 0xF0 == 16) or (ip[0] == 192 and ip[1] == 168)
        return len(self) == IPv6len and self[0] & 0xFE == 0xFC

    def IsMulticast(self) -> bool:
        """Whether this is of 224.0.0.0/4 or ff00::/8. Source: Go src/net/ip.go IP.IsMulticast."""
        ip = self.To4()
        if ip is not None:
            return ip[0] & 0xF0 == 0xE0
        return len(self) == IPv6len and self[0] == 0xFF

    def IsInterfaceLocalMulticast(self) -> bool:
        """Whether this is ff01:: or its like. Source: Go src/net/ip.go IP.IsInterfaceLocalMulticast."""
        return len(self) == IPv6len and self[0] == 0xFF and self[1] & 0x0F == 0x01

    def IsLinkLocalMulticast(self) -> bool:
        """Whether this is of 224.0.0.0/24, or is ff02:: and its like.

        Source: Go src/net/ip.go IP.IsLinkLocalMulticast.
        """
        ip = self.To4()
        if ip is not None:
            return ip[:3] == b"\xe0\0\0"
        return len(self) == IPv6len and self[0] == 0xFF and self[1] & 0x0F == 0x02

    def IsLinkLocalUnicast(self) -> bool:
        """Whether this is of 169.254.0.0/16 or fe80::/10. Source: Go src/net/ip.go IP.IsLinkLocalUnicast."""
        ip = self.To4()
        if ip is not None:
            return ip[:2] == b"\xa9\xfe"
        return len(self) == IPv6len and self[0] == 0xFE and self[1] & 0xC0 == 0x80

    def IsGlobalUnicast(self) -> bool:
        """Whether this is an address of one host beyond its link; private ones are.

        Source: Go src/net/ip.go IP.IsGlobalUnicast.
        """
        return len(self) in (IPv4len, IPv6len) and not (
            self == IPv4bcast
            or self.IsUnspecified()
            or self.IsLoopback()
            or self.IsMulticast()
            or self.IsLinkLocalUnicast()
        )


def matchAddrFamily(a: IP, b: IP) -> bool:
    """Whether both are IPv4 addresses or both IPv6 addresses."""
    if a.To4() is not None or b.To4() is not None:
        return a.To4() is not None and b.To4() is not None
    return a.To16() is not None and b.To16() is not None


def toIP(x: Any) -> IP | None:
    """What a user may give for an address as an IP: an IP, its text, its bytes, an ipaddress object, or None.

    Raises: AddrError for a text that is no address; TypeError.
    """
    if x is None or type(x) is IP:
        return x
    if isinstance(x, str):
        ip = ParseIP(x)
        if ip is None:
            raise AddrError("invalid IP address", x)
        return ip
    if isinstance(x, (bytes, bytearray, memoryview)):
        return IP(x)
    packed = getattr(x, "packed", None)  # ipaddress.IPv4Address, IPv6Address
    if isinstance(packed, bytes):
        return IP(packed)
    raise TypeError(f"an IP address is wanted, not {type(x).__name__}")


def IPv4(a: int, b: int, c: int, d: int) -> IP:
    """The address a.b.c.d, in 16 bytes. Source: Go src/net/ip.go IPv4."""
    return IP(v4InV6Prefix + bytes((a, b, c, d)))


IPv4bcast = IPv4(255, 255, 255, 255)
IPv4allsys = IPv4(224, 0, 0, 1)
IPv4allrouter = IPv4(224, 0, 0, 2)
IPv4zero = IPv4(0, 0, 0, 0)

IPv6zero = IP(16)
IPv6unspecified = IP(16)
IPv6loopback = IP(b"\0" * 15 + b"\1")
IPv6interfacelocalallnodes = IP(b"\xff\1" + b"\0" * 13 + b"\1")
IPv6linklocalallnodes = IP(b"\xff\2" + b"\0" * 13 + b"\1")
IPv6linklocalallrouters = IP(b"\xff\2" + b"\0" * 13 + b"\2")


def loopbackIP(net: str) -> IP:
    """The loopback address of a network: IPv6's where its name ends in 6."""
    return IPv6loopback if net.endswith("6") else IP(b"\x7f\0\0\1")


class IPMask(bytes):
    """The bits of an address that name its network; str() is hexadecimal. Source: Go src/net/ip.go IPMask."""

    __slots__ = ()

    def Size(self) -> tuple[int, int]:
        """(how many ones it begins with, how many bits it has); (0, 0) if ones follow after a zero.

        Source: Go src/net/ip.go IPMask.Size.
        """
        ones = self._ones()
        return (0, 0) if ones < 0 else (ones, len(self) * 8)

    def _ones(self) -> int:
        """How many ones it begins with, or -1 if ones follow after a zero."""
        bits = len(self) * 8
        zeros = (int.from_bytes(self, "big") ^ ((1 << bits) - 1)).bit_length()
        return bits - zeros if self == _mask(bits - zeros, bits) else -1

    def __str__(self) -> str:
        return self.hex() if self else "<nil>"

    def __repr__(self) -> str:
        return f"IPMask({bytes(self)!r})"

    def String(self) -> str:
        """Hexadecimal, as str() gives it. Source: Go src/net/ip.go IPMask.String."""
        return str(self)


def IPv4Mask(a: int, b: int, c: int, d: int) -> IPMask:
    """The mask a.b.c.d, in 4 bytes. Source: Go src/net/ip.go IPv4Mask."""
    return IPMask((a, b, c, d))


def CIDRMask(ones: int, bits: int) -> IPMask | None:
    """The mask of `bits` bits, 32 or 128, of which the first `ones` are set; None if there is none.

    Source: Go src/net/ip.go CIDRMask.
    """
    if bits not in (8 * IPv4len, 8 * IPv6len) or not 0 <= ones <= bits:
        return None
    return _mask(ones, bits)


def _mask(ones: int, bits: int) -> IPMask:
    return IPMask((((1 << ones) - 1) << (bits - ones)).to_bytes(bits // 8, "big"))


class IPNet:
    """A network: its number IP and its Mask. Prints as "192.0.2.0/24". Source: Go src/net/ip.go IPNet."""

    __slots__ = ("IP", "Mask")

    def __init__(self, IP: Any, Mask: bytes) -> None:
        self.IP = toIP(IP)
        self.Mask = Mask if isinstance(Mask, IPMask) else IPMask(Mask)

    def _numberAndMask(self) -> tuple[IP, IPMask] | None:
        """Both in the shortest form, of one length; None if they do not fit."""
        if self.IP is None:
            return None
        ip = self.IP.To4() or self.IP
        m = self.Mask
        if len(m) == IPv6len and len(ip) == IPv4len:
            m = IPMask(m[12:])
        return (ip, m) if len(ip) == len(m) and len(m) in (IPv4len, IPv6len) else None

    def Contains(self, ip: Any) -> bool:
        """Whether the address belongs to this network. Source: Go src/net/ip.go (*IPNet).Contains."""
        parts, x = self._numberAndMask(), toIP(ip)
        if parts is None or x is None:
            return False
        n, m = parts
        x = x.To4() or x
        return len(x) == len(n) and x.Mask(m) == n.Mask(m)

    def Network(self) -> str:
        """The text "ip+net". Source: Go src/net/ip.go (*IPNet).Network."""
        return "ip+net"

    def __str__(self) -> str:
        parts = self._numberAndMask()
        if parts is None:
            return "<nil>"
        n, m = parts
        ones = m._ones()
        return f"{n}/{m if ones < 0 else ones}"

    def __repr__(self) -> str:
        return f"IPNet({self.IP!r}, {self.Mask!r})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, IPNet):
            return NotImplemented
        return self.IP == other.IP and self.Mask == other.Mask

    def __hash__(self) -> int:
        return hash((self.IP, self.Mask))

    def String(self) -> str:
        """The network in CIDR notation, as str() gives it. Source: Go src/net/ip.go (*IPNet).String."""
        return str(self)


# ---- texts (RFC 5952)


def _string6(ip: Iterable[int]) -> str:
    """The text of 16 bytes: lower-case groups, the first of the longest runs of zero groups as "::"."""
    b = bytes(ip)
    groups = ["%x" % (b[i] << 8 | b[i + 1]) for i in range(0, IPv6len, 2)]
    best, length = 0, 1  # one zero group alone is not shortened
    i = 0
    while i < 8:
        j = i
        while j < 8 and groups[j] == "0":
            j += 1
        if j - i > length:
            best, length = i, j - i
        i = j + 1
    if length == 1:
        return ":".join(groups)
    return ":".join(groups[:best]) + "::" + ":".join(groups[best + length :])


def parseAddr(s: str) -> tuple[IP, str] | None:
    """The address s is the text of, in 4 or 16 bytes, and its zone or ""; None if it is none. Go's netip.ParseAddr."""
    for c in s:
        if c == ".":
            ip4 = _parse4(s)
            return None if ip4 is None else (IP(ip4), "")
        if c == ":":
            s, percent, zone = s.partition("%")
            ip6 = None if percent and not zone else _parse6(s)
            return None if ip6 is None else (IP(ip6), zone)
        if c == "%":
            break
    return None


def _parse4(s: str) -> bytes | None:
    """Four decimal numbers up to 255 without leading zeros, which some take for octal."""
    fields = s.split(".")
    if len(fields) != IPv4len:
        return None
    out = bytearray()
    for f in fields:
        number = dtoi(f) if len(f) <= 3 else None
        if number is None or number[1] != len(f) or number[0] > 255 or (f[0] == "0" and len(f) > 1):
            return None
        out.append(number[0])
    return bytes(out)


def _parse6(s: str) -> bytes | None:
    """Up to eight groups; the last two may be written as IPv4, and one "::" stands for at least one group of zeros."""
    head, ellipsis, tail = s.partition("::")
    if not ellipsis:
        ip = _groups(head, last=True)
        return ip if ip is not None and len(ip) == IPv6len else None
    left = _groups(head, last=False) if head else b""
    right = _groups(tail, last=True) if tail else b""
    if left is None or right is None or len(left) + len(right) > IPv6len - 2:
        return None
    return left + bytes(IPv6len - len(left) - len(right)) + right


def _groups(s: str, last: bool) -> bytes | None:
    """The bytes of groups with colons between them; at the address's end the last may be an IPv4 address."""
    out = bytearray()
    groups = s.split(":")
    for i, g in enumerate(groups):
        if last and i == len(groups) - 1 and "." in g:
            ip4 = _parse4(g)
            if ip4 is None:
                return None
            out += ip4
            continue
        n = xtoi(g) if len(g) <= 4 else None
        if n is None:
            return None
        out += n.to_bytes(2, "big")
    return bytes(out)


def ParseIP(s: str) -> IP | None:
    """The address s is the text of, in 16 bytes; None if it is none or has a zone. Never raises.

    Source: Go src/net/ip.go ParseIP.
    """
    parsed = parseAddr(s) if isinstance(s, str) else None
    if parsed is None or parsed[1]:
        return None
    return parsed[0].To16()


def ParseCIDR(s: str) -> tuple[IP, IPNet]:
    """The address and the network that s names, as "192.0.2.1/24" does 192.0.2.1 and 192.0.2.0/24.

    Raises: ParseError "invalid CIDR address".  Source: Go src/net/ip.go ParseCIDR.
    """
    wantText("s", s)
    addr, slash, prefix = s.partition("/")
    parsed, ones = parseAddr(addr), dtoi(prefix)
    if not slash or parsed is None or parsed[1] or ones is None or ones[1] != len(prefix):
        raise ParseError("CIDR address", s)
    ip = parsed[0]
    mask = CIDRMask(ones[0], 8 * len(ip))
    if mask is None:
        raise ParseError("CIDR address", s)
    ip16 = ip.To16()
    assert ip16 is not None
    return ip16, IPNet(ip16.Mask(mask), mask)
