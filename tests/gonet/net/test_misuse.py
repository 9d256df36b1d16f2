"""Settings of the wrong type or size, and copies: refused by name, before anything is tried."""

from __future__ import annotations

import copy
import datetime
import errno
import pickle
from collections.abc import Callable, Iterator
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from gonet import context, net, time
from gonet.testing import synctest

pytestmark = pytest.mark.usefixtures("nothing_left_over")


@pytest.fixture
def ln() -> Iterator[Any]:
    with net.Listen("tcp", "127.0.0.1:0") as ln:
        yield ln


@pytest.fixture
def conn(ln: net.TCPListener) -> Iterator[Any]:
    with net.Dial("tcp", str(ln.Addr())) as c, ln.Accept():
        yield c


NAN = float("nan")
config: Any = net.KeepAliveConfig


@pytest.mark.parametrize(
    "settings, kind, text",
    [
        ({"Timeout": "1"}, TypeError, "Timeout must be a number, not str"),
        ({"Timeout": NAN}, ValueError, "Timeout is NaN"),
        ({"Deadline": "1"}, TypeError, "Deadline must be a number, not str"),
        ({"Deadline": NAN}, ValueError, "Deadline is NaN"),
        ({"FallbackDelay": [1]}, TypeError, "FallbackDelay must be a number, not list"),
        ({"KeepAlive": "1"}, TypeError, "KeepAlive must be a number, not str"),
        ({"KeepAlive": NAN}, ValueError, "KeepAlive is NaN"),
        ({"Timeout": ""}, TypeError, "Timeout must be a number, not str"),
        ({"KeepAlive": []}, TypeError, "KeepAlive must be a number, not list"),
        ({"KeepAliveConfig": 5}, TypeError, "KeepAliveConfig must be KeepAliveConfig or None, not int"),
        ({"KeepAliveConfig": config(Idle="1")}, TypeError, "KeepAliveConfig.Idle must be a number, not str"),
        ({"KeepAliveConfig": config(Interval=NAN)}, ValueError, "KeepAliveConfig.Interval is NaN"),
        ({"KeepAliveConfig": config(Count=1.5)}, TypeError, "KeepAliveConfig.Count must be an int, not float"),
        ({"Control": 5}, TypeError, "Control must be callable or None, not int"),
    ],
)
def test_a_dialers_settings(ln: net.TCPListener, settings: Any, kind: type[Exception], text: str) -> None:
    with pytest.raises(kind, match=f"^{text}$"):
        net.Dialer(**settings).Dial("tcp", str(ln.Addr()))
    if settings.keys() & {"KeepAlive", "KeepAliveConfig", "Control"}:
        with pytest.raises(kind, match=f"^{text}$"):
            net.ListenConfig(**settings).Listen(None, "tcp", "127.0.0.1:0")


@pytest.mark.parametrize("much", [1e30, float("inf"), 10**400])
def test_what_is_too_much_for_the_system_is_left_at_its_default(ln: net.TCPListener, much: float) -> None:
    """As in Go: a connection is not given up for that."""
    net.Dialer(KeepAlive=much).Dial("tcp", str(ln.Addr())).Close()
    ln.Accept().Close()


class Number:
    """With nothing but what makes it a number."""

    def __float__(self) -> float:
        return 10.0


@pytest.mark.parametrize("d", [Decimal(10), Fraction(10), Number(), True, 10**400])
def test_numbers_of_all_kinds(ln: net.TCPListener, d: Any) -> None:
    with net.Dialer(Timeout=d, KeepAlive=d, FallbackDelay=d).Dial("tcp", str(ln.Addr())) as c, ln.Accept():
        c.SetDeadline(d)
        t = time.NewTimer(d)
        t.Reset(d)
        t.Stop()
    ctx, cancel = context.WithTimeout(context.Background(), d)
    assert ctx.Err() is None
    cancel()
    if not isinstance(d, int):
        bubble = synctest.Test(lambda: (time.Sleep(d), time.NewTicker(d).Stop(), time.Now()))
        assert bubble is not None


def test_a_setting_may_be_unset_again(ln: net.TCPListener) -> None:
    d = net.Dialer(Timeout=5, Deadline=5, KeepAlive=5, FallbackDelay=5)
    d.Timeout = d.Deadline = d.KeepAlive = d.FallbackDelay = None  # type: ignore[assignment]
    d.Dial("tcp", str(ln.Addr())).Close()
    ln.Accept().Close()


@pytest.mark.parametrize("t", ["1", b"1", datetime.datetime.now(), [1]])
def test_deadlines_are_numbers(ln: net.TCPListener, conn: net.TCPConn, t: Any) -> None:
    for f in conn.SetDeadline, conn.SetReadDeadline, conn.SetWriteDeadline, ln.SetDeadline:
        with pytest.raises(TypeError, match=f"^deadline must be a number, not {type(t).__name__}$"):
            f(t)
    with pytest.raises(TypeError, match=f"^Sleep: d must be a number, not {type(t).__name__}$"):
        time.Sleep(t)


@pytest.mark.parametrize("d", [1e30, float("inf"), 1 << 31, 10**400, 40_000])
def test_a_period_that_the_system_refuses(conn: net.TCPConn, d: float) -> None:
    for f in (
        lambda: conn.SetKeepAlivePeriod(d),
        lambda: conn.SetKeepAliveConfig(net.KeepAliveConfig(True, Interval=d)),
        lambda: conn.SetKeepAliveConfig(net.KeepAliveConfig(True, Count=1 << 40)),
    ):
        with pytest.raises(net.OpError, match="^set tcp .*: setsockopt: invalid argument$") as e:
            f()
        assert e.value.errno == errno.EINVAL


@pytest.mark.parametrize("d, kind", [(NAN, ValueError), ("1", TypeError), (None, TypeError)])
def test_a_period_that_is_no_number(conn: net.TCPConn, d: Any, kind: type[Exception]) -> None:
    with pytest.raises(kind, match="^d "):
        conn.SetKeepAlivePeriod(d)
    with pytest.raises(kind, match="^KeepAliveConfig.Idle "):
        conn.SetKeepAliveConfig(net.KeepAliveConfig(True, Idle=d))


@pytest.mark.parametrize("size", [1 << 31, 1 << 70])
def test_buffers_of_any_size_can_be_asked_for(conn: net.TCPConn, size: int) -> None:
    """The system gives what it will."""
    conn.SetReadBuffer(size)
    conn.SetWriteBuffer(size)
    conn.SetLinger(size)
    conn.SetLinger(-size)


@pytest.mark.parametrize("port", ["80", 80.0, None])
def test_a_port_is_a_number(port: Any) -> None:
    with pytest.raises(TypeError, match=f"^Port must be an int, not {type(port).__name__}$"):
        net.TCPAddr("127.0.0.1", port)


@pytest.mark.parametrize("how", [copy.copy, copy.deepcopy, pickle.dumps])
def test_there_is_one_of_each(ln: net.TCPListener, conn: net.TCPConn, how: Callable[[Any], Any]) -> None:
    for x, name in (ln, "a net.TCPListener"), (conn, "a net.TCPConn"):
        with pytest.raises(TypeError, match=f"^{name} cannot be copied or pickled$"):
            how(x)
    with pytest.raises(TypeError, match="cannot be copied or pickled$"):
        how(conn.fd)
