"""gonet/net/port.py. The answers are Go 1.26's."""

from __future__ import annotations

import pathlib

import pytest

from gonet import net
from gonet.net import port


@pytest.mark.parametrize(
    ("network", "service", "want"),
    [
        ("tcp", "0", 0),
        ("tcp", "", 0),
        ("tcp", "-", 0),
        ("tcp", "80", 80),
        ("tcp", "+80", 80),
        ("tcp", "00080", 80),
        ("tcp", "65535", 65535),
        ("foo", "80", 80),
        ("tcp", "http", 80),
        ("tcp", "HTTP", 80),
        ("tcp4", "https", 443),
        ("tcp6", "ssh", 22),
        ("tcp", "imap3", 220),
        ("udp", "domain", 53),
        ("udp4", "domain", 53),
        ("", "http", 80),
        ("ip", "http", 80),
        ("ip", "domain", 53),
    ],
)
def test_LookupPort(network: str, service: str, want: int) -> None:
    assert net.LookupPort(network, service) == want


@pytest.mark.parametrize(
    ("network", "service", "kind", "text"),
    [
        ("tcp", "-1", net.AddrError, "address -1: invalid port"),
        ("tcp", "65536", net.AddrError, "address 65536: invalid port"),
        ("tcp", "99999999999", net.AddrError, "address 99999999999: invalid port"),
        ("tcp", "99999999999x", net.AddrError, "address 99999999999x: invalid port"),
        ("tcp", "9999999999x", net.DNSError, "lookup tcp/9999999999x: unknown port"),
        ("tcp", "nosuch", net.DNSError, "lookup tcp/nosuch: unknown port"),
        ("tcp4", "nosuch", net.DNSError, "lookup tcp4/nosuch: unknown port"),
        ("", "nosuch", net.DNSError, "lookup ip/nosuch: unknown port"),
        ("udp6", "ssh", net.DNSError, "lookup udp6/ssh: unknown port"),
        ("tcp", "8 0", net.DNSError, "lookup tcp/8 0: unknown port"),
        ("tcp", "٣", net.DNSError, "lookup tcp/٣: unknown port"),
        ("foo", "http", net.AddrError, "address foo: unknown network"),
    ],
)
def test_LookupPort_refuses(
    network: str, service: str, kind: type[Exception], text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(port, "_servicesRead", True)
    with pytest.raises(kind) as info:
        net.LookupPort(network, service)
    assert str(info.value) == text
    if isinstance(info.value, net.DNSError):
        assert info.value.IsNotFound


def test_the_services_file_adds_to_the_table(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "services"
    file.write_text(
        "# comment\n"
        "\n"
        "gonet-test\t5701/tcp  gnt alias # another\n"
        "gonet-test 5702/udp\n"
        "broken\nbroken /tcp\nbroken 0/tcp\nbroken 5703\nbroken x/tcp\n"
    )
    monkeypatch.setattr(port, "_services", {k: dict(v) for k, v in port._services.items()})
    monkeypatch.setattr(port, "_servicesFile", str(file))
    monkeypatch.setattr(port, "_servicesRead", False)
    assert [net.LookupPort("tcp", s) for s in ("gonet-test", "GNT", "alias", "http")] == [5701, 5701, 5701, 80]
    assert net.LookupPort("udp", "gonet-test") == 5702
    with pytest.raises(net.DNSError):
        net.LookupPort("tcp", "broken")


def test_without_a_services_file_the_table_remains(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(port, "_servicesFile", "/nonexistent/services")
    monkeypatch.setattr(port, "_servicesRead", False)
    assert net.LookupPort("tcp", "https") == 443
