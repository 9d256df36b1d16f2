"""Once, OnceFunc, OnceValue, OnceValues. Mirrors Go src/sync/once_test.go and oncefunc_test.go."""

from __future__ import annotations

import copy
import gc
import pickle
import traceback
import weakref

import pytest

import runtime
from gonet.sync import Once, OnceFunc, OnceValue, OnceValues, WaitGroup
from gonet.time import Sleep
from runtime.panic import GoexitException
from runtime.proc import inject
from runtime.sema import Sema, semacquire, semrelease
from tests.helpers import Thread, parked, runs, spawn, until, until_dead

pytestmark = pytest.mark.usefixtures("nothing_left_over")

KINDS = [OnceFunc, OnceValue, OnceValues]
kinds = pytest.mark.parametrize("kind", KINDS, ids=lambda k: k.__name__)


class Stop(Exception):
    pass


# ---- Once


@pytest.mark.schedseeds
def test_one_of_many_does_it():
    """Go TestOnce."""
    once, n = Once(), [0]

    def run():
        once.Do(lambda: n.__setitem__(0, n[0] + 1))
        assert n == [1]

    for t in [spawn(run) for _ in range(10)]:
        t.join()
    for t in [Thread(run) for _ in range(3)]:
        t.join()
    assert once.Do(run) is None and n == [1]


@pytest.mark.schedseeds
def test_the_others_wait_for_its_end():
    once, s, ended = Once(), Sema(), []
    first = parked(once.Do, lambda: (semacquire(s), ended.append(1)), state="semacquire")
    others = [parked(once.Do, lambda: ended.append(2), state="sync.Mutex.Lock") for _ in range(3)]
    th = Thread(once.Do, lambda: ended.append(3))
    until(lambda: th.state() == "sync.Mutex.Lock")
    assert ended == []
    semrelease(s)
    for t in [first, *others, th]:
        t.join()
    assert ended == [1]


@pytest.mark.parametrize("exc", [Stop(), SystemExit(3), KeyboardInterrupt(), GeneratorExit()], ids=repr)
def test_an_exception_counts_as_done(exc):
    """Go TestOncePanic."""
    once = Once()

    def fails():
        raise exc

    with pytest.raises(type(exc)) as e:
        once.Do(fails)
    assert e.value is exc
    once.Do(lambda: pytest.fail("Once.Do called twice"))


@pytest.mark.schedseeds
def test_goexit_counts_as_done():
    once, ran = Once(), []
    g = runtime.go(once.Do, runtime.Goexit)
    until_dead(g)
    once.Do(lambda: ran.append(1))
    assert ran == [] and once.m.state == 0


def test_what_cannot_be_called_counts_as_done():
    once = Once()
    with pytest.raises(TypeError):
        once.Do(None)
    once.Do(lambda: pytest.fail("called"))


@pytest.mark.schedseeds
def test_an_exception_ends_the_wait_for_the_first():
    once, s = Once(), Sema()
    first = parked(once.Do, lambda: semacquire(s), state="semacquire")
    other = parked(once.Do, int, state="sync.Mutex.Lock")
    inject(other.g, Stop())
    assert isinstance(other.error(), Stop)
    assert not once.done
    semrelease(s)
    first.join()
    assert once.done and once.m.state == 0


def test_do_within_do_waits_for_itself():
    """It deadlocks, as in Go."""
    program = """
        from gonet import sync
        once = sync.Once()
        try:
            once.Do(lambda: once.Do(int))
        except runtime.Error as e:
            say(str(e).splitlines()[0])
        once.Do(lambda: say("not called"))
        say(once.done, once.m.state)
    """
    assert runs(program) == "all goroutines are asleep - deadlock!\nTrue 0\n"


def test_it_cannot_be_copied():
    for x in Once(), OnceFunc(int), OnceValue(int):
        for clone in copy.copy, copy.deepcopy, pickle.dumps:
            with pytest.raises(TypeError, match="cannot be copied or pickled"):
                clone(x)


# ---- the functions


def test_oncefunc():
    """Go TestOnceFunc."""
    calls = []
    f = OnceFunc(lambda: calls.append(1) or "dropped")
    assert calls == []
    for _ in range(3):
        assert f() is None
    assert calls == [1]


def test_oncevalue():
    """Go TestOnceValue."""
    calls = []
    f = OnceValue(lambda: calls.append(1) or [len(calls)])
    first = f()
    assert first == [1] and f() is first and calls == [1]


def test_oncevalues():
    """Go TestOnceValues."""
    calls = []
    f = OnceValues(lambda: (calls.append(1) or len(calls), "b"))
    a, b = f()
    assert (a, b) == (1, "b") == f() and calls == [1]


@kinds
def test_as_a_decorator(kind):
    @kind
    def answer():
        return 42

    assert answer() == answer() == (None if kind is OnceFunc else 42)


@kinds
@pytest.mark.parametrize("f", [None, 5])
def test_what_is_not_callable_is_refused_at_once(kind, f):
    with pytest.raises(TypeError):
        kind(f)


@kinds
def test_they_take_no_arguments(kind):
    f = kind(lambda: 1)
    with pytest.raises(TypeError):
        f(1)
    with pytest.raises(TypeError):
        f(a=1)


@kinds
@pytest.mark.schedseeds
def test_all_callers_wait_for_the_first(kind):
    s = Sema()
    f = kind(lambda: (semacquire(s), 7)[1])
    first = parked(f, state="semacquire")
    others = [parked(f, state="sync.Mutex.Lock") for _ in range(3)]
    semrelease(s)
    want = None if kind is OnceFunc else 7
    assert [t.join() for t in [first, *others]] == [want] * 4


@kinds
@pytest.mark.parametrize("exc", [Stop(), SystemExit(3), KeyboardInterrupt()], ids=repr)
@pytest.mark.schedseeds
def test_each_call_raises_the_same_exception(kind, exc):
    """Go TestOnceFuncPanic, TestOnceValuePanic, TestOnceValuesPanic."""
    calls = []

    def fails():
        calls.append(1)
        raise exc

    f = kind(fails)
    for _ in range(3):
        with pytest.raises(type(exc)) as e:
            f()
        assert e.value is exc
    assert spawn(f).error() is exc
    with pytest.raises(type(exc)):
        Thread(f).join()
    assert calls == [1]


@kinds
def test_the_first_traceback_goes_down_to_the_function(kind):
    """Go TestOnceFuncPanicTraceback. Later ones are the callers' own, and do not grow."""

    def origin():
        raise Stop

    f = kind(origin)

    def names():
        try:
            f()
        except Stop as e:
            return [frame.name.rpartition(".")[2] for frame in traceback.extract_tb(e.__traceback__)]

    first = names()
    assert first[0] == "names" and first[-1] == "origin"
    second = names()
    assert second[0] == "names" and "origin" not in second
    assert [names() for _ in range(3)] == [second] * 3


@kinds
@pytest.mark.schedseeds
def test_goexit_is_raised_again(kind):
    """Go TestOnceFuncGoexit: it is called once; whoever calls then ends likewise."""
    calls = []

    def exits():
        calls.append(1)
        runtime.Goexit()

    f = kind(exits)
    wg = WaitGroup()
    ended = []

    def work():
        try:
            f()
            ended.append("returned")
        except BaseException as e:
            ended.append(e)
            raise

    for _ in range(3):
        wg.Go(work)
        wg.Wait()
    assert calls == [1]
    assert isinstance(ended[0], GoexitException) and ended[1] is ended[2] is ended[0]


def test_goexit_raised_again_in_main():
    program = """
        from gonet import sync
        f = sync.OnceFunc(runtime.Goexit)
        g = go(f)
        until_state(g, "dead")
        go(lambda: (gtime.Sleep(0.05), say("the others go on")))
        f()
    """
    from tests.helpers import child

    r = child(program)
    assert r.stdout == "the others go on\n"
    assert r.returncode != 0
    assert r.stderr == "fatal error: no goroutines (main called runtime.Goexit) - deadlock!\n"


@pytest.mark.schedseeds
def test_an_exception_in_the_wait_for_the_first_is_the_waiters_own():
    s = Sema()
    f = OnceValue(lambda: semacquire(s))
    first = parked(f, state="semacquire")
    other = parked(f, state="sync.Mutex.Lock")
    inject(other.g, Stop())
    assert isinstance(other.error(), Stop)
    semrelease(s)
    assert first.join() == f() == 0


# ---- what is kept


class Thing:
    """A function that can be watched."""

    def __init__(self, exc=None):
        self.exc = exc

    def __call__(self):
        if self.exc is not None:
            raise self.exc()
        return 5


@kinds
@pytest.mark.parametrize("exc", [None, Stop, ValueError], ids=lambda e: getattr(e, "__name__", "returns"))
def test_the_function_is_not_kept(kind, exc):
    """Go TestOnceXGC."""
    thing = Thing(exc)
    captured = Thing()
    r, c = weakref.ref(thing), weakref.ref(captured)
    f = kind(lambda thing=thing, captured=captured: thing())
    del thing, captured
    gc.collect()
    assert r() and c()
    try:
        f()
    except Exception:
        pass
    gc.collect()
    assert r() is None and c() is None
    try:
        f()
    except Exception as e:
        assert type(e) is exc
    else:
        assert exc is None


def test_an_exception_that_someone_has_keeps_its_traceback():
    f = OnceFunc(Thing(Stop))
    try:
        f()
    except Stop as e:
        gc.collect()
        assert traceback.extract_tb(e.__traceback__)[-1].name == "__call__"
        kept = e
    gc.collect()
    assert traceback.extract_tb(kept.__traceback__)[-1].name == "__call__"
    tb = kept.__traceback__
    del kept
    gc.collect()
    assert f.exc.__traceback__ is None and tb is not None


def test_callers_are_not_kept_either():
    f = OnceFunc(Thing(Stop))
    for _ in range(3):
        local = Thing()
        r = weakref.ref(local)

        def call(local=local):
            with pytest.raises(Stop):
                f()

        call()
        del local, call
        gc.collect()
        assert r() is None


def test_one_that_is_dropped_is_forgotten():
    f = OnceFunc(Thing(Stop))
    with pytest.raises(Stop):
        f()
    r = weakref.ref(f)
    del f
    gc.collect()
    assert r() is None
    gc.collect()


def test_the_function_may_sleep():
    f = OnceValue(lambda: Sleep(0.001) or 3)
    assert [t.join() for t in [spawn(f) for _ in range(5)]] == [3] * 5
