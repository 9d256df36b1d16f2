"""gonet/net/mac.py."""

from __future__ import annotations

import pytest

from gonet import net

LONG = "00:00:00:00:fe:80:00:00:00:00:00:00:02:00:5e:10:00:00:00:01"


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("00:00:5e:00:53:01", "00:00:5e:00:53:01"),
        ("00-00-5e-00-53-01", "00:00:5e:00:53:01"),
        ("0000.5e00.5301", "00:00:5e:00:53:01"),
        ("00005e005301", "00:00:5e:00:53:01"),
        ("ab:cd:ef:AB:CD:EF", "ab:cd:ef:ab:cd:ef"),
        ("02:00:5e:10:00:00:00:01", "02:00:5e:10:00:00:00:01"),
        ("0200.5e10.0000.0001", "02:00:5e:10:00:00:00:01"),
        (LONG, LONG),
        (LONG.replace(":", "-"), LONG),
        (LONG.replace(":", ""), LONG),
    ],
)
def test_ParseMAC(text: str, want: str) -> None:
    mac = net.ParseMAC(text)
    assert str(mac) == want
    assert mac == bytes.fromhex(want.replace(":", ""))
    assert net.ParseMAC(str(mac)) == mac


@pytest.mark.parametrize(
    "text",
    [
        "01.02.03.04.05.06",
        "01:02:03:04:05:06:",
        "x1:02:03:04:05:06",
        "01002:03:04:05:06",
        "01:02003:04:05:06",
        "01:02:03:04:05006",
        "01-02:03:04:05:06",
        "01:02-03-04-05-06",
        "0123:4567:89AF",
        "0123-4567-89AF",
        "0123456789AF0",
        "00 00 5e 00 53 01",
        "0000.5e00.53",
        "00:00:5e:00:53:01:02",
        "",
    ],
)
def test_ParseMAC_refuses(text: str) -> None:
    with pytest.raises(net.AddrError) as info:
        net.ParseMAC(text)
    want = f"address {text}: invalid MAC address" if text else "invalid MAC address"
    assert str(info.value) == want


def test_an_empty_address_has_no_text() -> None:
    assert str(net.HardwareAddr(b"")) == ""
