"""gonet/net/ip.py. The values are what Go 1.26 prints."""

from __future__ import annotations

import ipaddress
import pickle
from typing import Any

import pytest

from gonet import net
from gonet.net.ip import parseAddr, toIP


def bits(ip: net.IP | None) -> str:
    return "nil" if ip is None else ip.hex()


V4 = "00000000000000000000ffff"


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("127.0.1.2", V4 + "7f000102"),
        ("127.0.0.1", V4 + "7f000001"),
        ("0.0.0.0", V4 + "00000000"),
        ("255.255.255.255", V4 + "ffffffff"),
        ("127.001.002.003", "nil"),
        ("00.0.0.0", "nil"),
        ("127.0.0.256", "nil"),
        ("abc", "nil"),
        ("123:", "nil"),
        ("::ffff:127.1.2.3", V4 + "7f010203"),
        ("::ffff:127.001.002.003", "nil"),
        ("::ffff:7f01:0203", V4 + "7f010203"),
        ("0:0:0:0:0000:ffff:127.1.2.3", V4 + "7f010203"),
        ("0:0:0:0:000000:ffff:127.1.2.3", "nil"),
        ("0:0:0:0::ffff:127.1.2.3", V4 + "7f010203"),
        ("2001:4860:0:2001::68", "20014860000020010000000000000068"),
        ("2001:4860:0000:2001:0000:0000:0000:0068", "20014860000020010000000000000068"),
        ("1:2:3:4:5:6:7:8", "00010002000300040005000600070008"),
        ("1:2:3:4:5:6:7::", "00010002000300040005000600070000"),
        ("::2:3:4:5:6:7:8", "00000002000300040005000600070008"),
        ("1:2:3:4:5:6:7:8::", "nil"),
        ("1::2::3", "nil"),
        (":::", "nil"),
        ("::", "0" * 32),
        ("::1", "0" * 31 + "1"),
        (":1", "nil"),
        ("1:", "nil"),
        (":1::", "nil"),
        ("::1:", "nil"),
        ("::1.2.3.4", "00000000000000000000000001020304"),
        ("1.2.3.4::", "nil"),
        ("1:2:3:4:5:6:1.2.3.4", "00010002000300040005000601020304"),
        ("1:2:3:4:5:6:7:1.2.3.4", "nil"),
        ("::12345", "nil"),
        ("::g", "nil"),
        ("::-1", "nil"),
        ("fe80::1%lo0", "nil"),
        ("fe80::1%", "nil"),
        ("%", "nil"),
        ("", "nil"),
        ("1.2.3", "nil"),
        ("1.2.3.4.5", "nil"),
        ("1..2.3", "nil"),
        ("1.2.3.4 ", "nil"),
        ("1.2.3.+4", "nil"),
        ("1.2.3.4:80", "nil"),
        ("１.2.3.4", "nil"),
        ("a1:a2:a3:a4::b1:b2:b3:b4", "nil"),
        ("127.0.0.0.1:1::1", "nil"),
    ],
)
def test_ParseIP(text: str, want: str) -> None:
    assert bits(net.ParseIP(text)) == want


def test_ParseIP_of_anything_does_not_raise() -> None:
    anything: list[Any] = [None, 1, b"127.0.0.1", [], "\0", "\ud800", "9" * 100_000]
    for x in anything:
        assert net.ParseIP(x) is None


@pytest.mark.parametrize(
    ("data", "want"),
    [
        ("c0000201", "192.0.2.1"),
        (V4 + "c0000201", "192.0.2.1"),
        ("00000000", "0.0.0.0"),
        ("0" * 32, "::"),
        ("0" * 31 + "1", "::1"),
        ("20010db8000000000000012300120001", "2001:db8::123:12:1"),
        ("20010db8000000000000000000000001", "2001:db8::1"),
        ("20010db8000000010000000100000001", "2001:db8:0:1:0:1:0:1"),
        ("20010db8000100000001000000010000", "2001:db8:1:0:1:0:1:0"),
        ("20010000000000000001000000000000", "2001::1:0:0:0"),
        ("00010000000000000000000000000000", "1::"),
        ("20010db800000000000a000b000c000d", "2001:db8::a:b:c:d"),
        ("00000000000000000000000001020304", "::102:304"),
        ("0000000000000000000000ff01020304", "::ff:102:304"),
        ("0000000000000000ffff000000000001", "::ffff:0:0:1"),
        ("", "<nil>"),
        ("010203", "?010203"),
        ("0123456789abcdef", "?0123456789abcdef"),
    ],
)
def test_String(data: str, want: str) -> None:
    ip = net.IP(bytes.fromhex(data))
    assert str(ip) == want
    assert ip.String() == want
    assert f"{ip}" == want


@pytest.mark.parametrize(
    ("a", "b", "equal"),
    [
        ("127.0.0.1", "::ffff:127.0.0.1", True),
        ("127.0.0.1", "127.0.0.2", False),
        ("::1", "::1", True),
        ("::1", "127.0.0.1", False),
        ("::", "0.0.0.0", False),
        ("::127.0.0.1", "127.0.0.1", False),
    ],
)
def test_equality_is_that_of_addresses(a: str, b: str, equal: bool) -> None:
    pa, pb = parseAddr(a), parseAddr(b)
    assert pa is not None and pb is not None
    x, y = pa[0], pb[0]
    assert (x == y) is equal
    assert (x != y) is not equal
    assert x.Equal(y) is equal
    if equal:
        assert hash(x) == hash(y)
        assert len({x, y}) == 1


def test_an_address_equals_its_shortest_bytes() -> None:
    short, long = net.IP(b"\x7f\0\0\1"), net.IPv4(127, 0, 0, 1)
    assert (len(short), len(long)) == (4, 16)
    assert short == long == b"\x7f\0\0\1"
    assert hash(long) == hash(b"\x7f\0\0\1")
    assert bytes(long) != long
    assert long != "127.0.0.1"
    assert long.To4() == short
    assert short.To16() == long
    assert net.IPv6loopback.To4() is None
    assert net.IP(b"abc").To16() is None


def test_copies_and_pickles() -> None:
    ip = net.IPv4(192, 0, 2, 1)
    again = pickle.loads(pickle.dumps(ip))
    assert type(again) is net.IP
    assert again == ip and len(again) == 16


PROPERTIES = (
    "IsUnspecified IsLoopback IsPrivate IsMulticast IsInterfaceLocalMulticast IsLinkLocalMulticast "
    "IsLinkLocalUnicast IsGlobalUnicast"
).split()


@pytest.mark.parametrize(
    ("text", "true"),
    [
        ("0.0.0.0", "IsUnspecified"),
        ("::", "IsUnspecified"),
        ("127.1.2.3", "IsLoopback"),
        ("::1", "IsLoopback"),
        ("10.0.0.1", "IsPrivate IsGlobalUnicast"),
        ("172.16.0.1", "IsPrivate IsGlobalUnicast"),
        ("172.32.0.1", "IsGlobalUnicast"),
        ("192.168.255.1", "IsPrivate IsGlobalUnicast"),
        ("fc00::1", "IsPrivate IsGlobalUnicast"),
        ("224.0.0.1", "IsMulticast IsLinkLocalMulticast"),
        ("239.0.0.1", "IsMulticast"),
        ("ff01::1", "IsMulticast IsInterfaceLocalMulticast"),
        ("ff02::1", "IsMulticast IsLinkLocalMulticast"),
        ("ff05::1", "IsMulticast"),
        ("169.254.1.1", "IsLinkLocalUnicast"),
        ("fe80::1", "IsLinkLocalUnicast"),
        ("255.255.255.255", ""),
        ("8.8.8.8", "IsGlobalUnicast"),
        ("2001:db8::1", "IsGlobalUnicast"),
    ],
)
def test_kinds_of_addresses(text: str, true: str) -> None:
    ip = net.ParseIP(text)
    assert ip is not None
    for form in (ip, ip.To4() or ip):
        assert [p for p in PROPERTIES if getattr(form, p)()] == true.split()


@pytest.mark.parametrize(
    ("text", "ip", "network", "mask"),
    [
        ("135.104.0.0/32", "135.104.0.0", "135.104.0.0/32", "ffffffff"),
        ("0.0.0.0/24", "0.0.0.0", "0.0.0.0/24", "ffffff00"),
        ("135.104.0.1/24", "135.104.0.1", "135.104.0.0/24", "ffffff00"),
        ("10.1.2.3/0", "10.1.2.3", "0.0.0.0/0", "00000000"),
        ("10.1.2.3/9", "10.1.2.3", "10.0.0.0/9", "ff800000"),
        ("::1/128", "::1", "::1/128", "f" * 32),
        ("abcd:2345::/127", "abcd:2345::", "abcd:2345::/127", "f" * 31 + "e"),
        ("abcd:2345::/23", "abcd:2345::", "abcd:2200::/23", "fffffe" + "0" * 26),
        ("2001:DB8::1/48", "2001:db8::1", "2001:db8::/48", "f" * 12 + "0" * 20),
        ("::ffff:1.2.3.4/120", "1.2.3.4", "1.2.3.0/24", "f" * 30 + "00"),
        ("1.2.3.4/08", "1.2.3.4", "1.0.0.0/8", "ff000000"),
    ],
)
def test_ParseCIDR(text: str, ip: str, network: str, mask: str) -> None:
    got, n = net.ParseCIDR(text)
    assert (str(got), str(n), str(n.Mask)) == (ip, network, mask)
    assert len(got) == 16
    assert n.Contains(got)


@pytest.mark.parametrize(
    "text",
    [
        "192.168.1.1/255.255.255.0",
        "192.168.1.1/35",
        "2001:db8::1/-1",
        "2001:db8::1/-0",
        "-0.0.0.0/32",
        "0.-1.0.0/32",
        "0.0.-2.0/32",
        "0.0.0.0/-0",
        "127.000.000.001/32",
        "::1/129",
        "fe80::1%eth0/64",
        "1.2.3.4/",
        "1.2.3.4/8x",
        "1.2.3.4/8/8",
        "1.2.3.4",
        "/24",
        "",
    ],
)
def test_ParseCIDR_refuses(text: str) -> None:
    with pytest.raises(net.ParseError) as info:
        net.ParseCIDR(text)
    assert str(info.value) == f"invalid CIDR address: {text}"
    assert (info.value.Type, info.value.Text) == ("CIDR address", text)


@pytest.mark.parametrize(
    ("ip", "network", "want"),
    [
        ("172.16.1.1", "172.16.0.0/12", True),
        ("172.24.0.1", "172.16.0.0/13", False),
        ("::ffff:172.16.1.1", "172.16.0.0/12", True),
        ("2001:db8:1:2::1", "2001:db8:1::/47", True),
        ("2001:db8:1:2::1", "2001:db8:2::/47", False),
        ("127.0.0.1", "::/0", False),
    ],
)
def test_Contains(ip: str, network: str, want: bool) -> None:
    _, n = net.ParseCIDR(network)
    assert n.Contains(net.ParseIP(ip)) is want
    assert n.Contains(ip) is want


@pytest.mark.parametrize(
    ("mask", "size", "text"),
    [
        (net.IPv4Mask(255, 255, 240, 0), (20, 32), "fffff000"),
        (net.IPv4Mask(255, 0, 255, 0), (0, 0), "ff00ff00"),
        (net.CIDRMask(0, 32), (0, 32), "00000000"),
        (net.CIDRMask(32, 32), (32, 32), "ffffffff"),
        (net.CIDRMask(127, 128), (127, 128), "f" * 31 + "e"),
        (net.IPMask(b""), (0, 0), "<nil>"),
    ],
)
def test_masks(mask: net.IPMask, size: tuple[int, int], text: str) -> None:
    assert mask.Size() == size
    assert str(mask) == text


def test_masks_that_cannot_be_are_None() -> None:
    assert net.CIDRMask(33, 32) is None
    assert net.CIDRMask(-1, 32) is None
    assert net.CIDRMask(8, 24) is None
    assert net.IPv4(1, 2, 3, 4).Mask(net.IPMask(b"\xff\xff")) is None


def test_a_network_with_holes_prints_its_mask() -> None:
    assert str(net.IPNet(net.IPv4(192, 168, 1, 0), net.IPv4Mask(255, 0, 255, 0))) == "192.168.1.0/ff00ff00"
    assert str(net.IPNet(net.IPv4(192, 168, 1, 0), b"")) == "<nil>"
    assert net.IPNet("10.0.0.0", net.CIDRMask(8, 32) or b"").Network() == "ip+net"


def test_DefaultMask() -> None:
    assert [str(net.IPv4(a, 1, 2, 3).DefaultMask()) for a in (10, 130, 200)] == ["ff000000", "ffff0000", "ffffff00"]
    assert net.IPv6loopback.DefaultMask() is None


def test_addresses_are_made_of_what_users_have() -> None:
    want = net.ParseIP("192.0.2.1")
    for x in (want, "192.0.2.1", b"\xc0\0\2\1", bytearray(b"\xc0\0\2\1"), ipaddress.ip_address("192.0.2.1")):
        assert toIP(x) == want
    assert toIP(None) is None
    with pytest.raises(net.AddrError, match="^address 192.0.2: invalid IP address$"):
        toIP("192.0.2")
    with pytest.raises(TypeError):
        toIP(1)
