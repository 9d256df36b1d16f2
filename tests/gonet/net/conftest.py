"""What the tests of gonet.net share: listeners, connected pairs, and goroutines that are waited for with a limit.

Waiting is bounded everywhere: by a deadline on the connections made here and by Task.join.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

import runtime
from gonet import go, net, time
from gonet.net.mailbox import mailbox
from runtime.gmp import _Gwaiting

LIMIT = 40.0  # seconds; generous, since it is only waited out by what hangs


class Task:
    """fn(*args) in a goroutine of its own."""

    def __init__(self, fn: Callable[..., Any], *args: Any) -> None:
        self._box = mailbox()
        self.name = getattr(fn, "__qualname__", repr(fn))
        self._g = go(self._run, fn, args)

    def _run(self, fn: Callable[..., Any], args: tuple[Any, ...]) -> None:
        try:
            self._box.post((fn(*args), None))
        except Exception as err:
            self._box.post((None, err))

    def parked(self) -> Task:
        """Wait until it waits for something; returns itself."""
        give_up = time.Now() + LIMIT
        while self._g.status != _Gwaiting:
            assert time.Now() < give_up, f"{self.name} does not park"
            time.Sleep(0.0002)
        return self

    def join(self) -> Any:
        """What fn returned; raises what it raised."""
        self._box.alarm(LIMIT)
        result = self._box.wait()
        self._box.close()
        if result is None:
            stack = getattr(runtime, "Stack", lambda all: "")
            pytest.fail(f"{self.name} has not returned for {LIMIT} s\n{stack(True)}")
        value, err = result
        if err is not None:
            raise err
        return value

    def error(self) -> Exception:
        """What fn raised."""
        try:
            value = self.join()
        except Exception as err:
            return err
        pytest.fail(f"{self.name} returned {value!r} and raised nothing")


@pytest.fixture
def spawn() -> Callable[..., Task]:
    """spawn(fn, *args) -> Task."""
    return Task


@pytest.fixture
def ln() -> Iterator[net.TCPListener]:
    """A listener on 127.0.0.1."""
    with net.Listen("tcp", "127.0.0.1:0") as ln:
        assert isinstance(ln, net.TCPListener)
        ln.SetDeadline(time.Now() + LIMIT)
        yield ln


@pytest.fixture
def pair(ln: net.TCPListener) -> Iterator[tuple[net.TCPConn, net.TCPConn]]:
    """(client, server), connected."""
    with net.Dial("tcp", str(ln.Addr())) as client, ln.Accept() as server:
        assert isinstance(client, net.TCPConn)
        for c in client, server:
            c.SetDeadline(time.Now() + LIMIT)
        yield client, server
