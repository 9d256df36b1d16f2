"""What the interpreter calls by itself: finalizers and callbacks of weak references, in the middle of the runtime."""

from __future__ import annotations

import contextvars
import weakref
from contextlib import suppress

import pytest

import runtime
from gonet import chan, go
from gonet.sync import Cond, Mutex
from runtime.panic import Error
from tests.helpers import connected, fd_of, parked, runs, shut, sockets, spawn, until, until_dead, until_state

pytestmark = pytest.mark.usefixtures("nothing_left_over")


def between_goroutines(fn):
    """Call fn() where a goroutine is dropped for good, when its stack looks for the next one; what it raised."""
    raised = []

    def callback(r):
        try:
            fn()
        except BaseException as exc:
            raised.append(exc)
        else:
            raised.append(None)

    g = go(int)
    r = weakref.ref(g, callback)
    del g
    until(lambda: raised)
    assert r() is None
    return raised.pop()


def test_a_finalizer_may_park_when_the_context_of_its_goroutine_is_dropped():
    ch = chan()
    var = contextvars.ContextVar("var")
    got = []

    class Last:
        def __del__(self):
            got.append(ch.recv())

    def body():
        var.set(Last())

    g = go(body)
    until_state(g, "chan receive")
    n = runtime.NumGoroutine()
    ch.send(7)
    until_dead(g)
    assert got == [7]
    assert runtime.NumGoroutine() == n - 1


def test_a_callback_between_two_goroutines_cannot_block_and_says_so():
    ch = chan()
    exc = between_goroutines(ch.recv)
    assert isinstance(exc, Error)
    assert str(exc) == "cannot block: a finalizer or a callback that runs in the middle of the scheduler"
    t = parked(ch.recv, state="chan receive")
    ch.send(1)
    assert t.join() == 1


def full():
    """An FD that takes no more, and the plain socket at its other end."""
    s, t = sockets("unix")  # of TCP the kernel may move some to the other side later
    s.setblocking(False)
    with suppress(BlockingIOError):
        while True:
            s.send(bytes(1 << 16))
    return fd_of(s, "unix"), t


def test_a_callback_that_cannot_block_leaves_a_reader_free():
    with connected() as (a, b):
        for _ in range(2):
            exc = between_goroutines(lambda: a.Read(bytearray(1)))
            assert isinstance(exc, Error) and "cannot block" in str(exc)
        t = parked(a.Read, bytearray(1))
        b.Write(b"x")
        assert t.join() == 1


def test_a_callback_that_cannot_block_leaves_a_writer_free():
    a, peer = full()
    try:
        exc = between_goroutines(lambda: a.Write(b"x"))
        assert isinstance(exc, Error) and "cannot block" in str(exc)
        t = parked(a.Write, b"x")
        peer.setblocking(False)

        def written():
            with suppress(BlockingIOError):
                peer.recv(1 << 20)
            return t.done

        until(written)
        assert t.join() == 1
    finally:
        shut(a, peer)


def test_a_callback_that_cannot_block_leaves_a_cond_to_others():
    mu = Mutex()
    cond = Cond(mu)

    def wait():
        with mu:
            cond.Wait()

    exc = between_goroutines(wait)
    assert isinstance(exc, Error) and "cannot block" in str(exc)
    t = parked(wait, state="sync.Cond.Wait")
    cond.Signal()
    t.join()


def test_a_callback_that_cannot_block_leaves_a_mutex_to_others():
    mu = Mutex()
    mu.Lock()
    exc = between_goroutines(mu.Lock)
    assert isinstance(exc, Error) and "cannot block" in str(exc)
    t = parked(mu.Lock, state="sync.Mutex.Lock")
    mu.Unlock()
    t.join()
    mu.Unlock()


def test_a_callback_between_two_goroutines_may_do_what_does_not_block():
    ch = chan(1)
    started = []

    def callback():
        ch.send(1)
        started.append(spawn(ch.recv))
        runtime.Gosched()

    assert between_goroutines(callback) is None
    assert started[0].join() == 1


def test_one_that_parks_on_the_g0_of_another_m():
    """That stack becomes a goroutine, and the M gets another g0, which starts and ends stacks as the first one did."""
    program = """
        from gonet import chan
        from runtime.asm import getm
        from runtime.idle import wakem
        from runtime.proc import getg
        ch, fin, done = chan(), chan(), chan(100)
        def finalizer(arg):
            if getm() is not m:  # another thread was first: again
                time.sleep(0.001)
                sched.finq.append((finalizer, arg))
                wakem(m)
            else:
                done.send((arg, fin.recv(), getg().m is m))
        def home():
            global m
            m = getg().m
            for i in range(3):
                m.p.schedtick = 1  # far from a turn at which it looks at finalizers itself
                sched.finq.append((finalizer, i))
                ch.recv()
            gs = [go(deep, i) for i in range(30)]
            for g in gs:
                until_state(g, "dead")
            done.send(sum(g.m is None for g in gs))
        def deep(n):
            gtime.Sleep(0.001) if n == 0 else deep(n - 1)
        m = None
        go(home)
        while m is None:
            time.sleep(0.001)  # M 0 is busy: the other M takes it
        for i in range(3):
            fin.send(i)
            say(done.recv())
            ch.send(0)
        say(done.recv(), m is not sched.m0)
    """
    want = "(0, 0, True)\n(1, 1, True)\n(2, 2, True)\n30 True\n"
    assert runs(program, env={"GOMAXPROCS": "2"}) == want
