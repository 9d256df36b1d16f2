"""Channels: order, blocking, closing, hand-over, exceptions in the wait, threads, and what is kept alive."""

from __future__ import annotations

import copy
import gc
import pickle
import random
import sys
import threading
import weakref

import pytest

import runtime
from runtime.chan import Hchan, closechan, selectnbrecv, selectnbsend, timerchandrain
from runtime.gmp import chanBlocks, chanClosed, sched
from runtime.proc import inject
from tests.helpers import Thread, parked, runs, spawn, until, until_dead, until_state

pytestmark = pytest.mark.usefixtures("nothing_left_over")

MANY = 100_000 if runtime.compiled else 8_000
RECEIVING, SENDING = "chan receive", "chan send"


class Stop(Exception):
    pass


class Thing:
    """Can be referred to weakly."""


def idle(ch):
    """Nobody waits on ch."""
    return ch.recvfirst is ch.recvlast is ch.sendfirst is ch.sendlast is None


# ---- making one


def test_the_capacity():
    assert (Hchan().cap, Hchan(0).cap, Hchan(7).cap, Hchan(cap=3).cap) == (0, 0, 7, 3)


@pytest.mark.parametrize("cap", [-1, -(10**30), sys.maxsize, 10**30])
def test_an_impossible_capacity(cap):
    with pytest.raises(runtime.Error, match="^makechan: size out of range$"):
        Hchan(cap)


@pytest.mark.parametrize("cap", [1.0, "1", None, [], object()])
def test_a_capacity_that_is_no_integer(cap):
    with pytest.raises(TypeError):
        Hchan(cap)


def test_a_capacity_may_be_anything_that_stands_for_an_integer():
    class Three:
        def __index__(self):
            return 3

    assert Hchan(Three()).cap == 3


def test_channels_are_equal_to_themselves_alone():
    a, b = Hchan(1), Hchan(1)
    assert a == a and a != b and len({a, b, a}) == 2


def test_a_channel_is_true():
    a, b = Hchan(), Hchan(1)
    assert a and b and len(a) == len(b) == 0
    b.send(1)
    b.close()
    assert b


def test_a_channel_can_be_subscripted_with_a_type():
    ch = Hchan[int](2)
    assert type(ch) is Hchan and ch.cap == 2


def test_a_channel_cannot_be_copied():
    for clone in copy.copy, copy.deepcopy, pickle.dumps:
        with pytest.raises(TypeError):
            clone(Hchan(1))


def test_what_is_printed():
    ch = Hchan(3)
    ch.send(1)
    assert "1 of 3" in repr(ch) and "closed" not in repr(ch)
    ch.close()
    assert "closed" in repr(ch)


# ---- buffered, nobody waiting


def test_a_buffer_is_first_in_first_out_and_wraps_around():
    ch = Hchan(3)
    sent = received = 0
    for fill in (1, 3, 2, 3, 3, 1):
        while len(ch) < fill:
            ch.send(sent)
            sent += 1
        while len(ch) > fill // 2:
            assert ch.recv() == received
            received += 1
    assert len(ch) == sent - received


def test_any_value_can_be_sent():
    values = [None, False, Stop(), Hchan, (), Hchan()]
    ch = Hchan(len(values))
    for v in values:
        ch.send(v)
    assert all(ch.recv2() == (v, True) for v in values)


def test_operations_that_do_not_wait():
    """Go TestChan, TestNonblockRecvRace in part."""
    ch = Hchan(1)
    assert selectnbrecv(ch) is chanBlocks
    assert selectnbsend(ch, 1) is True
    assert selectnbsend(ch, 2) is False
    assert selectnbrecv(ch) == 1
    assert not selectnbsend(Hchan(), 1) and selectnbrecv(Hchan()) is chanBlocks
    ch.close()
    assert selectnbrecv(ch) is chanClosed
    with pytest.raises(runtime.Error, match="send on closed channel"):
        selectnbsend(ch, 3)


def test_draining():
    ch = Hchan(3)
    assert timerchandrain(ch) is False
    ch.send(1)
    ch.send(2)
    assert timerchandrain(ch) is True
    assert len(ch) == 0 and selectnbrecv(ch) is chanBlocks


# ---- hand-over


@pytest.mark.parametrize("cap", [0, 1, 3])
def test_a_waiting_receiver_is_handed_the_value(cap):
    ch = Hchan(cap)
    t = parked(ch.recv, state=RECEIVING)
    ch.send("x")
    assert len(ch) == 0 and not t.done  # it has the value, though it has not run yet
    assert t.join() == "x"


@pytest.mark.parametrize("cap", [0, 1, 3])
def test_a_sender_waits_when_there_is_no_room(cap):
    ch = Hchan(cap)
    for i in range(cap):
        ch.send(i)
    t = parked(ch.send, cap, state=SENDING)
    assert [ch.recv() for _ in range(cap + 1)] == list(range(cap + 1))
    assert t.join() is None


def test_a_waiting_senders_value_goes_to_the_end_of_the_buffer():
    ch = Hchan(2)
    ch.send(0)
    ch.send(1)
    t = parked(ch.send, 2, state=SENDING)
    assert ch.recv() == 0
    assert len(ch) == 2
    t.join()
    assert (ch.recv(), ch.recv()) == (1, 2)


@pytest.mark.parametrize("cap", [0, 2])
def test_receivers_are_served_in_the_order_of_their_coming(cap):
    """Go test/chan/fifo.go."""
    ch = Hchan(cap)
    ts = [parked(ch.recv, state=RECEIVING) for _ in range(10)]
    for i in range(10):
        ch.send(i)
    assert [t.join() for t in ts] == list(range(10))


@pytest.mark.parametrize("cap", [0, 2])
def test_senders_are_served_in_the_order_of_their_coming(cap):
    ch = Hchan(cap)
    for i in range(cap):
        ch.send(i)
    ts = [parked(ch.send, i, state=SENDING) for i in range(cap, 10)]
    assert [ch.recv() for _ in range(10)] == list(range(10))
    for t in ts:
        t.join()
    assert idle(ch)


def test_whoever_is_woken_runs_next():
    """Before those that have been runnable for longer, as in Go."""
    ch = Hchan()
    log = []
    a = parked(lambda: log.append(ch.recv()), state=RECEIVING)
    b = spawn(log.append, "b")
    ch.send("a")
    runtime.Gosched()
    a.join()
    b.join()
    assert log == ["a", "b"]


def test_a_chain_of_goroutines():
    """Go test/chan/goroutines.go: a value is passed on, and one more each time."""
    n = 5000 if runtime.compiled else 1000

    def link(left, right):
        left.send(right.recv() + 1)

    leftmost = right = Hchan()
    for _ in range(n):
        left, right = right, Hchan()
        runtime.go(link, left, right)
    runtime.go(right.send, 0)
    assert leftmost.recv() == n


def test_the_prime_sieve():
    """Go test/chan/sieve1.go."""
    stop = []

    def generate(ch):
        i = 2
        while not stop:
            ch.send(i)
            i += 1

    def keep(inp, out, prime):
        while not stop:
            i = inp.recv()
            if i % prime:
                out.send(i)

    gs = []
    ch = Hchan()
    gs.append(runtime.go(generate, ch))
    primes = []
    for _ in range(25):
        p = ch.recv()
        primes.append(p)
        after = Hchan()
        gs.append(runtime.go(keep, ch, after, p))
        ch = after
    assert primes[:6] == [2, 3, 5, 7, 11, 13] and primes[-1] == 97
    stop.append(True)
    for g in gs:
        inject(g, runtime.panic.GoexitException())
    until_dead(*gs)


# ---- closing


def test_a_closed_channel_gives_what_is_in_it_and_then_nothing():
    ch = Hchan(3)
    ch.send(1)
    ch.send(None)
    ch.close()
    assert ch.recv2() == (1, True)
    assert ch.recv2() == (None, True)
    for _ in range(3):
        assert ch.recv2() == (None, False)
        assert ch.recv() is None


def test_ok_is_a_bool():
    ch = Hchan(1)
    ch.send(1)
    ch.close()
    assert ch.recv2()[1] is True and ch.recv2()[1] is False


@pytest.mark.parametrize("cap", [0, 1])
def test_errors_of_closed_channels(cap):
    ch = Hchan(cap)
    ch.close()
    for _ in range(2):
        with pytest.raises(runtime.Error, match="^send on closed channel$"):
            ch.send(1)
        with pytest.raises(runtime.Error, match="^close of closed channel$"):
            ch.close()
    assert ch.recv2() == (None, False)
    with pytest.raises(runtime.Error, match="^close of nil channel$"):
        closechan(None)


def test_close_wakes_blocked_receivers_in_order():
    ch = Hchan()
    log = []

    def wait(i):
        got = ch.recv2()
        log.append(i)
        return got

    ts = [parked(wait, i, state=RECEIVING) for i in range(10)]
    ch.close()
    assert [t.join() for t in ts] == [(None, False)] * 10
    assert log == list(range(10)) and idle(ch)


@pytest.mark.parametrize("cap", [0, 2])
def test_close_wakes_blocked_senders_which_fail(cap):
    ch = Hchan(cap)
    for i in range(cap):
        ch.send(i)
    ts = [parked(ch.send, 10 + i, state=SENDING) for i in range(4)]
    ch.close()
    for t in ts:
        assert isinstance(t.error(), runtime.Error) and str(t.error()) == "send on closed channel"
    assert list(ch) == list(range(cap)) and idle(ch)


# ---- iterating


def test_iterating_ends_when_closed_and_drained():
    ch = Hchan(5)
    for i in range(3):
        ch.send(i)
    ch.close()
    assert list(ch) == [0, 1, 2]
    assert list(ch) == []


def test_iterators_share_the_values():
    ch = Hchan()
    ts = [parked(lambda: list(ch), state=RECEIVING) for _ in range(3)]
    for i in range(30):
        ch.send(i)
        runtime.Gosched()
    ch.close()
    got = [t.join() for t in ts]
    assert sorted(sum(got, [])) == list(range(30))
    assert all(part == sorted(part) for part in got) and all(got)


def test_two_iterators_in_one_loop():
    ch = Hchan(6)
    for i in range(6):
        ch.send(i)
    ch.close()
    assert list(zip(iter(ch), iter(ch))) == [(0, 1), (2, 3), (4, 5)]
