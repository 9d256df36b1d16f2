"""Semaphores: permits, order, exceptions in the wait, and foreign threads."""

from __future__ import annotations

import random

import pytest

import runtime
from runtime.gmp import sched
from runtime.proc import inject
from runtime.sema import Sema, semacquire, semrelease
from tests.helpers import Thread, parked, spawn, until, until_dead

pytestmark = pytest.mark.usefixtures("nothing_left_over")


@pytest.mark.schedseeds
def test_a_permit_given_before_is_taken_without_waiting():
    s = Sema()
    semrelease(s)
    semrelease(s)
    semacquire(s)
    semacquire(s)
    assert s.count == 0


def test_waiters_are_served_in_the_order_of_their_coming():
    s = Sema()
    order = []

    def wait(i):
        semacquire(s)
        order.append(i)

    ts = [parked(wait, i, state="semacquire") for i in range(10)]
    for t in ts:
        semrelease(s)
        t.join()
    assert order == list(range(10))


@pytest.mark.schedseeds
def test_a_released_permit_is_the_waiters_and_nobody_elses():
    s = Sema()
    t = parked(semacquire, s, state="semacquire")
    semrelease(s)
    assert s.count == 0  # handed over, though the waiter has not run yet
    t.join()
    assert s.count == 0


def test_the_reason_for_waiting_can_be_told():
    from runtime.gmp import waitReasonSyncMutexLock

    s = Sema()
    t = parked(semacquire, s, waitReasonSyncMutexLock, state="sync.Mutex.Lock")
    semrelease(s)
    t.join()


class Stop(Exception):
    pass


@pytest.mark.schedseeds
def test_an_exception_ends_the_wait_and_leaves_the_queue():
    s = Sema()
    first, second = (parked(semacquire, s, state="semacquire") for _ in range(2))
    inject(first.g, Stop())
    assert isinstance(first.error(), Stop)
    assert len(s.waiters) == 1
    semrelease(s)
    second.join()
    assert (s.count, len(s.waiters)) == (0, 0)


def test_an_exception_after_the_permit_passes_the_permit_on():
    s = Sema()
    first, second = (parked(semacquire, s, state="semacquire") for _ in range(2))
    semrelease(s)  # first has it, but does not run yet
    inject(first.g, Stop())
    assert isinstance(first.error(), Stop)
    second.join()
    assert (s.count, len(s.waiters)) == (0, 0)


def test_an_exception_after_the_permit_gives_it_back_if_nobody_waits():
    s = Sema()
    t = parked(semacquire, s, state="semacquire")
    semrelease(s)
    inject(t.g, Stop())
    assert isinstance(t.error(), Stop)
    assert s.count == 1
    semacquire(s)


def test_the_first_of_several_exceptions_counts():
    s = Sema()
    t = parked(semacquire, s, state="semacquire")
    first = Stop(1)
    inject(t.g, first)
    inject(t.g, Stop(2))
    assert t.error() is first


def test_an_exception_for_a_goroutine_that_does_not_park_waits_for_its_next_park():
    s = Sema()
    go_on = [False]

    def body():
        while not go_on[0]:
            semacquire(s)
            semrelease(s)
            runtime.Gosched()

    semrelease(s)
    t = spawn(body)
    inject(t.g, Stop())
    assert isinstance(t.error(), Stop)


def test_a_thread_waits_for_a_goroutine():
    s = Sema()
    t = Thread(semacquire, s)
    until(lambda: t.state() == "semacquire")
    semrelease(s)
    t.join()


def test_a_goroutine_waits_for_a_thread():
    s = Sema()
    t = parked(semacquire, s, state="semacquire")
    Thread(semrelease, s).join()
    t.join()


def test_main_waits_for_a_thread():
    s = Sema()
    t = Thread(semrelease, s)
    semacquire(s)
    t.join()


def test_threads_wait_for_each_other():
    a, b = Sema(), Sema()

    def ping():
        for _ in range(200):
            semrelease(a)
            semacquire(b)

    def pong():
        for _ in range(200):
            semacquire(a)
            semrelease(b)

    ts = [Thread(ping), Thread(pong)]
    for t in ts:
        t.join()
    assert (a.count, b.count) == (0, 0)


def test_a_semaphore_of_one_excludes():
    """Goroutines, the main one and foreign threads, under a seed that is printed."""
    seed = random.randrange(1 << 30)
    print("seed", seed)
    rnd = random.Random(seed)
    s = Sema()
    semrelease(s)
    inside = [0]
    total = [0]

    def work(n):
        for _ in range(n):
            semacquire(s)
            inside[0] += 1
            if rnd.random() < 0.3:
                runtime.Gosched()
            assert inside[0] == 1
            inside[0] -= 1
            total[0] += 1
            semrelease(s)

    tasks = [spawn(work, 100) for _ in range(20)]
    threads = [Thread(work, 100) for _ in range(3)]
    work(100)
    for t in [*tasks, *threads]:
        t.join()
    assert total[0] == 100 * 24
    assert (s.count, len(s.waiters)) == (1, 0)


@pytest.mark.schedseeds
def test_exceptions_and_permits_at_random_lose_none():
    seed = random.randrange(1 << 30)
    print("seed", seed)
    rnd = random.Random(seed)
    s = Sema()
    taken = [0]

    def wait():
        try:
            semacquire(s)
        except Stop:
            return
        taken[0] += 1

    given = 0
    tasks = []
    for _ in range(500 if sched.seeded else 3000):
        what = rnd.random()
        if what < 0.5:
            tasks.append(spawn(wait))
        elif what < 0.75:
            semrelease(s)
            given += 1
        elif tasks:
            inject(rnd.choice(tasks).g, Stop())
        if rnd.random() < 0.3:
            runtime.Gosched()
    while not all(t.done for t in tasks):
        if s.waiters:
            semrelease(s)
            given += 1
        runtime.Gosched()
    until_dead(*(t.g for t in tasks))
    assert taken[0] + s.count == given
