"""Mutex. Mirrors Go src/sync/mutex_test.go; the state word, exceptions and threads are ours."""

from __future__ import annotations

import copy
import pickle
import random
import sys
from time import monotonic

import pytest

import runtime
from gonet import chan, select
from gonet.sync import Mutex
from gonet.time import Sleep
from runtime.gmp import sched
from runtime.proc import inject
from tests.helpers import Thread, parked, runs, spawn, until, until_state

pytestmark = pytest.mark.usefixtures("nothing_left_over")

mutexLocked, mutexWoken, mutexStarving, WAITER = 1, 2, 4, 8  # in the word, as in Go's
starvationThresholdNs = 1e6
WAITS = "sync.Mutex.Lock"
UNLOCKED = "sync: unlock of unlocked mutex"


class Stop(Exception):
    pass


def starve(mu):
    """Have someone wait for mu, which the caller holds, for longer than the threshold, lose, and turn the mode on."""
    t = parked(mu.Lock, state=WAITS)
    give_up = monotonic() + 10
    while not mu.state & mutexStarving:
        Sleep(2 * starvationThresholdNs / 1e9)
        mu.Unlock()  # t is woken,
        assert mu.TryLock() and monotonic() < give_up  # and comes too late
        until(lambda: len(mu.waiters) == 1)
    return t


# ---- alone


def test_lock_and_unlock():
    mu = Mutex()
    assert mu.Lock() is None
    assert mu.state == mutexLocked
    assert mu.Unlock() is None
    assert mu.state == 0


def test_trylock():
    """Go TestMutex, its first half."""
    mu = Mutex()
    mu.Lock()
    assert mu.TryLock() is False
    mu.Unlock()
    assert mu.TryLock() is True
    assert mu.TryLock() is False
    mu.Unlock()
    assert mu.state == 0


def test_with_locks_and_unlocks():
    mu = Mutex()
    with mu as entered:
        assert entered is mu and not mu.TryLock()
    assert mu.TryLock()
    mu.Unlock()
    with pytest.raises(Stop), mu:
        raise Stop
    assert mu.state == 0


@pytest.mark.parametrize("used", [False, True])
def test_unlock_of_an_unlocked_one_is_refused(used):
    """Go TestMutexMisuse; but the mutex stays usable."""
    mu = Mutex()
    if used:
        mu.Lock()
        mu.Unlock()
    for _ in range(2):
        with pytest.raises(runtime.Error) as e:
            mu.Unlock()
        assert str(e.value) == UNLOCKED
    mu.Lock()
    t = parked(mu.Lock, state=WAITS)
    mu.Unlock()
    t.join()
    mu.Unlock()
    with pytest.raises(runtime.Error):
        mu.Unlock()


def test_it_belongs_to_nobody():
    mu = Mutex()
    spawn(mu.Lock).join()
    assert not mu.TryLock()
    spawn(mu.Unlock).join()
    Thread(mu.Lock).join()
    mu.Unlock()
    assert mu.state == 0


def test_a_free_one_is_locked_without_the_scheduler():
    """No goroutine runs meanwhile, and a thread that does nothing else is not adopted."""
    mu = Mutex()
    ran = []
    while True:
        runtime.Gosched()  # a slice begins
        begin = monotonic()
        t = spawn(ran.append, 1)
        for _ in range(100):
            mu.Lock()
            mu.Unlock()
            with mu:
                pass
        kept_out = not ran
        if monotonic() - begin < 0.01 or sched.seeded:
            break  # and it has not ended
        t.join()
        ran.clear()
    assert kept_out or sched.seeded
    t.join()

    def other():
        for _ in range(100):
            with mu:
                pass
        assert mu.TryLock()
        mu.Unlock()
        return runtime.asm.getm()

    assert Thread(other).join() is None or sched.preempt


@pytest.mark.parametrize("held", [False, True])
def test_it_cannot_be_copied(held):
    mu = Mutex()
    if held:
        mu.Lock()
    for clone in copy.copy, copy.deepcopy, pickle.dumps:
        with pytest.raises(TypeError, match="sync.Mutex cannot be copied or pickled"):
            clone(mu)


def test_it_can_be_subclassed():
    class Counter(Mutex):
        def __init__(self):
            super().__init__()
            self.n = 0

        def inc(self):
            with self:
                self.n += 1

    c = Counter()
    for t in [spawn(c.inc) for _ in range(10)]:
        t.join()
    assert c.n == 10


# ---- waiting


@pytest.mark.schedseeds
def test_who_waits_goes_on_when_it_is_unlocked():
    mu = Mutex()
    mu.Lock()
    t = parked(mu.Lock, state=WAITS)
    assert mu.state == mutexLocked | WAITER and mu.waiters == [t.g]
    mu.Unlock()
    t.join()
    assert mu.state & mutexLocked and mu.waiters == []
    mu.Unlock()
    assert mu.state == 0


def test_one_is_woken_at_a_time():
    mu = Mutex()
    mu.Lock()
    ts = [parked(mu.Lock, state=WAITS) for _ in range(3)]
    mu.Unlock()
    assert mu.state == mutexWoken | 2 * WAITER
    sched.m0.p.preempt = False  # a slice that is spent would let the other in
    mu.Lock()
    mu.Unlock()  # there is one already that will look
    assert mu.state == mutexWoken | 2 * WAITER
    for t in ts:
        t.join()
        mu.Unlock()
    assert mu.state == 0


@pytest.mark.schedseeds
def test_waiters_lock_in_the_order_of_their_coming():
    mu = Mutex()
    order = []

    def work(i):
        with mu:
            order.append(i)

    with mu:
        ts = [parked(work, i, state=WAITS) for i in range(10)]
    for t in ts:
        t.join()
    assert order == list(range(10))


def test_who_runs_already_may_be_first():
    """Normal mode: the woken one competes, and queues at the front again if it loses."""
    mu = Mutex()
    mu.Lock()
    first = parked(mu.Lock, state=WAITS)
    second = parked(mu.Lock, state=WAITS)
    mu.Unlock()
    sched.m0.p.preempt = False  # a slice that is spent would let first in
    mu.Lock()  # before first has run
    assert mu.waiters == [second.g]
    until(lambda: len(mu.waiters) == 2)
    assert mu.waiters == [first.g, second.g]
    mu.Unlock()
    first.join()
    assert not second.done
    mu.Unlock()
    second.join()
    mu.Unlock()
    assert mu.state == 0


# ---- starvation


@pytest.mark.schedseeds
def test_who_has_waited_long_and_loses_turns_starvation_mode_on():
    mu = Mutex()
    mu.Lock()
    t = starve(mu)
    assert mu.state == mutexLocked | mutexStarving | WAITER
    mu.Unlock()
    t.join()
    mu.Unlock()
    assert mu.state == 0


def test_in_starvation_mode_it_is_handed_over():
    mu = Mutex()
    mu.Lock()
    t = starve(mu)
    newcomer = parked(mu.Lock, state=WAITS)
    assert mu.waiters == [t.g, newcomer.g]
    mu.Unlock()  # lets the next one run at once
    assert t.done and mu.state & mutexLocked
    assert not mu.TryLock()
    assert mu.waiters == [newcomer.g]
    mu.Unlock()
    newcomer.join()
    mu.Unlock()
    assert mu.state == 0


def handed_to_a_thread(mu):
    """Have mu handed to a thread in starvation mode; False if the thread once got it otherwise."""
    holds, go_on = [], []

    def work():
        mu.Lock()
        holds.append(1)
        until(lambda: go_on)
        mu.Unlock()

    mu.Lock()
    th = Thread(work)
    until(lambda: len(mu.waiters) == 1)
    handed = True
    while handed and not mu.state & mutexStarving:
        Sleep(2 * starvationThresholdNs / 1e9)
        mu.Unlock()
        handed = mu.TryLock()
        until(lambda: len(mu.waiters) == 1 or holds)
    if handed:
        mu.Unlock()
        assert not mu.TryLock()
        until(lambda: holds)
        assert not mu.TryLock()
    go_on.append(1)
    th.join()
    with mu:
        pass
    assert mu.state == 0
    return handed


def test_between_handing_over_and_taking_it_is_never_free():
    mu = Mutex()
    until(lambda: handed_to_a_thread(mu))


def test_the_mode_ends_with_one_who_waited_briefly_or_the_last():
    mu = Mutex()
    mu.Lock()
    t = starve(mu)
    fresh = [parked(mu.Lock, state=WAITS) for _ in range(2)]
    mu.Unlock()
    t.join()
    assert mu.state & mutexStarving  # t is late, and not the last
    mu.Unlock()
    for f in fresh:  # the first of them may have waited for long on a slow machine; the last ends it in any case
        f.join()
        mu.Unlock()
    assert mu.state == 0


@pytest.mark.schedseeds
def test_the_mode_ends_when_nobody_is_left():
    mu = Mutex()
    mu.Lock()
    t = starve(mu)
    inject(t.g, Stop())
    assert isinstance(t.error(), Stop)
    assert mu.waiters == [] and mu.state & ~mutexStarving == mutexLocked
    mu.Unlock()
    assert mu.state == 0
    assert mu.TryLock()
    mu.Unlock()


@pytest.mark.limit(60)
def test_fairness():
    """Go TestMutexFairness: one that holds it nearly all the time, one that wants it now and then."""
    mu = Mutex()
    stop = chan(1)

    def hog():
        while True:
            with mu:
                Sleep(100e-6)
            if select(stop, default=True)[0] == 0:
                return

    def modest():
        for _ in range(10):
            Sleep(100e-6)
            with mu:
                pass

    t = spawn(hog)
    spawn(modest).join()
    stop.send(None)
    t.join()


def test_a_loop_that_only_locks_starves_nobody():
    """Its slice ends like that of any goroutine whose calls never wait."""
    mu = Mutex()
    ran = []
    runtime.go(ran.append, 1)
    give_up = monotonic() + 20
    while not ran:
        mu.Lock()
        mu.Unlock()
        assert monotonic() < give_up


def test_a_thread_that_only_locks_starves_nobody():
    mu = Mutex()
    stop, n = [], [0]

    def hog():
        while not stop:
            with mu:
                n[0] += 1

    th = Thread(hog)
    until(lambda: n[0])  # it is at it

    def modest():
        for _ in range(20):
            with mu:
                runtime.Gosched()

    for t in [spawn(modest) for _ in range(5)]:
        t.join()
    stop.append(1)
    th.join()
    assert mu.state == 0


# ---- exceptions


@pytest.mark.schedseeds
def test_an_exception_ends_the_wait_and_leaves_the_queue():
    mu = Mutex()
    mu.Lock()
    first, second = (parked(mu.Lock, state=WAITS) for _ in range(2))
    inject(first.g, Stop())
    assert isinstance(first.error(), Stop)
    assert mu.state == mutexLocked | WAITER and mu.waiters == [second.g]
    mu.Unlock()
    second.join()
    mu.Unlock()
    assert mu.state == 0


@pytest.mark.parametrize("which", range(3))
@pytest.mark.schedseeds
def test_any_place_in_the_queue_can_be_left(which):
    mu = Mutex()
    mu.Lock()
    ts = [parked(mu.Lock, state=WAITS) for _ in range(3)]
    gone = ts.pop(which)
    inject(gone.g, Stop())
    assert isinstance(gone.error(), Stop)
    assert mu.waiters == [t.g for t in ts]
    last = parked(mu.Lock, state=WAITS)
    for t in [*ts, last]:
        mu.Unlock()
        t.join()
    mu.Unlock()
    assert mu.state == 0


@pytest.mark.schedseeds
def test_an_exception_after_the_wake_up_wakes_another():
    mu = Mutex()
    mu.Lock()
    first, second = (parked(mu.Lock, state=WAITS) for _ in range(2))
    mu.Unlock()
    inject(first.g, Stop())  # before it runs
    assert isinstance(first.error(), Stop)
    second.join()
    mu.Unlock()
    assert mu.state == 0


@pytest.mark.schedseeds
def test_an_exception_after_the_wake_up_with_nobody_else():
    mu = Mutex()
    mu.Lock()
    t = parked(mu.Lock, state=WAITS)
    mu.Unlock()
    inject(t.g, Stop())
    assert isinstance(t.error(), Stop)
    assert mu.state == 0


def test_an_exception_after_the_wake_up_while_another_holds_it():
    mu = Mutex()
    mu.Lock()
    first, second = (parked(mu.Lock, state=WAITS) for _ in range(2))
    mu.Unlock()
    sched.m0.p.preempt = False  # a slice that is spent would let first in
    mu.Lock()
    inject(first.g, Stop())
    assert isinstance(first.error(), Stop)
    assert mu.state == mutexLocked | WAITER
    mu.Unlock()
    second.join()
    mu.Unlock()
    assert mu.state == 0


@pytest.mark.schedseeds
def test_an_exception_that_comes_with_the_mutex_gives_it_away():
    """Two are woken in turn: the second when the first, to whom it was handed, gives it up."""
    mu = Mutex()
    mu.Lock()
    t = starve(mu)
    second = parked(mu.Lock, state=WAITS)
    t.g.injected = Stop()  # as inject does when it comes just after the hand-over
    mu.Unlock()
    assert isinstance(t.error(), Stop)
    second.join()
    mu.Unlock()
    assert mu.state == 0


@pytest.mark.schedseeds
def test_an_exception_that_was_there_before_ends_the_wait_before_it_begins():
    mu = Mutex()
    mu.Lock()

    def work():
        inject(runtime.proc.getg(), Stop())
        mu.Lock()

    assert isinstance(spawn(work).error(), Stop)
    assert mu.state == mutexLocked
    mu.Unlock()


def test_unlock_raises_nothing_that_was_injected():
    """In starvation mode it lets the other run; what comes meanwhile waits for the next park."""
    mu = Mutex()
    where = []

    def work():
        mu.Lock()
        t = starve(mu)
        inject(runtime.proc.getg(), Stop())
        mu.Unlock()
        where.append(t.done)
        Sleep(0)
        where.append("still here")
        Sleep(0.001)
        where.append("never")

    working = spawn(work)
    while not working.done:
        runtime.Gosched()  # and no sleep, whose timer could go off in the middle and put main before the other
    assert isinstance(working.error(), Stop)
    assert where == [True, "still here"]
    mu.Unlock()
    assert mu.state == 0


@pytest.mark.schedseeds
def test_goexit_unlocks_with_its_finally_blocks():
    mu = Mutex()

    def work():
        with mu:
            runtime.Goexit()

    g = runtime.go(work)
    until_state(g, "dead")
    assert mu.state == 0


# ---- many


def hammer(mu, loops):
    """Go HammerMutex, and what it guards is looked at."""
    for i in range(loops):
        if i % 3 == 0:
            if not mu.TryLock():
                continue
        else:
            mu.Lock()
        inside[0] += 1
        assert inside[0] == 1
        if i % 7 == 0:
            runtime.Gosched()
        assert inside[0] == 1
        inside[0] -= 1
        mu.Unlock()


inside = [0]


@pytest.mark.schedseeds
def test_it_excludes_goroutines():
    """Go TestMutex, its second half."""
    mu = Mutex()
    for t in [spawn(hammer, mu, 30 if sched.seeded else 500) for _ in range(10)]:
        t.join()
    assert mu.state == 0


@pytest.fixture
def hasty():
    """Threads that take the GIL from each other all the time."""
    old = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(old)


def test_it_excludes_goroutines_and_threads(hasty):
    mu = Mutex()
    total = [0]

    def work(n):
        for _ in range(n):
            with mu:
                was = total[0]
                if was % 5 == 0:
                    runtime.Gosched()
                total[0] = was + 1

    tasks = [spawn(work, 200) for _ in range(8)]
    threads = [Thread(work, 200) for _ in range(8)]
    work(200)
    for t in [*tasks, *threads]:
        t.join()
    assert total[0] == 17 * 200
    assert mu.state == 0


def test_it_excludes_on_several_ps(hasty):
    old = runtime.GOMAXPROCS(4)
    try:
        test_it_excludes_goroutines_and_threads(None)
    finally:
        runtime.GOMAXPROCS(old)


@pytest.mark.schedseeds
def test_exceptions_at_random_lose_nothing():
    """Every goroutine either locks and unlocks, or raises; at the end the mutex is as new."""
    seed = random.randrange(1 << 30)
    print("seed", seed)
    rnd = random.Random(seed)
    mu = Mutex()
    inside = [0]

    def work(i):
        try:
            mu.Lock()
        except Stop:
            return
        inside[0] += 1
        assert inside[0] == 1
        try:
            for _ in range(i % 3):
                runtime.Gosched()
        except Stop:
            pass
        finally:
            inside[0] -= 1
            mu.Unlock()

    tasks = []
    for i in range(200 if sched.seeded else 2000):
        tasks.append(spawn(work, i))
        if rnd.random() < 0.4:
            inject(rnd.choice(tasks[-20:]).g, Stop())
        if rnd.random() < 0.3:
            runtime.Gosched()
    for t in tasks:
        t.join()
    assert (inside[0], mu.state, mu.waiters) == (0, 0, [])


def test_exceptions_from_another_thread_lose_nothing(hasty):
    mu = Mutex()
    stop = []
    gs = []

    def sniper():
        rnd = random.Random(5)
        while not stop:
            if gs:
                inject(rnd.choice(gs[-10:]), Stop())

    def work():
        for _ in range(5):
            try:
                mu.Lock()
            except Stop:
                continue
            try:
                runtime.Gosched()
            except Stop:
                pass
            mu.Unlock()

    th = Thread(sniper)
    tasks = []
    for _ in range(300):
        t = spawn(work)
        tasks.append(t)
        gs.append(t.g)
        if len(tasks) % 5 == 0:
            runtime.Gosched()
    until(lambda: all(t.done for t in tasks))
    stop.append(1)
    th.join()
    assert (mu.state, mu.waiters) == (0, [])


# ---- programs


def test_a_deadlock_on_it_is_reported_with_its_name():
    program = """
        from gonet import sync
        mu = sync.Mutex()
        mu.Lock()
        go(mu.Lock)
        try:
            mu.Lock()
        except runtime.Error as e:
            say(str(e).splitlines()[0], str(e).count("[sync.Mutex.Lock]:"), len(mu.waiters))
        mu.Unlock()
        gtime.Sleep(0.01)
        say(mu.state, runtime.NumGoroutine())
    """
    assert runs(program) == "all goroutines are asleep - deadlock! 2 1\n1 1\n"


def test_an_interrupt_ends_mains_wait():
    program = """
        from gonet import sync
        mu = sync.Mutex()
        mu.Lock()
        def later():
            until_state(sched.maing, "sync.Mutex.Lock")
            os.kill(os.getpid(), signal.SIGINT)
        go(later)
        try:
            mu.Lock()
        except KeyboardInterrupt:
            say("interrupted", mu.state, mu.waiters)
        mu.Unlock()
        with mu:
            say("usable")
    """
    assert runs(program) == "interrupted 1 []\nusable\n"


def test_a_signal_handler_may_unlock():
    program = """
        from gonet import sync
        mu = sync.Mutex()
        mu.Lock()
        signal.signal(signal.SIGUSR1, lambda *a: mu.Unlock())
        threading.Thread(target=lambda: (until_state(sched.maing, "sync.Mutex.Lock"),
                                         os.kill(os.getpid(), signal.SIGUSR1))).start()
        mu.Lock()
        say(mu.state)
    """
    assert runs(program) == "1\n"


def test_a_signal_handler_may_lock_and_wait():
    program = """
        from gonet import sync
        mu = sync.Mutex()
        got = []
        def handler(*a):
            with mu:
                got.append(1)
        signal.signal(signal.SIGUSR1, handler)
        def holder():
            with mu:
                until(lambda: mu.waiters)
                gtime.Sleep(0.02)
                assert not got and len(mu.waiters) == 1
        g = go(holder)
        until_state(g, "sleep")
        threading.Thread(target=os.kill, args=(os.getpid(), signal.SIGUSR1)).start()
        until_state(g, "dead")
        until(lambda: got)
        say(mu.state)
    """
    assert runs(program) == "0\n"


@pytest.mark.parametrize("procs", ["1", "4"])
def test_a_storm_of_signals_whose_handler_locks(procs):
    """A handler interrupts wherever it may; it takes the mutex only if it is free, and never waits."""
    program = """
        from gonet import sync
        mu = sync.Mutex()
        count, handled = [0], [0]
        def handler(*a):
            if mu.TryLock():
                handled[0] += 1
                mu.Unlock()
        signal.signal(signal.SIGALRM, handler)
        def work():
            for i in range(300):
                with mu:
                    n = count[0]
                    if i % 4 == 0:
                        runtime.Gosched()
                    count[0] = n + 1
        signal.setitimer(signal.ITIMER_REAL, 0.0002, 0.0002)
        gs = [go(work) for _ in range(10)]
        for g in gs:
            until_state(g, "dead")
        until(lambda: handled[0] > 10)
        signal.setitimer(signal.ITIMER_REAL, 0)
        say(count[0], mu.state, mu.waiters)
    """
    assert runs(program, env={"GOMAXPROCS": procs}) == "3000 0 []\n"


def test_interrupts_in_the_middle_of_locking():
    """Whatever line a Ctrl-C comes upon, it comes out of a call that has not locked, or the mutex is unlocked again."""
    program = """
        from gonet import sync
        mu, rw = sync.Mutex(), sync.RWMutex()
        stop, ready = [], threading.Event()
        def other():
            while not stop:
                with mu:
                    runtime.Gosched()
                with rw:
                    runtime.Gosched()
                runtime.Gosched()
        def sender():
            for i in range(60):
                ready.wait()
                ready.clear()
                time.sleep(0.0001 * (i % 7))
                os.kill(os.getpid(), signal.SIGINT)
        gs = [go(other) for _ in range(3)]
        threading.Thread(target=sender).start()
        for i in range(60):
            try:
                ready.set()
                while True:
                    with mu:
                        runtime.Gosched()
                    with rw.RLocker():
                        runtime.Gosched()
                    with rw:
                        pass
            except KeyboardInterrupt:
                pass
        stop.append(1)
        for g in gs:
            until_state(g, "dead")
        say(mu.state, mu.waiters, rw.readerCount, rw.readerWait, rw.w.state, rw.waiters)
    """
    assert runs(program) == "0 [] 0 0 0 []\n"


def test_in_a_forked_child_those_who_waited_are_gone():
    program = """
        from gonet import sync
        mu = sync.Mutex()
        mu.Lock()
        ran = []
        gs = [go(lambda: (mu.Lock(), ran.append(1), mu.Unlock())) for _ in range(3)]
        for g in gs:
            until_state(g, "sync.Mutex.Lock")
        pid = os.fork()
        if pid == 0:
            mu.Unlock()
            gtime.Sleep(0.01)
            assert mu.state == 0 and mu.waiters == [] and ran == [], (mu.state, mu.waiters, ran)
            mu.Lock()
            g = go(lambda: (mu.Lock(), ran.append(2), mu.Unlock()))
            until_state(g, "sync.Mutex.Lock")
            mu.Unlock()
            until_state(g, "dead")
            assert mu.state == 0 and ran == [2]
            os._exit(7)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
        mu.Unlock()
        for g in gs:
            until_state(g, "dead")
        say(mu.state, ran)
    """
    assert runs(program) == "0 [1, 1, 1]\n"
