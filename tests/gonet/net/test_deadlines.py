"""Deadlines of TCP connections."""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import Any

import pytest

from gonet import net, time
from tests.helpers import delays

pytestmark = pytest.mark.usefixtures("nothing_left_over")

Pair = tuple[net.TCPConn, net.TCPConn]


@pytest.mark.parametrize("set_", ["SetDeadline", "SetReadDeadline"])
def test_Read_ends_at_the_deadline(set_: str, pair: Pair) -> None:
    client, _ = pair
    t0 = time.Now()
    getattr(client, set_)(t0 + 0.03)
    with pytest.raises(net.OpError) as info:
        client.Read(bytearray(1))
    assert time.Now() >= t0 + 0.03
    err = info.value
    assert str(err) == f"read tcp {client.LocalAddr()}->{client.RemoteAddr()}: i/o timeout"
    assert isinstance(err, net.ErrDeadlineExceeded) and isinstance(err, TimeoutError)
    assert err.Timeout() and err.Temporary() and err.errno == errno.ETIMEDOUT
    with pytest.raises(TimeoutError):
        client.Read(bytearray(1))


@pytest.mark.parametrize("set_", ["SetDeadline", "SetWriteDeadline"])
def test_Write_ends_at_the_deadline(set_: str, pair: Pair) -> None:
    client, _ = pair
    t0 = time.Now()
    getattr(client, set_)(t0 + 0.03)
    with pytest.raises(net.ErrDeadlineExceeded) as info:
        client.Write(bytes(50_000_000))
    assert time.Now() >= t0 + 0.03
    assert str(info.value) == f"write tcp {client.LocalAddr()}->{client.RemoteAddr()}: i/o timeout"


@pytest.mark.parametrize("t", [-1, 1e-9, 1, 1.0], ids=repr)
def test_a_deadline_in_the_past_fails_at_once(t: float, pair: Pair) -> None:
    client, server = pair
    server.Write(b"waiting")
    client.SetDeadline(t)
    with pytest.raises(net.ErrDeadlineExceeded):
        client.Read(bytearray(8))
    with pytest.raises(net.ErrDeadlineExceeded):
        client.Write(b"x")
    client.SetDeadline(0)
    assert client.Read(bytearray(8)) == 7  # nothing was taken
    client.CloseWrite()
    assert server.Read(bytearray(8)) == 0  # nor sent


@pytest.mark.parametrize("never", [0, None, 0.0], ids=repr)
def test_no_deadline(never: Any, pair: Pair, spawn: Callable[..., Any]) -> None:
    client, server = pair
    client.SetReadDeadline(time.Now() + 0.02)
    reading = spawn(client.Read, bytearray(1))
    client.SetReadDeadline(never)
    time.Sleep(0.04)
    server.Write(b"x")
    assert reading.join() == 1


def test_a_deadline_moves_the_blocked_call(pair: Pair, spawn: Callable[..., Any]) -> None:
    client, server = pair
    t0 = time.Now()
    client.SetReadDeadline(t0 + 60)
    reading = spawn(client.Read, bytearray(1)).parked()
    client.SetReadDeadline(t0 + 0.04)
    assert isinstance(reading.error(), net.ErrDeadlineExceeded)
    assert t0 + 0.04 <= time.Now() < t0 + 30

    for d in delays(0.03):
        client.SetReadDeadline(None)
        reading = spawn(client.Read, bytearray(1)).parked()
        t0 = time.Now()
        client.SetReadDeadline(t0 + d)
        time.Sleep(d / 10)
        client.SetReadDeadline(t0 + 60)
        if time.Now() < t0 + d:
            break
        client.SetReadDeadline(1)
        reading.error()
    time.Sleep(2 * d)
    server.Write(b"x")
    assert reading.join() == 1


def test_reading_and_writing_have_deadlines_of_their_own(pair: Pair) -> None:
    client, server = pair
    client.SetReadDeadline(1)
    assert client.Write(b"x") == 1
    client.SetReadDeadline(None)
    client.SetWriteDeadline(1)
    server.Write(b"y")
    assert client.Read(bytearray(1)) == 1


def test_a_connection_goes_on_after_a_timeout(pair: Pair) -> None:
    client, server = pair
    for _ in range(3):
        client.SetReadDeadline(time.Now() + 0.005)
        with pytest.raises(TimeoutError):
            client.Read(bytearray(1))
        client.SetReadDeadline(time.Now() + 20)
        server.Write(b"x")
        assert client.Read(bytearray(2)) == 1


@pytest.mark.parametrize("t", ["soon", b"1", [1], float("nan")], ids=repr)
def test_what_is_no_instant(t: Any, pair: Pair) -> None:
    with pytest.raises((TypeError, ValueError)):
        pair[0].SetDeadline(t)


@pytest.mark.parametrize("t", [1e12, float("inf"), 2.0**63, 10**30], ids=repr)
def test_a_deadline_in_the_far_future(t: float, pair: Pair) -> None:
    client, server = pair
    client.SetDeadline(t)
    server.Write(b"x")
    assert client.Read(bytearray(1)) == 1
