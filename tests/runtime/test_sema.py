"""Semaphores and notify lists: permits, order, exceptions in the wait, and foreign threads."""

from __future__ import annotations

import random

import pytest

import runtime
from runtime.gmp import sched
from runtime.proc import getg, goready, inject, raiseinjected
from runtime.sema import (
    Sema,
    notifyList,
    notifyListAdd,
    notifyListCancel,
    notifyListNotifyAll,
    notifyListNotifyOne,
    notifyListWait,
    semacquire,
    semrelease,
)
from tests.helpers import PRELUDE, Thread, foreign, parked, rounds, runs, spawn, until, until_dead

pytestmark = pytest.mark.usefixtures("nothing_left_over")


@pytest.mark.schedseeds
def test_a_permit_given_before_is_taken_without_waiting():
    s = Sema()
    semrelease(s)
    semrelease(s)
    semacquire(s)
    semacquire(s)
    assert s.count == 0


@pytest.mark.schedseeds
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


@pytest.mark.schedseeds
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


@pytest.mark.schedseeds
def test_an_exception_after_the_permit_passes_the_permit_on():
    s = Sema()
    first, second = (parked(semacquire, s, state="semacquire") for _ in range(2))
    semrelease(s)  # first has it, but does not run yet
    inject(first.g, Stop())
    assert isinstance(first.error(), Stop)
    second.join()
    assert (s.count, len(s.waiters)) == (0, 0)


@pytest.mark.schedseeds
def test_an_exception_after_the_permit_gives_it_back_if_nobody_waits():
    s = Sema()
    t = parked(semacquire, s, state="semacquire")
    semrelease(s)
    inject(t.g, Stop())
    assert isinstance(t.error(), Stop)
    assert s.count == 1
    semacquire(s)


@pytest.mark.schedseeds
def test_the_first_of_several_exceptions_counts():
    s = Sema()
    t = parked(semacquire, s, state="semacquire")
    first = Stop(1)
    inject(t.g, first)
    inject(t.g, Stop(2))
    assert t.error() is first


@pytest.mark.schedseeds
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


@pytest.mark.schedseeds
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


@pytest.mark.schedseeds
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
        for _ in range(rounds(n)):
            semacquire(s)
            inside[0] += 1
            if rnd.random() < 0.3:
                runtime.Gosched()
            assert inside[0] == 1
            inside[0] -= 1
            total[0] += 1
            semrelease(s)

    tasks = [spawn(work, 100) for _ in range(20)]
    threads = [foreign(work, 100) for _ in range(3)]
    work(100)
    for t in [*tasks, *threads]:
        t.join()
    assert total[0] == rounds(100) * 24
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


# ---- the queue


@pytest.mark.schedseeds
def test_any_place_in_the_queue_can_be_left():
    for which in range(4):
        s = Sema()
        ts = [parked(semacquire, s, state="semacquire") for _ in range(4)]
        gone = ts.pop(which)
        inject(gone.g, Stop())
        assert isinstance(gone.error(), Stop)
        assert s.waiters == [t.g for t in ts]
        ts.append(parked(semacquire, s, state="semacquire"))
        for t in ts:
            semrelease(s)
            t.join()
        assert (s.count, s.waiters) == (0, [])


@pytest.mark.parametrize("what", ["permit", "one notification", "all notified"])
@pytest.mark.schedseeds
def test_who_is_about_to_go_on_is_not_taken_away(what):
    """An exception from another thread, say, just before it is readied."""
    s, nl = Sema(), notifyList()
    if what == "permit":
        t = parked(semacquire, s, state="semacquire")
    else:
        t = parked(wait, nl, state=WAITS)
    place = t.g.waitlock
    {"permit": semrelease, "one notification": notifyListNotifyOne, "all notified": notifyListNotifyAll}[what](
        s if what == "permit" else nl
    )
    assert not place.cancelf(t.g, t.g.waitmode)
    t.join()


def test_one_that_has_left_keeps_nothing_alive():
    import gc
    import weakref

    class Watched(Sema):
        pass

    s = Watched()
    r = weakref.ref(s)
    ts = [parked(semacquire, s, state="semacquire") for _ in range(3)]
    inject(ts[1].g, Stop())
    ts[1].error()
    semrelease(s)
    semrelease(s)
    for t in ts[::2]:
        t.join()
    del s, t, ts
    gc.collect()
    until(lambda: r() is None)


def test_semaphores_in_a_forked_child_forget_who_waited():
    program = """
        s = Sema()
        ran = []
        gs = [go(lambda: (semacquire(s), ran.append(1))) for _ in range(2)]
        for g in gs:
            until_state(g, "semacquire")
        pid = os.fork()
        if pid == 0:
            semrelease(s)
            assert s.count == 1 and s.waiters == []
            gtime.Sleep(0.01)
            semacquire(s)
            g = until_state(go(semacquire, s), "semacquire")
            semrelease(s)
            until_state(g, "dead")
            os._exit(7 if not ran else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
        semrelease(s), semrelease(s)
        for g in gs:
            until_state(g, "dead")
        say(ran, s.count)
    """
    assert runs(program) == "[1, 1] 0\n"


# ---- notifyList


def wait(nl, log=None, what=None):
    w = notifyListAdd(nl)
    if notifyListWait(nl, w):
        raiseinjected()
    if log is not None:
        log.append(what)


WAITS = "sync.Cond.Wait"


@pytest.mark.schedseeds
def test_notifications_go_to_the_longest_waiter():
    nl, log = notifyList(), []
    ts = [parked(wait, nl, log, i, state=WAITS) for i in range(5)]
    for t in ts:
        notifyListNotifyOne(nl)
        t.join()
    assert log == list(range(5))
    notifyListNotifyOne(nl)
    notifyListNotifyAll(nl)
    assert nl.waiters == []


@pytest.mark.parametrize("notify", [notifyListNotifyOne, notifyListNotifyAll])
def test_who_was_notified_before_parking_does_not_park(notify):
    nl = notifyList()
    w = notifyListAdd(nl)
    assert nl.waiters == [None]
    notify(nl)
    assert notifyListWait(nl, w) is False
    assert nl.waiters == []


@pytest.mark.schedseeds
def test_the_place_is_taken_when_the_wait_begins_and_not_when_it_parks():
    nl, log = notifyList(), []
    early = notifyListAdd(nl)
    late = parked(wait, nl, log, "late", state=WAITS)
    notifyListNotifyOne(nl)
    assert notifyListWait(nl, early) is False
    assert not late.done
    notifyListNotifyAll(nl)
    late.join()


@pytest.mark.schedseeds
def test_who_comes_after_notifyall_waits_for_the_next():
    nl = notifyList()
    first = parked(wait, nl, state=WAITS)
    notifyListNotifyAll(nl)
    second = parked(wait, nl, state=WAITS)
    first.join()
    assert not second.done
    notifyListNotifyAll(nl)
    second.join()


@pytest.mark.schedseeds
def test_a_cancelled_wait_leaves_the_list_or_passes_the_notification_on():
    nl = notifyList()
    w = notifyListAdd(nl)
    other = parked(wait, nl, state=WAITS)
    notifyListCancel(nl, w)
    assert nl.waiters == [other.g]
    notifyListNotifyOne(nl)
    other.join()
    w = notifyListAdd(nl)
    other = parked(wait, nl, state=WAITS)
    notifyListNotifyOne(nl)
    notifyListCancel(nl, w)
    other.join()
    w = notifyListAdd(nl)
    notifyListNotifyAll(nl)
    other = parked(wait, nl, state=WAITS)
    notifyListCancel(nl, w)
    assert nl.waiters == [other.g]
    notifyListNotifyOne(nl)
    other.join()


@pytest.mark.schedseeds
def test_a_wait_that_is_queued_and_not_parked_cannot_be_cancelled_from_outside():
    """Who did would ready a goroutine that runs: between its announcing the park and the last look at the list."""
    l = notifyList()  # noqa: E741
    w = notifyListAdd(l)
    assert not w.cancelf(getg(), 0) and l.head is w
    t = parked(notifyListWait, l, w, state="sync.Cond.Wait")
    assert w.cancelf(t.g, 0) and l.head is None
    assert not w.cancelf(t.g, 0)
    goready(t.g)
    assert t.join() is False


def test_an_exception_ends_a_wait_for_notification():
    nl = notifyList()
    first, second = (parked(wait, nl, state=WAITS) for _ in range(2))
    inject(first.g, Stop())
    assert isinstance(first.error(), Stop)
    assert nl.waiters == [second.g]
    notifyListNotifyOne(nl)
    second.join()
    first, second = (parked(wait, nl, state=WAITS) for _ in range(2))
    notifyListNotifyOne(nl)
    first.g.injected = Stop()  # as inject does when it comes just after that
    assert isinstance(first.error(), Stop)
    second.join()
    assert nl.waiters == []


# ---- where the locks are taken

LOCKS_PRELUDE = f"""
import sys
sys.settrace(lambda *args: None)  # seen at the import: then no stretch of lines is taken to run whole
import runtime
sys.settrace(None)
from runtime.asm import LOCKS
assert LOCKS and not runtime.compiled
{PRELUDE}
"""


def test_with_real_locks_threads_and_exceptions_lose_nothing():
    """As on a free-threaded build, as far as the GIL allows: threads change hands between any two lines."""
    program = """
        from gonet import sync
        from gonet.sync import atomic
        from runtime.proc import inject
        sys.setswitchinterval(1e-6)

        class Stop(Exception):
            pass

        mu, rw, s, wg, c = sync.Mutex(), sync.RWMutex(), Sema(), sync.WaitGroup(), sync.NewCond(sync.Mutex())
        semrelease(s)
        total, n, stop, gs = [0] * 3, atomic.Int64(), [], []

        def sniper():
            i = 0
            while not stop:
                if gs:
                    i += 1
                    inject(gs[-1 - i % min(len(gs), 8)], Stop())
                    time.sleep(0.0001)

        def guarded(lock, unlock, i):
            try:
                lock()
            except Stop:
                return
            total[i] += 1
            n.Add(1)
            unlock()

        def work(k):
            for _ in range(k):
                guarded(mu.Lock, mu.Unlock, 0)
                guarded(rw.Lock, rw.Unlock, 1)
                guarded(lambda: semacquire(s), lambda: semrelease(s), 2)
                try:
                    with rw.RLocker():
                        pass
                    with c.L:
                        c.Signal()
                except Stop:
                    pass
            wg.Done()

        def wait():
            for _ in range(20):
                try:
                    with c.L:
                        c.Wait()
                except Stop:
                    pass

        sn = threading.Thread(target=sniper)
        sn.start()
        ts = []
        for _ in range(4):
            wg.Add(2)
            gs.append(go(work, 40))
            ts.append(threading.Thread(target=work, args=(40,)))
            ts[-1].start()
        waiters = [go(wait) for _ in range(3)]
        gs.extend(waiters)
        wg.Wait()
        stop.append(1)
        sn.join()
        while any(g.state() != "dead" for g in gs):
            c.Broadcast()
            runtime.Gosched()
        for t in ts:
            t.join()
        assert sum(total) == n.Load() > 0, (total, n.Load())
        say(mu.state, mu.waiters, rw.readerCount, rw.readerWait, rw.waiters, s.count, s.waiters, wg.n, c.notify.waiters)
    """
    r = runs(program, env={"GONET_PURE": "1"}, prelude=LOCKS_PRELUDE, limit=60)
    assert r == "0 [] 0 0 [] 1 [] 0 []\n"
