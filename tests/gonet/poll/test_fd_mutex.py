"""The lock of a descriptor. Mirrors Go src/internal/poll/fd_mutex_test.go."""

from __future__ import annotations

import random
import sys
import threading
from contextlib import suppress

import pytest

import runtime
from gonet.poll import fdMutex
from gonet.poll.fd_mutex_bits import mutexClosed, mutexRef, mutexRefMask, mutexRMask, mutexWMask
from gonet.time import Sleep
from runtime.proc import getg, inject
from tests.helpers import Thread, parked, spawn, until, until_state

pytestmark = pytest.mark.usefixtures("nothing_left_over")

READ, WRITE = True, False


def test_one_side_after_the_other():
    mu = fdMutex()
    for read in READ, WRITE:
        assert mu.rwlock(read)
        assert not mu.rwunlock(read)
    assert mu.state == 0


def test_the_sides_are_independent():
    mu = fdMutex()
    assert mu.rwlock(READ)
    assert mu.rwlock(WRITE)
    assert not mu.rwunlock(READ)
    assert not mu.rwunlock(WRITE)


def test_references_do_not_exclude():
    """Go TestMutexLock."""
    mu = fdMutex()
    assert mu.incref() and mu.incref()
    assert mu.rwlock(READ)
    assert not mu.decref() and not mu.decref()
    assert not mu.rwunlock(READ)


def test_close():
    """Go TestMutexClose."""
    mu = fdMutex()
    assert mu.increfAndClose()
    assert not mu.incref()
    assert not mu.rwlock(READ)
    assert not mu.rwlock(WRITE)
    assert not mu.increfAndClose()
    assert mu.decref()  # the last: to be destroyed


@pytest.mark.parametrize("read", [READ, WRITE])
def test_close_wakes_who_waits(read):
    """Go TestMutexCloseUnblock."""
    mu = fdMutex()
    assert mu.rwlock(read)
    tasks = [parked(mu.rwlock, read, state="semacquire") for _ in range(4)]
    assert mu.increfAndClose()
    assert [t.join() for t in tasks] == [False] * 4
    assert not mu.decref()  # one user is left
    assert mu.rwunlock(read)


@pytest.mark.parametrize("read", [READ, WRITE])
def test_a_side_is_had_by_one_at_a_time(read):
    mu = fdMutex()
    assert mu.rwlock(read)
    t = parked(mu.rwlock, read, state="semacquire")
    assert mu.rwlock(not read)
    mu.rwunlock(not read)
    assert t.g.state() == "semacquire"
    mu.rwunlock(read)
    assert t.join() is True
    mu.rwunlock(read)
    assert mu.state == 0


def test_what_was_not_taken_cannot_be_given_back():
    """Go TestMutexPanic."""
    for call in (
        lambda mu: mu.decref(),
        lambda mu: mu.rwunlock(READ),
        lambda mu: mu.rwunlock(WRITE),
    ):
        with pytest.raises(RuntimeError, match=r"inconsistent poll\.fdMutex"):
            call(fdMutex())
    mu = fdMutex()
    mu.incref()
    mu.decref()
    with pytest.raises(RuntimeError):
        mu.decref()
    mu.rwlock(READ)
    with pytest.raises(RuntimeError):
        mu.rwunlock(WRITE)
    mu.rwunlock(READ)
    with pytest.raises(RuntimeError):
        mu.rwunlock(READ)


def test_a_million_references_are_too_many():
    """Go TestMutexOverflowPanic; here an OverflowError with Go's words, and nothing is changed."""
    for call in (lambda mu: mu.incref(), lambda mu: mu.increfAndClose(), lambda mu: mu.rwlock(READ)):
        mu = fdMutex()
        mu.state = mutexRefMask
        with pytest.raises(OverflowError, match="too many concurrent operations on a single file or socket"):
            call(mu)
        assert mu.state == mutexRefMask


@pytest.mark.parametrize("read, mask", [(READ, mutexRMask), (WRITE, mutexWMask)])
def test_a_million_waiters_are_too_many(read, mask):
    mu = fdMutex()
    mu.rwlock(read)
    mu.state |= mask
    before = mu.state
    with pytest.raises(OverflowError):
        mu.rwlock(read)
    assert mu.state == before


class Stop(Exception):
    pass


@pytest.mark.parametrize("read", [READ, WRITE])
def test_an_exception_ends_a_wait(read):
    mu = fdMutex()
    mu.rwlock(read)
    first, second = (parked(mu.rwlock, read, state="semacquire") for _ in range(2))
    inject(first.g, Stop())
    assert isinstance(first.error(), Stop)
    mu.rwunlock(read)
    assert second.join() is True
    mu.rwunlock(read)
    assert mu.state == 0


@pytest.mark.parametrize("read", [READ, WRITE])
def test_an_exception_after_the_wakeup_passes_it_on(read):
    mu = fdMutex()
    mu.rwlock(read)
    first, second = (parked(mu.rwlock, read, state="semacquire") for _ in range(2))
    mu.rwunlock(read)  # first is woken, and has not run
    inject(first.g, Stop())
    assert isinstance(first.error(), Stop)
    assert second.join() is True
    mu.rwunlock(read)
    assert mu.state == 0


@pytest.mark.parametrize("read", [READ, WRITE])
def test_an_exception_after_the_wakeup_of_the_only_waiter_leaves_nothing(read):
    mu = fdMutex()
    mu.rwlock(read)
    t = parked(mu.rwlock, read, state="semacquire")
    mu.rwunlock(read)
    inject(t.g, Stop())
    t.error()
    assert mu.state == 0
    assert mu.rwlock(read)
    other = parked(mu.rwlock, read, state="semacquire")
    Sleep(0.001)
    assert not other.done
    mu.rwunlock(read)
    assert other.join() is True
    mu.rwunlock(read)


@pytest.mark.parametrize("read", [READ, WRITE])
def test_an_exception_that_was_there_before_the_wait_leaves_nothing(read):
    mu = fdMutex()
    mu.rwlock(read)
    neighbour = parked(mu.rwlock, read, state="semacquire")
    t = spawn(mu.rwlock, read)
    inject(t.g, Stop())  # it has not run
    assert isinstance(t.error(), Stop)
    mu.rwunlock(read)
    assert neighbour.join() is True
    mu.rwunlock(read)
    assert mu.state == 0


class Halted(fdMutex):
    """Stops a thread that is about to be queued."""

    def unlockf(self, gp, mode):
        if gp is not self.neighbour:
            self.about.set()
            assert self.go_on.wait(20)
        return fdMutex.unlockf(self, gp, mode)


@pytest.mark.parametrize("close", [False, True])
def test_what_happens_in_the_instant_before_a_wait_is_not_missed(close):
    """The side is released to a neighbour that an exception ends, or closed, when a thread is about to be queued."""
    mu = Halted()
    mu.about, mu.go_on, mu.neighbour = threading.Event(), threading.Event(), None
    mu.rwlock(READ)
    t = Thread(mu.rwlock, READ)
    until(mu.about.is_set)
    neighbour = spawn(mu.rwlock, READ)
    mu.neighbour = neighbour.g
    until_state(neighbour.g, "semacquire")
    if close:
        assert mu.increfAndClose()
    mu.rwunlock(READ)
    inject(neighbour.g, Stop())  # it has been woken, and has not run
    assert isinstance(neighbour.error(), Stop)
    mu.go_on.set()
    assert t.join() is not close
    if close:
        assert mu.decref()
    else:
        mu.rwunlock(READ)
    assert mu.state == (mutexClosed if close else 0)


def test_threads_wait_for_a_side_too():
    mu = fdMutex()
    mu.rwlock(READ)
    t = Thread(mu.rwlock, READ)
    until(lambda: t.state() == "semacquire")
    mu.rwunlock(READ)
    assert t.join() is True
    mu.rwunlock(READ)
    assert mu.state == 0


def test_marked_closed_once():
    mu = fdMutex()
    assert mu.markclosed()
    assert not mu.markclosed()
    assert not mu.incref()
    assert mu.state == mutexClosed


def test_stress():
    """Go TestMutexStress: readers, writers and references, and sums that only mutual exclusion keeps equal."""
    seed = random.randrange(1 << 30)
    print("seed", seed)
    rnd = random.Random(seed)
    mu = fdMutex()
    sums = {READ: [0, 0], WRITE: [0, 0]}

    def work():
        for _ in range(300):
            what = rnd.randrange(3)
            if what == 0:
                assert mu.incref()
                assert not mu.decref()
                continue
            read = what == 1
            assert mu.rwlock(read)
            s = sums[read]
            assert s[0] == s[1]
            s[0] += 1
            if rnd.random() < 0.2:
                runtime.Gosched()
            s[1] += 1
            assert not mu.rwunlock(read)

    ts = [spawn(work) for _ in range(8)] + [Thread(work) for _ in range(2)]
    for t in ts:
        t.join()
    assert mu.state == 0
    assert mu.increfAndClose()
    assert mu.decref()


def test_stress_with_exceptions():
    seed = random.randrange(1 << 30)
    print("seed", seed)
    rnd = random.Random(seed)
    mu = fdMutex()
    held = {READ: 0, WRITE: 0}

    def work():
        for _ in range(100):
            read = rnd.random() < 0.5
            try:
                assert mu.rwlock(read)
            except Stop:
                continue
            try:
                held[read] += 1
                assert held[read] == 1
                runtime.Gosched()
            except Stop:
                pass
            finally:
                held[read] -= 1
                mu.rwunlock(read)

    ts = [spawn(work) for _ in range(10)]
    while not all(t.done for t in ts):
        inject(rnd.choice(ts).g, Stop())
        Sleep(0.0001)
    for t in ts:
        if t.exc is not None:
            assert isinstance(t.exc, Stop), t.exc  # it came with the last park
    assert mu.state & ~mutexRef == 0 or mu.state == 0
    assert mu.state == 0


@pytest.mark.parametrize("close", [False, True])
def test_stress_with_threads_exceptions_and_close(close):
    """Nobody is forgotten: every waiter gets the side, or an exception, or is told that it is closed."""
    seed = random.randrange(1 << 30)
    print("seed", seed)
    rnd = random.Random(seed)

    def work(mu, gs):
        gs.append(getg())
        if mu.rwlock(READ):
            mu.rwunlock(READ)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for _ in range(100):
            mu, gs = fdMutex(), []
            mu.rwlock(READ)
            ts = [(Thread if rnd.random() < 0.7 else spawn)(work, mu, gs) for _ in range(4)]
            until(lambda gs=gs: len(gs) == 4)
            closer = Thread(mu.increfAndClose) if close else None
            for g in rnd.sample(gs, 2):
                inject(g, Stop())
            mu.rwunlock(READ)
            for t in ts:
                with suppress(Stop):
                    t.join()
            if closer is not None:
                assert closer.join() is True
                assert mu.decref()
            assert mu.state == (mutexClosed if close else 0)
    finally:
        sys.setswitchinterval(interval)
