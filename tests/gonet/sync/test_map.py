"""Map. Mirrors Go src/sync/map_test.go."""

from __future__ import annotations

import copy
import gc
import pickle
import random
import sys
import weakref

import pytest

import runtime
from gonet.sync import Map, Mutex, WaitGroup
from tests.helpers import Thread, runs, spawn, until

pytestmark = pytest.mark.usefixtures("nothing_left_over")


@pytest.fixture
def hasty():
    """Threads that take the GIL from each other all the time."""
    old = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(old)


def items(m):
    """What Range sees."""
    got = {}

    def f(k, v):
        assert k not in got
        got[k] = v
        return True

    assert m.Range(f) is None
    return got


# ---- one after the other


def test_what_each_call_gives():
    m = Map()
    assert m.Load("a") == (None, False)
    assert m.Store("a", 1) is None
    assert m.Load("a") == (1, True)
    assert m.LoadOrStore("a", 2) == (1, True)
    assert m.LoadOrStore("b", 2) == (2, False)
    assert m.Swap("b", 3) == (2, True)
    assert m.Swap("c", 4) == (None, False)
    assert m.LoadAndDelete("c") == (4, True)
    assert m.LoadAndDelete("c") == (None, False)
    assert m.CompareAndSwap("b", 2, 5) is False
    assert m.CompareAndSwap("b", 3, 5) is True
    assert m.CompareAndDelete("b", 3) is False
    assert m.CompareAndDelete("b", 5) is True
    assert m.Delete("a") is None
    assert m.Delete("a") is None
    assert items(m) == {}
    m.Store("x", 1)
    assert m.Clear() is None
    assert items(m) == {} and m.Load("x") == (None, False)


def test_none_is_a_key_and_a_value():
    m = Map()
    assert m.CompareAndSwap("a", None, 1) is False and m.CompareAndDelete("a", None) is False
    m.Store(None, None)
    assert m.Load(None) == (None, True)
    assert m.LoadOrStore(None, 1) == (None, True)
    assert m.CompareAndSwap(None, None, 1) is True
    assert m.Swap(None, None) == (1, True)
    assert m.CompareAndDelete(None, None) is True


def test_a_missing_key_is_not_swapped():
    """Go TestCompareAndSwap_NonExistingKey."""
    m = Map()
    assert m.CompareAndSwap(m, None, 42) is False
    assert items(m) == {}


def test_values_are_compared_by_equality():
    m = Map()
    m.Store("a", [1, 2])
    assert m.CompareAndSwap("a", [1, 2], [3])
    assert m.Load("a") == ([3], True)
    assert m.CompareAndDelete("a", [3])
    nan = float("nan")
    m.Store("n", nan)
    assert not m.CompareAndSwap("n", nan, 1) and not m.CompareAndDelete("n", nan)


@pytest.mark.parametrize(
    "call",
    [
        lambda m: m.Load([]),
        lambda m: m.Store([], 1),
        lambda m: m.LoadOrStore([], 1),
        lambda m: m.LoadAndDelete([]),
        lambda m: m.Delete([]),
        lambda m: m.Swap([], 1),
        lambda m: m.CompareAndSwap([], 1, 2),
        lambda m: m.CompareAndDelete([], 1),
    ],
    ids=["Load", "Store", "LoadOrStore", "LoadAndDelete", "Delete", "Swap", "CompareAndSwap", "CompareAndDelete"],
)
def test_an_unhashable_key_is_refused(call):
    m = Map()
    m.Store("a", 1)
    with pytest.raises(TypeError):
        call(m)
    Thread(m.Store, "b", 2).join()  # not locked
    assert items(m) == {"a": 1, "b": 2}


class Model:
    """The same, in the simplest way. Go RWMutexMap."""

    def __init__(self):
        self.d = {}

    def Load(self, k):
        return (self.d[k], True) if k in self.d else (None, False)

    def Store(self, k, v):
        self.d[k] = v

    def LoadOrStore(self, k, v):
        return (self.d[k], True) if k in self.d else (self.d.setdefault(k, v), False)

    def LoadAndDelete(self, k):
        return (self.d.pop(k), True) if k in self.d else (None, False)

    def Delete(self, k):
        self.d.pop(k, None)

    def Swap(self, k, v):
        was = self.Load(k)
        self.d[k] = v
        return was

    def CompareAndSwap(self, k, old, new):
        ok = k in self.d and self.d[k] == old
        if ok:
            self.d[k] = new
        return ok

    def CompareAndDelete(self, k, old):
        ok = k in self.d and self.d[k] == old
        if ok:
            del self.d[k]
        return ok

    def Clear(self):
        self.d.clear()


def test_it_agrees_with_a_model_over_random_calls():
    """Go TestMapMatchesRWMutex."""
    seed = random.randrange(1 << 30)
    print("seed", seed)
    rnd = random.Random(seed)
    m, model = Map(), Model()
    calls = {"Load": 1, "Store": 2, "LoadOrStore": 2, "LoadAndDelete": 1, "Delete": 1, "Swap": 2,
             "CompareAndSwap": 3, "CompareAndDelete": 2}  # fmt: skip
    for _ in range(5000):
        if rnd.random() < 0.005:
            m.Clear()
            model.Clear()
        name = rnd.choice(list(calls))
        args = [rnd.randrange(8) for _ in range(calls[name])]
        assert getattr(m, name)(*args) == getattr(model, name)(*args), (name, args)
    assert items(m) == model.d


def test_what_is_removed_is_not_kept():
    """Go TestIssue40999."""

    class Thing:
        pass

    m = Map()
    m.Store(None, 1)
    refs = []
    for remove in (
        lambda k, v: m.Delete(k),
        lambda k, v: m.LoadAndDelete(k),
        lambda k, v: m.CompareAndDelete(k, v),
        lambda k, v: m.Clear(),
    ):
        k, v = Thing(), Thing()
        refs += [weakref.ref(k), weakref.ref(v)]
        m.Store(k, v)
        remove(k, v)
    v = Thing()
    refs.append(weakref.ref(v))
    m.Store("a", v)
    m.Store("a", 1)
    del k, v
    gc.collect()
    assert not any(r() for r in refs)


# ---- Range


@pytest.mark.parametrize("false", [False, None, 0, ""])
def test_range_ends_at_a_false_result(false):
    m = Map()
    for i in range(5):
        m.Store(i, i)
    seen = []

    def f(k, v):
        seen.append(k)
        return true if len(seen) < 3 else false

    true = 1
    m.Range(f)
    assert len(seen) == 3


def test_range_may_change_the_map():
    """Go TestMapRangeNestedCall."""
    m = Map()
    for i, v in enumerate(["hello", "world", "Go"]):
        m.Store(i, v)

    def outer(key, value):
        def inner(k, v):
            assert m.Load(k) == (v, True)
            assert m.LoadOrStore(42, "dummy") == ("dummy", False)
            m.Store(42, "sync.Map")
            assert m.LoadAndDelete(42) == ("sync.Map", True)
            return True

        m.Range(inner)
        m.Delete(key)
        return True

    m.Range(outer)
    assert items(m) == {}


def test_range_does_not_visit_what_is_gone_and_gives_what_is_there():
    m = Map()
    for i in range(10):
        m.Store(i, "old")
    seen = {}

    def f(k, v):
        seen[k] = v
        for i in range(10):
            if i % 2:
                m.Delete(i)
            else:
                m.Store(i, "new")
            m.Store(100 + i, "later")
        return True

    m.Range(f)
    first = next(iter(seen))
    assert seen.pop(first) == "old"
    assert seen == {i: "new" for i in range(0, 10, 2) if i != first}


def test_an_exception_ends_range():
    m = Map()
    m.Store(1, 1)
    m.Store(2, 2)
    with pytest.raises(ZeroDivisionError):
        m.Range(lambda k, v: 1 / 0)
    assert items(m) == {1: 1, 2: 2}


def test_range_may_wait():
    m = Map()
    for i in range(3):
        m.Store(i, i)

    def f(k, v):
        runtime.Gosched()
        Thread(m.Store, k, -v).join()
        return True

    m.Range(f)
    assert items(m) == {0: 0, 1: -1, 2: -2}


# ---- many at once


def test_range_beside_stores(hasty):
    """Go TestConcurrentRange."""
    size = 200
    m = Map()
    for n in range(1, size + 1):
        m.Store(n, n)
    stop = []

    def store(g):
        rnd = random.Random(g)
        i = 0
        while not stop:
            i += 1
            for n in range(1, size):
                if rnd.randrange(10) == 0:
                    m.Store(n, n * i * g)
                else:
                    m.Load(n)

    ts = [Thread(store, g) for g in range(1, 4)]
    for _ in range(50):
        seen = items(m)
        assert len(seen) == size
        assert all(v % k == 0 for k, v in seen.items())
    stop.append(1)
    for t in ts:
        t.join()


def test_clear_beside_everything(hasty):
    """Go TestConcurrentClear."""
    m = Map()
    wg = WaitGroup()
    for i in range(10):
        wg.Go(m.Store, i, i * 10)
        wg.Go(m.Load, i)
        wg.Go(m.Clear)
    ts = [Thread(f, *a) for i in range(10) for f, *a in [(m.Store, i, i), (m.Clear,), (m.Range, lambda k, v: True)]]
    wg.Wait()
    for t in ts:
        t.join()
    m.Clear()
    assert items(m) == {}


class Key:
    """A key whose hash and comparison are Python's, so that threads change in the middle of a look-up."""

    def __init__(self, n):
        self.n = n

    def __hash__(self):
        return hash(self.n)

    def __eq__(self, other):
        return self.n == other.n


@pytest.mark.parametrize("key", [int, Key], ids=["plain", "of-Python"])
def test_compareandswap_counts(key, hasty):
    m = Map()
    m.Store(key(0), 0)

    def work():
        for _ in range(100):
            while True:
                v, _ = m.Load(key(0))
                if m.CompareAndSwap(key(0), v, v + 1):
                    break

    for t in [Thread(work) for _ in range(6)] + [spawn(work) for _ in range(6)]:
        t.join()
    assert m.Load(key(0)) == (1200, True)


@pytest.mark.parametrize("key", [int, Key], ids=["plain", "of-Python"])
def test_one_of_many_stores_and_one_deletes(key, hasty):
    m = Map()
    stored, deleted = [], []

    def work(me):
        for i in range(100):
            if not m.LoadOrStore(key(i), me)[1]:
                stored.append(i)

    def drop():
        for i in range(100):
            if m.LoadAndDelete(key(i))[1] if i % 2 else m.CompareAndDelete(key(i), m.Load(key(i))[0]):
                deleted.append(i)

    for t in [Thread(work, i) for i in range(5)]:
        t.join()
    assert sorted(stored) == list(range(100))
    for t in [Thread(drop) for _ in range(5)]:
        t.join()
    assert sorted(deleted) == list(range(100)) and items(m) == {}


def test_swap_gives_out_each_value_once(hasty):
    m = Map()
    got = []

    def work(k):
        for i in range(200):
            old, loaded = m.Swap(Key(1), (k, i))
            if loaded:
                got.append(old)

    for t in [Thread(work, k) for k in range(5)]:
        t.join()
    last, _ = m.LoadAndDelete(Key(1))
    assert sorted([*got, last]) == [(k, i) for k in range(5) for i in range(200)]


def test_a_finalizer_may_use_the_map():
    m = Map()

    class Thing:
        def __del__(self):
            m.Store("gone", 1)

    m.Store("a", Thing())
    m.Store("a", 2)
    assert items(m) == {"a": 2, "gone": 1}
    m.Store("b", Thing())
    m.Delete("gone")
    m.Delete("b")
    assert items(m) == {"a": 2, "gone": 1}


def test_a_key_may_use_the_map():
    m = Map()

    class Nosy(Key):
        __hash__ = Key.__hash__

        def __eq__(self, other):
            m.Load(5)
            m.Store(6, 7)
            return super().__eq__(other)

    m.Store(5, 5)
    m.Store(Nosy(1), 1)
    assert m.Swap(Nosy(1), 2) == (1, True)
    assert m.CompareAndSwap(Nosy(1), 2, 3)
    assert m.LoadAndDelete(Nosy(1)) == (3, True)
    assert items(m) == {5: 5, 6: 7}


def test_nobody_waits_for_a_goroutine_that_compares_values():
    mu = Mutex()
    m = Map()

    class Slow:
        def __eq__(self, other):
            with mu:
                return True

    m.Store(1, Slow())
    with mu:
        t = spawn(m.CompareAndSwap, 1, None, 2)
        until(lambda: t.g.state() == "sync.Mutex.Lock")
        assert Thread(m.Swap, 1, 3).join()[1]
    assert t.join() is False  # it is not what was compared any more
    assert m.Load(1) == (3, True)


def test_one_that_a_thread_changes_at_the_fork_is_free_in_the_child():
    program = """
        from gonet import sync
        m = sync.Map()
        entered, go_on = threading.Event(), threading.Event()
        class Key:
            def __hash__(self):
                entered.set()
                go_on.wait(10)
                return 1
        t = threading.Thread(target=m.Store, args=(Key(), 1))
        t.start()
        entered.wait()
        pid = os.fork()
        if pid == 0:
            m.Store(5, 6)
            m.Clear()
            os._exit(7 if m.Load(5) == (None, False) else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
        go_on.set()
        t.join()
        say(m.Load(5))
    """
    assert runs(program) == "(None, False)\n"


def test_it_cannot_be_copied():
    for clone in copy.copy, copy.deepcopy, pickle.dumps:
        with pytest.raises(TypeError, match="sync.Map cannot be copied or pickled"):
            clone(Map())
