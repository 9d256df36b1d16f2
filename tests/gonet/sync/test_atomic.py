"""Atomic types. Mirrors Go src/sync/atomic/atomic_test.go and value_test.go."""

from __future__ import annotations

import copy
import gc
import pickle
import random
import sys
import threading
import time
import weakref

import pytest

import runtime
from gonet.sync import atomic
from tests.helpers import Thread, spawn

pytestmark = pytest.mark.usefixtures("nothing_left_over")

INTS = {
    "Int32": (-(2**31), 2**31 - 1),
    "Int64": (-(2**63), 2**63 - 1),
    "Uint32": (0, 2**32 - 1),
    "Uint64": (0, 2**64 - 1),
}
ints = pytest.mark.parametrize("name", INTS)


@pytest.fixture
def hasty():
    """Threads that take the GIL from each other all the time."""
    old = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(old)


def wrap(n, name):
    """What a conversion of Go makes of n."""
    lo, hi = INTS[name]
    return (n - lo) % (hi - lo + 1) + lo


# ---- integers


@ints
def test_what_each_call_gives(name):
    x = getattr(atomic, name)()
    assert x.Load() == 0
    assert x.Store(5) is None
    assert x.Load() == 5
    assert x.Swap(6) == 5
    assert x.CompareAndSwap(5, 7) is False
    assert x.CompareAndSwap(6, 7) is True
    assert x.Add(3) == 10
    assert x.Add(-4) == 6
    assert x.And(3) == 6
    assert x.Or(8) == 2
    assert x.Load() == 10


@ints
def test_integers_wrap_at_their_width(name):
    lo, hi = INTS[name]
    x = getattr(atomic, name)()
    x.Store(hi)
    assert x.Load() == hi
    assert x.Add(1) == lo
    assert x.Add(-1) == hi
    x.Store(hi + 1)
    assert x.Load() == lo
    x.Store(lo - 1)
    assert x.Load() == hi
    assert x.Swap(3 * (hi - lo + 1) + 4) == hi
    assert x.CompareAndSwap(4 + hi - lo + 1, hi + 1) is True
    assert x.Load() == lo
    x.Store(0)
    assert x.Add(2**200 + 5) == 5
    assert x.Or(-1) == 5
    assert x.Load() == wrap(-1, name)
    assert x.And(lo) == wrap(-1, name)
    assert x.Load() == wrap(-1, name) & lo


@ints
def test_they_agree_with_go_over_random_calls(name):
    """Go TestAddInt32 and its kin, for any numbers."""
    seed = random.randrange(1 << 30)
    print("seed", seed)
    rnd = random.Random(seed)
    x = getattr(atomic, name)()
    model = 0

    def number():
        n = rnd.choice([0, 1, 2**31, 2**32, 2**63, 2**64, rnd.getrandbits(100)]) + rnd.randrange(-2, 3)
        return rnd.choice([n, -n])

    for _ in range(5000):
        n = number()
        op = rnd.choice(["Store", "Swap", "Add", "And", "Or", "CompareAndSwap"])
        if op == "CompareAndSwap":
            old = rnd.choice([number(), model, model + 2**64])
            assert x.CompareAndSwap(old, n) is (wrap(old, name) == model)
            if wrap(old, name) == model:
                model = wrap(n, name)
        else:
            before = model
            w = wrap(n, name)
            model = {"Store": w, "Swap": w, "Add": wrap(model + w, name), "And": model & w, "Or": model | w}[op]
            want = {"Store": None, "Add": model}.get(op, before)
            assert getattr(x, op)(n) == want, (op, n)
        assert x.Load() == model and type(x.Load()) is int


@ints
@pytest.mark.parametrize("bad", [1.0, "1", None, [1]], ids=repr)
@pytest.mark.parametrize("op", ["Store", "Swap", "Add", "And", "Or"])
def test_what_is_no_int_is_refused(name, op, bad):
    x = getattr(atomic, name)()
    x.Store(3)
    with pytest.raises(TypeError):
        getattr(x, op)(bad)
    with pytest.raises(TypeError):
        x.CompareAndSwap(bad, 1)
    with pytest.raises(TypeError):
        x.CompareAndSwap(3, bad)
    assert x.Load() == 3


@ints
def test_what_is_like_an_int_is_taken_as_one(name):
    class Five:
        def __index__(self):
            return 5

    class Six(int):
        pass

    x = getattr(atomic, name)()
    assert x.Add(True) == 1 and type(x.Swap(True)) is int and type(x.Load()) is int
    x.Store(Five())
    assert x.Load() == 5
    x.Store(Six(6))
    assert x.Load() == 6 and type(x.Load()) is int
    assert x.Add(Five()) == 11


@ints
def test_they_are_made_without_arguments(name):
    with pytest.raises(TypeError):
        getattr(atomic, name)(1)


@ints
def test_none_of_many_additions_is_lost(name, hasty):
    """Go TestHammer32, TestHammer64."""
    x, c, b = (getattr(atomic, name)() for _ in range(3))

    def work():
        for i in range(300):
            x.Add(1)
            while True:
                v = c.Load()
                if c.CompareAndSwap(v, v + 2):
                    break
            b.Or(1 << i % 30)
            if i % 50 == 0:
                runtime.Gosched()

    for t in [Thread(work) for _ in range(6)] + [spawn(work) for _ in range(6)]:
        t.join()
    assert (x.Load(), c.Load(), b.Load()) == (12 * 300, 12 * 600, (1 << 30) - 1)


def test_swap_gives_out_each_value_once(hasty):
    x = atomic.Uint64()
    got = []

    def work(k):
        for i in range(300):
            got.append(x.Swap(k * 1000 + i))

    for t in [Thread(work, k) for k in range(1, 7)]:
        t.join()
    assert sorted([*got, x.Load()]) == sorted([0] + [k * 1000 + i for k in range(1, 7) for i in range(300)])


def test_a_stored_value_is_seen_with_what_was_stored_before(hasty):
    """Go TestStoreLoadRelAcq32."""
    x = atomic.Int32()
    data = [0]

    def write():
        for i in range(1, 60):
            data[0] = i
            x.Store(i)
            while x.Load() != -i:
                pass

    def read():
        for i in range(1, 60):
            while x.Load() != i:
                pass
            assert data[0] == i
            x.Store(-i)

    ts = [Thread(write), Thread(read)]
    for t in ts:
        t.join()


# ---- booleans and references


def test_bool():
    x = atomic.Bool()
    assert x.Load() is False
    assert x.Store(True) is None
    assert x.Load() is True
    assert x.Swap(False) is True
    assert x.CompareAndSwap(True, True) is False
    assert x.CompareAndSwap(False, True) is True
    assert x.Load() is True
    x.Store([])
    assert x.Load() is False
    assert x.Swap("yes") is False
    assert x.CompareAndSwap(1, 0) is True
    assert x.Load() is False


def test_one_of_many_sets_a_bool(hasty):
    x = atomic.Bool()
    won = []

    def work():
        for i in range(100):
            if x.CompareAndSwap(False, True):
                won.append(i)
                assert x.Swap(False) is True

    for t in [Thread(work) for _ in range(6)]:
        t.join()
    assert won and x.Load() is False


def test_pointer():
    x = atomic.Pointer()
    a, b = [1], [1]
    assert x.Load() is None
    assert x.CompareAndSwap(None, a) is True
    assert x.Load() is a
    assert x.CompareAndSwap(b, a) is False, "equal, but not the same"
    assert x.Swap(b) is a
    assert x.CompareAndSwap(b, None) is True
    assert x.Store(a) is None
    assert x.Load() is a
    x.Store(None)
    assert x.Load() is None
    assert type(atomic.Pointer[int]()) is atomic.Pointer


def test_pointer_keeps_what_it_has_and_nothing_else():
    class Thing:
        pass

    x = atomic.Pointer()
    a, b = Thing(), Thing()
    ra, rb = weakref.ref(a), weakref.ref(b)
    x.Store(a)
    del a
    assert ra()
    x.Store(b)
    assert ra() is None
    x.CompareAndSwap(b, None)
    del b
    assert rb() is None


def test_a_finalizer_of_what_is_replaced_may_use_it():
    class Thing:
        def __del__(self):
            seen.append(x.Load())
            x.Store(2)

    for kind in atomic.Pointer, atomic.Value:
        seen = []
        x = atomic.Pointer()
        x.Store(Thing())
        x.Store(1)
        assert seen == [1] and x.Load() == 2 and kind


def test_a_stack_of_many(hasty):
    """Go TestHammer's CompareAndSwapPointer, as a stack in which nothing is lost and nothing doubled."""
    top = atomic.Pointer()
    got = []

    def push(k):
        for i in range(100):
            while True:
                old = top.Load()
                if top.CompareAndSwap(old, ((k, i), old)):
                    break

    def pop():
        n = 0
        while n < 100:
            old = top.Load()
            if old is not None and top.CompareAndSwap(old, old[1]):
                got.append(old[0])
                n += 1

    for t in [Thread(push, k) for k in range(4)] + [Thread(pop) for _ in range(4)]:
        t.join()
    assert sorted(got) == [(k, i) for k in range(4) for i in range(100)] and top.Load() is None


# ---- Value


def test_value():
    """Go TestValue."""
    v = atomic.Value()
    assert v.Load() is None
    assert v.Store(42) is None
    assert v.Load() == 42
    v.Store(84)
    assert v.Load() == 84
    w = atomic.Value()
    w.Store("foo")
    w.Store("barbaz")
    assert w.Load() == "barbaz"


def refuses(f, *args):
    with pytest.raises(runtime.Error) as e:
        f(*args)
    return str(e.value)


def test_value_refuses_none_and_other_types():
    """Go TestValuePanic."""
    v = atomic.Value()
    assert refuses(v.Store, None) == "sync/atomic: store of nil value into Value"
    v.Store(42)
    for other in "foo", True, 1.0:
        assert refuses(v.Store, other) == "sync/atomic: store of inconsistently typed value into Value"
    assert refuses(v.Store, None) == "sync/atomic: store of nil value into Value"
    v.Store(43)
    assert v.Load() == 43


def test_value_swap():
    """Go TestValue_Swap."""
    v = atomic.Value()
    assert refuses(v.Swap, None) == "sync/atomic: swap of nil value into Value"
    assert v.Swap(True) is None
    assert refuses(v.Swap, "") == "sync/atomic: swap of inconsistently typed value into Value"
    assert v.Swap(False) is True
    assert v.Load() is False


CAS = "sync/atomic: compare and swap of "


@pytest.mark.parametrize(
    "init, old, new, want, text",
    [
        (None, None, None, None, CAS + "nil value into Value"),
        (None, True, "", None, CAS + "inconsistently typed values"),
        (None, True, True, False, None),
        (None, None, True, True, None),
        (True, None, "", None, CAS + "inconsistently typed value into Value"),
        (True, True, True, True, None),
        (True, True, False, True, None),
        (True, False, False, False, None),
        (True, None, True, False, None),
        ([1], [1], [2], True, None),
        ([1], [3], [2], False, None),
    ],
)
def test_value_compareandswap(init, old, new, want, text):
    """Go TestValue_CompareAndSwap."""
    v = atomic.Value()
    if init is not None:
        v.Store(init)
    if text:
        assert refuses(v.CompareAndSwap, old, new) == text
        assert v.Load() == init
    else:
        assert v.CompareAndSwap(old, new) is want
        assert v.Load() == (new if want else init)


class Number:
    """An int whose comparison lets other threads in."""

    def __init__(self, n):
        self.n = n

    def __eq__(self, other):
        return self.n == other.n

    __hash__ = None


def test_value_compareandswap_counts(hasty):
    """Go TestValueCompareAndSwapConcurrent."""
    v = atomic.Value()
    v.Store(Number(0))

    def work(k):
        for i in range(k, 200, 10):
            while not v.CompareAndSwap(Number(i), Number(i + 1)):
                runtime.Gosched()

    for t in [Thread(work, k) for k in range(5)] + [spawn(work, k) for k in range(5, 10)]:
        t.join()
    assert v.Load().n == 200


def test_value_is_of_one_type_whoever_was_first(hasty):
    """Go TestValueConcurrent: what is loaded is always something that was stored."""
    for _ in range(50):
        v = atomic.Value()
        won = []

        def work(x, v=v, won=won):
            try:
                v.Store(x)
                won.append(type(x))
            except runtime.Error:
                pass

        for t in [Thread(work, x) for x in (1, "a", 2, "b")]:
            t.join()
        assert set(won) == {type(v.Load())} and len(won) == 2


# ---- eight threads at once
#
# Truly at once where there is no GIL. Elsewhere the GIL changes hands as often as it can.


def all_at_once(work, threads=8):
    """work(k) for k from 0 on, in as many threads, which begin together; what they returned."""
    begin = threading.Barrier(threads)

    def run(k):
        begin.wait()
        return work(k)

    return [t.join() for t in [Thread(run, k) for k in range(threads)]]


ROUNDS = 10000  # in each thread


@ints
def test_every_addition_gives_a_sum_of_its_own(name, hasty):
    x = getattr(atomic, name)()
    sums = all_at_once(lambda k: [x.Add(1) for _ in range(ROUNDS)])
    assert x.Load() == 8 * ROUNDS
    assert all(s == sorted(s) for s in sums)
    assert sorted(sum(sums, [])) == list(range(1, 8 * ROUNDS + 1))


@ints
def test_additions_beyond_the_width_are_exact(name, hasty):
    lo, hi = INTS[name]
    x = getattr(atomic, name)()
    x.Store(hi)
    all_at_once(lambda k: [x.Add(hi // 3 + k) for _ in range(ROUNDS)])
    assert x.Load() == wrap(hi + ROUNDS * sum(hi // 3 + k for k in range(8)), name)


@ints
def test_each_compareandswap_is_won_once(name, hasty):
    x = getattr(atomic, name)()

    def work(k):
        won = []
        while (v := x.Load()) < 8 * ROUNDS:
            if x.CompareAndSwap(v, v + 1):
                won.append(v)
        return won

    won = all_at_once(work)
    assert x.Load() == 8 * ROUNDS
    assert all(w == sorted(w) for w in won)
    assert sorted(sum(won, [])) == list(range(8 * ROUNDS))


@ints
def test_each_value_is_swapped_out_once(name, hasty):
    x = getattr(atomic, name)()
    got = all_at_once(lambda k: [x.Swap(k * ROUNDS + i) for i in range(1, ROUNDS + 1)])
    assert sorted([*sum(got, []), x.Load()]) == list(range(8 * ROUNDS + 1))


@ints
def test_nobody_loses_his_bits(name, hasty):
    """Each thread has some bits that it alone sets and clears; the others' change in between."""
    x = getattr(atomic, name)()

    def work(k):
        mine = 0b1001 << 4 * k if k < 7 else 0b0110
        for _ in range(ROUNDS):
            assert x.Or(mine) & mine == 0
            assert x.Load() & mine == mine
            assert x.And(~mine) & mine == mine
            assert x.Load() & mine == 0
            x.Add(mine)  # which nothing carries out of
            assert x.Load() & mine == mine
            x.Add(-mine)

    all_at_once(work)
    assert x.Load() == 0


@ints
def test_stores_and_loads_are_in_one_order(name, hasty):
    """Go TestStoreLoadSeqCst64: of two that each store and then load what the other stores, one at least sees it."""
    x, done = ([getattr(atomic, name)() for _ in range(2)] for _ in range(2))

    def work(me):
        saw = []
        for i in range(1, ROUNDS // 4):
            x[me].Store(i)
            saw.append(x[1 - me].Load())
            done[me].Store(i)
            while done[1 - me].Load() < i:
                time.sleep(0)
        return saw

    for i, (a, b) in enumerate(zip(*all_at_once(work, 2)), 1):
        assert {a, b} <= {i - 1, i} and i in (a, b)


class Thing:
    """Something that can be watched, and tells whether it is whole."""

    def __init__(self, n):
        self.n = n
        self.same = [n]

    def whole(self):
        return self.same == [self.n]


@pytest.mark.parametrize("name", ["Pointer", "Value"])
def test_what_is_loaded_is_whole_while_others_replace_it(name, hasty):
    x = getattr(atomic, name)()
    x.Store(Thing(0))
    refs = []

    def work(k):
        for i in range(ROUNDS // 4):
            thing = Thing(i)
            if i % 100 == 0:
                refs.append(weakref.ref(thing))
            if k % 2:
                x.Store(thing)
            else:
                assert x.Swap(thing).whole()
            del thing
            for _ in range(4):
                assert x.Load().whole()

    all_at_once(work)
    x.Store(Thing(-1))
    gc.collect()
    assert len(refs) == 8 * (ROUNDS // 400) and not any(r() for r in refs)


@pytest.mark.parametrize("name", ["Pointer", "Value"])
def test_each_thing_is_swapped_out_once(name, hasty):
    x = getattr(atomic, name)()
    got = all_at_once(lambda k: [x.Swap((k, i)) for i in range(ROUNDS)])
    assert sum(got, []).count(None) == 1
    left = {x.Load(), *sum(got, [])} - {None}
    assert left == {(k, i) for k in range(8) for i in range(ROUNDS)}


@pytest.mark.parametrize("name", ["Pointer", "Value"])
def test_a_stack_of_eight_threads_loses_and_doubles_nothing(name, hasty):
    top = getattr(atomic, name)()
    bottom = (None, None)
    top.Store(bottom)

    def work(k):
        got = []
        for i in range(ROUNDS // 4):
            while not top.CompareAndSwap(old := top.Load(), ((k, i), old)):
                pass
            while True:
                old = top.Load()
                if old is bottom:
                    break  # another has popped mine
                if top.CompareAndSwap(old, old[1]):
                    got.append(old[0])
                    break
        return got

    popped = sum(all_at_once(work), [])
    rest = top.Load()
    while rest is not bottom:
        popped.append(rest[0])
        rest = rest[1]
    assert sorted(popped) == [(k, i) for k in range(8) for i in range(ROUNDS // 4)]


@pytest.mark.parametrize("kind", ["Bool", "Pointer", "Int32", "Value"])
def test_it_can_be_a_lock_for_what_is_not_atomic(kind, hasty):
    x = getattr(atomic, kind)()
    free, held = {"Bool": (False, True), "Pointer": (None, "held"), "Int32": (0, 1), "Value": ("", "held")}[kind]
    x.Store(free)
    count = [0]

    def work(k):
        for _ in range(ROUNDS // 8):
            while not x.CompareAndSwap(free, held):
                time.sleep(0)  # to the holder
            n = count[0]
            time.sleep(0)
            count[0] = n + 1
            assert x.Swap(free) == held

    all_at_once(work)
    assert count[0] == 8 * (ROUNDS // 8)


def test_a_value_counts_exactly_by_comparison(hasty):
    """Equal is enough for Value: each number is another object in each thread."""
    v = atomic.Value()
    v.Store(Number(0))

    def work(k):
        won = 0
        while won < ROUNDS // 8:
            n = v.Load().n
            won += v.CompareAndSwap(Number(n), Number(n + 1))
        return won

    all_at_once(work)
    assert v.Load().n == 8 * (ROUNDS // 8)


def test_the_first_of_eight_stores_gives_a_value_its_type(hasty):
    for _ in range(60):
        v = atomic.Value()

        def work(k, v=v):
            try:
                v.Store([1, "a", 2.0, (3,)][k % 4])
            except runtime.Error:
                return None
            return type(v.Load())

        kinds = all_at_once(work)
        assert {kind for kind in kinds if kind} == {type(v.Load())} and kinds.count(type(v.Load())) == 2


# ---- all


@pytest.mark.parametrize("name", [*INTS, "Bool", "Pointer", "Value"])
def test_they_cannot_be_copied(name):
    x = getattr(atomic, name)()
    for clone in copy.copy, copy.deepcopy, pickle.dumps:
        with pytest.raises(TypeError, match=f"atomic.{name} cannot be copied or pickled"):
            clone(x)


def test_no_thread_is_adopted():
    def work():
        for name in [*INTS, "Bool", "Pointer"]:
            x = getattr(atomic, name)()
            x.Store(1), x.Load(), x.Swap(1), x.CompareAndSwap(1, 0)
        return runtime.asm.getm()

    assert Thread(work).join() is None
