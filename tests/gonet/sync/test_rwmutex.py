"""RWMutex. Mirrors Go src/sync/rwmutex_test.go, and what mutex_test.go has of it."""

from __future__ import annotations

import copy
import pickle
import random
import sys

import pytest

import runtime
from gonet import chan, select
from gonet.sync import Mutex, RWMutex
from runtime.gmp import sched
from runtime.proc import inject
from tests.helpers import Thread, parked, runs, spawn, until

pytestmark = pytest.mark.usefixtures("nothing_left_over")

READS = "sync.RWMutex.RLock"
WRITES = "sync.RWMutex.Lock"
RUNLOCK = "sync: RUnlock of unlocked RWMutex"
UNLOCK = "sync: Unlock of unlocked RWMutex"


class Stop(Exception):
    pass


def is_new(rw):
    """Whether nobody holds rw or waits for it."""
    return (rw.readerCount, rw.readerWait, rw.w.state, rw.waiters, rw.writer) == (0, 0, 0, [], None)


@pytest.fixture
def hasty():
    """Threads that take the GIL from each other all the time."""
    old = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(old)


# ---- alone


def test_trylock_and_tryrlock():
    """Go TestRWMutex, its first half."""
    rw = RWMutex()
    assert rw.Lock() is None
    assert rw.TryLock() is False and rw.TryRLock() is False
    assert rw.Unlock() is None
    assert rw.TryLock() is True
    rw.Unlock()
    assert rw.TryRLock() is True and rw.TryRLock() is True
    assert rw.TryLock() is False
    assert rw.RUnlock() is None
    rw.RUnlock()
    assert rw.RLock() is None
    assert not rw.TryLock()
    rw.RUnlock()
    assert is_new(rw)


def test_with_locks_for_writing_and_with_rlocker_for_reading():
    rw = RWMutex()
    with rw as entered:
        assert entered is rw and not rw.TryRLock()
    with rw.RLocker():
        assert rw.TryRLock() and not rw.TryLock()
        rw.RUnlock()
    for locker in rw, rw.RLocker():
        with pytest.raises(Stop), locker:
            raise Stop
        assert is_new(rw)


def lock(rw):
    rw.Lock()


def rlock(rw):
    rw.RLock()


def unlock(rw):
    rw.Unlock()


def runlock(rw):
    rw.RUnlock()


@pytest.mark.parametrize(
    "before, misuse, text",
    [
        pytest.param([], unlock, UNLOCK, id="Unlock"),
        pytest.param([rlock], unlock, UNLOCK, id="Unlock2"),
        pytest.param([lock, unlock], unlock, UNLOCK, id="Unlock3"),
        pytest.param([], runlock, RUNLOCK, id="RUnlock"),
        pytest.param([lock], runlock, RUNLOCK, id="RUnlock2"),
        pytest.param([rlock, runlock], runlock, RUNLOCK, id="RUnlock3"),
    ],
)
def test_misuse_is_refused(before, misuse, text):
    """Go TestMutexMisuse, its cases of RWMutex; but the RWMutex stays usable."""
    rw = RWMutex()
    for f in before:
        f(rw)
    for _ in range(2):
        with pytest.raises(runtime.Error) as e:
            misuse(rw)
        assert str(e.value) == text
    if before == [lock]:
        rw.Unlock()
    elif before == [rlock]:
        rw.RUnlock()
    assert is_new(rw)
    with rw:
        t = parked(rw.RLock, state=READS)
    t.join()
    rw.RUnlock()
    assert is_new(rw)


def test_misuse_while_others_wait_is_refused():
    """What Go does not notice: RUnlock while a writer has it and readers wait, Unlock while a writer waits."""
    rw = RWMutex()
    rw.Lock()
    reader = parked(rw.RLock, state=READS)
    with pytest.raises(runtime.Error, match=RUNLOCK):
        rw.RUnlock()
    rw.Unlock()
    reader.join()
    writer = parked(rw.Lock, state=WRITES)
    with pytest.raises(runtime.Error, match=UNLOCK):
        rw.Unlock()
    rw.RUnlock()
    writer.join()
    rw.Unlock()
    assert is_new(rw)


def test_it_cannot_be_copied():
    rw = RWMutex()
    for x in rw, rw.RLocker():
        for clone in copy.copy, copy.deepcopy, pickle.dumps:
            with pytest.raises(TypeError, match="sync.RWMutex cannot be copied or pickled"):
                clone(x)


def test_a_free_one_is_locked_without_the_scheduler():
    rw = RWMutex()

    def other():
        for _ in range(100):
            rw.Lock()
            rw.Unlock()
            rw.RLock()
            rw.RLock()
            rw.RUnlock()
            rw.RUnlock()
            with rw, Mutex():
                pass
            with rw.RLocker():
                pass
        return runtime.asm.getm()

    assert Thread(other).join() is None or sched.preempt
    assert is_new(rw)


# ---- readers and writers


@pytest.mark.parametrize("n, procs", [(1, 4), (3, 4), (4, 2)])
def test_readers_run_in_parallel(n, procs):
    """Go TestParallelReaders."""
    rw = RWMutex()
    locked, unlock, done = chan(), chan(), chan()

    def reader():
        rw.RLock()
        locked.send(True)
        unlock.recv()
        rw.RUnlock()
        done.send(True)

    old = runtime.GOMAXPROCS(procs)
    try:
        for _ in range(n):
            runtime.go(reader)
        for _ in range(n):
            locked.recv()
        for _ in range(n):
            unlock.send(True)
        for _ in range(n):
            done.recv()
    finally:
        runtime.GOMAXPROCS(old)
    assert is_new(rw)


@pytest.mark.schedseeds
def test_a_writer_that_waits_holds_off_new_readers():
    rw = RWMutex()
    rw.RLock()
    writer = parked(rw.Lock, state=WRITES)
    assert not rw.TryRLock() and not rw.TryLock()
    reader = parked(rw.RLock, state=READS)
    assert rw.waiters == [reader.g]
    rw.RUnlock()
    writer.join()
    assert not reader.done and not rw.TryRLock()
    rw.Unlock()
    reader.join()
    assert rw.readerCount == 1
    rw.RUnlock()
    assert is_new(rw)


@pytest.mark.schedseeds
def test_readers_that_waited_go_before_the_next_writer():
    rw = RWMutex()
    rw.Lock()
    second = parked(rw.Lock, state="sync.Mutex.Lock")
    readers = [parked(rw.RLock, state=READS) for _ in range(3)]
    rw.Unlock()
    for r in readers:
        r.join()
    until(lambda: second.g.state() == WRITES)
    assert rw.readerCount < 0 and rw.readerWait == 3
    for n in 2, 1, 0:
        assert not second.done
        rw.RUnlock()
        assert rw.readerWait == n
    second.join()
    rw.Unlock()
    assert is_new(rw)


@pytest.mark.schedseeds
def test_the_last_reader_lets_the_writer_in():
    rw = RWMutex()
    for _ in range(3):
        rw.RLock()
    writer = parked(rw.Lock, state=WRITES)
    for _ in range(2):
        rw.RUnlock()
        for _ in range(3):
            runtime.Gosched()
        assert not writer.done
    rw.RUnlock()
    writer.join()
    rw.Unlock()
    assert is_new(rw)


@pytest.mark.schedseeds
def test_rlocker():
    """Go TestRLocker."""
    rw = RWMutex()
    rl = rw.RLocker()
    wlocked, rlocked = chan(1), chan(1)
    n = 10

    def work():
        for _ in range(n):
            rl.Lock()
            rl.Lock()
            rlocked.send(True)
            rw.Lock()
            wlocked.send(True)

    t = spawn(work)
    for _ in range(n):
        rlocked.recv()
        rl.Unlock()
        assert select(wlocked, default=True)[0] == -1, "RLocker() didn't read-lock it"
        rl.Unlock()
        wlocked.recv()
        assert select(rlocked, default=True)[0] == -1, "RLocker() didn't respect the write lock"
        rw.Unlock()
    t.join()


def hammer(readers, n, threads=False):
    """Go HammerRWMutex: the number of readers, and 10000 for a writer."""
    rw = RWMutex()
    activity = [0]
    guard = Mutex()

    def add(d):
        with guard:
            activity[0] += d
            return activity[0]

    def reader():
        for i in range(n):
            rw.RLock()
            assert 1 <= add(1) < 10000
            if i % 3 == 0:
                runtime.Gosched()
            add(-1)
            rw.RUnlock()

    def writer():
        for i in range(n):
            rw.Lock()
            assert add(10000) == 10000
            if i % 3 == 0:
                runtime.Gosched()
            add(-10000)
            rw.Unlock()

    def trier():
        for _ in range(n):
            if rw.TryLock():
                assert add(10000) == 10000
                runtime.Gosched()
                add(-10000)
                rw.Unlock()
            elif rw.TryRLock():
                assert 1 <= add(1) < 10000
                runtime.Gosched()
                add(-1)
                rw.RUnlock()

    ts = [spawn(writer)]
    ts += [spawn(reader) for _ in range(readers // 2)]
    ts.append(Thread(writer) if threads else spawn(writer))
    ts += [Thread(reader) if threads else spawn(reader) for _ in range(readers - readers // 2)]
    ts.append(spawn(trier))
    for t in ts:
        t.join()
    assert is_new(rw)


@pytest.mark.schedseeds
@pytest.mark.parametrize("readers", [1, 3, 10])
def test_it_excludes(readers):
    """Go TestRWMutex, its second half."""
    hammer(readers, 10 if sched.seeded else 100)


@pytest.mark.parametrize("procs", [1, 4])
def test_it_excludes_threads(procs, hasty):
    old = runtime.GOMAXPROCS(procs)
    try:
        hammer(10, 100, threads=True)
    finally:
        runtime.GOMAXPROCS(old)


def test_a_thread_and_a_goroutine_wait_for_each_other():
    rw = RWMutex()
    rw.Lock()
    th = Thread(rw.RLock)
    until(lambda: th.state() == READS)
    rw.Unlock()
    th.join()
    t = parked(rw.Lock, state=WRITES)
    Thread(rw.RUnlock).join()
    t.join()
    th = Thread(rw.Lock)
    until(lambda: th.state() == "sync.Mutex.Lock")
    rw.Unlock()
    th.join()
    rw.Unlock()
    assert is_new(rw)


# ---- exceptions


@pytest.mark.schedseeds
def test_an_exception_ends_a_readers_wait():
    rw = RWMutex()
    rw.Lock()
    first, second = (parked(rw.RLock, state=READS) for _ in range(2))
    inject(first.g, Stop())
    assert isinstance(first.error(), Stop)
    assert rw.waiters == [second.g]
    rw.Unlock()
    second.join()
    assert rw.readerCount == 1
    rw.RUnlock()
    assert is_new(rw)


@pytest.mark.schedseeds
def test_an_exception_after_a_reader_was_let_in():
    rw = RWMutex()
    rw.Lock()
    first, second = (parked(rw.RLock, state=READS) for _ in range(2))
    rw.Unlock()
    inject(first.g, Stop())
    assert isinstance(first.error(), Stop)
    second.join()
    assert rw.readerCount == 1
    rw.RUnlock()
    assert is_new(rw)


@pytest.mark.schedseeds
def test_an_exception_after_a_reader_was_let_in_and_a_writer_waits_for_it():
    rw = RWMutex()
    rw.Lock()
    reader = parked(rw.RLock, state=READS)
    rw.Unlock()
    reader.g.injected = Stop()
    writer = spawn(rw.Lock)
    assert isinstance(reader.error(), Stop)
    writer.join()
    rw.Unlock()
    assert is_new(rw)


@pytest.mark.schedseeds
def test_an_exception_ends_a_writers_wait_and_lets_the_readers_in_that_it_held_off():
    rw = RWMutex()
    rw.RLock()
    writer = parked(rw.Lock, state=WRITES)
    reader = parked(rw.RLock, state=READS)
    other = parked(rw.Lock, state="sync.Mutex.Lock")
    inject(writer.g, Stop())
    assert isinstance(writer.error(), Stop)
    reader.join()
    until(lambda: rw.readerWait == 2)
    assert not other.done
    rw.RUnlock()
    rw.RUnlock()
    other.join()
    rw.Unlock()
    assert is_new(rw)


@pytest.mark.schedseeds
def test_an_exception_after_the_writer_was_let_in():
    rw = RWMutex()
    rw.RLock()
    writer = parked(rw.Lock, state=WRITES)
    reader = parked(rw.RLock, state=READS)
    rw.RUnlock()
    inject(writer.g, Stop())
    assert isinstance(writer.error(), Stop)
    reader.join()
    rw.RUnlock()
    assert is_new(rw)


@pytest.mark.schedseeds
def test_an_exception_ends_the_wait_for_another_writer():
    rw = RWMutex()
    rw.Lock()
    second = parked(rw.Lock, state="sync.Mutex.Lock")
    inject(second.g, Stop())
    assert isinstance(second.error(), Stop)
    rw.Unlock()
    assert is_new(rw)


@pytest.mark.schedseeds
def test_who_is_about_to_go_on_is_not_taken_away():
    """An exception from another thread, say, while Unlock readies one after the other."""
    rw = RWMutex()
    rw.Lock()
    ts = [parked(rw.RLock, state=READS) for _ in range(3)]
    places = [t.g.waitlock for t in ts]
    rw.Unlock()
    assert not any(place.cancelf(t.g, t.g.waitmode) for place, t in zip(places, ts))
    writer = parked(rw.Lock, state=WRITES)
    place = writer.g.waitlock
    for t in ts:
        t.join()
        rw.RUnlock()
    assert not place.cancelf(writer.g, writer.g.waitmode)
    writer.join()
    rw.Unlock()
    assert is_new(rw)


@pytest.mark.schedseeds
def test_exceptions_at_random_lose_nothing():
    seed = random.randrange(1 << 30)
    print("seed", seed)
    rnd = random.Random(seed)
    rw = RWMutex()
    readers, writers = [0], [0]

    def work(i):
        write = i % 4 == 0
        try:
            (rw.Lock if write else rw.RLock)()
        except Stop:
            return
        count = writers if write else readers
        count[0] += 1
        assert writers[0] == 0 or (writers[0], readers[0]) == (1, 0)
        try:
            for _ in range(i % 3):
                runtime.Gosched()
        except Stop:
            pass
        finally:
            count[0] -= 1
            (rw.Unlock if write else rw.RUnlock)()

    tasks = []
    for i in range(200 if sched.seeded else 2000):
        tasks.append(spawn(work, i))
        if rnd.random() < 0.4:
            inject(rnd.choice(tasks[-20:]).g, Stop())
        if rnd.random() < 0.3:
            runtime.Gosched()
    for t in tasks:
        t.join()
    assert readers == writers == [0]
    assert is_new(rw)


# ---- programs


def test_a_deadlock_on_it_is_reported_with_its_name():
    program = """
        from gonet import sync
        rw = sync.RWMutex()
        rw.RLock()
        until_state(go(rw.Lock), "sync.RWMutex.Lock")
        try:
            rw.RLock()
        except runtime.Error as e:
            say(str(e).count("[sync.RWMutex.Lock]:"), str(e).count("[sync.RWMutex.RLock]:"))
        rw.RUnlock()
        gtime.Sleep(0.01)
        try:
            rw.Lock()
        except runtime.Error as e:
            say(str(e).count("[sync.Mutex.Lock]:"))
        rw.Unlock()
        with rw:
            say("usable")
    """
    assert runs(program) == "1 1\n1\nusable\n"


def test_an_interrupt_ends_mains_wait():
    program = """
        from gonet import sync
        rw = sync.RWMutex()
        for lock, unlock, wait in (rw.Lock, rw.Unlock, rw.RLock), (rw.RLock, rw.RUnlock, rw.Lock):
            lock()
            def later(state=f"sync.RWMutex.{wait.__name__}"):
                until_state(sched.maing, state)
                os.kill(os.getpid(), signal.SIGINT)
            go(later)
            try:
                wait()
            except KeyboardInterrupt:
                say("interrupted")
            unlock()
            assert rw.TryLock()
            rw.Unlock()
    """
    assert runs(program) == "interrupted\ninterrupted\n"


@pytest.mark.parametrize("held", ["Lock", "RLock"])
def test_in_a_forked_child_those_who_waited_are_gone(held):
    program = f"""
        from gonet import sync
        rw = sync.RWMutex()
        rw.{held}()
        ran = []
        gs = [go(lambda: (rw.Lock(), ran.append("w"), rw.Unlock()))]
        until_state(gs[0], "sync.RWMutex.Lock" if "{held}" == "RLock" else "sync.Mutex.Lock")
        gs += [go(lambda: (rw.RLock(), ran.append("r"), rw.RUnlock())) for _ in range(3)]
        for g in gs[1:]:
            until_state(g, "sync.RWMutex.RLock")
        pid = os.fork()
        if pid == 0:
            rw.{held.replace("Lock", "Unlock")}()
            gtime.Sleep(0.01)
            assert ran == []
            assert rw.TryLock()
            assert not rw.TryRLock()
            rw.Unlock()
            assert rw.TryRLock() and rw.TryRLock() and not rw.TryLock()
            g = go(rw.Lock)
            until_state(g, "sync.RWMutex.Lock")
            rw.RUnlock(), rw.RUnlock()
            until_state(g, "dead")
            rw.Unlock()
            assert (rw.readerCount, rw.readerWait, rw.w.state) == (0, 0, 0)
            os._exit(7)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
        rw.{held.replace("Lock", "Unlock")}()
        for g in gs:
            until_state(g, "dead")
        say(sorted(ran))
    """
    assert runs(program) == "['r', 'r', 'r', 'w']\n"
