"""Cond. Mirrors Go src/sync/cond_test.go."""

from __future__ import annotations

import copy
import pickle
import random
import sys

import pytest

import runtime
from gonet import chan, select
from gonet.sync import Cond, Mutex, NewCond, RWMutex
from runtime.gmp import sched
from runtime.proc import inject
from tests.helpers import Thread, foreign, parked, rounds, runs, spawn, until, until_state

pytestmark = pytest.mark.usefixtures("nothing_left_over")

WAITS = "sync.Cond.Wait"


class Stop(Exception):
    pass


@pytest.fixture
def cond():
    """A Cond of a Mutex, which at the end is free, and nobody waits."""
    c = NewCond(Mutex())
    yield c
    assert c.L.state == 0 and c.notify.waiters == []


def waiting(c, log=None, what=None):
    """A Task that waits for one notification, holding L before and after; it then adds `what` to log."""

    def work():
        with c.L:
            c.Wait()
            assert not c.L.TryLock()
            if log is not None:
                log.append(what)

    return parked(work, state=WAITS)


def gave(ch):
    """Whether there is something in ch, which is taken out."""
    return select(ch, default=True)[0] == 0


# ---- waking


def test_newcond_and_cond_are_the_same():
    mu = Mutex()
    assert NewCond(mu).L is Cond(mu).L is mu
    assert isinstance(NewCond(mu), Cond)


@pytest.mark.schedseeds
def test_signal():
    """Go TestCondSignal."""
    mu = Mutex()
    c = NewCond(mu)
    n = 2
    running, awake = chan(n), chan(n)

    def work():
        mu.Lock()
        running.send(True)
        c.Wait()
        awake.send(True)
        mu.Unlock()

    for _ in range(n):
        runtime.go(work)
    for _ in range(n):
        running.recv()
    for _ in range(n):
        assert not gave(awake), "goroutine not asleep"
        with mu:
            assert c.Signal() is None
        awake.recv()
        assert not gave(awake), "too many goroutines awake"
    c.Signal()


@pytest.mark.schedseeds
def test_signals_go_by_generations():
    """Go TestCondSignalGenerations."""
    mu = Mutex()
    c = NewCond(mu)
    n = 100
    running, awake = chan(n), chan(n)

    def work(i):
        with mu:
            running.send(True)
            c.Wait()
            awake.send(i)

    for i in range(n):
        runtime.go(work, i)
        if i > 0:
            assert awake.recv() == i - 1
        running.recv()
        with mu:
            c.Signal()
    assert awake.recv() == n - 1


@pytest.mark.schedseeds
def test_broadcast():
    """Go TestCondBroadcast."""
    mu = Mutex()
    c = NewCond(mu)
    n = 10 if sched.seeded else 50
    running, awake = chan(n), chan(n)
    leave = []

    def work(g):
        with mu:
            while not leave:
                running.send(g)
                c.Wait()
                awake.send(g)

    ts = [spawn(work, g) for g in range(n)]
    for i in range(n):
        for _ in range(n):
            running.recv()
        if i == n - 1:
            with mu:
                leave.append(1)
        assert not gave(awake), "goroutine not asleep"
        with mu:
            assert c.Broadcast() is None
        assert sorted(awake.recv() for _ in range(n)) == list(range(n))
    assert not gave(running), "goroutine did not exit"
    c.Broadcast()
    for t in ts:
        t.join()


@pytest.mark.schedseeds
def test_three_that_pass_on():
    """Go TestRace."""
    c = NewCond(Mutex())
    x = [0]

    def first():
        with c.L:
            x[0] = 1
            c.Wait()
            assert x[0] == 2
            x[0] = 3
            c.Signal()

    def second():
        c.L.Lock()
        while x[0] != 1:
            c.L.Unlock()
            runtime.Gosched()
            c.L.Lock()
        x[0] = 2
        c.Signal()
        c.L.Unlock()

    def third():
        c.L.Lock()
        while True:
            if x[0] == 2:
                c.Wait()
                assert x[0] == 3
                break
            if x[0] == 3:
                break
            c.L.Unlock()
            runtime.Gosched()
            c.L.Lock()
        c.L.Unlock()

    for t in [spawn(f) for f in (first, second, third)]:
        t.join()


@pytest.mark.schedseeds
def test_a_later_waiter_takes_nobodys_broadcast():
    """Go TestCondSignalStealing."""
    for _ in range(5 if sched.seeded else 200):
        mu = Mutex()
        c = Cond(mu)
        ch = chan()

        def waiter(mu=mu, c=c, ch=ch):
            with mu:
                ch.send(None)
                c.Wait()
            ch.send(None)

        runtime.go(waiter)
        ch.recv()
        mu.Lock()
        mu.Unlock()
        done = []
        runtime.go(c.Broadcast)

        def other(mu=mu, c=c, done=done):
            with mu:
                while not done:
                    c.Wait()

        t = spawn(other)
        ch.recv()
        with mu:
            done.append(1)
        c.Broadcast()
        t.join()


@pytest.mark.schedseeds
def test_the_longest_waiter_is_first(cond):
    log = []
    ts = [waiting(cond, log, i) for i in range(10)]
    for i in range(10):
        cond.Signal()
        ts[i].join()
    assert log == list(range(10))


@pytest.mark.schedseeds
def test_notifications_are_not_stored(cond):
    cond.Signal()
    cond.Broadcast()
    t = waiting(cond)
    for _ in range(5):
        runtime.Gosched()
    assert not t.done
    cond.Signal()
    t.join()


@pytest.mark.schedseeds
def test_two_signals_wake_two(cond):
    ts = [waiting(cond) for _ in range(3)]
    cond.Signal()
    cond.Signal()
    for t in ts[:2]:
        t.join()
    assert cond.notify.waiters == [ts[2].g]
    cond.Signal()
    ts[2].join()


def test_a_signal_between_unlock_and_park_is_not_lost():
    """L's own Unlock lets the signaller run: the waiter has its place already."""

    class Slow:
        def __init__(self):
            self.mu = Mutex()

        def Lock(self):
            self.mu.Lock()

        def Unlock(self):
            self.mu.Unlock()
            for f in do:
                f()

    for notify in "Signal", "Broadcast":
        do = []
        c = Cond(Slow())
        c.L.Lock()
        do.append(getattr(c, notify))
        c.Wait()
        do.clear()
        c.L.Unlock()
        assert c.notify.waiters == []


@pytest.mark.schedseeds
def test_l_can_be_replaced_and_be_anything_with_the_two_methods():
    log = []

    class L:
        def Lock(self):
            log.append("Lock")

        def Unlock(self):
            log.append("Unlock")

    c = Cond(None)
    c.L = L()
    t = parked(c.Wait, state=WAITS)
    assert log == ["Unlock"]
    c.Broadcast()
    t.join()
    assert log == ["Unlock", "Lock"]


@pytest.mark.schedseeds
def test_with_an_rwmutex_readers_wait_together():
    rw = RWMutex()
    c = Cond(rw.RLocker())
    ts = [waiting_reader(c) for _ in range(3)]
    with rw:
        c.Broadcast()
    for t in ts:
        t.join()
    assert rw.TryLock()


def waiting_reader(c):
    def work():
        with c.L:
            c.Wait()

    return parked(work, state=WAITS)


def test_wait_without_the_lock_is_refused(cond):
    with pytest.raises(runtime.Error, match="sync: unlock of unlocked mutex"):
        cond.Wait()
    assert cond.notify.waiters == []  # no Signal goes astray
    t = waiting(cond)
    cond.Signal()
    t.join()


@pytest.mark.schedseeds
def test_a_signal_for_one_whose_unlock_failed_goes_to_another():
    class L:
        def Lock(self):
            pass

        def Unlock(self):
            if hooks:
                hooks.pop()()

    def hook():
        other.append(parked(c.Wait, state=WAITS))
        c.Signal()  # for the one that has waited longer
        raise Stop

    hooks, other = [hook], []
    c = Cond(L())
    with pytest.raises(Stop):
        c.Wait()
    other[0].join()
    assert c.notify.waiters == []


def test_it_cannot_be_copied(cond):
    """Go TestCondCopy finds it later, and says `sync.Cond is copied`."""
    for clone in copy.copy, copy.deepcopy, pickle.dumps:
        with pytest.raises(TypeError, match="sync.Cond cannot be copied or pickled"):
            clone(cond)


# ---- threads


def test_threads_and_goroutines_wake_each_other(cond):
    def work():
        with cond.L:
            cond.Wait()

    th = Thread(work)
    until(lambda: th.state() == WAITS)
    cond.Signal()
    th.join()
    t = waiting(cond)
    Thread(cond.Signal).join()
    t.join()
    ts = [Thread(work) for _ in range(3)] + [waiting(cond) for _ in range(3)]
    until(lambda: len(cond.notify.waiters) == 6 and all(g.state() == WAITS for g in cond.notify.waiters))
    Thread(cond.Broadcast).join()
    for t in ts:
        t.join()


@pytest.mark.parametrize("size", [1, 3])
@pytest.mark.schedseeds
def test_a_bounded_buffer_between_threads_and_goroutines(size, cond):
    old = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        notfull, notempty, buf, got = Cond(cond.L), Cond(cond.L), [], []
        n = rounds(200)

        def produce(k):
            for i in range(n):
                with cond.L:
                    while len(buf) == size:
                        notfull.Wait()
                    buf.append((k, i))
                    notempty.Signal()

        def consume():
            for _ in range(n):
                with cond.L:
                    while not buf:
                        notempty.Wait()
                    assert len(buf) <= size
                    got.append(buf.pop(0))
                    notfull.Signal()

        ts = [spawn(produce, 0), foreign(produce, 1), spawn(produce, 2), foreign(produce, 3)]
        ts += [spawn(consume), foreign(consume), spawn(consume), foreign(consume)]
        for t in ts:
            t.join()
        assert sorted(got) == [(k, i) for k in range(4) for i in range(n)]
    finally:
        sys.setswitchinterval(old)


# ---- exceptions


@pytest.mark.schedseeds
def test_an_exception_ends_the_wait_with_the_lock_held(cond):
    held = []

    def work():
        with cond.L:
            try:
                cond.Wait()
            finally:
                held.append(cond.L.state & 1 and not cond.L.TryLock())

    t = parked(work, state=WAITS)
    other = waiting(cond)
    inject(t.g, Stop())
    assert isinstance(t.error(), Stop) and held == [True]
    assert cond.notify.waiters == [other.g]
    cond.Signal()
    other.join()


@pytest.mark.schedseeds
def test_an_exception_after_a_signal_passes_it_on(cond):
    first, second, third = (waiting(cond) for _ in range(3))
    with cond.L:  # nobody gets further
        cond.Signal()
        inject(first.g, Stop())
    assert isinstance(first.error(), Stop)
    second.join()
    assert cond.notify.waiters == [third.g]
    cond.Signal()
    third.join()


@pytest.mark.schedseeds
def test_an_exception_after_a_broadcast_passes_nothing_on(cond):
    first = waiting(cond)
    with cond.L:
        cond.Broadcast()
        inject(first.g, Stop())
        assert not cond.notify.waiters
        later = []
        runtime.go(lambda: later.append(waiting_now(cond)))
    assert isinstance(first.error(), Stop)
    until(lambda: later)
    until_state(later[0].g, WAITS)
    for _ in range(5):
        runtime.Gosched()
    assert not later[0].done
    cond.Signal()
    later[0].join()


def waiting_now(c):
    def work():
        with c.L:
            c.Wait()

    return spawn(work)


@pytest.mark.schedseeds
def test_an_exception_while_locking_again_waits_for_the_lock(cond):
    """Otherwise who catches it would unlock what another holds. The signal goes to another."""
    first = waiting(cond)
    second = waiting(cond)
    cond.L.Lock()
    cond.Signal()
    until_state(first.g, "sync.Mutex.Lock")
    inject(first.g, Stop())
    for _ in range(5):
        runtime.Gosched()
    assert not first.done and not cond.L.TryLock()
    inject(first.g, Stop())
    until_state(first.g, "sync.Mutex.Lock")
    cond.L.Unlock()
    assert isinstance(first.error(), Stop)
    second.join()


@pytest.mark.schedseeds
def test_an_exception_while_locking_again_after_an_exception(cond):
    t = waiting(cond)
    cond.L.Lock()
    one, two = Stop(1), Stop(2)
    inject(t.g, one)
    until_state(t.g, "sync.Mutex.Lock")
    inject(t.g, two)
    until_state(t.g, "sync.Mutex.Lock")
    cond.L.Unlock()
    e = t.error()
    assert e is two and e.__context__ is one


@pytest.mark.schedseeds
def test_an_exception_while_locking_an_l_of_another_kind_comes_out_at_once():
    class L:
        def __init__(self):
            self.mu = Mutex()

        def Lock(self):
            self.mu.Lock()

        def Unlock(self):
            self.mu.Unlock()

    c = Cond(L())
    c.L.Lock()
    t = spawn(lambda: (c.L.Lock(), c.Wait()))
    until_state(t.g, "sync.Mutex.Lock")
    c.L.Unlock()
    until_state(t.g, WAITS)
    c.L.Lock()
    c.Signal()
    until_state(t.g, "sync.Mutex.Lock")
    inject(t.g, Stop())
    assert isinstance(t.error(), Stop)
    c.L.Unlock()
    assert c.L.mu.state == 0


@pytest.mark.schedseeds
def test_an_exception_that_was_there_before(cond):
    def work():
        with cond.L:
            inject(runtime.proc.getg(), Stop())
            cond.Wait()

    assert isinstance(spawn(work).error(), Stop)


@pytest.mark.schedseeds
def test_exceptions_at_random_lose_no_signal(cond):
    """A counter that goes up with a Signal each time: whoever waits for it gets there, or raises."""
    seed = random.randrange(1 << 30)
    print("seed", seed)
    rnd = random.Random(seed)
    permits, taken, stopped = [0], [0], [0]

    def take():
        try:
            with cond.L:
                while permits[0] == 0:
                    cond.Wait()
                permits[0] -= 1
                taken[0] += 1
        except Stop:
            stopped[0] += 1

    def give():
        with cond.L:
            permits[0] += 1
            cond.Signal()

    tasks, given = [], 0
    for _ in range(150 if sched.seeded else 1500):
        what = rnd.random()
        if what < 0.5:
            tasks.append(spawn(take))
        elif what < 0.75:
            give()
            given += 1
        elif tasks:
            inject(rnd.choice(tasks[-30:]).g, Stop())
        if rnd.random() < 0.3:
            runtime.Gosched()
    # Whoever still waits does so for want of a permit.
    for _ in range(20):
        runtime.Gosched()
    if not sched.seeded:
        until(lambda: permits[0] == 0 or not cond.notify.waiters)
    while not all(t.done for t in tasks):
        give()
        given += 1
        runtime.Gosched()
    assert taken[0] + permits[0] == given and taken[0] + stopped[0] == len(tasks)


# ---- programs


def test_a_deadlock_on_it_is_reported_with_its_name():
    program = """
        from gonet import sync
        c = sync.NewCond(sync.Mutex())
        with c.L:
            try:
                c.Wait()
            except runtime.Error as e:
                say(str(e).count("[sync.Cond.Wait]:"), c.L.state, c.notify.waiters)
        with c.L:
            say("usable")
    """
    assert runs(program) == "1 1 []\nusable\n"


def test_a_deadlock_while_locking_again_is_raised():
    program = """
        from gonet import sync
        c = sync.NewCond(sync.Mutex())
        c.L.Lock()
        def holder():
            c.L.Lock()
            c.Signal()
            semacquire(Sema())
        go(holder)
        try:
            c.Wait()
        except runtime.Error as e:
            say(str(e).count("goroutine 1 [sync.Mutex.Lock]:"), c.notify.waiters, c.L.waiters)
    """
    assert runs(program) == "1 [] []\n"


def test_an_interrupt_ends_mains_wait():
    program = """
        from gonet import sync
        c = sync.NewCond(sync.Mutex())
        def later():
            until_state(sched.maing, "sync.Cond.Wait")
            os.kill(os.getpid(), signal.SIGINT)
        go(later)
        with c.L:
            try:
                c.Wait()
            except KeyboardInterrupt:
                say("interrupted", c.L.state, c.notify.waiters)
        say(c.L.state)
    """
    assert runs(program) == "interrupted 1 []\n0\n"


def test_a_signal_handler_may_notify():
    program = """
        from gonet import sync
        c = sync.NewCond(sync.Mutex())
        ready = []
        def handler(*a):
            ready.append(1)
            c.Signal()
        signal.signal(signal.SIGUSR1, handler)
        def sends():
            until_state(sched.maing, "sync.Cond.Wait")
            os.kill(os.getpid(), signal.SIGUSR1)
        threading.Thread(target=sends).start()
        with c.L:
            while not ready:
                c.Wait()
        say(c.L.state)
    """
    assert runs(program) == "0\n"


@pytest.mark.parametrize("procs", ["1", "4"])
def test_a_storm_of_signals_whose_handler_notifies(procs):
    program = """
        from gonet import sync
        c = sync.NewCond(sync.Mutex())
        n = [0]
        def handler(*a):
            n[0] += 1
            c.Broadcast() if n[0] % 3 == 0 else c.Signal()
        signal.signal(signal.SIGALRM, handler)
        signal.setitimer(signal.ITIMER_REAL, 0.0002, 0.0002)
        def wait():
            for _ in range(50):
                with c.L:
                    c.Wait()
        gs = [go(wait) for _ in range(5)]
        for g in gs:
            while g.state() != "dead":
                runtime.Gosched()
        for _ in range(50):
            with c.L:
                c.Wait()
        signal.setitimer(signal.ITIMER_REAL, 0)
        say(c.L.state, c.notify.waiters)
    """
    assert runs(program, env={"GOMAXPROCS": procs}) == "0 []\n"


def test_in_a_forked_child_those_who_waited_are_gone():
    program = """
        from gonet import sync
        c = sync.NewCond(sync.Mutex())
        ran = []
        def wait():
            with c.L:
                c.Wait()
                ran.append(1)
        gs = [go(wait) for _ in range(3)]
        for g in gs:
            until_state(g, "sync.Cond.Wait")
        pid = os.fork()
        if pid == 0:
            c.Signal(), c.Broadcast()
            gtime.Sleep(0.01)
            assert ran == [] and c.notify.waiters == []
            g = until_state(go(wait), "sync.Cond.Wait")
            c.Signal()
            until_state(g, "dead")
            os._exit(7 if ran == [1] else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
        c.Broadcast()
        for g in gs:
            until_state(g, "dead")
        say(ran)
    """
    assert runs(program) == "[1, 1, 1]\n"
