"""WaitGroup. Mirrors Go src/sync/waitgroup_test.go."""

from __future__ import annotations

import contextvars
import copy
import pickle
import random
import sys

import pytest

import runtime
from gonet import chan, select
from gonet.sync import WaitGroup
from gonet.time import Sleep
from runtime.gmp import sched
from runtime.proc import inject
from tests.helpers import Thread, foreign, parked, runs, spawn, until

pytestmark = pytest.mark.usefixtures("nothing_left_over")

WAITS = "sync.WaitGroup.Wait"
NEGATIVE = "sync: negative WaitGroup counter"
REUSED = "sync: WaitGroup is reused before previous Wait has returned"


class Stop(Exception):
    pass


@pytest.fixture
def hook():
    """What the panic hook is called with."""
    calls = []
    old = runtime.SetPanicHook(lambda g, exc: calls.append((g, exc)))
    yield calls
    runtime.SetPanicHook(old)


# ---- counting


def test_waiting_for_nothing_returns_at_once():
    wg = WaitGroup()
    assert wg.Wait() is None
    wg.Add(2)
    wg.Done()
    assert wg.Add(-1) is None
    wg.Wait()
    wg.Add(0)
    wg.Wait()


def two_groups(one, two):
    """Go testWaitGroup."""
    n = 16
    one.Add(n)
    two.Add(n)
    exited = chan(n)

    def work():
        one.Done()
        two.Wait()
        exited.send(True)

    for _ in range(n):
        runtime.go(work)
    one.Wait()
    for _ in range(n):
        assert select(exited, default=True)[0] == -1, "WaitGroup released group too soon"
        two.Done()
    for _ in range(n):
        exited.recv()


@pytest.mark.schedseeds
def test_two_groups_again_and_again():
    """Go TestWaitGroup."""
    one, two = WaitGroup(), WaitGroup()
    for _ in range(8):
        two_groups(one, two)


@pytest.mark.schedseeds
def test_nobody_returns_too_soon():
    """Go TestWaitGroupRace."""
    for _ in range(20 if sched.seeded else 500):
        wg = WaitGroup()
        n = [0]

        def work(wg=wg, n=n):
            n[0] += 1
            wg.Done()

        for _ in range(2):
            wg.Add(1)
            runtime.go(work)
        wg.Wait()
        assert n[0] == 2


@pytest.mark.parametrize(
    "misuse",
    [
        pytest.param(lambda wg: wg.Done(), id="Done"),
        pytest.param(lambda wg: wg.Add(-1), id="Add(-1)"),
        pytest.param(lambda wg: (wg.Add(3), wg.Add(-4)), id="Add(-4)"),
        pytest.param(lambda wg: wg.Add(-(2**31)), id="Add(-2**31)"),
        pytest.param(lambda wg: wg.Add(2**31), id="Add(2**31)"),
        pytest.param(lambda wg: (wg.Add(1), wg.Add(2**63 - 1)), id="Add(2**63 - 1)"),
    ],
)
def test_a_negative_count_is_refused(misuse):
    """Go TestWaitGroupMisuse; but the WaitGroup stays usable. A count of 32 bits overflows, as in Go."""
    wg = WaitGroup()
    with pytest.raises(runtime.Error) as e:
        misuse(wg)
    assert str(e.value) == NEGATIVE
    wg.Add(-wg.n)
    wg.Add(1)
    t = parked(wg.Wait, state=WAITS)
    with pytest.raises(runtime.Error):
        wg.Add(-2)
    assert not t.done
    wg.Done()
    t.join()


def test_the_largest_count():
    wg = WaitGroup()
    wg.Add(2**31 - 1)
    with pytest.raises(runtime.Error):
        wg.Add(1)
    wg.Add(-(2**31 - 1))
    wg.Wait()


@pytest.mark.parametrize("delta", [1.0, "1", None])
def test_what_is_no_int_is_refused(delta):
    wg = WaitGroup()
    with pytest.raises(TypeError):
        wg.Add(delta)
    wg.Wait()


def test_what_is_like_an_int_is_taken():
    class Two:
        def __index__(self):
            return 2

    wg = WaitGroup()
    wg.Add(Two())
    wg.Add(True)
    assert wg.n == 3


def test_it_cannot_be_copied():
    for clone in copy.copy, copy.deepcopy, pickle.dumps:
        with pytest.raises(TypeError, match="sync.WaitGroup cannot be copied or pickled"):
            clone(WaitGroup())


# ---- waiting


@pytest.mark.schedseeds
def test_all_who_wait_go_on():
    wg = WaitGroup()
    wg.Add(2)
    ts = [parked(wg.Wait, state=WAITS) for _ in range(5)]
    assert wg.waiters == [t.g for t in ts]
    wg.Done()
    assert len(wg.waiters) == 5
    wg.Done()
    for t in ts:
        t.join()
    assert wg.waiters == [] and wg.n == 0


def test_reuse_before_wait_has_returned_is_refused():
    wg = WaitGroup()
    wg.Add(1)
    t = parked(wg.Wait, state=WAITS)
    wg.Done()
    wg.Add(1)  # t has not run yet
    e = t.error()
    assert isinstance(e, runtime.Error) and str(e) == REUSED
    wg.Done()
    wg.Wait()


@pytest.mark.schedseeds
def test_who_begins_to_wait_after_the_count_was_zero_waits_for_the_next():
    wg = WaitGroup()
    wg.Add(1)
    old = parked(wg.Wait, state=WAITS)
    wg.Done()
    wg.Add(1)
    new = spawn(wg.Wait)
    assert isinstance(old.error(), runtime.Error)
    until(lambda: new.g.state() == WAITS)
    wg.Done()
    new.join()


def test_threads_and_goroutines_wait_for_each_other():
    wg = WaitGroup()
    wg.Add(2)
    th = Thread(wg.Wait)
    until(lambda: th.state() == WAITS)
    spawn(wg.Done).join()
    Thread(wg.Done).join()
    th.join()
    wg.Add(1)
    t = parked(wg.Wait, state=WAITS)
    Thread(wg.Done).join()
    t.join()
    wg.Add(1)
    th = Thread(lambda: (Sleep(0.01), wg.Done()))
    wg.Wait()
    th.join()


@pytest.mark.schedseeds
def test_many_threads_and_goroutines():
    old = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        wg, start = WaitGroup(), WaitGroup()
        n = [0]
        start.Add(1)
        wg.Add(16 * 50)

        def work():
            start.Wait()
            for _ in range(50):
                n[0] += 1
                wg.Done()

        ts = [spawn(work) for _ in range(8)] + [foreign(work) for _ in range(8)]
        waiters = [spawn(wg.Wait) for _ in range(5)] + [foreign(wg.Wait) for _ in range(5)]
        until(lambda: len(wg.waiters) == 10)
        start.Done()
        wg.Wait()
        for t in [*ts, *waiters]:
            t.join()
        assert wg.n == 0
    finally:
        sys.setswitchinterval(old)


# ---- Go


@pytest.mark.schedseeds
def test_go():
    """Go TestWaitGroupGo; arguments are passed on, as by `go`."""
    wg = WaitGroup()
    got = []
    assert wg.Go(lambda: got.append(1)) is None
    assert wg.n == 1
    wg.Go(got.append, 2)
    wg.Go(lambda *args, **kwargs: got.append((args, kwargs)), 3, f=4, self=5)
    wg.Wait()
    assert sorted(got, key=str) == sorted([1, 2, ((3,), {"f": 4, "self": 5})], key=str)


@pytest.mark.schedseeds
def test_go_from_what_go_started():
    wg = WaitGroup()
    ran = []

    def work(depth):
        ran.append(depth)
        if depth:
            wg.Go(work, depth - 1)
            wg.Go(work, depth - 1)

    wg.Go(work, 5)
    wg.Wait()
    assert len(ran) == 2**6 - 1


@pytest.mark.schedseeds
def test_an_exception_counts_as_done_and_is_reported(hook):
    wg = WaitGroup()
    exc = Stop()

    def fails():
        raise exc

    wg.Go(fails)
    wg.Wait()
    until(lambda: hook)
    [(g, got)] = hook
    assert got is exc and g.gopc[0].co_name == "test_an_exception_counts_as_done_and_is_reported"
    hook.clear()


@pytest.mark.schedseeds
def test_goexit_counts_as_done(hook):
    wg = WaitGroup()
    wg.Go(runtime.Goexit)
    wg.Wait()
    assert hook == []


@pytest.mark.parametrize("f", [None, 5, "x"])
def test_what_is_not_callable_is_refused_and_not_counted(f):
    wg = WaitGroup()
    with pytest.raises(TypeError, match=f"WaitGroup.Go: '{type(f).__name__}' object is not callable"):
        wg.Go(f)
    assert wg.n == 0
    wg.Wait()


@pytest.mark.schedseeds
def test_go_starts_in_a_copy_of_the_context():
    var = contextvars.ContextVar("var", default=0)
    wg = WaitGroup()
    got = []

    def work():
        got.append(var.get())
        var.set(2)

    def body():
        var.set(1)
        wg.Go(work)
        wg.Wait()
        got.append(var.get())

    contextvars.copy_context().run(body)
    assert got == [1, 1]


def test_go_from_a_thread():
    wg = WaitGroup()
    got = []
    Thread(lambda: [wg.Go(got.append, i) for i in range(10)]).join()
    wg.Wait()
    assert sorted(got) == list(range(10))


def test_go_keeps_nothing_of_what_has_run():
    import weakref

    class Thing:
        def __call__(self, arg):
            pass

    wg = WaitGroup()
    f, arg = Thing(), Thing()
    refs = [weakref.ref(f), weakref.ref(arg)]
    wg.Go(f, arg)
    del f, arg
    wg.Wait()
    until(lambda: not any(r() for r in refs))


# ---- exceptions


@pytest.mark.schedseeds
def test_an_exception_ends_the_wait_and_leaves_the_queue():
    wg = WaitGroup()
    wg.Add(1)
    first, second = (parked(wg.Wait, state=WAITS) for _ in range(2))
    inject(first.g, Stop())
    assert isinstance(first.error(), Stop)
    assert wg.waiters == [second.g] and wg.n == 1
    wg.Done()
    second.join()


@pytest.mark.schedseeds
def test_an_exception_after_the_end_of_the_wait():
    wg = WaitGroup()
    wg.Add(1)
    first, second = (parked(wg.Wait, state=WAITS) for _ in range(2))
    wg.Done()
    inject(first.g, Stop())
    assert isinstance(first.error(), Stop)
    second.join()
    assert wg.waiters == [] and wg.n == 0


@pytest.mark.schedseeds
def test_who_is_about_to_go_on_is_not_taken_away():
    """An exception from another thread, say, while Done readies one after the other."""
    wg = WaitGroup()
    wg.Add(1)
    ts = [parked(wg.Wait, state=WAITS) for _ in range(3)]
    places = [t.g.waitlock for t in ts]
    wg.Done()
    assert not any(place.cancelf(t.g, t.g.waitmode) for place, t in zip(places, ts))
    for t in ts:
        t.join()


@pytest.mark.schedseeds
def test_exceptions_at_random_leave_nobody_behind():
    seed = random.randrange(1 << 30)
    print("seed", seed)
    rnd = random.Random(seed)
    for _ in range(5 if sched.seeded else 50):
        wg = WaitGroup()
        wg.Add(3)

        def wait(wg=wg):
            try:
                wg.Wait()
            except Stop:
                return False
            return True

        tasks = [spawn(wait) for _ in range(20)]
        for _ in range(30):
            what = rnd.random()
            if what < 0.5:
                inject(rnd.choice(tasks).g, Stop())
            elif what < 0.6 and wg.n > 1:
                wg.Done()
            else:
                runtime.Gosched()
        wg.Add(-wg.n)
        for t in tasks:
            t.join()
        assert wg.waiters == []


# ---- programs


def test_a_deadlock_on_it_is_reported_with_its_name():
    program = """
        from gonet import sync
        wg = sync.WaitGroup()
        wg.Add(1)
        try:
            wg.Wait()
        except runtime.Error as e:
            say(str(e).count("[sync.WaitGroup.Wait]:"), wg.n, wg.waiters)
        wg.Done()
        wg.Wait()
    """
    assert runs(program) == "1 1 []\n"


def test_an_uncaught_exception_tells_where_go_was_called():
    """Go TestIssue76126 wants the end of the program; here the goroutine ends, and Wait returns."""
    program = """
        from gonet import sync
        wg = sync.WaitGroup()
        def fails():
            raise ValueError("test")
        def starts():
            wg.Go(fails)
        starts()
        wg.Wait()
        say("Wait returned")
    """
    from tests.helpers import child

    r = child(program)
    assert (r.returncode, r.stdout) == (0, "Wait returned\n"), r.stderr
    assert "ValueError: test" in r.stderr and "created by starts in goroutine 1" in r.stderr


def test_a_signal_handler_may_be_what_is_waited_for():
    program = """
        from gonet import sync
        wg = sync.WaitGroup()
        wg.Add(1)
        signal.signal(signal.SIGALRM, lambda *a: wg.Done())
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        wg.Wait()
        say("done", wg.n)
    """
    assert runs(program) == "done 0\n"


@pytest.mark.parametrize("procs", ["1", "4"])
def test_a_storm_of_signals_whose_handler_is_done(procs):
    program = """
        from gonet import sync
        n = 500
        wg, other = sync.WaitGroup(), sync.WaitGroup()
        wg.Add(n)
        left = [n]
        def handler(*a):
            if left[0]:
                left[0] -= 1
                wg.Done()
            other.Add(1), other.Done()
        signal.signal(signal.SIGALRM, handler)
        signal.setitimer(signal.ITIMER_REAL, 0.0002, 0.0002)
        gs = [go(wg.Wait) for _ in range(5)]
        while left[0] > 10:
            wg.Add(1), wg.Done(), other.Wait(), runtime.Gosched()
        wg.Wait()
        signal.setitimer(signal.ITIMER_REAL, 0)
        for g in gs:
            until_state(g, "dead")
        say(wg.n, wg.waiters, other.n)
    """
    assert runs(program, env={"GOMAXPROCS": procs}) == "0 [] 0\n"


def test_in_a_forked_child_those_who_waited_are_gone():
    program = """
        from gonet import sync
        wg = sync.WaitGroup()
        wg.Add(1)
        ran = []
        gs = [go(lambda: (wg.Wait(), ran.append(1))) for _ in range(3)]
        for g in gs:
            until_state(g, "sync.WaitGroup.Wait")
        pid = os.fork()
        if pid == 0:
            wg.Done()
            gtime.Sleep(0.01)
            wg.Go(ran.append, 2)
            wg.Wait()
            os._exit(7 if ran == [2] else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
        wg.Done()
        for g in gs:
            until_state(g, "dead")
        say(ran)
    """
    assert runs(program) == "[1, 1, 1]\n"


def test_dead_goroutines_are_gone():
    wg = WaitGroup()
    before = runtime.NumGoroutine()
    for _ in range(1000):
        wg.Go(int)
    assert runtime.NumGoroutine() >= before + 900
    wg.Wait()
    until(lambda: runtime.NumGoroutine() == before)
