"""Calls at the end of the stack: a RecursionError leaves no descriptor behind."""

from __future__ import annotations

import inspect
import select
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

from gonet import net
from tests.helpers import LIMIT, runs, until


def descend(n: int, f: Callable[[], Any]) -> Any:
    return descend(n - 1, f) if n else f()


def near_the_limit() -> Iterator[int]:
    """Depths, from those at which any call succeeds to those at which none does."""
    here = len(inspect.stack(0))
    yield from range(sys.getrecursionlimit() - here - 60, sys.getrecursionlimit() - here + 5)


def ended(peer: socket.socket) -> bool:
    """Whether nobody has the other end of the connection any more."""
    peer.setblocking(False)
    try:
        return peer.recv(1) == b""
    except BlockingIOError:
        return False


def test_a_Close_is_complete_or_can_be_called_again(ln: net.TCPListener) -> None:
    outcomes = set()
    for depth in near_the_limit():
        with socket.create_connection((str(ln.Addr().IP), ln.Addr().Port)) as peer:
            conn = ln.Accept()
            try:
                descend(depth, conn.Close)
                outcomes.add("closed")
            except RecursionError:
                outcomes.add("raised")
                with suppress(net.ErrClosed):
                    conn.Close()
            until(lambda: ended(peer))
            assert conn.fd.Sysfd == -1
    assert outcomes == {"closed", "raised"}


def test_an_Accept_that_fails_for_want_of_stack_leaks_no_descriptor(ln: net.TCPListener) -> None:
    outcomes = set()
    for depth in near_the_limit():
        with socket.create_connection((str(ln.Addr().IP), ln.Addr().Port)) as peer:
            select.select([ln.fd.Sysfd], [], [], LIMIT)
            try:
                descend(depth, ln.Accept).Close()
                outcomes.add("accepted")
            except RecursionError:
                outcomes.add("raised")
                if select.select([ln.fd.Sysfd], [], [], 0)[0]:
                    ln.Accept().Close()
            until(lambda: ended(peer))
    assert outcomes == {"accepted", "raised"}


def test_who_has_no_stack_left_does_not_give_way() -> None:
    """It would raise in the middle of the scheduler, which then would take the main goroutine for a parked one."""
    program = """
        from runtime.proc import checkpreempt, getg
        def descend(n, f):
            return descend(n - 1, f) if n else f()
        limit = sys.getrecursionlimit()
        me, p = getg(), sched.m0.p
        outcomes = set()
        for depth in range(limit - 80, limit + 1):
            ran = []
            go(ran.append, 1)
            p.preempt = sched.preempt = True
            try:
                descend(depth, checkpreempt)
                outcomes.add("returned")
            except RecursionError:
                outcomes.add("raised")
            assert getg() is me and me.state() == "running", (depth, getg(), me)
            until(lambda: ran)
        say(*sorted(outcomes))
    """
    assert runs(program) == "raised returned\n"
